"""What pyarrow's Flight client gets from the preprocessing service.

Arguments: host:port of preprocessing, name of a pipeline fitted on MNIST.
"""

import decimal
import hashlib
import json
import sys

import numpy
import pyarrow
from pyarrow import flight

from report import Report

address, pipeline = sys.argv[1:]
client = flight.connect(f"grpc://{address}")
report = Report()
row_count = 1000


def with_gaps(values, every):
    return [None if i % every == 0 else value for i, value in enumerate(values)]


def make_other_columns(random):
    """Types that datasets keep and pipelines do not read."""
    numbers = random.integers(0, 2**40, row_count).tolist()
    times = with_gaps(numbers, 9)
    words = with_gaps([f"{number:x}" for number in numbers], 4)
    binaries = [word and word.encode() for word in words]
    decimals = with_gaps([decimal.Decimal(number) / 1000 for number in numbers], 6)
    lists = with_gaps([[None, number, 1.5][: number % 4] for number in numbers], 5)
    structs = with_gaps([{"x": number, "words": words[: number % 3]} for number in numbers], 8)
    matrices = with_gaps([[[number % 7, 1], [2, 3], [4, 5]] for number in numbers], 7)
    return {
        "null": pyarrow.nulls(row_count),
        "binary": pyarrow.array(binaries),
        "large_binary": pyarrow.array(binaries, pyarrow.large_binary()),
        "large_text": pyarrow.array(words, pyarrow.large_string()),
        "fixed_binary": pyarrow.array([word and word.ljust(12, b".") for word in binaries], pyarrow.binary(12)),
        "date32": pyarrow.array(with_gaps([number % 20_000 for number in numbers], 3), pyarrow.date32()),
        "date64": pyarrow.array([86_400_000 * (number % 20_000) for number in numbers], pyarrow.date64()),
        **{f"timestamp_{unit}": pyarrow.array(times, pyarrow.timestamp(unit)) for unit in ("s", "ms", "us", "ns")},
        "timestamp_tz": pyarrow.array(times, pyarrow.timestamp("us", "Asia/Tokyo")),
        "decimal": pyarrow.array(decimals, pyarrow.decimal128(38, 6)),
        "list": pyarrow.array(lists, pyarrow.list_(pyarrow.float64())),
        "large_list": pyarrow.array(lists, pyarrow.large_list(pyarrow.float64())),
        "list_of_lists": pyarrow.array([row and [row, None, row] for row in lists]),
        "matrix": pyarrow.array(matrices, pyarrow.list_(pyarrow.list_(pyarrow.int16(), 2), 3)),
        "struct": pyarrow.array(structs),
    }


def make_table():
    random = numpy.random.default_rng(1)
    whole = random.integers(-(2**53), 2**53, row_count)
    bytes_ = random.integers(0, 256, (row_count, 6), dtype=numpy.uint8)
    lists = pyarrow.FixedSizeListArray.from_arrays(bytes_.flatten(), 6)
    words = random.choice(["", "north", "süd", "東", "a,\"b\"\n"], row_count)
    columns = {
        "int64": pyarrow.array(whole),
        "int8": pyarrow.array(whole % 128, pyarrow.int8()),
        "uint32": pyarrow.array(with_gaps((abs(whole) % 2**32).tolist(), 7), pyarrow.uint32()),
        "float64": pyarrow.array(with_gaps(random.normal(size=row_count).tolist(), 3)),
        "float32": pyarrow.array(random.normal(size=row_count).astype(numpy.float32)),
        "bool": pyarrow.array(with_gaps((whole % 2 == 0).tolist(), 5)),
        "text": pyarrow.array(with_gaps(words.tolist(), 11)),
        "category": pyarrow.array(with_gaps(words.tolist(), 13)).dictionary_encode(),
        "pixels": lists,
        "all_missing": pyarrow.nulls(row_count, pyarrow.float64()),
        **make_other_columns(random),
    }
    return pyarrow.table(columns)


table = make_table()


def descriptor(name):
    return flight.FlightDescriptor.for_path(*name.split("/"))


def put(name, data, rows_per_batch=None):
    writer, _ = client.do_put(descriptor(name), data.schema)
    with writer:
        writer.write_table(data, rows_per_batch)


def get(name):
    return client.do_get(flight.Ticket(name)).read_all()


def failure(call):
    try:
        call()
    except Exception as error:
        bases = [base.__name__ for base in type(error).__mro__]
        return {"type": bases, "message": str(error)}
    raise AssertionError("the call did not fail")


