"""Updates by every engine: clipping, costs of large weights, weights of rows, digits, averages."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Batches, clip
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    LOSSES,
    SGD,
    Adam,
    BatchNorm,
    Bias,
    BinaryCrossEntropy,
    CrossEntropy,
    Flatten,
    L2Penalty,
    MatMul,
    MeanAbsolute,
    Network,
    RMSprop,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.average import Average
from nnrun.nn.losses.weighted import join_weights
from nnrun.nn.signature import Array
from nnrun.training.state import allocate, network_arrays
from tests.nn.test_losses import targets

ENGINES = {"numpy": NumpyEngine, "generated": CompiledEngine, "tape": TapeEngine}
OPTIMIZERS = {"sgd": SGD, "momentum": lambda: SGD(0.9), "adam": Adam}
NORMAL = np.random.default_rng(0).normal(size=100)
SPREAD = NORMAL * 10.0 ** np.linspace(-60, 0, 100)
# Shapes of a gradient, its largest number in both precisions, and the limit.
GRADIENTS = {
    "ordinary": (NORMAL, {"float64": 1.0, "float32": 1.0}, 0.5),
    "squares overflow": (NORMAL, {"float64": 1e160, "float32": 1e20}, 1.0),
    "sums of them do": (np.ones(100), {"float64": 1.3e154, "float32": 1.8e19}, 1.0),
    "those of chunks do not": (np.ones(100), {"float64": 3e153, "float32": 4e18}, 1.0),
    "one of them does": (SPREAD, {"float64": 1e155, "float32": 1e20}, 1.0),
    "the largest numbers": (np.ones(100), {"float64": 1.79e308, "float32": 3.4e38}, 1.0),
    "and a small limit": (NORMAL, {"float64": 1.7e308, "float32": 3.3e38}, 1e-9),
    "squares are lost": (NORMAL, {"float64": 1e-170, "float32": 1e-24}, 1e-30),
    "small numbers": (NORMAL, {"float64": 1e-250, "float32": 1e-30}, 1e-36),
}


def gradient_of(name: str, dtype: str) -> np.ndarray:
    shape, largest, _ = GRADIENTS[name]
    return (shape / np.abs(shape).max() * largest[dtype]).astype(dtype)


def limit_of(name: str, dtype: str) -> float:
    """Of small numbers a limit that they exceed in either precision."""
    limit = GRADIENTS[name][2]
    return limit * 1e-220 if dtype == "float64" and limit < 1e-20 else limit


def clipped(gradient: np.ndarray, limit: float) -> np.ndarray:
    """By arithmetic of 60 digits without limits of range."""
    with localcontext() as context:
        context.prec = 60
        exact = [Decimal(float(g)) for g in gradient]
        norm = sum((g * g for g in exact), Decimal(0)).sqrt()
        factor = Decimal(limit) / norm if norm > Decimal(limit) else Decimal(1)
        return np.array([float(g * factor) for g in exact], gradient.dtype)


def step(kind: Any, gradient: np.ndarray, limit: float, optimizer: Any = SGD) -> np.ndarray:
    """θ after an update from 0 by an engine, at a rate of 1: |Σ θ x + 1| has the gradient x."""
    network = Network([MatMul(1)], MeanAbsolute(), gradient.shape, gradient.dtype)
    network.initialize(rng=np.random.default_rng(0))
    network.theta[...] = 0
    made = optimizer()
    made.allocate(network.theta)
    target = np.full((1, 1), -1, gradient.dtype)
    more = {} if kind is NumpyEngine else {"batch_size": 1}
    engine = kind(
        network, made, gradient[None], target, rng=np.random.default_rng(0), clip_norm=limit, **more
    )
    engine.run(Batches(np.array([0]), np.array([0, 1]), np.array([1.0])))
    return network.theta


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *((name, "sgd") for name in GRADIENTS),
        *((name, rule) for name in ("ordinary", "small numbers") for rule in ("momentum", "adam")),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ENGINES)
def test_a_step_is_that_of_the_clipped_gradient(
    kind: str, name: str, dtype: str, optimizer: str
) -> None:
    """Of every engine, by the exact norm, however large or small the gradient."""
    gradient, limit, made = gradient_of(name, dtype), limit_of(name, dtype), OPTIMIZERS[optimizer]
    expected, reference = np.zeros_like(gradient), made()
    reference.allocate(expected)
    reference.step(expected, clipped(gradient, limit), 1.0)
    assert np.any(clipped(gradient, limit) != gradient)
    actual, epsilon = step(ENGINES[kind], gradient, limit, made), float(np.finfo(dtype).eps)
    # What is lost beside the largest number may be.
    lost = epsilon**2 * float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=64 * epsilon, atol=lost)


@pytest.mark.parametrize("kind", ENGINES)
def test_no_gradient_is_no_step(kind: str) -> None:
    """Its length of 0 divides nothing."""
    assert [0.0] * 20 == step(ENGINES[kind], np.zeros(20), 1.0).tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("number", [np.inf, np.nan])
@pytest.mark.parametrize("kind", ENGINES)
def test_what_is_no_number_stays_so(kind: str, number: float, dtype: str) -> None:
    """Clipping hides no divergence."""
    gradient = np.ones(20, dtype)
    gradient[3] = number
    assert not np.isfinite(step(ENGINES[kind], gradient, 1.0)).all()


def test_an_infinite_number_of_a_gradient_is_not_clipped_to_zero() -> None:
    """It becomes NaN, which evaluation reports."""
    gradient = np.array([np.inf, 1.0])
    with np.errstate(invalid="ignore"):
        clip(gradient, 1.0)
    assert np.isnan(gradient[0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ordinary_gradients_keep_their_bits(dtype: str) -> None:
    """One factor, of the sum of squares as it is."""
    gradient = NORMAL.astype(dtype)
    expected = gradient * (0.5 / sqrt(float(np.dot(gradient, gradient))))
    clip(gradient, 0.5)
    assert expected.tolist() == gradient.tolist()


# What large weights cost is the same, and changes training alike, whichever engine trains.

WAYS = pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
PENALIZED = {
    "few": (lambda: [dense(2, "tanh"), dense(3, "softmax")], (3,)),
    "wide": (lambda: [dense(50, "tanh"), dense(60, "relu"), dense(3, "softmax")], (7,)),
    "images": (
        lambda: [conv2d(4, 3, bias="per_position"), Flatten(), dense(3, "softmax")],
        (2, 5, 5),
    ),
}


@WAYS
@pytest.mark.parametrize("blocks", PENALIZED)
@pytest.mark.parametrize(("batch_size", "dtype"), [(2, "float64"), (16, "float64"), (7, "float32")])
def test_penalties(
    kind: Any, blocks: str, batch_size: int, dtype: str, task: Any, agree: Any
) -> None:
    """Weights of every kind become those of the NumPy engine."""
    make, shape = PENALIZED[blocks]
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    one = task(make, shape, batch_size=batch_size, iterations=40, rate=0.1, dtype=dtype,
               penalty=L2Penalty(0.3))  # fmt: skip
    agree(one, tolerance, kind=kind)


@WAYS
@pytest.mark.parametrize("clip_norm", [None, 0.05])
@pytest.mark.parametrize("optimizer", [SGD, lambda: SGD(0.9, nesterov=True), Adam])
def test_penalties_with_any_optimizer(
    kind: Any, optimizer: Any, clip_norm: float | None, task: Any, agree: Any
) -> None:
    """Whatever the optimizer makes of the gradient, clipped or not; single rows too."""
    for batch_size in (1, 5):
        one = task(
            lambda: [dense(9, "tanh"), dense(3, "softmax")], (4,), batch_size=batch_size,
            iterations=40, optimizer=optimizer, clip_norm=clip_norm, penalty=L2Penalty(0.3),
        )  # fmt: skip
        agree(one, kind=kind)


@WAYS
@pytest.mark.parametrize("batch_size", [1, 7])
def test_losses_of_batches_hold_the_cost(kind: Any, batch_size: int, task: Any) -> None:
    """The reported loss of a batch is its loss plus the cost of the weights before its update."""
    one = task(
        lambda: [dense(9, "tanh"), dense(3, "softmax")], (4,), batch_size=batch_size,
        iterations=30, rate=0.1, penalty=L2Penalty(2.0),
    )  # fmt: skip
    batches, reported = one.batches(), []
    for each in (NumpyEngine, kind):
        engine = one.engine(each, **({} if each is NumpyEngine else {"losses": True}))
        reported.append(np.empty(len(batches)))
        engine.run(batches, reported[-1])
    np.testing.assert_allclose(reported[1], reported[0], rtol=1e-11)
    x, target = one.data()
    rows = batches.rows[: batches.bounds[1]]
    network = one.network()
    loss, _ = network.evaluate(x[rows], target[rows])
    cost = sum((network.parameters[f"{layer}.weight"].value ** 2).sum() for layer in (0, 1))
    assert loss + cost / len(rows) == pytest.approx(reported[0][0], rel=1e-12)


# A row with a weight of 2 is the row twice, by every engine.

BY_EVERY_ENGINE = pytest.mark.parametrize("kind", [NumpyEngine, CompiledEngine, TapeEngine])
WEIGHTS = np.array([2, 0, 1, 1, 3, 0, 1, 2, 1, 4])
TWICE = np.repeat(np.arange(len(WEIGHTS)), WEIGHTS)
UPDATES = 10


def weighted_engine(
    kind: Any, loss: str, x: Array, target: Array, optimizer: Any, weighted: bool, **more: Any
) -> Any:
    """An engine with a network of convolution and dense layers, the same at every call."""
    blocks = [conv2d(4, 2, activation="tanh"), Flatten(), dense(3, LOSSES[loss].needs or "linear")]
    network = Network(blocks, LOSSES[loss](), (1, 3, 3), x.dtype, weighted=weighted)
    network.initialize(rng=np.random.default_rng(1))
    optimizer.allocate(network.theta)
    more = {} if kind is NumpyEngine else {"batch_size": len(x), **more}
    return kind(network, optimizer, x, target, rng=np.random.default_rng(2), **more)


def all_rows(rows: int) -> Batches:
    """All rows, again and again."""
    order = np.tile(np.arange(rows), UPDATES)
    return Batches(order, rows * np.arange(UPDATES + 1), np.full(UPDATES, 0.1))


def weighted_data(loss: str, dtype: str = "float64") -> tuple[Array, Array]:
    """Rows and targets that suit a loss."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((len(WEIGHTS), 1, 3, 3))
    return x.astype(dtype), targets(loss, (len(WEIGHTS), 3), rng).astype(dtype)


