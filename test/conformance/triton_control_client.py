"""What Triton's own gRPC client gets where it controls the server: repository, statistics, shared memory, settings.

Each answer is asked of several connections, since the server's workers share what they are told.

Argument: host:port of inference.
"""

import os
import sys

import numpy
import onnx
import tritonclient.grpc as triton
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException, np_to_triton_dtype, serialize_byte_tensor, shared_memory

from report import Report

inference_address = sys.argv[1]
connections = 4
width = 3
report = Report()


def connect(number):
    # Channels of the same arguments would share a connection, and so a worker.
    arguments = [("grpc.use_local_subchannel_pool", 1), ("millrace.connection", number)]
    return triton.InferenceServerClient(inference_address, channel_args=arguments)


clients = [connect(number) for number in range(connections)]


def everywhere(ask):
    return [ask(client) for client in clients]


def refusal(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    raise AssertionError("it was not refused")


def passing(element, operator="Identity", result=None):
    """An ONNX model of one node, which passes on or casts rows of three elements."""
    attributes = {"to": result} if operator == "Cast" else {}
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    given = helper.make_tensor_value_info("x", element, ["N", width])
    made = helper.make_tensor_value_info("y", result or element, ["N", width])
    graph = helper.make_graph([node], "graph", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def upload(name, model, version=1, config="{}", client=clients[0]):
    client.load_model(name, config=config, files={f"file:{version}/model.onnx": model})


def tensor(values):
    result = triton.InferInput("x", list(values.shape), np_to_triton_dtype(values.dtype))
    result.set_data_from_numpy(values)
    return result


def asked(client, name, values, **options):
    return client.infer(name, [tensor(values)], **options).as_numpy("y")


def plain(array):
    return {"datatype": np_to_triton_dtype(array.dtype), "values": array.tolist()}


numbers = numpy.array([[1, 2, 3], [4, 5, 6]], dtype=numpy.float32)

# Datatypes.

samples = {
    "BOOL": (TensorProto.BOOL, numpy.array([[True, False, True]])),
    "UINT8": (TensorProto.UINT8, numpy.array([[0, 127, 255]], numpy.uint8)),
    "INT8": (TensorProto.INT8, numpy.array([[-128, 0, 127]], numpy.int8)),
    "UINT16": (TensorProto.UINT16, numpy.array([[0, 1, 2**16 - 1]], numpy.uint16)),
    "INT16": (TensorProto.INT16, numpy.array([[-(2**15), 0, 2**15 - 1]], numpy.int16)),
    "UINT32": (TensorProto.UINT32, numpy.array([[0, 1, 2**32 - 1]], numpy.uint32)),
    "INT32": (TensorProto.INT32, numpy.array([[-(2**31), 0, 2**31 - 1]], numpy.int32)),
    "UINT64": (TensorProto.UINT64, numpy.array([[0, 1, 2**64 - 1]], numpy.uint64)),
    "INT64": (TensorProto.INT64, numpy.array([[-(2**63), 0, 2**63 - 1]], numpy.int64)),
    "FP16": (TensorProto.FLOAT16, numpy.array([[-65504, 0.5, 2**-24]], numpy.float16)),
    "FP32": (TensorProto.FLOAT, numpy.array([[-1.5, 1e-45, 3.4e38]], numpy.float32)),
    "FP64": (TensorProto.DOUBLE, numpy.array([[0.1, -5e-324, 1.7e308]], numpy.float64)),
    "BYTES": (TensorProto.STRING, numpy.array([[b"", b"a\x00b", "Zürich".encode()]], numpy.object_)),
}


@report
def datatypes():
    brought = {}
    for datatype, (element, values) in samples.items():
        name = f"pass_{datatype.lower()}"
        try:
            upload(name, passing(element))
            answers = everywhere(lambda client: asked(client, name, values))
            [declared] = clients[1].get_model_metadata(name).outputs
            same = all(a.dtype == values.dtype and a.tolist() == values.tolist() for a in answers)
            brought[datatype] = same and declared.datatype == datatype
        except InferenceServerException as error:
            brought[datatype] = error.message()
    return brought


@report
def casts():
    brought = {}
    for datatype in ["INT64", "UINT8", "FP64", "BOOL"]:
        name = f"cast_{datatype.lower()}"
        upload(name, passing(TensorProto.FLOAT, "Cast", samples[datatype][0]))
        brought[datatype] = plain(asked(clients[1], name, numpy.array([[0, 1, 2.75]], numpy.float32)))
    return brought


# Repository.


@report
def loads_and_unloads():
    upload("comes", passing(TensorProto.FLOAT), version=3)
    listed = [
        [model.name, model.version, model.state]
        for model in clients[1].get_model_repository_index().models
        if model.name == "comes"
    ]
    loaded = everywhere(lambda client: client.is_model_ready("comes"))
    clients[2].unload_model("comes")
    unloaded = everywhere(lambda client: client.is_model_ready("comes"))
    return {
        "listed": listed,
        "loaded": loaded,
        "unloaded": unloaded,
        "refused": everywhere(lambda client: refusal(asked, client, "comes", numbers)["status"]),
    }


@report
def overrides_a_configuration():
    config = '{"max_batch_size": 5, "dynamic_batching": {"preferred_batch_size": [4], "max_queue_delay_microseconds": 70}}'
    upload("set", passing(TensorProto.FLOAT), config=config)

    def told(client):
        batching = client.get_model_config("set").config.dynamic_batching
        rows = numpy.ones((6, 3), numpy.float32)
        fits = asked(client, "set", rows[:5]).shape[0]
        too_many = refusal(asked, client, "set", rows)["status"]
        return [list(batching.preferred_batch_size), batching.max_queue_delay_microseconds, fits, too_many]

    return everywhere(told)


@report
def describes_a_model():
    upload("described", passing(TensorProto.FLOAT))
    config = clients[1].get_model_config("described", as_json=True)["config"]
    return {key: config[key] for key in ["name", "platform", "input", "output"]}


@report
def refuses_to_load():
    return {
        "unknown": refusal(clients[0].load_model, "minst"),
        "not_onnx": refusal(upload, "broken", b"\xff\xff\xff"),
        "no_config": refusal(clients[0].load_model, "broken", files={"file:1/model.onnx": b""}),
        "unknown_unload": refusal(clients[0].unload_model, "minst"),
    }


# Statistics.


@report
def counts():
    upload("counted", passing(TensorProto.FLOAT))
    for client in clients:
        asked(client, "counted", numbers)
        asked(client, "counted", numbers[:1])
        refusal(asked, client, "counted", numbers[:, :2].copy())

    def told(client):
        [model] = client.get_inference_statistics("counted").model_stats
        by_size = {batch.batch_size: batch.compute_infer.count for batch in model.batch_stats}
        return {
            "version": model.version,
            "inferences": model.inference_count,
            "executions": model.execution_count,
            "succeeded": model.inference_stats.success.count,
            "queued": model.inference_stats.queue.count,
            "batches": {str(size): by_size[size] for size in sorted(by_size)},
            "timed": model.inference_stats.success.ns > 0 and model.last_inference > 0,
        }

    return everywhere(told)


@report
def statistics_of_unknown_model():
    return refusal(clients[0].get_inference_statistics, "minst")


# Shared memory.


class Region:
    """Shared memory of this program, known to the server until the end."""

    def __init__(self, name, size, registered=None):
        self.name, self.key = name, f"/millrace_{os.getpid()}_{name}"
        self.memory = shared_memory.create_shared_memory_region(name, self.key, size, create_only=True)
        self.registered = size if registered is None else registered

    def __enter__(self):
        clients[0].register_system_shared_memory(self.name, self.key, self.registered)
        return self

    def __exit__(self, *_):
        clients[1].unregister_system_shared_memory(self.name)
        shared_memory.destroy_shared_memory_region(self.memory)


def shared_input(region, size=numbers.nbytes, offset=0):
    result = triton.InferInput("x", list(numbers.shape), "FP32")
    result.set_shared_memory(region, size, offset)
    return result


def shared_output(region, size=numbers.nbytes, offset=0):
    result = triton.InferRequestedOutput("y")
    result.set_shared_memory(region, size, offset)
    return result


def ask_shared(client, given, made):
    return client.infer("regions", [given], outputs=[made] if made else None)


def memory_names(client):
    return sorted(client.get_system_shared_memory_status().regions)


@report
def shares_memory():
    upload("regions", passing(TensorProto.FLOAT))
    size = numbers.nbytes
    brought = []
    with Region("both", 2 * size + 8) as region:
        for number, client in enumerate(clients):
            sent = numbers + number
            shared_memory.set_shared_memory_region(region.memory, [sent], offset=8)
            answer = ask_shared(client, shared_input("both", offset=8), shared_output("both", offset=8 + size))
            made = shared_memory.get_contents_as_numpy(region.memory, numpy.float32, numbers.shape, offset=8 + size)
            output = answer.get_output("y")
            parameters = output.parameters
            brought.append(
                {
                    "same": made.tolist() == sent.tolist(),
                    "shape": list(output.shape),
                    "region": parameters["shared_memory_region"].string_param,
                    "size": parameters["shared_memory_byte_size"].int64_param,
                    "inline": len(answer.get_response().raw_output_contents[0])
                    if answer.get_response().raw_output_contents
                    else 0,
                }
            )
            del made
        known = everywhere(memory_names)
        status = clients[2].get_system_shared_memory_status("both").regions["both"]
        told = [status.key == region.key, status.offset, status.byte_size]
    return {"brought": brought, "known": known, "told": told, "left": everywhere(memory_names)}


@report
def shares_memory_of_texts():
    texts = numpy.array([[b"a", b"", b"ccc"]], numpy.object_)
    serialized = triton.InferInput("x", [1, width], "BYTES")
    serialized.set_data_from_numpy(texts)
    upload("texts", passing(TensorProto.STRING))
    size = 3 * 4 + 4
    with Region("texts", 2 * size) as region:
        shared_memory.set_shared_memory_region(region.memory, [serialize_byte_tensor(texts)])
        serialized.set_shared_memory("texts", size)
        clients[3].infer("texts", [serialized], outputs=[shared_output("texts", size, size)])
        made = shared_memory.get_contents_as_numpy(region.memory, numpy.object_, [1, width], offset=size)
        return made.tolist() == texts.tolist()


@report
def refuses_memory():
    client, size = clients[0], numbers.nbytes
    register = client.register_system_shared_memory
    brought = {
        "no_key": refusal(register, "absent", f"/millrace_{os.getpid()}_absent", size),
        "unknown": refusal(ask_shared, clients[1], shared_input("absent"), None),
        "unknown_status": refusal(client.get_system_shared_memory_status, "absent"),
    }
    with Region("small", size) as region:
        brought["twice"] = refusal(register, "small", region.key, size)
        brought["larger_than_memory"] = refusal(register, "large", region.key, 2**20)
        brought["beyond"] = refusal(ask_shared, clients[2], shared_input("small", offset=4), None)
        brought["input_size"] = refusal(ask_shared, clients[2], shared_input("small", size - 4), None)
        brought["output_size"] = refusal(ask_shared, clients[3], shared_input("small"), shared_output("small", size - 4))
        os.truncate(f"/dev/shm{region.key}", 0)
        brought["cut"] = everywhere(lambda each: refusal(ask_shared, each, shared_input("small"), None))
    brought["alive"] = everywhere(lambda each: each.is_server_live() and each.is_model_ready("regions"))
    return brought


@report
def unregisters_all_memory():
    with Region("one", 16), Region("other", 16):
        before = everywhere(memory_names)
        clients[2].unregister_system_shared_memory()
        return {"before": before, "after": everywhere(memory_names)}


@report
def refuses_cuda():
    client = clients[0]
    return [
        refusal(client.register_cuda_shared_memory, "gpu", b"aGFuZGxl", 0, 64),
        refusal(client.get_cuda_shared_memory_status),
        refusal(client.unregister_cuda_shared_memory),
    ]


# Settings.


def trace(client, model=None):
    settings = client.get_trace_settings(model_name=model).settings
    return {name: list(settings[name].value) for name in ["trace_level", "trace_rate", "trace_count"]}


@report
def changes_trace_settings():
    upload("traced", passing(TensorProto.FLOAT))
    before = trace(clients[0])
    clients[1].update_trace_settings(settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "7", "trace_count": "9"})
    server = everywhere(trace)
    clients[2].update_trace_settings(model_name="traced", settings={"trace_rate": "2"})
    model = everywhere(lambda client: trace(client, "traced")["trace_rate"])
    clients[3].update_trace_settings(model_name="traced", settings={"trace_rate": None})
    cleared = everywhere(lambda client: trace(client, "traced")["trace_rate"])
    clients[0].update_trace_settings(settings={"trace_level": None, "trace_rate": None, "trace_count": None})
    return {"reset": trace(clients[1]) == before, "server": server, "model": model, "cleared": cleared}


@report
def changes_log_settings():
    def told(client):
        settings = client.get_log_settings().settings
        return [settings["log_info"].bool_param, settings["log_verbose_level"].uint32_param]

    clients[1].update_log_settings({"log_info": True, "log_verbose_level": 1})
    verbose = everywhere(told)
    clients[2].update_log_settings({"log_verbose_level": 0})
    return {"verbose": verbose, "after": everywhere(told)}


@report
def refuses_settings():
    return {
        "trace": refusal(clients[0].update_trace_settings, settings={"trace_rate": "often"}),
        "trace_level": refusal(clients[0].update_trace_settings, settings={"trace_level": ["TENSORS"]}),
        "log": refusal(clients[0].update_log_settings, {"log_colour": True}),
        "model": refusal(clients[0].get_trace_settings, model_name="minst"),
    }


report.print()
