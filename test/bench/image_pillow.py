"""Decodes the JPEG files of a folder to tensors [64, 64, 3] of bytes with Pillow; prints processor time and time in seconds as JSON.

Arguments: the folder, how many times each, and `whole` or `smaller`: whether the decoder may give a smaller picture, as `thumbnail` has it.
What importing the libraries takes does not count.
"""

import io
import json
import pathlib
import resource
import sys
import time

import numpy as np
from PIL import Image

folder, repeats, how = sys.argv[1:]
files = [path.read_bytes() for path in pathlib.Path(folder).iterdir()]
size = (64, 64)


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


begin, used = time.perf_counter(), processor_seconds()
for _ in range(int(repeats)):
    tensors = np.empty((len(files), 64, 64, 3), np.uint8)
    for i, content in enumerate(files):
        image = Image.open(io.BytesIO(content))
        if how == "smaller":
            image.draft("RGB", (128, 128))
        tensors[i] = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
print(json.dumps({"processorSeconds": processor_seconds() - used, "seconds": time.perf_counter() - begin}))
