"""Makes sobol.json: points of SciPy's unscrambled Sobol sequence.

    python make_sobol_golden.py > sobol.json        (the file names the versions)

SciPy goes through the points in the order of Gray codes: its point i is point i ^ (i >> 1) of the sequence. Numbers are
multiples of 2^-32.
"""
import json
import platform

import scipy
from scipy.stats import qmc

DIMENSIONS = 64
INDICES = [1, 2, 3, 5, 10, 77, 500, 4095]
points = qmc.Sobol(DIMENSIONS, scramble=False, bits=32).random(4096)
print(
    json.dumps(
        {
            "made": f"scipy {scipy.__version__}, python {platform.python_version()}",
            "points": [
                {"index": i ^ (i >> 1), "point": [int(value * 2**32) for value in points[i]]} for i in INDICES
            ],
        }
    )
)
