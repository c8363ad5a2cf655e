"""Gradients whose squares leave the range of numbers are clipped as all others are."""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import sqrt
from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Batches, clip
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Adam, MatMul, MeanAbsolute, Network

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


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", GRADIENTS)
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
