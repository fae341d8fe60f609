"""pyarrow's own Flight server with the table in memory; prints its port.

Arguments: columns, rows.
"""

import sys

from pyarrow import flight

from flight_table import batch_rows, make_table


class Server(flight.FlightServerBase):
    def __init__(self, table):
        super().__init__("grpc://127.0.0.1:0")
        self.batches = table.to_batches(max_chunksize=batch_rows)
        self.schema = table.schema

    def list_flights(self, context, criteria):
        yield flight.FlightInfo(self.schema, flight.FlightDescriptor.for_path("datasets", "floats"), [], -1, -1)

    def do_get(self, context, ticket):
        return flight.GeneratorStream(self.schema, iter(self.batches))


server = Server(make_table(*map(int, sys.argv[1:])))
print(server.port, flush=True)
server.serve()
