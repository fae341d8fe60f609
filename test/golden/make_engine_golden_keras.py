"""Makes engine-keras.json: what Keras computes for small networks, in float64 from float32 numbers.

    KERAS_BACKEND=tensorflow python make_engine_golden_keras.py > engine-keras.json

Every case holds a network and trainer options as the engine takes them, the tensors by name, and what Keras makes of
them: outputs, loss, the gradient of every tensor and of the inputs, and moving statistics after the step.
"""
import json
import platform

import keras
import numpy as np
import tensorflow as tf

keras.backend.set_floatx("float64")
generator = np.random.default_rng(20240602)
ROWS, INPUTS, UNITS, OUTPUTS = 4, 5, 6, 3

ACTIVATIONS = {
    "linear": keras.activations.linear,
    "sigmoid": keras.activations.sigmoid,
    "hardSigmoid": keras.activations.hard_sigmoid,
    "tanh": keras.activations.tanh,
    "relu": keras.activations.relu,
    "leakyRelu": keras.activations.leaky_relu,
    "elu": keras.activations.elu,
    "selu": keras.activations.selu,
    "gelu": lambda z: keras.activations.gelu(z, approximate=False),
    "geluTanh": lambda z: keras.activations.gelu(z, approximate=True),
    "silu": keras.activations.silu,
    "softplus": keras.activations.softplus,
    "softsign": keras.activations.softsign,
    "softmax": keras.activations.softmax,
    "logSoftmax": keras.activations.log_softmax,
}


def exact(values):
    """Numbers that float32 holds exactly, so that both sides start from the same ones."""
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def draw(*shape, scale=1.0):
    return exact(generator.normal(size=shape) * scale)


def plain(values):
    return [float(f"{value:.9g}") for value in np.asarray(values).ravel()]


class Tensors:
    """The network's tensors by their names in the engine's files, in the order they are used."""

    def __init__(self):
        self.layers = []

    def own(self, layer, names, values):
        layer.set_weights(values)
        for name, variable in zip(names, layer.weights):
            self.layers.append((name, variable))

    def initial(self):
        return {name: {"shape": list(v.shape), "data": plain(v.numpy())} for name, v in self.layers}

    def trainable(self):
        return [(name, v) for name, v in self.layers if v.trainable]

    def statistics(self):
        return {name: plain(v.numpy()) for name, v in self.layers if not v.trainable}


def activation_layer(spec):
    if spec["activation"] == "leakyRelu" and "negativeSlope" in spec:
        return keras.layers.LeakyReLU(negative_slope=spec["negativeSlope"])
    if spec["activation"] == "elu" and "alpha" in spec:
        return keras.layers.ELU(alpha=spec["alpha"])
    return keras.layers.Activation(ACTIVATIONS[spec["activation"]])


def dense(spec, x, name, tensors):
    width = x.shape[-1]
    layer = keras.layers.Dense(spec["units"], use_bias=spec.get("useBias", True))
    y = layer(x)
    values = [draw(width, spec["units"], scale=0.5)]
    if layer.use_bias:
        values.append(draw(spec["units"], scale=0.25))
    tensors.own(layer, [f"{name}.kernel", f"{name}.bias"], values)
    return activation_layer({"activation": spec.get("activation", "linear")})(y)


def normalization(spec, x, name, tensors):
    width = x.shape[-1]
    values = [exact(1 + 0.5 * generator.normal(size=width)), draw(width)]
    if spec["type"] == "layerNormalization":
        layer = keras.layers.LayerNormalization(epsilon=spec.get("epsilon", 1e-3))
        y = layer(x)
        tensors.own(layer, [f"{name}.gamma", f"{name}.beta"], values)
        return y
    layer = keras.layers.BatchNormalization(momentum=spec.get("momentum", 0.99), epsilon=spec.get("epsilon", 1e-3))
    y = layer(x)
    values += [draw(width), exact(generator.uniform(0.5, 2, size=width))]
    tensors.own(layer, [f"{name}.{part}" for part in ("gamma", "beta", "movingMean", "movingVariance")], values)
    return y


def embedding(spec, x, name, tensors):
    """The columns without a table in their order, then the tables' vectors."""
    taken = [table["column"] for table in spec["tables"]]
    parts = [x[:, column : column + 1] for column in range(x.shape[-1]) if column not in taken]
    for index, table in enumerate(spec["tables"]):
        layer = keras.layers.Embedding(table["categories"], table["units"])
        parts.append(layer(x[:, table["column"]]))
        tensors.own(layer, [f"{name}.tables.{index}"], [draw(table["categories"], table["units"])])
    return keras.layers.Concatenate()(parts)


