"""Optimizers: a step by hand, a trajectory to remember, and whether they get there at all."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from nnrun.nn import SGD, Adam, AdamW, RMSprop
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

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
GOLDEN = {
    "sgd": (0.95**10, -2 * 0.5**10),
    "momentum": (-0.31092291066962896, -0.17544953599999946),
    "nesterov": (-0.2619924533824272, 0.032596918625195315),
    "decay": (0.56796043755203, -0.0017663712402515696),
    "adam": (0.5122934228839264, -1.5049558365470908),
    "adam_without_moments": (0.9553835831254461, -1.675484866796167),
    "adam_decay": (0.5557152497043308, -1.5075073843136744),
    "adamw": (0.5085686779218936, -1.4962085764563458),
    "adamw_without_decay": (0.5122934228839264, -1.5049558365470908),
    "rmsprop": (0.4663458358931946, -0.42720214184048233),
    "rmsprop_momentum": (0.1763039736016965, 0.05880527261078803),
    "rmsprop_decay": (0.43911946456821294, -0.4258690160284477),
}


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_golden_trajectory(name: str):
    """Ten steps down a quadratic end where they always did."""
    kind, arguments, _ = VARIANTS[name]
    theta = np.array([1.0, -2.0])
    optimizer = kind(**arguments)
    optimizer.allocate(theta)
    for _ in range(10):
        optimizer.step(theta, np.array([1.0, 10.0]) * theta, 0.05)
    np.testing.assert_allclose(theta, GOLDEN[name], rtol=1e-13)


# AdamW's decay is no part of what it minimizes, so it ends beside every minimum.
@pytest.mark.parametrize("name", sorted(set(VARIANTS) - {"adamw"}))
def test_every_variant_reaches_the_minimum(name: str):
    """Each takes a badly scaled quadratic to within 1e-3 of its minimum in 1,000 steps."""
    kind, arguments, rate = VARIANTS[name]
    minimum, curvature = np.array([3.0, -1.0, 0.5]), np.array([1.0, 10.0, 0.3])
    theta = np.zeros(3)
    optimizer = kind(**arguments)
    optimizer.allocate(theta)
    for _ in range(1000):
        optimizer.step(theta, curvature * (theta - minimum), rate)
    # The decay adds λ/2 |θ|², which moves the minimum.
    decayed = curvature * minimum / (curvature + arguments.get("weight_decay", 0))
    np.testing.assert_allclose(theta, decayed, atol=1e-3)


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