@report
def round_trip():
    put("datasets/table", table)
    returned = get("datasets/table")
    returned.validate(full=True)
    return {
        "equal": [name for name in table.column_names if returned.column(name).equals(table.column(name))],
        "types": [str(field.type) for field in returned.schema],
        "sent_types": [str(field.type) for field in table.schema],
        "null_counts": [column.null_count for column in returned.columns],
        "sent_null_counts": [column.null_count for column in table.columns],
        "rows": returned.num_rows,
    }


@report
def round_trip_in_batches():
    """The same rows in other batches are the same version."""
    put("datasets/table", table, 64)
    return get("datasets/table/versions/1").equals(get("datasets/table"))


@report
def round_trip_of_slices():
    """Buffers that begin in the middle of what they were cut from."""
    data = table.slice(13, 501)
    put("datasets/slices", data)
    return get("datasets/slices").equals(data)


def compressed_by(codec):
    return flight.FlightCallOptions(write_options=pyarrow.ipc.IpcWriteOptions(compression=codec))


@report
def round_trip_of_compressed():
    """Batches of compressed buffers are the same version as others, and large ones come back in parts."""
    found = {}
    for codec in ("lz4", "zstd"):
        writer, reader = client.do_put(descriptor("datasets/table"), table.schema, compressed_by(codec))
        with writer:
            writer.write_table(table, 300)
            writer.done_writing()
            while told := reader.read():
                last = json.loads(told.to_pybytes())
        large = pyarrow.table({"n": numpy.arange(5_000_000) % 100, "word": pyarrow.array(["x"]).take([0] * 5_000_000)})
        writer, _ = client.do_put(descriptor(f"datasets/{codec}"), large.schema, compressed_by(codec))
        with writer:
            writer.write_table(large)
        returned = get(f"datasets/{codec}")
        batches = len(returned.to_batches())
        found[codec] = {"version": last["name"], "equal": returned.equals(large), "in_parts": batches > 1}
    return found


@report
def changing_dictionaries():
    chunks = [pyarrow.array(values).dictionary_encode() for values in (["a", "b", "a"], ["c", "a"], ["b", "d", None])]
    put("datasets/dictionaries", pyarrow.table({"word": pyarrow.chunked_array(chunks)}))
    column = get("datasets/dictionaries").column("word")
    return column.cast(pyarrow.string()).to_pylist()


@report
def new_version():
    put("datasets/table", table.slice(0, 10))
    return [get(name).num_rows for name in ("datasets/table", "datasets/table/versions/1", "datasets/table/versions/2")]


@report
def list_flights():
    return sorted("/".join(part.decode() for part in info.descriptor.path) for info in client.list_flights())


@report
def flight_info():
    info = client.get_flight_info(descriptor("datasets/table/versions/1"))
    data = pyarrow.concat_tables(client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints)
    return {
        "rows": info.total_records,
        "endpoints": len(info.endpoints),
        "same_schema": info.schema.equals(data.schema),
        "equal": data.equals(table),
    }


@report
def schema():
    return client.get_schema(descriptor("datasets/table/versions/1")).schema.equals(get("datasets/table/versions/1").schema)


@report
def tensors():
    found = {}
    for split in ("train", "validation", "test"):
        name = f"{pipeline}/splits/{split}"
        data = get(name)
        features = data.column("features").combine_chunks()
        matrix = features.flatten().to_numpy(zero_copy_only=True).reshape(len(features), -1)
        labels = data.column("label").to_numpy()
        found[split] = {
            "info_rows": client.get_flight_info(descriptor(name)).total_records,
            "shape": matrix.shape,
            "dtype": str(matrix.dtype),
            "features": hashlib.sha256(matrix.tobytes()).hexdigest(),
            "labels_dtype": str(labels.dtype),
            "labels": hashlib.sha256(labels.astype(numpy.uint8).tobytes()).hexdigest(),
        }
    return found


@report
def part():
    """Some rows of some columns, in an order of their own."""
    put("datasets/parts", table, 300)
    command = json.dumps({"name": "datasets/parts", "columns": ["struct", "int64"], "offset": 250, "limit": 400})
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command))
    data = client.do_get(info.endpoints[0].ticket).read_all()
    data.validate(full=True)
    return {
        "rows": info.total_records,
        "schema": info.schema.equals(data.schema),
        "equal": data.equals(table.select(["struct", "int64"]).slice(250, 400)),
    }


