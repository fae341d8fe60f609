"""Builds models with the onnx package, has ONNX Runtime answer them, and writes both into a folder for others to compare."""

import json
import os
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROWS = [1, 37]
FLOAT = TensorProto.FLOAT
IR_VERSION = 8


class Model:
    """A graph that grows node by node."""

    def __init__(self, name, opset, seed=0):
        self.name = f"{name}, version {opset}"
        self.opset = opset
        self.random = numpy.random.default_rng([opset, seed, len(name)])
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.feeds = {}

    def input(self, name, shape, kind=FLOAT, batch="N"):
        self.inputs.append(helper.make_tensor_value_info(name, kind, [batch, *shape]))
        self.feeds[name] = (kind, shape)
        return name

    def constant(self, array, kind=numpy.float32):
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(numpy.asarray(array, dtype=kind), name))
        return name

    def weights(self, *shape):
        return self.constant(self.random.normal(size=shape) / numpy.sqrt(max(shape)))

    def node(self, operator, *inputs, **attributes):
        output = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=f"node_{len(self.nodes)}", **attributes))
        return output

    def dense(self, value, inner, units):
        return self.node("Gemm", value, self.weights(inner, units), self.weights(units))

    def output(self, value, shape, kind=FLOAT, batch="N"):
        self.outputs.append(helper.make_tensor_value_info(value, kind, [batch, *shape]))

    def build(self):
        graph = helper.make_graph(self.nodes, "graph", self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=max(IR_VERSION, 10 if self.opset > 20 else 0))
        onnx.checker.check_model(model)
        return model

    def feed(self, rows):
        result = {}
        for name, (kind, shape) in self.feeds.items():
            numbers = self.random.normal(size=[rows, *shape]) * 3
            result[name] = numbers.astype(helper.tensor_dtype_to_np_dtype(kind))
        return result


def chain(opset):
    model = Model("chain", opset)
    value = model.input("x", [50])
    for inner, units, activation in [(50, 33, "Relu"), (33, 16, "Tanh"), (16, 10, "Softmax")]:
        value = model.node(activation, model.dense(value, inner, units))
    model.output(value, [10])
    return model


def residual(opset):
    model = Model("residual", opset)
    start = model.node("Relu", model.dense(model.input("x", [20]), 20, 32))
    block = model.dense(model.node("Relu", model.dense(start, 32, 32)), 32, 32)
    value = model.node("Relu", model.node("Add", block, start))
    model.output(model.dense(value, 32, 3), [3])
    return model


def normalised(opset):
    model = Model("batch normalisation", opset)
    value = model.node("MatMul", model.input("x", [12]), model.weights(12, 24))
    value = model.node("Add", value, model.weights(24))

    def statistics(width):
        variance = model.constant(model.random.uniform(0.5, 2, size=width))
        return [model.weights(width), model.weights(width), model.weights(width), variance]

    value = model.node("BatchNormalization", value, *statistics(24), epsilon=1e-3)
    value = model.node("BatchNormalization", model.node("Sigmoid", value), *statistics(24))
    model.output(model.node("LogSoftmax", value), [24])
    return model


def two_inputs(opset):
    model = Model("two inputs", opset)
    left = model.node("Relu", model.dense(model.input("left", [7]), 7, 18))
    right = model.node("Flatten", model.input("right", [2, 3]))
    both = model.node("Concat", left, right, axis=1)
    model.output(both, [24])
    shape = model.constant([-1, 2, 12], numpy.int64)
    model.output(model.node("Reshape", both, shape), [2, 12])
    model.output(model.dense(both, 24, 4), [4])
    return model


def casts(opset):
    model = Model("casts", opset)
    value = model.input("x", [9])
    whole = model.input("n", [9], TensorProto.INT32)
    for kind in [TensorProto.INT64, TensorProto.INT8, TensorProto.BOOL, TensorProto.DOUBLE, TensorProto.FLOAT16]:
        model.output(model.node("Cast", value, to=kind), [9], kind)
        model.output(model.node("Cast", whole, to=kind), [9], kind)
    mixed = model.node("Add", model.node("Cast", whole, to=FLOAT), value)
    model.output(mixed, [9])
    return model


def turned(opset):
    model = Model("turned weights", opset)
    value = model.input("x", [11])
    value = model.node("Gemm", value, model.weights(6, 11), model.weights(1, 6), alpha=0.3, beta=2.0, transB=1)
    value = model.node("Div", model.node("Sub", value, model.constant(0.5)), model.constant(numpy.full([6], 0.7)))
    value = model.node("Sub", model.constant([1.5]), model.node("Mul", value, value))
    model.output(value, [6])
    return model


