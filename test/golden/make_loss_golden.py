"""Makes loss.json: what PyTorch computes for losses and activations, in float64 from float32 numbers.

    python make_loss_golden.py > loss.json        (the file names the versions; its form is that of engine-keras.json)

PyTorch's mean of a weighted cross-entropy divides by the sum of the weights; the engine, as Keras, by the rows. So each
row's loss is taken without reduction, and the mean of weight * loss over rows is made here.
"""
import json
import platform

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = np.random.default_rng(20240603)
ROWS, INPUTS, UNITS, OUTPUTS = 4, 5, 6, 3

ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "hardSigmoid": F.hardsigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leakyRelu": lambda z: F.leaky_relu(z, 0.2),  # Keras's default; PyTorch's is 0.01
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "geluTanh": lambda z: F.gelu(z, approximate="tanh"),
    "silu": F.silu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "softmax": lambda z: torch.softmax(z, dim=1),
    "logSoftmax": lambda z: torch.log_softmax(z, dim=1),
}


def exact(values):
    """Numbers that float32 holds exactly, so that both sides start from the same ones."""
    return torch.tensor(np.asarray(values, dtype=np.float32).astype(np.float64))


def draw(*shape, scale=1.0):
    return exact(generator.normal(size=shape) * scale)


def plain(tensor):
    return [float(f"{value:.10g}") for value in np.asarray(tensor.detach()).ravel()]


def row_losses(loss, z, p, t):
    """One number a row: the mean over the columns, or the sum for distributions over classes."""
    spec = {"type": loss} if isinstance(loss, str) else loss
    kind = spec["type"]
    if kind == "categoricalCrossEntropy":
        return F.cross_entropy(z, t, reduction="none", label_smoothing=spec.get("labelSmoothing", 0.0))
    if kind == "kullbackLeibler":
        return F.kl_div(torch.log_softmax(z, dim=1), t, reduction="none").sum(dim=1)
    each = {
        "meanSquaredError": lambda: F.mse_loss(p, t, reduction="none"),
        "meanAbsoluteError": lambda: F.l1_loss(p, t, reduction="none"),
        "huber": lambda: F.huber_loss(p, t, reduction="none", delta=spec.get("delta", 1.0)),
        "binaryCrossEntropy": lambda: F.binary_cross_entropy_with_logits(z, t, reduction="none"),
        "poisson": lambda: F.poisson_nll_loss(p, t, log_input=False, eps=1e-7, reduction="none"),
    }[kind]()
    return each.mean(dim=1)


def draw_targets(loss, outputs, form):
    name = loss if isinstance(loss, str) else loss["type"]
    if form == "classes":
        return torch.tensor(generator.integers(0, outputs, ROWS))
    if name in ("categoricalCrossEntropy", "kullbackLeibler"):
        given = generator.dirichlet(np.ones(outputs), ROWS)
        if name == "kullbackLeibler":
            given[0] = np.eye(outputs)[1]  # 0 log 0
        return exact(given)
    if name == "binaryCrossEntropy":
        return exact(generator.uniform(0, 1, (ROWS, outputs)))
    if name == "poisson":
        return exact(generator.poisson(2.0, (ROWS, outputs)))
    return draw(ROWS, outputs)


def case(name, hidden, last, loss="meanSquaredError", *, form="numbers", weighted=False, scale=1.0):
    """A hidden and a last dense layer; `scale` makes the features large."""
    tensors = {
        "layers.0.kernel": draw(INPUTS, UNITS, scale=0.5),
        "layers.0.bias": draw(UNITS, scale=0.25),
        "layers.1.kernel": draw(UNITS, OUTPUTS, scale=0.5),
        "layers.1.bias": draw(OUTPUTS, scale=0.25),
    }
    x = draw(ROWS, INPUTS, scale=scale)
    for tensor in [x, *tensors.values()]:
        tensor.requires_grad_()
    hidden_kernel, hidden_bias, kernel, bias = tensors.values()
    z = ACTIVATIONS[hidden](x @ hidden_kernel + hidden_bias) @ kernel + bias
    p = ACTIVATIONS[last](z)
    targets = draw_targets(loss, OUTPUTS, form)
    weights = exact(generator.uniform(0, 2, ROWS)) if weighted else None
    losses = row_losses(loss, z, p, targets)
    value = (losses if weights is None else losses * weights).mean()
    value.backward()
    layers = [
        {"type": "dense", "units": UNITS, "activation": hidden},
        {"type": "dense", "units": OUTPUTS, "activation": last},
    ]
    return {
        "name": name,
        "network": {"inputs": INPUTS, "layers": layers},
        "loss": loss,
        "classes": form == "classes",
        "rows": ROWS,
        "tensors": {name: {"shape": list(t.shape), "data": plain(t)} for name, t in tensors.items()},
        "features": plain(x),
        "targets": plain(targets),
        "weights": None if weights is None else plain(weights),
        "expected": {
            "outputs": plain(p),
            "loss": value.item(),
            "parameters": {name: plain(t.grad) for name, t in tensors.items()},
            "inputs": plain(x.grad),
            "statistics": {},
        },
    }


def activation_cases():
    for activation in ACTIVATIONS:
        yield case(f"{activation} hidden", activation, "linear")
        yield case(f"{activation} last", "tanh", activation)


def loss_cases():
    fits = [
        ("meanSquaredError", "linear", "numbers"),
        ("meanAbsoluteError", "linear", "numbers"),
        ("huber", "linear", "numbers"),
        ({"type": "huber", "delta": 0.375}, "linear", "numbers"),
        ("binaryCrossEntropy", "sigmoid", "numbers"),
        ("categoricalCrossEntropy", "softmax", "classes"),
        ("categoricalCrossEntropy", "softmax", "numbers"),
        ("categoricalCrossEntropy", "logSoftmax", "classes"),
        ("categoricalCrossEntropy", "logSoftmax", "numbers"),
        ({"type": "categoricalCrossEntropy", "labelSmoothing": 0.125}, "softmax", "classes"),
        ({"type": "categoricalCrossEntropy", "labelSmoothing": 0.125}, "softmax", "numbers"),
        ({"type": "categoricalCrossEntropy", "labelSmoothing": 0.125}, "logSoftmax", "classes"),
        ("kullbackLeibler", "softmax", "numbers"),
        ("kullbackLeibler", "logSoftmax", "numbers"),
        ("poisson", "sigmoid", "numbers"),
    ]
    for loss, last, form in fits:
        name = loss if isinstance(loss, str) else " ".join(map(str, loss.values()))
        for weighted in (False, True):
            title = f"{name} of {form} after {last}{' with weights' if weighted else ''}"
            yield case(title, "tanh", last, loss, form=form, weighted=weighted)
    for last in ("softmax", "logSoftmax"):
        for form in ("classes", "numbers"):
            title = f"logits of 1e4 with {form} after {last}"
            yield case(title, "linear", last, "categoricalCrossEntropy", form=form, scale=8192)
    yield case("logits of 1e4 of a distribution", "linear", "softmax", "kullbackLeibler", scale=8192)


print(
    json.dumps(
        {
            "madeBy": "test/golden/make_loss_golden.py",
            "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
            "activations": list(activation_cases()),
            "losses": list(loss_cases()),
            "layers": [],
        },
        separators=(",", ":"),
    )
)
