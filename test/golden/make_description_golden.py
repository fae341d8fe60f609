"""Makes description.json: what pandas and numpy say of the columns of real tables, and of one too large to write down.

    pip install pandas==2.3.3 numpy==2.4.6 vega_datasets==0.9.0
    python test/golden/make_description_golden.py
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from vega_datasets import data

FRACTIONS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
BINS = 20


def numbers_of(values: np.ndarray) -> dict:
    counts, edges = np.histogram(values, bins=BINS if values.min() < values.max() else 1)
    return {
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "quantiles": [float(value) for value in np.quantile(values, FRACTIONS)],
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


def statistics_of(column: pd.Series, kind: str) -> dict:
    present = column.dropna()
    found = {
        "nullCount": int(column.isna().sum()),
        "count": int(present.count()),
        "distinct": int(present.nunique()),
        # Sorted counts: pandas does not say which of equally frequent values comes first.
        "topCounts": present.value_counts().head(10).tolist(),
    }
    if kind == "text":
        lengths = present.str.len()
        found["lengths"] = {
            "minimum": int(lengths.min()),
            "maximum": int(lengths.max()),
            "mean": float(lengths.mean()),
        }
    else:
        found["numbers"] = numbers_of(present.to_numpy(dtype="float64"))
    return found


def kind_of(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_integer_dtype(column):
        return "int64"
    return "float64" if pd.api.types.is_float_dtype(column) else "text"


def plain(value):
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def table_of(frame: pd.DataFrame) -> dict:
    columns = {}
    for name, column in frame.items():
        if pd.api.types.is_datetime64_any_dtype(column):
            column = column.dt.strftime("%Y-%m-%d")
        kind = kind_of(column)
        columns[str(name)] = {
            "type": kind,
            "values": [plain(value) for value in column],
            "statistics": statistics_of(column, kind),
        }
    return columns


def spread() -> dict:
    """More distinct values than are counted exactly: (7919 * i) mod 200003, less 1000, over 7; every 50th is 12.5."""
    rows = 200_000
    i = np.arange(rows, dtype="int64")
    values = ((i * 7919) % 200_003 - 1_000) / 7
    values[::50] = 12.5
    return {"rows": rows, "distinct": len(np.unique(values)), "statistics": statistics_of(pd.Series(values), "float64")}


cars = data.cars()
cars["Heavy"] = cars["Weight_in_lbs"] > 3_000
golden = {
    "madeBy": "test/golden/make_description_golden.py",
    "versions": {
        "pandas": pd.__version__,
        "numpy": np.__version__,
        "vega_datasets": version("vega_datasets"),
        "python": platform.python_version(),
    },
    "tables": {
        "cars": table_of(cars),
        "iris": table_of(data.iris()),
        "seattle-weather": table_of(data.seattle_weather()),
    },
    "spread": spread(),
}
target = Path(__file__).with_name("description.json")
target.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
