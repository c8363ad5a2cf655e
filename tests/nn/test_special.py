"""The normal distribution function against SciPy's and against forty-digit arithmetic."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from nnrun.nn.special import normal_cdf, normal_quantile

# Φ(x) computed with 40 digits.
EXACT = {
    -37.0: 5.725571222524577e-300,
    -20.0: 2.7536241186062337e-89,
    -10.0: 7.619853024160525e-24,
    -5.0: 2.866515718791939e-07,
    -1.0: 0.15865525393145705,
    -0.1: 0.460172162722971,
    0.0: 0.5,
    0.5: 0.6914624612740131,
    1.0: 0.8413447460685429,
    2.0: 0.9772498680518208,
    5.0: 0.9999997133484281,
    9.0: 1.0,
}
X = np.linspace(-37, 37, 20001)


def test_forty_digit_values():
    """Known values come out to 1e-15, and to the thirteen digits that exp has left far out."""
    x = np.array(list(EXACT))
    exact = np.array(list(EXACT.values()))

    np.testing.assert_allclose(normal_cdf(x), exact, rtol=3e-13, atol=0)
    np.testing.assert_allclose(normal_cdf(x), exact, rtol=0, atol=1e-15)


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


def test_both_sides_add_up_to_one():
    """Φ(x) + Φ(-x) = 1."""
    np.testing.assert_allclose(normal_cdf(X) + normal_cdf(-X), 1, rtol=1e-15)


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
