"""What Triton's own gRPC clients (PyPI `tritonclient`) get from the inference service.

Arguments: host:port of inference, file of float32 input rows.
"""

import asyncio
import hashlib
import queue
import sys

import grpc
import numpy
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from report import Report

inference_address, input_file = sys.argv[1:]
pixels = 784
rows = numpy.fromfile(input_file, dtype="<f4").reshape(-1, pixels)
batches = (1, 7, 100)
client = triton.InferenceServerClient(inference_address)
report = Report()


def tensor(values, kind=triton.InferInput, name="input", datatype="FP32", **options):
    result = kind(name, list(values.shape), datatype)
    result.set_data_from_numpy(values, **options)
    return result


def infer(count=1, **options):
    return client.infer("mnist", [tensor(rows[:count])], **options)


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
def live():
    return client.is_server_live()


@report
def ready():
    return client.is_server_ready()


@report
def model_ready():
    versions = ("", "1", "champion", "2", "challenger")
    return {version: client.is_model_ready("mnist", version) for version in versions}


@report
def unknown_model_ready():
    return client.is_model_ready("minst")


@report
def server_metadata():
    return client.get_server_metadata(as_json=True)


@report
def model_metadata():
    return client.get_model_metadata("mnist", as_json=True)


@report
def model_config():
    return client.get_model_config("mnist", as_json=True)["config"]


@report
def repository_index():
    return client.get_model_repository_index(as_json=True)


@report
def infer_batches():
    results = {count: infer(count) for count in batches}
    return {
        count: {
            "shape": result.as_numpy("output").shape,
            "dtype": str(result.as_numpy("output").dtype),
            "output": probabilities(result),
        }
        for count, result in results.items()
    }


@report
def infer_versions():
    results = {version: infer(model_version=version) for version in ("", "1", "champion")}
    return {
        version: [result.get_response().model_name, result.get_response().model_version, probabilities(result)]
        for version, result in results.items()
    }


@report
def infer_requested_output():
    result = infer(7, outputs=[triton.InferRequestedOutput("output")])
    return [[output.name for output in result.get_response().outputs], probabilities(result)]


@report
def infer_request_id():
    return infer(request_id="of my own").get_response().id


@report
def infer_compressed():
    return {algorithm: probabilities(infer(100, compression_algorithm=algorithm)) for algorithm in ("gzip", "deflate")}


@report
def infer_large():
    """Larger than the 4 MiB that many servers take."""
    return hashlib.sha256(infer(len(rows)).as_numpy("output").tobytes()).hexdigest()


@report
def infer_deadline_kept():
    return probabilities(infer(client_timeout=30))


@report
def async_infer():
    answers = queue.Queue()
    for count in batches:
        client.async_infer(
            "mnist", [tensor(rows[:count])], lambda result, error: answers.put((result, error)), request_id=str(count)
        )
    found = {}
    for _ in batches:
        result, error = answers.get(timeout=30)
        if error:
            raise error
        found[result.get_response().id] = probabilities(result)
    return found


@report
def asyncio_infer():
    async def run():
        async with triton_aio.InferenceServerClient(inference_address) as aio_client:
            calls = [aio_client.infer("mnist", [tensor(rows[:count])]) for count in batches * 4]
            return [probabilities(result) for result in await asyncio.gather(*calls)]

    return asyncio.run(run())


@report
def typed_contents():
    request = service_pb2.ModelInferRequest(model_name="mnist")
    request.inputs.add(name="input", datatype="FP32", shape=[7, pixels])
    request.inputs[0].contents.fp32_contents.extend(rows[:7].flatten())
    with grpc.insecure_channel(inference_address) as channel:
        response = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    return probabilities(triton.InferResult(response))


@report
def refuses_unknown_model():
    return failure(lambda: client.infer("minst", [tensor(rows[:1])]))


@report
def refuses_unknown_version():
    return failure(lambda: infer(model_version="2"))


@report
def refuses_unknown_model_metadata():
    return failure(lambda: client.get_model_metadata("minst"))


@report
def refuses_wrong_shape():
    return failure(lambda: client.infer("mnist", [tensor(rows[:2].reshape(4, 392))]))


@report
def refuses_wrong_datatype():
    return failure(lambda: client.infer("mnist", [tensor(rows[:1].astype(numpy.float64), datatype="FP64")]))


@report
def refuses_wrong_input_name():
    return failure(lambda: client.infer("mnist", [tensor(rows[:1], name="image")]))


@report
def refuses_wrong_output_name():
    return failure(lambda: infer(outputs=[triton.InferRequestedOutput("scores")]))


@report
def refuses_missing_input():
    return failure(lambda: client.infer("mnist", []))


@report
def refuses_short_raw_contents():
    request = service_pb2.ModelInferRequest(model_name="mnist", raw_input_contents=[rows[:1].tobytes()[:-4]])
    request.inputs.add(name="input", datatype="FP32", shape=[1, pixels])
    with grpc.insecure_channel(inference_address) as channel:
        try:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
        except grpc.RpcError as error:
            return {"status": str(error.code()), "message": error.details()}
    raise AssertionError("the call did not fail")


@report
def refuses_cuda_memory():
    return failure(client.get_cuda_shared_memory_status)["status"]


@report
def works_after_refusals():
    return probabilities(infer())


report.print()
