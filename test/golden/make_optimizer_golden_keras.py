"""Makes optimizers-keras.json: ten steps of every optimizer, schedules and their options as Keras computes them, in float64.

    python make_optimizer_golden_keras.py > optimizers-keras.json       (the file names its versions)

Optimizers, schedules and options are written in Millrace's names; `OPTIMIZERS` and `SCHEDULES` translate them.
"""
import json
import os
import platform

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

keras.config.set_floatx("float64")
generator = np.random.default_rng(20240607)
ROWS, INPUTS, HIDDEN, OUTPUTS = 4, 5, 7, 3
STEPS = 10


def draw(*shape):
    """Numbers that float32 holds exactly, so that both sides start from the same ones."""
    return generator.normal(size=shape).astype(np.float32).astype(np.float64)


def plain(values):
    return [float(f"{value:.10g}") for value in np.asarray(values).ravel()]


PARAMETERS = [draw(INPUTS, HIDDEN) * 0.5, draw(HIDDEN) * 0.25, draw(HIDDEN, OUTPUTS) * 0.5, draw(OUTPUTS) * 0.25]
FEATURES = draw(ROWS, INPUTS)
TARGETS = generator.integers(0, OUTPUTS, ROWS)

k = keras.optimizers
OPTIMIZERS = {
    "gradientDescent": k.SGD,
    "sgd": k.SGD,
    "adam": k.Adam,
    "adamW": k.AdamW,
    "rmsprop": k.RMSprop,
    "adagrad": k.Adagrad,
    "adadelta": k.Adadelta,
    "lion": k.Lion,
}
NAMES = {
    "learningRate": "learning_rate",
    "weightDecay": "weight_decay",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "initialAccumulator": "initial_accumulator_value",
}
CLIPPING = {"value": "clipvalue", "norm": "clipnorm", "globalNorm": "global_clipnorm"}


def doubles(value):
    """Keras makes a float32 of a Python number, whatever floatx is."""
    if isinstance(value, dict):
        return {name: doubles(one) for name, one in value.items()}
    return np.float64(value) if isinstance(value, float) else value


def schedule_of(spec, rate):
    s = k.schedules
    rate, spec = doubles(rate), doubles(spec)
    warmup = spec.get("warmupSteps", 0)
    kind, steps = spec["type"], spec["steps"]
    if kind == "exponential":
        return s.ExponentialDecay(rate, steps, spec["factor"], spec.get("staircase", False))
    if kind == "polynomial":
        return s.PolynomialDecay(
            rate, steps, spec.get("endRate", np.float64(0.0001)), spec.get("power", 1.0), spec.get("cycle", False)
        )
    if "restarts" in spec:
        restarts = spec["restarts"]
        return s.CosineDecayRestarts(
            rate, steps, restarts.get("lengthFactor", 2.0), restarts.get("rateFactor", 1.0), spec.get("alpha", 0.0)
        )
    if warmup:
        return s.CosineDecay(np.float64(0.0), steps, spec.get("alpha", 0.0), warmup_target=rate, warmup_steps=warmup)
    return s.CosineDecay(rate, steps, spec.get("alpha", 0.0))


def optimizer_of(case):
    spec = case["optimizer"]
    options = {NAMES.get(name, name): value for name, value in spec.items() if name != "type"}
    for name, value in case.get("clipping", {}).items():
        options[CLIPPING[name]] = value
    if "averaging" in case:
        options["use_ema"] = True
        options["ema_momentum"] = case["averaging"].get("decay", 0.99)
    if "schedule" in case:
        options["learning_rate"] = schedule_of(case["schedule"], options["learning_rate"])
    return OPTIMIZERS[spec["type"]](**options)


