"""Activations: values and slopes by hand, at the far ends, at the kinks and in both precisions."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.signature import Array
from nnrun.nn.special import normal_cdf, normal_quantile

POINTWISE = sorted(set(ACTIVATIONS) - {"softmax"})
# (name, x, f(x), f'(x))
BY_HAND = [
    ("linear", -3, -3, 1),
    ("sigmoid", log(4), 0.8, 0.16),
    ("sigmoid", -log(4), 0.2, 0.16),
    ("tanh", log(3), 0.8, 0.36),
    ("tanh", -log(3), -0.8, 0.36),
    ("relu", 3, 3, 1),
    ("relu", -3, 0, 0),
    ("leaky_relu", 3, 3, 1),
    ("leaky_relu", -3, -0.03, 0.01),
    ("elu", 3, 3, 1),
    ("elu", -log(2), -0.5, 0.5),
    ("softplus", 0, log(2), 0.5),
    ("softplus", log(3), log(4), 0.75),
    ("softplus", -log(3), log(4 / 3), 0.25),
    ("gelu", 0, 0, 0.5),
    ("gelu", 1, 0.8413447460685429, 1.0833154705876864),
    ("gelu", -1, -0.15865525393145705, -0.0833154705876863),
    ("silu", log(4), 0.8 * log(4), 0.8 + 0.16 * log(4)),
    ("silu", -log(4), -0.2 * log(4), 0.2 - 0.16 * log(4)),
    ("mish", 0, 0, 0.6),  # tanh(log 2) = 3/5
    ("mish", log(2), 0.8 * log(2), 0.8 + 0.24 * log(2)),  # tanh(log 3) = 4/5
    ("hard_tanh", 0.5, 0.5, 1),
    ("hard_tanh", 1, 1, 0),
    ("hard_tanh", -1, -1, 0),
    ("hard_tanh", -2, -1, 0),
    ("square", -3, 9, -6),
]
# (name, f and f' at -10,000, f and f' at 10,000)
FAR_ENDS = [
    ("linear", (-1e4, 1), (1e4, 1)),
    ("sigmoid", (0, 0), (1, 0)),
    ("tanh", (-1, 0), (1, 0)),
    ("relu", (0, 0), (1e4, 1)),
    ("leaky_relu", (-100, 0.01), (1e4, 1)),
    ("elu", (-1, 0), (1e4, 1)),
    ("softplus", (0, 0), (1e4, 1)),
    ("gelu", (0, 0), (1e4, 1)),
    ("silu", (0, 0), (1e4, 1)),
    ("mish", (0, 0), (1e4, 1)),
    ("hard_tanh", (-1, 0), (1, 0)),
    ("square", (1e8, -2e4), (1e8, 2e4)),
]


def value_and_slope(name: str, x: float) -> tuple[float, float]:
    """f(x) and f'(x) of an activation that works number by number."""
    layer = ACTIVATIONS[name]()
    y = layer.forward(np.array([[x]], float))
    return float(y[0, 0]), float(layer.backward(np.ones((1, 1)))[0, 0])


@pytest.mark.parametrize(("name", "x", "y", "slope"), BY_HAND)
def test_values_and_slopes_by_hand(name: str, x: float, y: float, slope: float):
    """f(x) and f'(x) are what the equations give with pencil and paper."""
    assert (y, slope) == pytest.approx(value_and_slope(name, x), rel=1e-14, abs=1e-16)


