"""A CSV file to a scaled, one-hot float32 matrix with pandas and scikit-learn; prints seconds and memory as JSON.

Arguments: the file. Columns: n0 to n19 (numbers), c0 to c3 (categories). What importing the libraries takes does not count.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

numbers, categories = [f"n{i}" for i in range(20)], [f"c{i}" for i in range(4)]


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


begin, used = time.perf_counter(), processor_seconds()
frame = pd.read_csv(sys.argv[1])
one_hot = OneHotEncoder(sparse_output=False, dtype=np.float32, handle_unknown="ignore")
pipeline = ColumnTransformer(
    [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers), ("categories", one_hot, categories)]
)
matrix = pipeline.fit_transform(frame).astype(np.float32)
seconds = {"all": time.perf_counter() - begin}
processor = {"all": processor_seconds() - used}
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
assert matrix.shape == (len(frame), 120), matrix.shape
print(json.dumps({"rows": len(frame), "seconds": seconds, "processorSeconds": processor, "peakMb": peak_mb}))