@BY_EVERY_ENGINE
@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_weight_of_two_is_the_row_twice(kind: Any, optimizer: Any, loss: str) -> None:
    """Ten updates with all rows and their weights end where ten with repeated rows do, to 1e-12;
    so do the losses of the batches and of the rows.
    """
    x, t = weighted_data(loss)
    repeated = weighted_engine(NumpyEngine, loss, x[TWICE], t[TWICE], optimizer(), weighted=False)
    expected, actual = np.empty(UPDATES), np.empty(UPDATES)
    repeated.run(all_rows(len(TWICE)), expected)
    weighted = join_weights(t, WEIGHTS / WEIGHTS.mean())
    engine = weighted_engine(kind, loss, x, weighted, optimizer(), weighted=True, losses=True)
    engine.run(all_rows(len(x)), actual)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    np.testing.assert_allclose(engine.network.theta, repeated.network.theta, rtol=0, atol=1e-12)
    assert repeated.evaluate(x[TWICE], t[TWICE])[0] == pytest.approx(
        engine.evaluate(x, weighted)[0], rel=1e-12
    )


@BY_EVERY_ENGINE
def test_single_rows_are_weighted(kind: Any) -> None:
    """A batch of one row takes a step as long as its weight."""
    x, t = weighted_data("mean_squared")
    ends = []
    for weight, rate in ((1.0, 0.3), (3.0, 0.1)):
        target = join_weights(t, np.full(len(t), weight))
        engine = weighted_engine(kind, "mean_squared", x, target, SGD(), weighted=True)
        engine.run(Batches(np.arange(5), np.arange(6), np.full(5, rate)))
        ends.append(engine.network.theta.copy())
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-13)


