"""What Triton's HTTP client (PyPI `tritonclient`) sends and reads in each form that the protocol has.

Argument: host:port of a gateway, behind which an inference gives its inputs back.
"""

import sys

import ml_dtypes
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from report import Report

(address,) = sys.argv[1:]
client = triton.InferenceServerClient(address)
report = Report()

limits = {kind: numpy.iinfo(kind) for kind in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")}
tensors = {
    "BOOL": numpy.array([[True, False]]),
    "UINT8": numpy.array([limits["u1"].min, limits["u1"].max], "u1"),
    "UINT16": numpy.array([limits["u2"].min, limits["u2"].max], "u2"),
    "UINT32": numpy.array([limits["u4"].min, limits["u4"].max], "u4"),
    "UINT64": numpy.array([limits["u8"].min, limits["u8"].max, 2**53 + 1], "u8"),
    "INT8": numpy.array([limits["i1"].min, limits["i1"].max], "i1"),
    "INT16": numpy.array([limits["i2"].min, limits["i2"].max], "i2"),
    "INT32": numpy.array([limits["i4"].min, limits["i4"].max], "i4"),
    "INT64": numpy.array([limits["i8"].min, limits["i8"].max, 2**53 + 1], "i8"),
    "FP16": numpy.array([0.1, -0.0, 65504, 6e-8], "f2"),
    "FP32": numpy.array([0.1, -0.0, 3.4e38, 1e-45], "f4"),
    "FP64": numpy.array([0.1, -0.0, 1.7e308, 5e-324], "f8"),
    "BYTES": numpy.array([["mill".encode(), "Mühle".encode()], [b"", b'"\\\n']], dtype=numpy.object_),
    "empty": numpy.zeros((0, 3), "f4"),
}
names = {"empty": "FP32"}


def tensor(name, values, binary):
    result = triton.InferInput(name, list(values.shape), names.get(name, name))
    result.set_data_from_numpy(values, binary_data=binary)
    return result


def same(result):
    """Names of the tensors that came back as they went."""
    return [name for name, values in tensors.items() if is_same(result.as_numpy(name), values)]


def is_same(found, values):
    contents = texts if values.dtype == numpy.object_ else lambda tensor: tensor.tobytes()
    return found.shape == values.shape and contents(found) == contents(values)


def texts(values):
    return [value if isinstance(value, bytes) else value.encode() for value in values.flatten()]


@report
def datatypes():
    found = {}
    for sent in (True, False):
        for received in (True, False):
            inputs = [tensor(name, values, sent) for name, values in tensors.items()]
            outputs = [triton.InferRequestedOutput(name, binary_data=received) for name in tensors]
            found[f"{sent} {received}"] = same(client.infer("m", inputs, outputs=outputs))
    return found


@report
def names_of_all():
    return list(tensors)


@report
def bfloat16():
    values = numpy.array([[1.5, -2.0]], ml_dtypes.bfloat16)
    result = client.infer("m", [tensor("BF16", values, True)])
    return result.as_numpy("BF16").astype("f4").tolist()


@report
def bytes_that_are_no_text():
    values = numpy.array([b"\xff\x00"], dtype=numpy.object_)
    inputs = [tensor("BYTES", values, True)]
    try:
        client.infer("m", inputs, outputs=[triton.InferRequestedOutput("BYTES", binary_data=False)])
    except InferenceServerException as error:
        refusal = error.status()
    return [client.infer("m", inputs).as_numpy("BYTES")[0].hex(), refusal]


@report
def parameters():
    client.infer(
        "m",
        [tensor("FP32", tensors["FP32"], True)],
        outputs=[triton.InferRequestedOutput("FP32", class_count=2)],
        sequence_id=2**63,
        sequence_start=True,
        priority=1,
        timeout=1_000,
        parameters={"colour": "red", "scale": 0.5},
    )


@report
def shared_tensor():
    shared = triton.InferInput("FP32", [16], "FP32")
    shared.set_shared_memory("in", 64, offset=8)
    output = triton.InferRequestedOutput("FP32")
    output.set_shared_memory("in", 64)
    return client.infer("m", [shared], outputs=[output]).get_output("FP32")


@report
def configuration():
    return client.get_model_config("m", "3")


@report
def statistics():
    return [client.get_inference_statistics(), client.get_inference_statistics("m", "3")]


@report
def repository():
    client.load_model("m", config='{"backend": "onnxruntime"}', files={"file:1/model.onnx": b"\x00\xff"})
    client.unload_model("m", unload_dependents=True)
    return client.get_model_repository_index()


@report
def shared_memory():
    client.register_system_shared_memory("in", "/in", 64, offset=8)
    found = [client.get_system_shared_memory_status(), client.get_system_shared_memory_status("in")]
    client.unregister_system_shared_memory("in")
    client.unregister_system_shared_memory()
    return found


@report
def cuda_memory():
    found = []
    for call in (
        lambda: client.register_cuda_shared_memory("in", "AAAA", 0, 64),
        client.get_cuda_shared_memory_status,
        client.unregister_cuda_shared_memory,
    ):
        try:
            call()
        except InferenceServerException as error:
            found.append(error.status())
    return found


@report
def trace_settings():
    settings = {"trace_level": ["OFF"], "trace_rate": "5", "trace_count": None}
    return [client.get_trace_settings(), client.get_trace_settings("m"), client.update_trace_settings("m", settings)]


@report
def log_settings():
    return [client.get_log_settings(), client.update_log_settings({"log_info": False, "log_verbose_level": 1})]


report.print()