def single_row(opset):
    model = Model("a fixed single row", opset)
    value = model.node("Flatten", model.input("x", [4, 4], batch=1))
    value = model.node("Reshape", model.dense(value, 16, 6), model.constant([1, 6], numpy.int64))
    model.output(model.node("Softmax", value, axis=1), [6], batch=1)
    return model


def activations(opset):
    model = Model("activations", opset)
    value = model.input("x", [40])
    settings = {
        "Relu": {}, "Sigmoid": {}, "Tanh": {}, "Softplus": {}, "Softsign": {}, "Selu": {}, "Elu": {"alpha": 0.6},
        "LeakyRelu": {"alpha": 0.05}, "HardSigmoid": {}, "Softmax": {}, "LogSoftmax": {}, "Identity": {}, "Dropout": {},
    }
    for operator, attributes in settings.items():
        model.output(model.node(operator, value, **attributes), [40])
    model.output(model.node("PRelu", value, model.weights(40)), [40])
    if opset >= 14:
        model.output(model.node("HardSwish", value), [40])
    if opset >= 20:
        model.output(model.node("Gelu", value), [40])
        model.output(model.node("Gelu", value, approximate="tanh"), [40])
    if opset < 11:
        model.output(model.node("Clip", value, min=0.0, max=6.0), [40])
    else:
        model.output(model.node("Clip", value, model.constant(0.0), model.constant(6.0)), [40])
    return model


def grown(opset, seed):
    """A graph of random steps, each of which reads what is there."""
    model = Model(f"random graph {seed}", opset, seed)
    random = model.random
    values = [(model.input("a", [int(random.integers(1, 40))]), 0), (model.input("b", [17]), 17)]
    values[0] = (values[0][0], model.feeds["a"][1][0])
    unary = ["Relu", "Tanh", "Sigmoid", "Softsign", "Elu", "Softmax", "Identity"]
    for _ in range(12):
        value, width = values[int(random.integers(len(values)))]
        step = int(random.integers(6))
        if step == 0:
            units = int(random.integers(1, 50))
            values.append((model.dense(value, width, units), units))
        elif step == 1:
            values.append((model.node(str(random.choice(unary)), value), width))
        elif step == 2:
            values.append((model.node(str(random.choice(["Add", "Mul", "Sub"])), value, model.weights(width)), width))
        elif step == 3:
            same = [other for other, columns in values if columns == width]
            values.append((model.node("Add", value, same[int(random.integers(len(same)))]), width))
        elif step == 4:
            other, columns = values[int(random.integers(len(values)))]
            values.append((model.node("Concat", value, other, axis=1), width + columns))
        else:
            statistics = [model.weights(width) for _ in range(3)]
            variance = model.constant(random.uniform(0.5, 2, size=width))
            values.append((model.node("BatchNormalization", value, *statistics, variance), width))
    # Only nodes that something reads are computed: the last ones, and one from the middle.
    for value, width in values[-3:] + values[6:7]:
        if value not in [output.name for output in model.outputs]:
            model.output(value, [width])
    return model


def answer(model, folder, index):
    proto = model.build()
    file = f"{index}.onnx"
    onnx.save(proto, os.path.join(folder, file))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    calls = []
    for rows in ROWS if all(value.type.tensor_type.shape.dim[0].dim_param for value in proto.graph.input) else [1]:
        feed = model.feed(rows)
        outputs = session.run(None, feed)
        calls.append({
            "rows": rows,
            "inputs": [numpy.ascontiguousarray(array).tobytes().hex() for array in feed.values()],
            "outputs": [{"type": str(array.dtype), "bytes": array.tobytes().hex()} for array in outputs],
        })
    return {"name": model.name, "file": file, "calls": calls}


def main(folder):
    models = [
        make(opset)
        for make in [chain, residual, normalised, two_inputs, casts, turned, single_row, activations]
        for opset in [7, 9, 11, 13, 17, 21]
        # Cast of version 7 is as that of 6; BatchNormalization of 7 and 9 differ in what they no longer take.
        if not (make is casts and opset == 7)
    ]
    models += [grown([9, 13, 17, 21][seed % 4], seed) for seed in range(40)]
    print(json.dumps([answer(model, folder, index) for index, model in enumerate(models)]))


main(sys.argv[1])
