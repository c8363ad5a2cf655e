"""Optimizers and schedules: steps and rates by hand, what they remember, what decays."""

from __future__ import annotations

from functools import partial
from math import cos, pi, sqrt
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SCHEDULES, SGD, Adam, AdamW, MeanSquared, Network, RMSprop, dense
from nnrun.nn.embedding import Embedding, Table
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepare import prepare
from nnrun.training.state import allocate

VARIANTS: dict[str, tuple[type[Optimizer], dict[str, Any], float]] = {
    "sgd": (SGD, {}, 0.1),
    "momentum": (SGD, {"momentum": 0.9}, 0.02),
    "nesterov": (SGD, {"momentum": 0.9, "nesterov": True}, 0.02),
    "decay": (SGD, {"weight_decay": 0.1}, 0.1),
    "adam": (Adam, {}, 0.1),
    "adam_without_moments": (Adam, {"beta1": 0.0, "beta2": 0.0, "epsilon": 10.0}, 1.0),
    "adam_decay": (Adam, {"weight_decay": 0.1, "epsilon": 0.1}, 0.1),
    "adamw": (AdamW, {}, 0.1),
    "adamw_without_decay": (AdamW, {"weight_decay": 0.0}, 0.1),
    "rmsprop": (RMSprop, {"epsilon": 0.5}, 0.05),
    "rmsprop_momentum": (RMSprop, {"epsilon": 0.5, "momentum": 0.5}, 0.05),
    "rmsprop_decay": (RMSprop, {"epsilon": 0.5, "weight_decay": 0.1}, 0.05),
}


def steps(optimizer: Optimizer, gradients: list[list[float]], rates: list[float]) -> list[Array]:
    """θ after each step, from (1, -2), on given gradients."""
    theta = np.array([1.0, -2.0])
    optimizer.allocate(theta)
    path = []
    for g, rate in zip(gradients, rates, strict=True):
        optimizer.step(theta, np.array(g, float), rate)
        path.append(theta.copy())
    return path


