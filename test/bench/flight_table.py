"""A table of float32 columns, the same each time."""

import numpy
import pyarrow

batch_rows = 32_768


def make_table(columns, rows):
    random = numpy.random.default_rng(1)
    return pyarrow.table({f"c{i}": random.random(rows, dtype=numpy.float32) for i in range(columns)})
