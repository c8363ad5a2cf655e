"""Optimizers: a step by hand, as PyTorch's, what they remember, and what weight decay is on."""

from __future__ import annotations

from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Adam, AdamW, MeanSquared, Network, RMSprop, dense
from nnrun.nn.embedding import Embedding, Table
from nnrun.nn.optimizers import Optimizer
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
