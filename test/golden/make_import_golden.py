"""Writes import/: small files as the libraries write them that people have, and what they hold in import.json.

Made with Python 3.11, pyarrow 26.0.1 and numpy 2.4.6: python test/golden/make_import_golden.py
"""

import datetime
import decimal
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.feather as feather
import pyarrow.parquet as pq

folder = pathlib.Path(__file__).parent / "import"
folder.mkdir(exist_ok=True)

utc = datetime.timezone.utc
moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
typed = pa.table(
    {
        "bool": pa.array([True, None, False]),
        "int8": pa.array([-128, None, 127], pa.int8()),
        "uint16": pa.array([0, None, 65535], pa.uint16()),
        "int64": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
        "uint64": pa.array([0, None, 2**64 - 1], pa.uint64()),
        "float32": pa.array([0.5, None, -0.25], pa.float32()),
        "float64": pa.array([1e300, None, -1e-300], pa.float64()),
        "text": pa.array(["ä", None, "a longer text than twelve bytes"]),
        "binary": pa.array([b"\x00\xff", None, b"twelve bytes and more"]),
        "date": pa.array([datetime.date(1969, 12, 31), None, datetime.date(2024, 2, 29)]),
        "milliseconds": pa.array([moment.replace(microsecond=123000), None, moment.replace(year=1960, microsecond=0)], pa.timestamp("ms")),
        "microseconds": pa.array([moment, None, moment], pa.timestamp("us")),
        "zoned": pa.array([moment.replace(tzinfo=utc), None, moment.replace(tzinfo=utc)], pa.timestamp("us", "UTC")),
        "small": pa.array([decimal.Decimal("-1.5"), None, decimal.Decimal("99.9")], pa.decimal128(3, 1)),
        "middle": pa.array([decimal.Decimal("-12345678.9"), None, decimal.Decimal("1")], pa.decimal128(12, 1)),
        "large": pa.array([decimal.Decimal("-123456789012345678901234567890.12345678"), None, decimal.Decimal("1.00000001")], pa.decimal128(38, 8)),
        "vectors": pa.array([[1.0, 2.0], None, [3.0, 4.5]], pa.list_(pa.float32())),
        "lists": pa.array([[1], None, [2, 3, 4]], pa.list_(pa.int32())),
        "words": pa.array([["a", None], [], ["a longer text than twelve bytes"]], pa.list_(pa.string())),
        "struct": pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}], pa.struct([("x", pa.int64()), ("y", pa.string())])),
    }
)
for compression in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
    pq.write_table(typed, folder / f"types-{compression}.parquet", compression=compression, row_group_size=2)
pq.write_table(pa.table({"time": pa.array([datetime.time(1, 2)])}), folder / "time-of-day.parquet")
pq.write_table(pa.table({"a": [1], "A": [2]}), folder / "case.parquet")
pq.write_table(pa.table({"bad": pa.array([1.0, float("nan")])}), folder / "nan.parquet")

arrowed = typed.append_column("category", pa.array(["a", None, "b"]).dictionary_encode())
for name, writer in [("file", pa.ipc.new_file), ("stream", pa.ipc.new_stream)]:
    with writer(folder / f"types-{name}.arrow", arrowed.schema) as out:
        out.write_table(arrowed, max_chunksize=2)
for compression in ["lz4", "zstd"]:
    with pa.ipc.new_file(folder / f"types-{compression}.feather", arrowed.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as out:
        out.write_table(arrowed)

# The same rows in every format and compression: they are to have one digest.
rows = pa.table(
    {
        "a": pa.array([i % 7 for i in range(2000)], pa.int64()),
        "b": pa.array([(i * 37 % 1000) / 8 for i in range(2000)], pa.float64()),
        "c": pa.array([None if i % 11 == 0 else f"row {i % 13} of a table" for i in range(2000)], pa.string()),
    }
)
for compression in ["snappy", "zstd"]:
    pq.write_table(rows, folder / f"rows-{compression}.parquet", compression=compression)
with pa.CompressedOutputStream(str(folder / "rows.csv.zst"), "zstd") as out:
    csv.write_csv(rows, out)
for compression in ["uncompressed", "lz4", "zstd"]:
    feather.write_feather(rows, folder / f"rows-{compression}.feather", compression=compression)

arrays = {
    "bool": np.array([True, False]),
    "int8": np.array([-128, 127], "<i1"),
    "uint64": np.array([0, 2**64 - 1], "<u8"),
    "big": np.array([-2, 2**40], ">i8"),
    "half": np.array([[65504.0, -(2.0**-24)], [0.1, -1.5]], "<f2"),
    "single": np.array([0.5, -0.25], ">f4"),
    "images": np.arange(24, dtype="<u2").reshape(2, 3, 4),
    "column": np.array([[1.5], [2.5]]),
    "unicode": np.array(["ä😀", "b"], "<U3"),
    "bytes": np.array([b"abc", b"d"]),
}
np.savez(folder / "plain.npz", **arrays)
np.savez_compressed(folder / "compressed.npz", **arrays)
splits = {f"{name}_{split}": arrays[name] for split in ["train", "test"] for name in ["images", "int8"]}
np.savez_compressed(folder / "splits.npz", **splits)
np.save(folder / "objects.npy", np.array([{}, "x"], dtype=object), allow_pickle=True)
np.save(folder / "fortran.npy", np.asfortranarray(np.ones((2, 3))))
np.save(folder / "structured.npy", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
np.save(folder / "complex.npy", np.array([1j]))
np.save(folder / "single.npy", arrays["images"])


epoch = datetime.datetime(1970, 1, 1)


def plain(value, scale=0):
    """Times as whole days or microseconds since 1970, decimals as whole units of their scale, bytes as Latin-1."""
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, datetime.datetime):
        return (value.replace(tzinfo=None) - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return (value - epoch.date()).days
    if isinstance(value, decimal.Decimal):
        return plain(int(value.scaleb(scale, decimal.Context(prec=50))))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return [plain(item) for item in value.values()]
    return value


def rows_of(table):
    scales = [field.type.scale if pa.types.is_decimal(field.type) else 0 for field in table.schema]
    return [[plain(value, scale) for value, scale in zip(row.values(), scales)] for row in table.to_pylist()]


content = {"typed": rows_of(typed), "arrowed": rows_of(arrowed)}
content["arrays"] = [
    [plain(np.asarray(array[row]).flatten().tolist() if array[row].size > 1 else array[row].flatten()[0].item()) for array in arrays.values()]
    for row in range(2)
]
(folder / "import.json").write_text(json.dumps(content, ensure_ascii=False) + "\n")
