"""What Triton's own HTTP clients (PyPI `tritonclient`) get from the gateway.

Arguments: host:port of the gateway, file of float32 input rows.
"""

import asyncio
import hashlib
import sys

import numpy
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from report import Report

address, input_file = sys.argv[1:]
pixels = 784
rows = numpy.fromfile(input_file, dtype="<f4").reshape(-1, pixels)
batches = (1, 7, 100)
client = triton.InferenceServerClient(address, concurrency=4)
report = Report()


def tensor(values, binary=True):
    result = triton.InferInput("input", list(values.shape), "FP32")
    result.set_data_from_numpy(values, binary_data=binary)
    return result


def infer(count=1, binary=True, model="mnist", **options):
    return client.infer(model, [tensor(rows[:count], binary)], **options)


def probabilities(result):
    return result.as_numpy("output").tobytes().hex()


def failure(call):
    """Status and words of an error, as a program sees them."""
    try:
        call()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    raise AssertionError("the call did not fail")


@report
def health():
    return [client.is_server_live(), client.is_server_ready()]


@report
def model_ready():
    return {version: client.is_model_ready("mnist", version) for version in ("", "1", "champion", "2")}


@report
def server_metadata():
    return client.get_server_metadata()


@report
def model_metadata():
    return client.get_model_metadata("mnist")


@report
def model_config():
    return client.get_model_config("mnist", "1")


@report
def repository_index():
    return client.get_model_repository_index()


@report
def infer_binary():
    """What the client does when it is told nothing."""
    results = {count: infer(count) for count in batches}
    return {count: [result.get_output("output"), probabilities(result)] for count, result in results.items()}


@report
def infer_json():
    outputs = [triton.InferRequestedOutput("output", binary_data=False)]
    return {count: probabilities(infer(count, binary=False, outputs=outputs)) for count in batches}


@report
def infer_mixed():
    """Binary in and JSON out, JSON in and binary out."""
    json_output = triton.InferRequestedOutput("output", binary_data=False)
    binary_output = triton.InferRequestedOutput("output")
    return [probabilities(infer(7, outputs=[json_output])), probabilities(infer(7, False, outputs=[binary_output]))]


@report
def infer_compressed():
    algorithms = ("gzip", "deflate", None)
    return {
        f"{sent} {received} {'binary' if binary else 'JSON'}": probabilities(
            infer(
                100,
                binary,
                request_compression_algorithm=sent,
                response_compression_algorithm=received,
                outputs=[triton.InferRequestedOutput("output", binary_data=binary)],
            )
        )
        for sent in algorithms
        for received in algorithms
        for binary in (True, False)
    }


@report
def infer_large():
    """15 MB in."""
    return hashlib.sha256(infer(len(rows)).as_numpy("output").tobytes()).hexdigest()


@report
def infer_version():
    response = infer(model_version="1", request_id="of my own").get_response()
    return [response["model_name"], response["model_version"], response["id"]]


@report
def infer_request_body():
    """As programs do that send the bytes by means of their own."""
    body, header_length = triton.InferenceServerClient.generate_request_body([tensor(rows[:7])])
    response = client._post("v2/models/mnist/infer", body, {"Inference-Header-Content-Length": header_length}, None)
    result = triton.InferenceServerClient.parse_response_body(
        response.read(), header_length=int(response.get("Inference-Header-Content-Length"))
    )
    return probabilities(result)


@report
def infer_raw_body():
    """A body that is the tensor and nothing else."""
    response = client._post(
        "v2/models/mnist/infer", rows[:7].tobytes(), {"Inference-Header-Content-Length": "0"}, None
    )
    return probabilities(triton.InferResult(response, False))


@report
def async_infer():
    requests = {count: client.async_infer("mnist", [tensor(rows[:count])]) for count in batches}
    return {count: probabilities(request.get_result(timeout=60)) for count, request in requests.items()}


@report
def asyncio_infer():
    async def run():
        async with triton_aio.InferenceServerClient(address) as aio_client:
            calls = [aio_client.infer("mnist", [tensor(rows[:count])]) for count in batches * 4]
            return [probabilities(result) for result in await asyncio.gather(*calls)]

    return asyncio.run(run())


@report
def refuses_unknown_model():
    return failure(lambda: infer(model="minst"))


@report
def refuses_wrong_shape():
    return failure(lambda: client.infer("mnist", [tensor(rows[:2].reshape(4, 392))]))


@report
def refuses_number_that_is_none():
    values = rows[:1].copy()
    values[0, 5] = numpy.nan
    return failure(lambda: client.infer("mnist", [tensor(values, False)]))


@report
def refuses_unknown_region():
    return failure(lambda: client.unregister_system_shared_memory("unknown"))


@report
def refuses_cuda_memory():
    return failure(lambda: client.get_cuda_shared_memory_status())


@report
def works_after_refusals():
    return probabilities(infer())


report.print()