@report
def acknowledged():
    """What is told of a put while it goes on, and in the end."""
    writer, reader = client.do_put(descriptor("datasets/acknowledged"), table.schema)
    told = []
    for start in (0, 400, 800):
        writer.write_table(table.slice(start, 400))
        told.append(json.loads(reader.read().to_pybytes()))
    writer.done_writing()
    told.append(json.loads(reader.read().to_pybytes()))
    writer.close()
    return told


@report
def unread():
    """A client that reads nothing of what it is told."""
    put("datasets/unread", table.select(["int64"]), 1)
    return get("datasets/unread").num_rows


def exchange(codec):
    images = get(json.dumps({"name": "datasets/mnist", "columns": ["image"], "limit": 3_000}))
    writer, reader = client.do_exchange(descriptor(pipeline), compressed_by(codec))
    with writer:
        writer.begin(images.schema)
        for number, batch in enumerate(images.to_batches(max_chunksize=1_000)):
            writer.write_with_metadata(batch, f"batch {number}".encode())
        writer.done_writing()
        chunks = [reader.read_chunk() for _ in range(3)]
    features = pyarrow.Table.from_batches([chunk.data for chunk in chunks]).column("features").combine_chunks()
    return {
        "metadata": [chunk.app_metadata.to_pybytes().decode() for chunk in chunks],
        "same": features.flatten().equals(images.column("image").combine_chunks().flatten()),
    }


@report
def exchanged():
    return [exchange(codec) for codec in (None, "lz4", "zstd")]


class NamedHandler(flight.ClientAuthHandler):
    token = b""

    def authenticate(self, outgoing, incoming):
        outgoing.write(b"somebody")
        self.token = incoming.read()

    def get_token(self):
        return self.token


@report
def handshake():
    named = flight.connect(f"grpc://{address}")
    handler = NamedHandler()
    named.authenticate(handler)
    header = named.authenticate_basic_token("somebody", "secret")
    options = flight.FlightCallOptions(headers=[header])
    return [handler.token.decode(), header[1].decode(), len(list(named.list_flights(b"datasets/mnist", options)))]


@report
def actions():
    return sorted(action.type for action in client.list_actions())


def renew_request(endpoint):
    """A RenewFlightEndpointRequest: field 1 holds the endpoint."""
    body = endpoint.serialize()
    assert len(body) < 128
    return bytes([0x0A, len(body)]) + body


@report
def dropped():
    put("datasets/dropped", table)
    info = client.get_flight_info(descriptor("datasets/dropped"))
    renewed = client.do_action(flight.Action("RenewFlightEndpoint", renew_request(info.endpoints[0])))
    endpoint = flight.FlightEndpoint.deserialize(next(renewed).body.to_pybytes())
    later = endpoint.expiration_time.value >= info.endpoints[0].expiration_time.value
    same = endpoint.ticket == info.endpoints[0].ticket and later
    list(client.do_action(flight.Action("DropDataset", b"datasets/dropped")))
    return {"renewed": same, "left": len(list(client.list_flights(b"datasets/dropped")))}


@report
def refuses_exchange():
    wrong = pyarrow.table({"image": numpy.zeros(3)})

    def call():
        writer, reader = client.do_exchange(descriptor(pipeline))
        with writer:
            writer.begin(wrong.schema)
            writer.write_table(wrong)
            writer.done_writing()
            reader.read_all()

    return failure(call)


@report
def refuses_unknown_dataset():
    return failure(lambda: get("datasets/none"))


@report
def refuses_unknown_version():
    return failure(lambda: client.get_flight_info(descriptor("datasets/table/versions/99")))


@report
def refuses_unknown_pipeline():
    return failure(lambda: get("pipelines/none/splits/train"))


@report
def refuses_no_name():
    return failure(lambda: get("what is this"))


@report
def refuses_nan():
    values = numpy.zeros(100)
    values[41] = numpy.nan
    return failure(lambda: put("datasets/nan", pyarrow.table({"good": numpy.ones(100), "height": values})))


@report
def refuses_infinity():
    values = numpy.zeros(100, numpy.float32)
    values[99] = numpy.inf
    return failure(lambda: put("datasets/infinity", pyarrow.table({"height": values}), 10))


@report
def refuses_type():
    times = pyarrow.array([1, 2], pyarrow.duration("us"))
    return failure(lambda: put("datasets/times", pyarrow.table({"how long": times})))


@report
def refuses_dataset_name():
    return failure(lambda: put("datasets/No Such Name", table))


@report
def nothing_is_kept():
    paths = ["/".join(part.decode() for part in info.descriptor.path) for info in client.list_flights()]
    return [path for path in paths if path.startswith(("datasets/nan", "datasets/infinity", "datasets/times"))]


report.print()