def apply(layers, x, prefix, tensors):
    for index, spec in enumerate(layers):
        name = f"{prefix}layers.{index}"
        kind = spec["type"]
        if kind == "dense":
            x = dense(spec, x, name, tensors)
        elif kind == "activation":
            x = activation_layer(spec)(x)
        elif kind == "prelu":
            layer = keras.layers.PReLU()
            y = layer(x)
            tensors.own(layer, [f"{name}.alpha"], [exact(0.25 + 0.125 * generator.normal(size=x.shape[-1]))])
            x = y
        elif kind == "residual":
            x = keras.layers.Add()([x, apply(spec["layers"], x, f"{name}.", tensors)])
        elif kind == "embedding":
            x = embedding(spec, x, name, tensors)
        else:
            x = normalization(spec, x, name, tensors)
    return x


LOSSES = {
    "meanSquaredError": keras.losses.MeanSquaredError,
    "meanAbsoluteError": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "logCosh": keras.losses.LogCosh,
    "binaryCrossEntropy": keras.losses.BinaryCrossentropy,
    "categoricalCrossEntropy": keras.losses.CategoricalCrossentropy,
    "hinge": keras.losses.Hinge,
    "kullbackLeibler": keras.losses.KLDivergence,
    "poisson": keras.losses.Poisson,
}


def loss_value(loss, targets, outputs, logits, weights):
    spec = {"type": loss} if isinstance(loss, str) else loss
    classes = np.asarray(targets).dtype == np.int32
    options = {}
    if "delta" in spec:
        options["delta"] = spec["delta"]
    if "labelSmoothing" in spec:
        options["label_smoothing"] = spec["labelSmoothing"]
    kind = LOSSES[spec["type"]]
    if classes:
        kind = keras.losses.SparseCategoricalCrossentropy
    predicted = outputs
    if spec["type"] in ("binaryCrossEntropy", "categoricalCrossEntropy"):
        options["from_logits"] = True
        predicted = logits
    factors = np.ones(ROWS) if weights is None else weights
    if "classWeights" in spec:
        # As in the data adapters of `fit`: https://github.com/keras-team/keras/blob/v3.15.1/keras/src/trainers/
        # data_adapters/data_adapter_utils.py, class_weight_to_sample_weights.
        array = np.asarray(targets)
        labels = array if classes else array.argmax(axis=1) if array.shape[1] > 1 else np.round(array[:, 0]).astype(int)
        factors = factors * np.asarray(spec["classWeights"])[labels]
    return kind(**options)(targets, predicted, sample_weight=factors)


def draw_targets(loss, outputs, classes):
    name = loss if isinstance(loss, str) else loss["type"]
    if classes:
        return generator.integers(0, outputs, ROWS).astype(np.int32)
    if name in ("categoricalCrossEntropy", "kullbackLeibler"):
        return exact(generator.dirichlet(np.ones(outputs), ROWS))
    if name == "binaryCrossEntropy":
        return generator.integers(0, 2, (ROWS, outputs)).astype(np.float64)
    if name == "hinge":
        return generator.integers(0, 2, (ROWS, outputs)) * 2.0 - 1.0
    if name == "poisson":
        return generator.poisson(2.0, (ROWS, outputs)).astype(np.float64)
    return draw(ROWS, outputs)


def case(name, layers, loss="meanSquaredError", *, classes=False, weighted=False, features=None, scale=1.0):
    """`features` are drawn unless given; `scale` makes them large."""
    x = draw(ROWS, INPUTS, scale=scale) if features is None else features
    inputs = keras.Input((x.shape[1],))
    tensors = Tensors()
    # The last activation apart: cross-entropies take what goes into it.
    last = layers[-1]
    activation = last.get("activation", "linear") if last["type"] == "dense" else "linear"
    without = [*layers[:-1], {**last, "activation": "linear"}] if last["type"] == "dense" else layers
    model = keras.Model(inputs, apply(without, inputs, "", tensors))
    targets = draw_targets(loss, model.output.shape[-1], classes)
    weights = exact(generator.uniform(0, 2, ROWS)) if weighted else None
    initial = tensors.initial()
    inference = ACTIVATIONS[activation](model(x, training=False)).numpy()
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        logits = model(given, training=True)
        value = loss_value(loss, targets, ACTIVATIONS[activation](logits), logits, weights)
    variables = [v.value for _, v in tensors.trainable()]
    gradients = tape.gradient(value, [*variables, given], unconnected_gradients="zero")
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    return {
        "name": name,
        "network": {"inputs": int(x.shape[1]), "layers": layers},
        "loss": loss,
        "classes": classes,
        "rows": ROWS,
        "tensors": initial,
        "features": plain(x),
        "targets": plain(targets),
        "weights": None if weights is None else plain(weights),
        "expected": {
            "outputs": plain(inference),
            "loss": float(value),
            "parameters": {name: plain(g) for (name, _), g in zip(tensors.trainable(), gradients)},
            "inputs": plain(gradients[-1]),
            "statistics": tensors.statistics(),
        },
    }


