"""The average of the weights over updates, by every engine, as its formula and PyTorch have it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Adam, BatchNorm, CrossEntropy, Flatten, Network, RMSprop, conv2d, dense
from nnrun.nn.average import Average
from nnrun.training.state import allocate, network_arrays
from tests.nn.torch_twin import TorchTwin

STEPS, ROWS, EMA = 60, 40, 0.7  # the decay reaches its largest after 21 steps
PLAIN = (lambda: [dense(9, "tanh"), dense(3, "softmax")], (4,))
NORMED = (
    lambda: [
        *(conv2d(5, 3), BatchNorm(), Flatten(), dense(6, "relu"), BatchNorm()),
        dense(3, "softmax"),
    ],
    (2, 5, 5),
)
THREADS = [partial(TapeEngine, threads=threads) for threads in (1, 2)]
ENGINES = {"numpy": NumpyEngine, "generated": CompiledEngine, "tape": THREADS[0]}
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": SGD,
    "nesterov": lambda: SGD(0.9, nesterov=True),
    "adam": lambda: Adam(weight_decay=0.01),
    "rmsprop": lambda: RMSprop(momentum=0.5),
}


def begun(
    kind: Any, blocks: Any, optimizer: Any, batch_size: int, dtype: str, **more: Any
) -> tuple[Any, Batches]:
    """An engine whose optimizer averages, before its first update, and the batches."""
    make, shape = blocks
    network = Network(make(), CrossEntropy(), shape, dtype)
    network.initialize(rng=np.random.default_rng(1))
    optimizer.average = Average(EMA)
    allocate(network, optimizer)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((ROWS, *shape)).astype(dtype)
    target = np.eye(3)[rng.integers(3, size=ROWS)].astype(dtype)
    made = {} if kind is NumpyEngine else {"batch_size": batch_size}
    engine = kind(network, optimizer, x, target, rng=np.random.default_rng(4), **made, **more)
    bounds = np.arange(STEPS + 1) * batch_size
    rows = rng.integers(ROWS, size=bounds[-1])
    return engine, Batches(rows, bounds, np.full(STEPS, 0.02))


def single(batches: Batches, k: int) -> Batches:
    """One of the batches."""
    rows = batches.rows[batches.bounds[k] : batches.bounds[k + 1]]
    return Batches(rows, np.array([0, len(rows)]), batches.rates[k : k + 1])


def averages(engine: Any) -> dict[str, np.ndarray]:
    """Copies of the averages, by name."""
    return {name: array.copy() for name, array in engine.optimizer.average.arrays.items()}


def by_formula(engine: Any, batches: Batches) -> dict[str, np.ndarray]:
    """The averages of the weights that the engine has after each batch."""
    live = network_arrays(engine.network)
    means = {name: array.copy() for name, array in live.items()}
    for t in range(STEPS):
        engine.run(single(batches, t))
        d = min(EMA, (1 + t) / (10 + t))
        means = {name: d * mean + (1 - d) * live[name] for name, mean in means.items()}
    return means


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_averages_follow_the_formula(engine: str, optimizer: str, batch_size: int, dtype: str):
    """a ← d a + (1 - d) θ after each update, many updates in one call, by the engine's own θ."""
    make = OPTIMIZERS[optimizer]
    one, batches = begun(ENGINES[engine], PLAIN, make(), batch_size, dtype)
    expected = by_formula(one, batches)
    other, batches = begun(ENGINES[engine], PLAIN, make(), batch_size, dtype)
    other.run(batches)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert np.abs(expected["theta"] - other.network.theta).max() > 1e-4
    np.testing.assert_allclose(averages(other)["theta"], expected["theta"], tolerance, tolerance)


