"""Makes optimizers-torch.json: ten steps of the optimizers and the schedules that PyTorch has in the same form, in float64.

    python make_optimizer_golden_torch.py > optimizers-torch.json       (the file names its versions)

RMSprop and Adagrad are run with an epsilon of 1e-20, since PyTorch adds it outside of the root.
"""
import json
import platform

import numpy as np
import torch
from torch.optim import lr_scheduler

torch.set_default_dtype(torch.float64)
generator = np.random.default_rng(20240608)
ROWS, INPUTS, HIDDEN, OUTPUTS = 4, 5, 7, 3
STEPS = 10


def draw(*shape):
    """Numbers that float32 holds exactly, so that both sides start from the same ones."""
    return generator.normal(size=shape).astype(np.float32).astype(np.float64)


def plain(values):
    return [float(f"{value:.10g}") for value in np.asarray(values).ravel()]


PARAMETERS = [draw(INPUTS, HIDDEN) * 0.5, draw(HIDDEN) * 0.25, draw(HIDDEN, OUTPUTS) * 0.5, draw(OUTPUTS) * 0.25]
FEATURES = torch.tensor(draw(ROWS, INPUTS))
TARGETS = torch.tensor(generator.integers(0, OUTPUTS, ROWS))


def optimizer_of(spec, parameters):
    o = torch.optim
    rate = spec["learningRate"]
    betas = (spec.get("beta1", 0.9), spec.get("beta2", 0.999))
    epsilon = spec.get("epsilon", 1e-7)
    kind = spec["type"]
    if kind == "sgd":
        momentum, nesterov = spec.get("momentum", 0.0), spec.get("nesterov", False)
        return o.SGD(parameters, lr=rate, momentum=momentum, nesterov=nesterov)
    if kind == "adam":
        return o.Adam(parameters, lr=rate, betas=betas, eps=epsilon, amsgrad=spec.get("amsgrad", False))
    if kind == "adamW":
        return o.AdamW(
            parameters,
            lr=rate,
            betas=betas,
            eps=epsilon,
            weight_decay=spec["weightDecay"],
            amsgrad=spec.get("amsgrad", False),
        )
    if kind == "rmsprop":
        return o.RMSprop(
            parameters,
            lr=rate,
            alpha=spec["rho"],
            eps=epsilon,
            momentum=spec.get("momentum", 0.0),
            centered=spec.get("centered", False),
        )
    if kind == "adagrad":
        return o.Adagrad(parameters, lr=rate, initial_accumulator_value=spec["initialAccumulator"], eps=epsilon)
    return o.Adadelta(parameters, lr=rate, rho=spec["rho"], eps=epsilon)


def clip(clipping, parameters):
    if "value" in clipping:
        torch.nn.utils.clip_grad_value_(parameters, clipping["value"])
    if "globalNorm" in clipping:
        torch.nn.utils.clip_grad_norm_(parameters, clipping["globalNorm"])


def run(case):
    parameters = [torch.tensor(value).requires_grad_() for value in PARAMETERS]
    optimizer = optimizer_of(case["optimizer"], parameters)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        logits = torch.tanh(FEATURES @ parameters[0] + parameters[1]) @ parameters[2] + parameters[3]
        loss = torch.nn.functional.cross_entropy(logits, TARGETS)
        loss.backward()
        losses.append(loss.item())
        clip(case.get("clipping", {}), parameters)
        optimizer.step()
    expected = {"losses": plain(losses), "parameters": [plain(value.detach()) for value in parameters]}
    return {**case, "expected": expected}


def case(kind, rest=None, **options):
    return {"optimizer": {"type": kind, **options}, **(rest or {})}


CASES = [
    case("sgd", learningRate=0.2, momentum=0.9),
    case("sgd", learningRate=0.2, momentum=0.9, nesterov=True),
    case("adam", learningRate=0.05, epsilon=0.01),
    case("adam", learningRate=0.05, beta1=0.8, beta2=0.6, amsgrad=True, epsilon=0.001),
    case("adamW", learningRate=0.05, weightDecay=0.2),
    case("adamW", learningRate=0.05, weightDecay=0.01, beta2=0.7, amsgrad=True),
    case("rmsprop", learningRate=0.02, rho=0.7, epsilon=1e-20),
    case("rmsprop", learningRate=0.02, rho=0.7, momentum=0.8, epsilon=1e-20),
    case("adagrad", learningRate=0.2, initialAccumulator=0.1, epsilon=1e-20),
    case("adadelta", learningRate=1.0, rho=0.9, epsilon=1e-6),
    case("sgd", {"clipping": {"value": 0.05}}, learningRate=0.5, momentum=0.5),
    case("sgd", {"clipping": {"globalNorm": 0.2}}, learningRate=0.5, momentum=0.5),
]


def step(spec, optimizer):
    return lr_scheduler.StepLR(optimizer, spec["steps"], spec["factor"])


def exponential(spec, optimizer):
    return lr_scheduler.ExponentialLR(optimizer, spec["factor"] ** (1 / spec["steps"]))


def cosine(spec, optimizer):
    restarts = spec["restarts"]
    return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, spec["steps"], restarts["lengthFactor"])


def one_cycle(spec, optimizer):
    return lr_scheduler.OneCycleLR(
        optimizer,
        spec["maximumRate"],
        total_steps=spec["steps"],
        pct_start=spec.get("risingShare", 0.3),
        anneal_strategy="linear" if spec.get("annealing") == "linear" else "cos",
        div_factor=spec.get("initialDivisor", 25.0),
        final_div_factor=spec.get("finalDivisor", 1e4),
        three_phase=spec.get("threePhases", False),
    )


SCHEDULES = [
    (step, {"type": "step", "steps": 7, "factor": 0.5}),
    (exponential, {"type": "exponential", "steps": 9, "factor": 0.4}),
    (cosine, {"type": "cosine", "steps": 6, "restarts": {"lengthFactor": 2}}),
    (one_cycle, {"type": "oneCycle", "steps": 60, "maximumRate": 0.4}),
    (one_cycle, {"type": "oneCycle", "steps": 60, "maximumRate": 0.4, "annealing": "linear", "risingShare": 0.45}),
    (one_cycle, {"type": "oneCycle", "steps": 60, "maximumRate": 0.4, "threePhases": True, "risingShare": 0.4}),
    (
        one_cycle,
        {"type": "oneCycle", "steps": 60, "maximumRate": 1.5, "initialDivisor": 10, "finalDivisor": 100, "risingShare": 0.0},
    ),
]


def curve(make, spec):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = make(spec, optimizer)
    rates = []
    for index in range(60):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if index < 59:
            scheduler.step()
    return {"schedule": spec, "rates": plain(rates)}


print(
    json.dumps(
        {
            "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
            "shape": {"rows": ROWS, "inputs": INPUTS, "hidden": HIDDEN, "outputs": OUTPUTS},
            "parameters": [plain(value) for value in PARAMETERS],
            "features": plain(FEATURES),
            "targets": [int(label) for label in TARGETS],
            "optimizers": [run(one) for one in CASES],
            "schedules": {"learningRate": 0.1, "curves": [curve(*one) for one in SCHEDULES]},
        },
        separators=(",", ":"),
    )
)
