"""Makes engine.json: what PyTorch computes for small networks, in float64 from float32 numbers.

    python make_engine_golden.py > engine.json        (PyTorch 2.9.0, NumPy 2, Python 3.11; the file names its versions)
"""
import json
import platform

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
generator = np.random.default_rng(20240601)
ROWS, INPUTS, HIDDEN, OUTPUTS = 4, 5, 7, 3
ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda z: torch.softmax(z, dim=1),
}


def draw(*shape):
    """Numbers that float32 holds exactly, so that both sides start from the same ones."""
    return generator.normal(size=shape).astype(np.float32).astype(np.float64)


def plain(tensor):
    return [float(f"{value:.10g}") for value in np.asarray(tensor.detach()).ravel()]


def draw_layers():
    shapes = ((INPUTS, HIDDEN), (HIDDEN, OUTPUTS))
    return [(torch.tensor(draw(*shape) * 0.5), torch.tensor(draw(shape[1]) * 0.25)) for shape in shapes]


def exact(layers):
    """Halves and quarters of float32 numbers are float32 numbers."""
    return [tensor.requires_grad_() for layer in layers for tensor in layer]


def logits_of(parameters, x, hidden):
    return ACTIVATIONS[hidden](x @ parameters[0] + parameters[1]) @ parameters[2] + parameters[3]


def loss_of(loss, output, logits, targets):
    if loss == "categoricalCrossEntropy":
        return torch.nn.functional.cross_entropy(logits, targets)
    if loss == "binaryCrossEntropy":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    return torch.nn.functional.mse_loss(ACTIVATIONS[output](logits), targets)


def draw_targets(loss):
    if loss == "categoricalCrossEntropy":
        return torch.tensor(generator.integers(0, OUTPUTS, ROWS))
    if loss == "binaryCrossEntropy":
        return torch.tensor(generator.integers(0, 2, (ROWS, OUTPUTS)).astype(np.float64))
    return torch.tensor(draw(ROWS, OUTPUTS))


def gradient_case(hidden, output, loss):
    parameters = exact(draw_layers())
    x = torch.tensor(draw(ROWS, INPUTS)).requires_grad_()
    targets = draw_targets(loss)
    logits = logits_of(parameters, x, hidden)
    value = loss_of(loss, output, logits, targets)
    value.backward()
    return {
        "hidden": hidden,
        "output": output,
        "loss": loss,
        "parameters": [plain(p) for p in parameters],
        "features": plain(x),
        "targets": plain(targets),
        "expected": {
            "outputs": plain(ACTIVATIONS[output](logits)),
            "loss": value.item(),
            "parameters": [plain(p.grad) for p in parameters],
            "inputs": plain(x.grad),
        },
    }


OPTIMIZERS = [
    ({"type": "gradientDescent", "learningRate": 0.125}, lambda p: torch.optim.SGD(p, 0.125)),
    (
        {"type": "sgd", "learningRate": 0.125, "momentum": 0, "nesterov": False},
        lambda p: torch.optim.SGD(p, 0.125),
    ),
    (
        {"type": "sgd", "learningRate": 0.125, "momentum": 0.75, "nesterov": False},
        lambda p: torch.optim.SGD(p, 0.125, momentum=0.75),
    ),
    (
        {"type": "sgd", "learningRate": 0.125, "momentum": 0.75, "nesterov": True},
        lambda p: torch.optim.SGD(p, 0.125, momentum=0.75, nesterov=True),
    ),
    (
        {"type": "adam", "learningRate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
        lambda p: torch.optim.Adam(p, 0.01, betas=(0.9, 0.999), eps=1e-7),
    ),
]


def optimizer_case(spec, make):
    parameters = exact(draw_layers())
    initial = [plain(p) for p in parameters]
    x = torch.tensor(draw(ROWS, INPUTS))
    targets = draw_targets("categoricalCrossEntropy")
    optimizer = make(parameters)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = loss_of("categoricalCrossEntropy", "softmax", logits_of(parameters, x, "tanh"), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {
        "optimizer": spec,
        "parameters": initial,
        "features": plain(x),
        "targets": plain(targets),
        "expected": {"losses": losses, "parameters": [plain(p) for p in parameters]},
    }


cases = [gradient_case(hidden, output, "meanSquaredError") for hidden in ACTIVATIONS for output in ACTIVATIONS]
cases += [gradient_case(hidden, "sigmoid", "binaryCrossEntropy") for hidden in ACTIVATIONS]
cases += [gradient_case(hidden, "softmax", "categoricalCrossEntropy") for hidden in ACTIVATIONS]
print(
    json.dumps(
        {
            "madeBy": "test/golden/make_engine_golden.py",
            "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
            "shape": {"rows": ROWS, "inputs": INPUTS, "hidden": HIDDEN, "outputs": OUTPUTS},
            "gradients": cases,
            "optimizers": [optimizer_case(spec, make) for spec, make in OPTIMIZERS],
        },
        separators=(",", ":"),
    )
)