# By name: the optimizer, gradients and learning rates of its steps, and θ after each, from (1, -2).
BY_HAND: dict[str, tuple[Optimizer, list[list[float]], list[float], list[list[float]]]] = {
    # θ - η g: 1 - 0.1·10 and -2 - 0.1·(-5), then with another rate.
    "sgd": (SGD(), [[10, -5], [1, 1]], [0.1, 0.5], [[0, -1.5], [-0.5, -2]]),
    # v is 10, then 0.5·10 + 2 = 7; a new learning rate scales the whole velocity.
    "momentum": (SGD(0.5), [[10, 0], [2, 0]], [0.1, 0.01], [[0, -2], [-0.07, -2]]),
    # Steps by g + μ v: 10 + 0.5·10 = 15, then 2 + 0.5·7 = 5.5.
    "nesterov": (SGD(0.5, True), [[10, 0], [2, 0]], [0.1, 0.01], [[-0.5, -2], [-0.555, -2]]),
    # g + λ θ with λ = 0.5: (10.5, -1), so that θ is (1 - 1.05, -2 + 0.1).
    "decay": (SGD(weight_decay=0.5), [[10, 0]], [0.1], [[-0.05, -1.9]]),
    # The decayed gradient is what the velocity adds up: (10.5, -1), then half of both, v and θ.
    "decay and momentum": (
        SGD(0.5, weight_decay=0.5),
        [[10, 0], [0, 0]],
        [0.1, 0.1],
        [[-0.05, -1.9], [-0.05 - 0.05 * (10.5 - 0.05), -1.9 - 0.05 * (-1 - 1.9)]],
    ),
    # m̂ = g and v̂ = g² at first, so the step is η g / (|g| + ε), whatever the size of g.
    "adam, first step": (
        Adam(),
        [[1e-3, -400]],
        [0.1],
        [[1 - 0.1 * 1e-3 / (1e-3 + 1e-8), -2 + 0.1 * 400 / (400 + 1e-8)]],
    ),
    # m = 1, v = 1 after g = 2; then m = 2.5, v = 4.75 after g = 4.
    "adam, second step": (
        Adam(beta1=0.5, beta2=0.75, epsilon=1.0),
        [[2, 0], [4, 0]],
        [0.3, 0.3],
        [[0.8, -2], [0.8 - 0.3 * (2.5 / 0.75) / (sqrt(4.75 / 0.4375) + 1), -2]],
    ),
    # λ θ is added before the moments: with λ = 1 and g = 0 the step is η θ / (|θ| + ε).
    "adam, decay": (
        Adam(weight_decay=1.0, epsilon=1.0), [[0, 0]], [0.3], [[1 - 0.3 / 2, -2 + 0.3 * 2 / 3]]
    ),
    # (1 - η λ) θ with η = 0.3 and λ = 0.5, then Adam's first step, ±η for any gradient.
    "adamw": (
        AdamW(weight_decay=0.5, epsilon=1e-30), [[1e-3, -400]], [0.3], [[0.85 - 0.3, -1.7 + 0.3]]
    ),
    # s = 1 after g = 2, then 0.75 + 9 = 9.75 after g = 6.
    "rmsprop": (
        RMSprop(beta=0.75, epsilon=1.0),
        [[2, 0], [6, 0]],
        [0.3, 0.1],
        [[0.7, -2], [0.7 - 0.1 * 6 / (sqrt(9.75) + 1), -2]],
    ),
    # v = 0.5, then 0.5 · 0.5 + 0.75 = 1 of g / (√s + ε), with s = g² for β = 0 and ε = 1.
    "rmsprop, momentum": (
        RMSprop(beta=0.0, epsilon=1.0, momentum=0.5),
        [[1, 0], [3, 0]],
        [0.1, 0.2],
        [[0.95, -2], [0.95 - 0.2 * (0.25 + 0.75), -2]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_steps_by_hand(name: str):
    """θ is what the equations give with pencil and paper, to fourteen digits."""
    optimizer, gradients, rates, expected = BY_HAND[name]
    np.testing.assert_allclose(steps(optimizer, gradients, rates), expected, rtol=1e-14)


def test_adamws_decay_is_the_only_difference_from_adam():
    """Without decay the steps of both have the same bits."""
    gradients, rates = [[1.0, -3.0], [2.0, 0.5], [-1.0, 0.0]], [0.1, 0.2, 0.1]
    expected = steps(Adam(), gradients, rates)
    np.testing.assert_array_equal(expected, steps(AdamW(weight_decay=0.0), gradients, rates))


# θ after 10 steps with η = 0.05 from (1, -2) down (θ₀² + 10 θ₁²) / 2, by PyTorch's optimizers.


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_single_precision_stays_single(name: str):
    """In float32 the parameters and the state stay float32 and follow float64 to six digits."""
    kind, arguments, rate = VARIANTS[name]
    paths = {}
    for dtype in (np.float32, np.float64):
        theta = np.array([1.0, -2.0], dtype)
        optimizer = kind(**arguments)
        optimizer.allocate(theta)
        for _ in range(5):
            optimizer.step(theta, theta * dtype(0.5), rate)
        assert {np.dtype(dtype)} == {theta.dtype, *(a.dtype for a in optimizer.state.values())}
        paths[dtype] = theta
    np.testing.assert_allclose(paths[np.float32], paths[np.float64], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_state_and_step_count_are_all_there_is_to_remember(name: str):
    """A new optimizer with the same state and step count continues with the same bits."""
    kind, arguments, rate = VARIANTS[name]
    gradients = np.random.default_rng(0).standard_normal((10, 4))
    whole, halves = np.ones(4), np.ones(4)
    first, second, alone = kind(**arguments), kind(**arguments), kind(**arguments)
    for optimizer in (first, second, alone):
        optimizer.allocate(whole)
    for g in gradients:
        alone.step(whole, g.copy(), rate)
    for g in gradients[:5]:
        first.step(halves, g.copy(), rate)
    second.state = {key: array.copy() for key, array in first.state.items()}
    second.steps = first.steps
    for g in gradients[5:]:
        second.step(halves, g.copy(), rate)
    assert 10 == second.steps
    np.testing.assert_array_equal(whole, halves)


# Weight decay is on weights, and not on embeddings, biases, scales and shifts.

ENGINES = {"numpy": NumpyEngine, "tape": partial(TapeEngine, batch_size=4)}
OPTIMIZERS = [SGD, partial(SGD, momentum=0.9), Adam, AdamW, RMSprop]


def trained(engine, optimizer, blocks, features, **settings):
    """A network before and after ten steps whose gradients are zero, by parameter."""
    network = Network(blocks(), MeanSquared(), (features,), "float64")
    network.initialize(rng=np.random.default_rng(0))
    network.theta[...] = np.random.default_rng(1).normal(size=network.size)
    made = optimizer(weight_decay=0.1, **settings)
    x = np.random.default_rng(2).integers(2, size=(4, features)).astype(np.float64)
    target = np.concatenate([network.predict(x), np.zeros((4, 1))], axis=1)[:, :1]
    before = {name: each.value.copy() for name, each in network.parameters.items()}
    allocate(network, made)
    rate = np.full(10, 1e-3)
    made_engine = engine(network, made, x, target, rng=np.random.default_rng(3))
    made_engine.run(Batches(np.tile(np.arange(4), 10), np.arange(11) * 4, rate))
    return before, {name: each.value for name, each in network.parameters.items()}


def embedded():
    return [[Embedding((Table(0, 5, 3),)), *dense(1)]]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_vectors_of_categories_without_rows_stay(engine, optimizer):
    """Bit for bit; with `decay_all` they shrink."""
    for settings, stays in (({}, True), ({"decay_all": True}, False)):
        before, after = trained(ENGINES[engine], optimizer, embedded, 2, **settings)
        # The rows have the categories 0 and 1.
        table = next(name for name in before if "embedding" in name)
        rare, now = before[table][2:], after[table][2:]
        assert stays == np.array_equal(rare, now)
        assert stays or (np.abs(now) < np.abs(rare)).all()


IRIS = {
    "name": "t", "dataset": {"name": "iris"}, "loss": "cross_entropy",
    "network": {"sizes": [3], "activations": ["softmax"]},
}  # fmt: skip


def run_id(**optimizer):
    training = {"optimizer": optimizer, "learning_rate": 0.1, "iterations": 5, "batch_size": 5}
    return prepare(load_config({**IRIS, "training": training})).run_id


def test_runs_in_which_other_parameters_decay_are_other_runs():
    """A run of all parameters has the id that it had before there was the key."""
    plain = run_id(type="sgd")
    assert plain == run_id(type="sgd", decay_all=True) == run_id(type="sgd", weight_decay=0.0)
    decayed = run_id(type="sgd", weight_decay=0.01, decay_all=True)
    assert "s42-c76302c611" == decayed
    assert decayed != run_id(type="sgd", weight_decay=0.01)
    assert run_id(type="adamw") != run_id(type="adamw", decay_all=True)


# Learning rates by hand: at the start, at every boundary, and past the end.

TOTAL = 100


def rate(schedule: Schedule, t: int, total: int = TOTAL) -> float:
    """η(t) of one iteration."""
    return float(schedule.rates(np.array([t], float), total)[0])


# (name, arguments, {iteration: rate})
RATES_BY_HAND = [
    ("constant", {"value": 0.5}, {0: 0.5, 99: 0.5, 1000: 0.5}),
    ("step", {"initial": 1.0, "every": 10}, {0: 1, 9: 1, 10: 0.1, 19: 0.1, 20: 0.01, 99: 1e-9}),
    ("step", {"initial": 8.0, "every": 3, "factor": 0.5}, {2: 8, 3: 4, 5: 4, 6: 2}),
    (
        "exponential",
        {"initial": 1.0, "every": 10},
        {0: 1, 5: sqrt(0.5), 10: 0.5, 20: 0.25, 30: 0.125},
    ),
    ("exponential", {"initial": 3.0, "every": 1, "factor": 0.1}, {0: 3, 1: 0.3, 2: 0.03}),
    ("inverse_time", {"initial": 1.0, "every": 10}, {0: 1, 10: 1 / 2, 20: 1 / 3, 5: 1 / 1.5}),
    ("inverse_time", {"initial": 1.0, "every": 1, "rate": 0.0}, {0: 1, 99: 1}),
    ("inverse_time", {"initial": 6.0, "every": 2, "rate": 2.0}, {1: 3, 2: 2}),
    (
        "cosine",
        {"initial": 1.0},
        {0: 1, 25: (1 + sqrt(0.5)) / 2, 50: 0.5, 99: (1 + cos(0.99 * pi)) / 2, 100: 0, 500: 0},
    ),
    ("cosine", {"initial": 1.0, "final": 0.2, "over": 10}, {0: 1, 5: 0.6, 10: 0.2, 99: 0.2}),
    (
        "warmup_cosine",
        {"peak": 1.0, "warmup": 20},
        {0: 0.05, 9: 0.5, 18: 0.95, 19: 1, 20: 1, 60: 0.5, 100: 0, 500: 0},
    ),
    (
        "warmup_cosine",
        {"peak": 2.0, "warmup": 4, "final": 1.0, "over": 24},
        {0: 0.5, 3: 2, 4: 2, 14: 1.5, 24: 1, 99: 1},
    ),
    ("warmup_cosine", {"peak": 1.0, "warmup": 0}, {0: 1, 50: 0.5, 100: 0}),
    ("cosine_restarts", {"initial": 1.0, "period": 10}, {0: 1, 5: 0.5, 10: 1, 95: 0.5, 100: 1}),
    (
        "cosine_restarts",
        {"initial": 2.0, "period": 4, "growth": 3, "final": 1.0},
        {0: 2, 2: 1.5, 4: 2, 10: 1.5, 16: 2, 34: 1.5, 52: 2},
    ),
    ("one_cycle", {"peak": 25.0}, {0: 1, 14.5: 13, 29: 25, 64: 12.50005, 99: 1e-4, 500: 1e-4}),
    (
        "one_cycle",
        {"peak": 1.0, "rise": 0.5, "initial": 0.0, "final": 0.5, "over": 10},
        {0: 0, 2: 0.5, 4: 1, 6.5: 0.75, 9: 0.5, 99: 0.5},
    ),
    ("one_cycle", {"peak": 1.0, "rise": 0.0}, {0: 1, 99: 4e-6}),
    ("one_cycle", {"peak": 25.0, "over": 3}, {0: 1, 1: 12.50005, 2: 1e-4, 99: 1e-4}),
    ("one_cycle", {"peak": 25.0, "rise": 0.01}, {0: 1, 99: 1e-4}),
    ("reduce_on_plateau", {"initial": 0.5}, {0: 0.5, 99: 0.5}),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), RATES_BY_HAND)
def test_rates_by_hand(name: str, arguments: dict[str, float], expected: dict[int, float]):
    """η(t) is what the schedule's equation gives, on either side of each boundary."""
    schedule = SCHEDULES[name](**arguments)
    actual = {t: rate(schedule, t) for t in expected}
    assert expected == pytest.approx(actual, rel=1e-12, abs=1e-15)


# Where each schedule begins, and the first iteration, for a total, that has its last rate.
ENDS = {
    "constant": ({"value": 0.5}, 0.5, None),
    "step": ({"initial": 0.5, "every": 1}, 0.5, None),
    "exponential": ({"initial": 0.5, "every": 1}, 0.5, None),
    "inverse_time": ({"initial": 0.5, "every": 1}, 0.5, None),
    "cosine": ({"initial": 0.5, "final": 0.1}, 0.5, lambda total: total),
    "warmup_cosine": ({"peak": 1.0, "warmup": 2, "final": 0.1}, 0.5, lambda total: max(total, 3)),
    "cosine_restarts": ({"initial": 0.5, "period": 1}, 0.5, None),
    "one_cycle": (
        {"peak": 1.0, "initial": 0.5, "final": 0.1},
        0.5,
        lambda total: max(total - 1, 1),
    ),
    "reduce_on_plateau": ({"initial": 0.5}, 0.5, None),
}


@pytest.mark.parametrize("total", range(1, 6))
@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_the_shortest_runs_begin_and_end_as_documented(name: str, total: int):
    """At the first rate, and at the last one where there is one; never outside of the two ends."""
    arguments, first, end = ENDS[name]
    schedule = SCHEDULES[name](**arguments)
    rates = schedule.rates(np.arange(total, dtype=float), total)
    assert first == pytest.approx(rates[0], rel=1e-14)
    assert (rates >= 0).all()
    assert rates.max() <= arguments.get("peak", first) * (1 + 1e-15)
    if end is not None:
        assert 0.1 == pytest.approx(rate(schedule, end(total), total), rel=1e-14)


@pytest.mark.parametrize("rise", [0.001, 0.1, 0.25, 0.3, 0.5, 0.999])
def test_one_cycle_begins_at_its_initial_rate(rise: float):
    """Also where it rises for less than an iteration."""
    schedule = SCHEDULES["one_cycle"](peak=25.0, rise=rise)
    first = [rate(schedule, 0, total) for total in range(1, 41)]
    assert [1.0] * 40 == pytest.approx(first, rel=1e-12)


def test_cosine_begins_with_the_largest_number_there_is():
    """Half of twice a rate is the rate, but twice the largest number is none."""
    with np.errstate(over="raise"):
        assert 1.7e308 == rate(SCHEDULES["cosine"](initial=1.7e308), 0, 10)


def test_a_warmup_longer_than_the_run_only_rises():
    """Where the run ends within the warm-up, the line does not break."""
    rates = SCHEDULES["warmup_cosine"](peak=1.0, warmup=200).rates(np.arange(100.0), 100)
    np.testing.assert_allclose(rates, (np.arange(100) + 1) / 200, rtol=1e-15)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_many_iterations_at_once_are_those_one_by_one(name: str):
    """An array of t gives one rate each, the same as asked alone, in double precision."""
    arguments = next(arguments for one, arguments, _ in RATES_BY_HAND if one == name)
    schedule = SCHEDULES[name](**arguments)
    rates = schedule.rates(np.arange(TOTAL, dtype=float), TOTAL)
    assert (np.float64, (TOTAL,)) == (rates.dtype, rates.shape)
    np.testing.assert_allclose(rates, [rate(schedule, t) for t in range(TOTAL)], rtol=1e-14)
    assert np.all(rates >= 0)
    assert [rate(schedule, t) for t in range(TOTAL)] == [
        schedule.rate_at(t, TOTAL) for t in range(TOTAL)
    ]


def test_a_plateau_lowers_the_rate():
    """After `patience` losses in a row that are no better than the best, and counted anew."""
    schedule = SCHEDULES["reduce_on_plateau"](initial=1.0, factor=0.5, patience=2, final=0.2)
    losses = [9, 8, 8, 7, 7, 7.5, 7, 8, 6, 6, 6, 5, 5, 5, 5, 5]
    rates = []
    for loss in losses:
        rates.append(rate(schedule, 0))
        schedule.observe(loss)
    assert [*[1.0] * 6, *[0.5] * 2, *[0.25] * 3, *[0.2] * 5] == rates


def test_a_plateau_never_raises_the_rate():
    """A `final` above the rate leaves it where it is."""
    schedule = SCHEDULES["reduce_on_plateau"](initial=0.1, patience=1, final=0.5)
    for loss in (1, 1, 1):
        schedule.observe(loss)
    assert 0.1 == rate(schedule, 0)