def run(case):
    variables = [keras.Variable(value) for value in PARAMETERS]
    optimizer = optimizer_of(case)
    optimizer.build(variables)
    regularizer = keras.regularizers.L1L2(**case.get("regularization", {}))
    losses = []
    epsilon = getattr(optimizer, "epsilon", 0.0)
    for step in range(STEPS):
        if isinstance(optimizer, k.Adam):
            # Keras's is the paper's "epsilon hat"; this makes it the epsilon of algorithm 1.
            optimizer.epsilon = epsilon * (1 - optimizer.beta_2 ** (step + 1)) ** 0.5
        with tf.GradientTape() as tape:
            w0, b0, w1, b1 = [variable.value for variable in variables]
            logits = tf.tanh(tf.constant(FEATURES) @ w0 + b0) @ w1 + b1
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=TARGETS, logits=logits))
            total = loss + regularizer(w0) + regularizer(w1)
        losses.append(loss.numpy())
        optimizer.apply(tape.gradient(total, [variable.value for variable in variables]), variables)
    expected = {"losses": plain(losses), "parameters": [plain(variable) for variable in variables]}
    if "averaging" in case:
        expected["average"] = [plain(average) for average in optimizer._model_variables_moving_average]
    return {**case, "expected": expected}


def case(kind, rest=None, **options):
    return {"optimizer": {"type": kind, **options}, **(rest or {})}


CASES = [
    case("gradientDescent", learningRate=0.5),
    case("gradientDescent", learningRate=0.5, weightDecay=0.1),
    case("sgd", learningRate=0.2),
    case("sgd", learningRate=0.2, momentum=0.9),
    case("sgd", learningRate=0.2, momentum=0.9, nesterov=True),
    case("sgd", learningRate=0.2, momentum=0.5, nesterov=True, weightDecay=0.05),
    case("adam"),
    case("adam", learningRate=0.05, beta1=0.8, beta2=0.95),
    case("adam", learningRate=0.05, beta1=0.8, beta2=0.6, amsgrad=True),
    case("adam", learningRate=0.05, weightDecay=0.1),
    case("adamW"),
    case("adamW", learningRate=0.05, weightDecay=0.2),
    case("adamW", learningRate=0.05, beta2=0.6, amsgrad=True),
    case("rmsprop"),
    case("rmsprop", learningRate=0.02, rho=0.7),
    case("rmsprop", learningRate=0.02, rho=0.7, epsilon=0.01),
    case("rmsprop", learningRate=0.02, momentum=0.8),
    case("rmsprop", learningRate=0.02, rho=0.8, centered=True, epsilon=0.001),
    case("rmsprop", learningRate=0.02, rho=0.8, momentum=0.5, centered=True, epsilon=0.001, weightDecay=0.1),
    case("adagrad"),
    case("adagrad", learningRate=0.2),
    case("adagrad", learningRate=0.2, initialAccumulator=0.001, epsilon=0.01, weightDecay=0.05),
    case("adadelta"),
    case("adadelta", learningRate=1.0, rho=0.8, epsilon=0.001),
    case("adadelta", learningRate=1.0, epsilon=0.01, weightDecay=0.05),
    case("lion"),
    case("lion", learningRate=0.01, beta1=0.7, beta2=0.8),
    case("lion", learningRate=0.01, weightDecay=0.5),
    case("sgd", {"regularization": {"l1": 0.02}}, learningRate=0.2),
    case("sgd", {"regularization": {"l2": 0.05}}, learningRate=0.2, momentum=0.9),
    case("adam", {"regularization": {"l1": 0.01, "l2": 0.03}}, learningRate=0.05),
    case("sgd", {"clipping": {"value": 0.05}}, learningRate=0.5),
    case("sgd", {"clipping": {"norm": 0.1}}, learningRate=0.5, momentum=0.5),
    case("sgd", {"clipping": {"globalNorm": 0.2}}, learningRate=0.5, momentum=0.5),
    case("sgd", {"clipping": {"globalNorm": 100.0}}, learningRate=0.5),
    case("rmsprop", {"clipping": {"globalNorm": 0.1}, "regularization": {"l2": 0.1}}, learningRate=0.02, epsilon=0.01),
    case("adam", {"clipping": {"norm": 0.1}, "regularization": {"l1": 0.1}}, learningRate=0.05, epsilon=0.1),
    case("sgd", {"averaging": {"decay": 0.8}}, learningRate=0.5),
    case("adamW", {"averaging": {}}, learningRate=0.05),
    case("sgd", {"schedule": {"type": "exponential", "steps": 4, "factor": 0.5}}, learningRate=0.5, weightDecay=0.1),
    case(
        "adam",
        {
            "schedule": {"type": "cosine", "steps": 6, "alpha": 0.1, "warmupSteps": 3},
            "clipping": {"globalNorm": 0.5},
            "regularization": {"l1": 0.001, "l2": 0.01},
            "averaging": {"decay": 0.7},
        },
        learningRate=0.1,
        weightDecay=0.05,
        amsgrad=True,
    ),
]