@pytest.mark.parametrize(("name", "at_left", "at_right"), FAR_ENDS)
def test_far_ends_neither_overflow_nor_warn(name: str, at_left: tuple, at_right: tuple):
    """At ±10,000 every activation and its slope have reached their limits, without a warning."""
    assert at_left == pytest.approx(value_and_slope(name, -1e4), rel=1e-15, abs=1e-300)
    assert at_right == pytest.approx(value_and_slope(name, 1e4), rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_nan_is_not_hidden(name: str):
    """A NaN that comes in goes out, so that divergence is seen."""
    with np.errstate(invalid="ignore"):
        y = ACTIVATIONS[name]().forward(np.array([[np.nan, 1.0]]))
    assert np.isnan(y[0, 0])


def test_rectifiers_are_flat_at_zero():
    """relu's slope at 0 and left of it is 0, leaky_relu's is 0.01; elu's slope at 0 is 1."""
    assert [(0, 0)] * 2 == [value_and_slope("relu", x) for x in (0.0, -1e-300)]
    assert [0.01] * 2 == [value_and_slope("leaky_relu", x)[1] for x in (0.0, -1e-300)]
    assert [1, 1] == [value_and_slope(name, 1e-300)[1] for name in ("relu", "leaky_relu")]
    assert (0, 1) == value_and_slope("elu", 0.0)


def test_elu_and_softplus_keep_their_digits_near_zero_and_far_left():
    """exp(x) - 1 and log(1 + exp(x)) are not taken literally, which would lose them."""
    assert -1e-12 == pytest.approx(value_and_slope("elu", -1e-12)[0], rel=1e-11, abs=0)
    assert exp(-50) == pytest.approx(value_and_slope("softplus", -50)[0], rel=1e-14, abs=0)


def test_softmax_of_logarithms_is_their_shares():
    """exp(x) / Σ exp(x), and its gradient without a Jacobian: y (dy - Σ dy y)."""
    layer = ACTIVATIONS["softmax"]()
    y = layer.forward(np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    dx = layer.backward(np.array([[8.0, 0.0, 0.0], [0.0, 0.0, 4.0]]))
    np.testing.assert_allclose(y, [[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]], rtol=1e-15)
    np.testing.assert_allclose(dx, [[7 / 8, -2 / 8, -5 / 8], [-1 / 2, -1 / 2, 1]], rtol=1e-14)


def test_softmax_does_not_change_when_a_row_is_shifted():
    """Adding a number to a whole row leaves its softmax alone, however large the number."""
    x = np.array([[0.5, -1.0, 2.0]])
    softmax = ACTIVATIONS["softmax"]()
    y = softmax.forward(x).copy()
    for shift in (-1e4, 64.0, 1e4):
        np.testing.assert_allclose(softmax.forward(x + shift), y, rtol=1e-11)


def test_softmax_does_not_overflow():
    """Logits of ±10,000 give zeros and ones, without a warning."""
    y = ACTIVATIONS["softmax"]().forward(np.array([[1e4, -1e4, 0.0], [1e4, 1e4, -1e4]]))
    assert [[1, 0, 0], [0.5, 0.5, 0]] == y.tolist()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_single_precision_stays_single_and_close(name: str):
    """float32 in is float32 out, forward and backward, as close to float64 as its digits allow."""
    x = np.random.default_rng(0).normal(0, 3, (5, 4))
    dy = np.random.default_rng(1).normal(0, 1, (5, 4))

    def run(dtype: type) -> tuple[Array, Array]:
        layer = ACTIVATIONS[name]()
        y = layer.forward(x.astype(dtype))
        return y, layer.backward(dy.astype(dtype))

    (y32, dx32), (y64, dx64) = run(np.float32), run(np.float64)
    assert (np.float32, np.float32) == (y32.dtype, dx32.dtype)
    np.testing.assert_allclose(y32, y64, rtol=5e-6, atol=1e-6)
    np.testing.assert_allclose(dx32, dx64, rtol=5e-6, atol=1e-6)


@pytest.mark.parametrize("name", POINTWISE)
def test_single_precision_does_not_warn_at_the_far_ends(name: str):
    """±10,000 in float32 gives the float64 limits, without a warning."""
    layer = ACTIVATIONS[name]()
    y = layer.forward(np.array([[-1e4, 1e4]], np.float32))
    dx = layer.backward(np.ones((1, 2), np.float32))
    expected = [value_and_slope(name, x) for x in (-1e4, 1e4)]
    np.testing.assert_allclose(y[0], [value for value, _ in expected], rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(dx[0], [slope for _, slope in expected], rtol=1e-6, atol=1e-37)


# The normal distribution function and its quantile against SciPy's.

X = np.linspace(-37, 37, 20001)


def test_against_scipy():
    """To 1e-15 everywhere, and relatively to 1e-13 where exp(-x²/2) itself has those digits."""
    near = X[X >= -10]
    np.testing.assert_allclose(normal_cdf(X), ndtr(X), rtol=0, atol=1e-15)
    np.testing.assert_allclose(normal_cdf(near), ndtr(near), rtol=1e-13, atol=0)
    np.testing.assert_allclose(normal_cdf(X), ndtr(X), rtol=1e-12, atol=0)


def test_limits():
    """Φ is 0 and 1 at the infinities and far out, without a warning, and NaN at NaN."""
    with np.errstate(all="raise", under="ignore"):
        y = normal_cdf(np.array([-inf, -1e4, -1e200, 1e200, 1e4, inf]))
    assert [0, 0, 0, 1, 1, 1] == y.tolist()
    assert np.isnan(normal_cdf(np.array([np.nan]))).all()


def test_it_rises():
    """Φ never falls, from one end to the other, through zero."""
    assert np.all(np.diff(normal_cdf(X)) >= 0)
    assert np.all(np.diff(normal_cdf(np.linspace(-1e-3, 1e-3, 1001))) > 0)


@pytest.mark.parametrize("x", [-6.0, -1.5, 0.3, 4.0])
def test_single_precision(x: float):
    """float32 in is float32 out, with the digits of float32."""
    y = normal_cdf(np.array([x], np.float32))
    assert np.float32 == y.dtype
    np.testing.assert_allclose(y, ndtr([x]), rtol=2e-6)


def test_the_normal_quantile_against_scipy():
    """To a few parts in 1e15 of its size, in the middle and far out on both sides."""
    tail = 10.0 ** np.linspace(-10, -1, 2001)
    p = np.concatenate([np.linspace(0.001, 0.999, 20001), tail, 1 - tail])
    np.testing.assert_allclose(normal_quantile(p), ndtri(p), rtol=3e-15, atol=1e-15)