def stack(hidden, last="linear", units=OUTPUTS):
    return [
        {"type": "dense", "units": UNITS, "activation": hidden},
        {"type": "dense", "units": units, "activation": last},
    ]


def activation_cases():
    for activation in ACTIVATIONS:
        yield case(f"{activation} hidden", stack(activation))
        yield case(f"{activation} last", stack("tanh", activation))
    for own in ({"activation": "leakyRelu", "negativeSlope": 0.375}, {"activation": "elu", "alpha": 0.625}):
        layer = {"type": "activation", **own}
        yield case(f"{own['activation']} with its own slope", [{"type": "dense", "units": OUTPUTS}, layer])


def loss_cases():
    fits = [
        ("meanSquaredError", "linear", False),
        ("meanAbsoluteError", "linear", False),
        ("huber", "linear", False),
        ({"type": "huber", "delta": 0.375}, "linear", False),
        ("logCosh", "linear", False),
        ("binaryCrossEntropy", "sigmoid", False),
        ({"type": "binaryCrossEntropy", "labelSmoothing": 0.125}, "sigmoid", False),
        ("categoricalCrossEntropy", "softmax", True),
        ("categoricalCrossEntropy", "softmax", False),
        ({"type": "categoricalCrossEntropy", "labelSmoothing": 0.125}, "softmax", False),
        ({"type": "categoricalCrossEntropy", "classWeights": [0.5, 2, 1.5]}, "softmax", True),
        ({"type": "categoricalCrossEntropy", "classWeights": [0.5, 2, 1.5]}, "softmax", False),
        ("hinge", "tanh", False),
        ("kullbackLeibler", "softmax", False),
        ("kullbackLeibler", "sigmoid", False),
        ("poisson", "softplus", False),
        ("poisson", "sigmoid", False),
    ]
    for loss, activation, classes in fits:
        name = loss if isinstance(loss, str) else " ".join(map(str, loss.values()))
        form = "classes" if classes else "numbers"
        for weighted in (False, True):
            title = f"{name} of {form} after {activation}{' with weights' if weighted else ''}"
            yield case(title, stack("tanh", activation), loss, classes=classes, weighted=weighted)
    binary = {"type": "binaryCrossEntropy", "classWeights": [0.5, 2]}
    yield case("binaryCrossEntropy of one output with class weights", stack("tanh", "sigmoid", units=1), binary)
    yield case("logits of 1e4", stack("linear", "softmax"), "categoricalCrossEntropy", classes=True, scale=8192)


def layer_cases():
    last = {"type": "dense", "units": OUTPUTS}
    first = {"type": "dense", "units": UNITS, "activation": "tanh"}
    yield case("dense without bias", [{**first, "useBias": False}, {**last, "useBias": False}])
    yield case("prelu", [{"type": "dense", "units": UNITS}, {"type": "prelu"}, last])
    yield case("batch normalisation", [first, {"type": "batchNormalization"}, last])
    own = {"type": "batchNormalization", "momentum": 0.75, "epsilon": 0.0625}
    yield case("batch normalisation first, with its own momentum and epsilon", [own, first, last])
    yield case("batch normalisation last", [first, last, {"type": "batchNormalization"}])
    yield case("layer normalisation", [first, {"type": "layerNormalization"}, last])
    yield case("layer normalisation with its own epsilon", [{"type": "layerNormalization", "epsilon": 0.0625}, first, last])
    block = [{"type": "dense", "units": UNITS + 2, "activation": "relu"}, {"type": "dense", "units": UNITS}]
    residual = {"type": "residual", "layers": block}
    yield case("residual", [first, {"type": "layerNormalization"}, residual, last])
    nested = {"type": "residual", "layers": [{"type": "batchNormalization"}, residual, {"type": "prelu"}]}
    yield case("residual in residual", [first, nested, last])
    yield case("residual first and last", [{"type": "residual", "layers": [{"type": "dense", "units": INPUTS}]}])
    features = np.stack([draw(ROWS), [2, 0, 2, 1], draw(ROWS), [0, 3, 3, 1]], axis=1)
    tables = [{"column": 1, "categories": 3, "units": 4}, {"column": 3, "categories": 4, "units": 2}]
    yield case("embedding", [{"type": "embedding", "tables": tables}, first, last], features=features)


print(
    json.dumps(
        {
            "madeBy": "test/golden/make_engine_golden_keras.py",
            "versions": {
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "activations": list(activation_cases()),
            "losses": list(loss_cases()),
            "layers": list(layer_cases()),
        },
        separators=(",", ":"),
    )
)
