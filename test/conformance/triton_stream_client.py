"""What Triton's own gRPC client gets from streams, classification and parameters of requests.

Arguments: host:port of inference, file of float32 input rows.
"""

import asyncio
import queue
import sys

import numpy
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

from report import Report

inference_address, input_file = sys.argv[1:]
pixels = 784
timeout_seconds = 30
rows = numpy.fromfile(input_file, dtype="<f4").reshape(-1, pixels)
report = Report()


def tensor(values):
    result = triton.InferInput("input", list(values.shape), "FP32")
    result.set_data_from_numpy(values)
    return result


def narrow(values):
    return tensor(values.reshape(-1, 392))


def told(result, error):
    """An answer or an error of a stream, as a program sees it."""
    if error:
        return {"status": error.status(), "message": error.message()}
    response = result.get_response()
    return {"id": response.id, "output": result.as_numpy("output").tobytes().hex()}


class Stream:
    """A client with one stream, and what came out of it."""

    def __init__(self, **options):
        self._answers = queue.Queue()
        self._client = triton.InferenceServerClient(inference_address)
        self._client.start_stream(lambda result, error: self._answers.put((result, error)), **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.stop_stream()
        self._client.close()

    def send(self, inputs, **options):
        self._client.async_stream_infer("mnist", [inputs], **options)

    def next(self):
        return self._answers.get(timeout=timeout_seconds)


@report
def stream_answers_in_order():
    with Stream() as stream:
        for index in range(20):
            stream.send(tensor(rows[index : index + 1]), request_id=str(index))
        return [told(*stream.next()) for _ in range(20)]


@report
def stream_goes_on_after_an_error():
    with Stream() as stream:
        stream.send(tensor(rows[:1]), request_id="before")
        stream.send(narrow(rows[:1]), request_id="wrong")
        stream.send(tensor(rows[:1]), request_id="after")
        answers = [told(*stream.next()) for _ in range(3)]
        stream.send(tensor(rows[:1]), request_id="later")
        return [*answers, told(*stream.next())]


@report
def stream_ends_with_status():
    with Stream(headers={"triton_grpc_error": "true"}) as stream:
        stream.send(tensor(rows[:1]), request_id="before")
        before = told(*stream.next())
        stream.send(narrow(rows[:1]), request_id="wrong")
        return [before, told(*stream.next())]


@report
def stream_of_unknown_model():
    with Stream() as stream:
        stream._client.async_stream_infer("minst", [tensor(rows[:1])])
        return told(*stream.next())


@report
def stream_marks_final_answers():
    with Stream() as stream:
        stream.send(tensor(rows[:1]), enable_empty_final_response=True)
        result, error = stream.next()
        return error is None and result.get_response().parameters["triton_final_response"].bool_param


@report
def asyncio_stream():
    async def run():
        async def requests():
            for index in range(3):
                yield {"model_name": "mnist", "inputs": [tensor(rows[index : index + 1])], "request_id": str(index)}

        async with triton_aio.InferenceServerClient(inference_address) as client:
            return [told(*answer) async for answer in client.stream_infer(requests())]

    return asyncio.run(run())


client = triton.InferenceServerClient(inference_address)


def classified(count, outputs):
    result = client.infer("mnist", [tensor(rows[:count])], outputs=outputs)
    values = result.as_numpy("output")
    return {"shape": values.shape, "values": [value.decode() for value in values.flatten()]}


@report
def classification():
    return classified(2, [triton.InferRequestedOutput("output", class_count=3)])


@report
def classification_of_all():
    return classified(1, [triton.InferRequestedOutput("output", class_count=100)])["shape"]


def inferred(**options):
    try:
        return client.infer("mnist", [tensor(rows[:1])], **options).as_numpy("output").tobytes().hex()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}


@report
def parameters():
    return {
        "priority": inferred(priority=1),
        "timeout": inferred(timeout=30_000_000),
        "sequence": inferred(sequence_id=7, sequence_start=True, sequence_end=True),
        "named sequence": inferred(sequence_id="seven", sequence_start=True, sequence_end=True),
        "custom": inferred(parameters={"mine": "text", "number": 3, "flag": True}),
    }


report.print()