@pytest.mark.parametrize("engine", ["numpy", "tape"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_statistics_are_averaged_too(engine: str, optimizer: str):
    """Running means and variances of batch normalisation follow the same formula."""
    one, batches = begun(ENGINES[engine], NORMED, OPTIMIZERS[optimizer](), 8, "float64")
    expected = by_formula(one, batches)
    other, batches = begun(ENGINES[engine], NORMED, OPTIMIZERS[optimizer](), 8, "float64")
    other.run(batches)
    actual = averages(other)
    assert 5 == len(expected) == len(actual)
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, 1e-12, 1e-12)


@pytest.mark.parametrize(
    ("engine", "blocks"),
    [*((name, PLAIN) for name in ENGINES), ("numpy", NORMED), ("tape", NORMED)],
)
def test_averages_are_those_of_pytorch(engine: str, blocks: Any):
    """AveragedModel with this decay and `use_buffers` has them too, trained by PyTorch."""
    optimizer = SGD(0.9)
    one, batches = begun(ENGINES[engine], blocks, optimizer, 8, "float64")
    twin = TorchTwin(one.network, np.random.default_rng(4))
    module = torch.nn.Module()
    for number, weight in enumerate(twin.weights.values()):
        module.register_parameter(f"w{number}", torch.nn.Parameter(weight.detach()))
    running = [array for arrays in twin.buffers.values() for array in arrays]
    for number, array in enumerate(running):
        module.register_buffer(f"b{number}", array)

    def decayed(a: torch.Tensor, w: torch.Tensor, n: torch.Tensor | int) -> torch.Tensor:
        t = int(n) - 1  # the initial weights were counted
        d = min(EMA, (1 + t) / (10 + t))
        return d * a + (1 - d) * w

    model = AveragedModel(module, avg_fn=decayed, use_buffers=True)
    model.update_parameters(module)
    theirs = twin.optimizer(optimizer, 0.02)
    x, target = one.x.reshape(-1, *blocks[1]), one.target
    for k in range(STEPS):
        rows = batches.rows[batches.bounds[k] : batches.bounds[k + 1]]
        twin.step(x[rows], target[rows], theirs, None)
        model.update_parameters(module)
    one.run(batches)

    theta = np.concatenate([w.detach().numpy().ravel() for w in model.module.parameters()])
    expected = [theta, *(b.numpy() for b in model.module.buffers())]
    actual = [*averages(one).values()]
    assert len(expected) == len(actual)
    for theirs_, ours in zip(expected, actual, strict=True):
        np.testing.assert_allclose(ours, theirs_, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_number_of_updates_in_a_call_changes_no_bit(engine: str):
    """Neither weights nor averages."""
    one, batches = begun(ENGINES[engine], PLAIN, Adam(), 8, "float64")
    one.run(batches)
    other, _ = begun(ENGINES[engine], PLAIN, Adam(), 8, "float64")
    for k in range(STEPS):
        other.run(single(batches, k))
    for first, second in zip(averages(one).values(), averages(other).values(), strict=True):
        assert first.tobytes() == second.tobytes()
    assert one.network.theta.tobytes() == other.network.theta.tobytes()


def test_threads_change_no_bit():
    """Averages by one thread and by two are the same."""
    found = []
    for kind in THREADS:
        one, batches = begun(kind, NORMED, SGD(0.9), 16, "float64")
        one.run(batches)
        found.append(averages(one))
    for first, second in zip(found[0].values(), found[1].values(), strict=True):
        assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_training_goes_on_with_the_weights_themselves(engine: str):
    """An average moves no weight, but for rounding."""
    one, batches = begun(ENGINES[engine], PLAIN, SGD(), 8, "float64")
    one.run(batches)
    other, _ = begun(ENGINES[engine], PLAIN, SGD(), 8, "float64")
    other.optimizer.average = None
    plain = {} if ENGINES[engine] is NumpyEngine else {"batch_size": 8}
    again = ENGINES[engine](
        other.network, other.optimizer, other.x, other.target,
        rng=np.random.default_rng(4), **plain,
    )  # fmt: skip
    again.run(batches)
    np.testing.assert_allclose(one.network.theta, again.network.theta, 1e-12, 1e-12)
