"""Reads `datasets/floats` from a Flight server as fast as it can; prints MB/s as JSON. Puts the table if it is not there.

Arguments: port, columns, rows.
"""

import json
import sys
import time

from pyarrow import flight

from flight_table import batch_rows, make_table

port, columns, rows = map(int, sys.argv[1:])
client = flight.connect(f"grpc://127.0.0.1:{port}")
paths = [b"/".join(info.descriptor.path) for info in client.list_flights()]
if not any(path.startswith(b"datasets/floats") for path in paths):
    table = make_table(columns, rows)
    writer, _ = client.do_put(flight.FlightDescriptor.for_path("datasets", "floats"), table.schema)
    with writer:
        writer.write_table(table, batch_rows)


def read():
    size = 0
    begin = time.perf_counter()
    for chunk in client.do_get(flight.Ticket(b"datasets/floats")):
        size += chunk.data.nbytes
    seconds = time.perf_counter() - begin
    assert size == columns * rows * 4
    return size / 1e6 / seconds


# The first read opens the connection, and its windows grow.
read()
print(json.dumps({"megabytesPerSecond": read()}))