# Slopes and losses that are nearly zero keep their digits, in every engine and both precisions.

KINDS = [NumpyEngine, CompiledEngine, TapeEngine]
DTYPES = ["float64", "float32"]


def engine_on(kind: Any, network: Network, x: np.ndarray, target: np.ndarray) -> Any:
    """An engine for batches of all rows, with parameters that are zero."""
    network.initialize(rng=np.random.default_rng(0))
    network.theta[:] = 0
    optimizer = SGD()
    optimizer.allocate(network.theta)
    more = {} if kind is NumpyEngine else {"batch_size": len(x)}
    return kind(network, optimizer, x, target, rng=np.random.default_rng(0), **more)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_of_elu_is_exp(kind: Any, dtype: str) -> None:
    """Left of zero, where f(x) is nearly -1, the gradient is exp(x) within four ulp.

    A bias of 0 becomes minus its gradient: a mean over 64 outputs has slopes of 1 / 64.
    """
    x = np.linspace(-80, 0, 64).astype(dtype)[None]
    network = Network([Bias(), activation("elu")], MeanAbsolute(), (64,), dtype)
    engine = engine_on(kind, network, x, np.full_like(x, -2))
    engine.run(Batches(np.zeros(1, np.int64), np.array([0, 1]), np.array([64.0])))
    expected = np.exp(x[0].astype(np.longdouble))
    error = np.abs(-network.theta - expected) / np.spacing(expected.astype(dtype))
    assert error.max() <= 4