SCHEDULES = [
    {"type": "exponential", "steps": 7, "factor": 0.6},
    {"type": "exponential", "steps": 7, "factor": 0.6, "staircase": True},
    {"type": "polynomial", "steps": 30},
    {"type": "polynomial", "steps": 30, "endRate": 0.01, "power": 2.5},
    {"type": "polynomial", "steps": 9, "endRate": 0.02, "power": 0.5, "cycle": True},
    {"type": "cosine", "steps": 40},
    {"type": "cosine", "steps": 25, "alpha": 0.2},
    {"type": "cosine", "steps": 30, "alpha": 0.1, "warmupSteps": 11},
    {"type": "cosine", "steps": 7, "restarts": {}},
    {"type": "cosine", "steps": 5, "alpha": 0.05, "restarts": {"lengthFactor": 1.5, "rateFactor": 0.7}},
    {"type": "cosine", "steps": 10, "restarts": {"lengthFactor": 1.0, "rateFactor": 0.5}},
]
PLATEAUS = [
    {"type": "plateau", "factor": 0.5, "patience": 3},
    {"type": "plateau", "factor": 0.2, "patience": 2, "cooldown": 4, "minimumDelta": 0.05, "minimumRate": 0.002},
    {"type": "plateau", "factor": 0.5, "patience": 2, "mode": "maximum", "minimumDelta": 0.01},
]


def plateau_run(spec, metrics):
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="metric",
        factor=spec["factor"],
        patience=spec["patience"],
        mode="max" if spec.get("mode") == "maximum" else "min",
        min_delta=spec.get("minimumDelta", 1e-4),
        cooldown=spec.get("cooldown", 0),
        min_lr=spec.get("minimumRate", 0),
    )
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=k.SGD(0.1), loss="mse")
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_end(epoch, {"metric": metric})
        rates.append(float(model.optimizer.learning_rate.numpy()))
    return {"schedule": spec, "metrics": metrics, "rates": plain(rates)}


metrics = [float(value) for value in np.round(np.linspace(1, 0.6, 40) + generator.normal(size=40) * 0.1, 3)]
print(
    json.dumps(
        {
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__, "python": platform.python_version()},
            "shape": {"rows": ROWS, "inputs": INPUTS, "hidden": HIDDEN, "outputs": OUTPUTS},
            "parameters": [plain(value) for value in PARAMETERS],
            "features": plain(FEATURES),
            "targets": [int(label) for label in TARGETS],
            "optimizers": [run(one) for one in CASES],
            "schedules": {
                "learningRate": 0.1,
                "curves": [
                    {"schedule": spec, "rates": plain([float(schedule_of(spec, 0.1)(step)) for step in range(60)])}
                    for spec in SCHEDULES
                ],
                "plateaus": [plateau_run(spec, metrics) for spec in PLATEAUS],
            },
        },
        separators=(",", ":"),
    )
)