@pytest.mark.parametrize(("dtype", "farthest"), [("float64", 700), ("float32", 87)])
@pytest.mark.parametrize("kind", KINDS)
def test_binary_cross_entropy_of_confident_rows(kind: Any, dtype: str, farthest: int) -> None:
    """Of right answers of any certainty and both labels the loss has all of its digits."""
    network = Network([Bias(), activation("sigmoid")], BinaryCrossEntropy(), (1,), dtype)
    size = np.linspace(0, farthest, 141).astype(dtype)
    for sign in (1, -1):
        x, target = sign * size[:, None], np.full((len(size), 1), sign > 0, dtype)
        engine = engine_on(kind, network, x, target)
        actual = [engine.evaluate(x[i : i + 1], target[i : i + 1])[0] for i in range(len(x))]
        expected = np.log1p(np.exp(-size.astype(np.longdouble)))
        error = np.abs(np.array(actual) / expected - 1)
        assert error.max() <= (1e-14 if dtype == "float64" else 5e-7)


# The average of the weights over updates, as its formula and PyTorch have it.

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
AVERAGED: dict[str, Callable[[], Any]] = {
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


@pytest.mark.parametrize("optimizer", AVERAGED)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("batch_size", "dtype"), [(1, "float64"), (7, "float32")])
def test_averages_follow_the_formula(engine: str, optimizer: str, batch_size: int, dtype: str):
    """a ← d a + (1 - d) θ after each update, many updates in one call, by the engine's own θ."""
    make = AVERAGED[optimizer]
    one, batches = begun(ENGINES[engine], PLAIN, make(), batch_size, dtype)
    expected = by_formula(one, batches)
    other, batches = begun(ENGINES[engine], PLAIN, make(), batch_size, dtype)
    other.run(batches)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert np.abs(expected["theta"] - other.network.theta).max() > 1e-4
    np.testing.assert_allclose(averages(other)["theta"], expected["theta"], tolerance, tolerance)


@pytest.mark.parametrize("engine", ["numpy", "tape"])
@pytest.mark.parametrize("optimizer", AVERAGED)
def test_statistics_are_averaged_too(engine: str, optimizer: str):
    """Running means and variances of batch normalisation follow the same formula."""
    one, batches = begun(ENGINES[engine], NORMED, AVERAGED[optimizer](), 8, "float64")
    expected = by_formula(one, batches)
    other, batches = begun(ENGINES[engine], NORMED, AVERAGED[optimizer](), 8, "float64")
    other.run(batches)
    actual = averages(other)
    assert 5 == len(expected) == len(actual)
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, 1e-12, 1e-12)


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
