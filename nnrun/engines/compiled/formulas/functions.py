"""All elementary functions by name, for one dtype."""

from __future__ import annotations

from functools import cache
from math import pi, sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np

from nnrun.engines.compiled.formulas.exponential import exponentials
from nnrun.engines.compiled.formulas.logarithm import logarithms
from nnrun.nn.special import CENTRE, SCALED_ERFC


@cache
def functions(dtype: str) -> SimpleNamespace:
    """Those of `exponentials` and `logarithms`, one_minus_exp, softplus and gelu with its slope."""
    return SimpleNamespace(
        **vars(exponentials(dtype)),
        **vars(logarithms(dtype)),
        **vars(_decay(dtype)),
        **vars(_softplus(dtype)),
        **vars(_gelu(dtype)),
    )


def _decay(dtype: str) -> SimpleNamespace:
    real: Any = np.dtype(dtype).type
    lowest = real(-40)
    expm1 = exponentials(dtype).expm1

    def one_minus_exp(x: Any) -> Any:
        """1 - exp(x) for x ≤ 0, without cancellation."""
        return -expm1(lowest if x < lowest else x)

    return SimpleNamespace(one_minus_exp=one_minus_exp)


def _softplus(dtype: str) -> SimpleNamespace:
    real: Any = np.dtype(dtype).type
    zero, two = real(0), real(2)
    exp = exponentials(dtype).exp
    # 1/3, 1/5, …: the series of artanh after its first term, for arguments up to 1/3.
    c = tuple(real(1 / k) for k in range(3, 37, 2))

    def log1p(u: Any) -> Any:
        """log(1 + u) for 0 ≤ u ≤ 1: 2 artanh(s) with s = u / (2 + u)."""
        s = u / (two + u)
        q = s * s
        series = c[16]
        for k in range(15, -1, -1):
            series = series * q + c[k]
        return two * s + two * s * (q * series)

    def softplus(x: Any) -> Any:
        positive = zero if x < zero else x
        return positive + log1p(exp(-abs(x)))

    return SimpleNamespace(log1p=log1p, softplus=softplus)


def _gelu(dtype: str) -> SimpleNamespace:
    real: Any = np.dtype(dtype).type
    zero, one, half = real(0), real(1), real(0.5)
    exp = exponentials(dtype).exp
    c = tuple(real(term) for term in SCALED_ERFC)
    centre, farthest, sixteen = real(CENTRE), real(64), real(16)
    magic = real(1.5 * 2.0 ** (52 if dtype == "float64" else 23))
    root_half, root_2pi = real(sqrt(0.5)), real(1 / sqrt(2 * pi))

    def normal_cdf(x: Any) -> Any:
        """Φ(x) from exp(z²) erfc(z), a Chebyshev series summed by Clenshaw's rule."""
        size = abs(x)
        size = farthest if size > farthest else size
        z = size * root_half
        u = (z - centre) / (z + centre)
        later, last = zero, zero
        for k in range(24, 0, -1):
            later, last = c[k] + (u + u) * later - last, later
        # The square of a rounded number would cost digits; that of s is exact.
        s = ((size * sixteen + magic) - magic) / sixteen
        gauss = exp(-half * s * s) * exp(-half * (size - s) * (size + s))
        below = half * gauss * (c[0] + u * later - last)
        return below if x < zero else one - below

    def gelu(x: Any) -> Any:
        return x * normal_cdf(x)

    def gelu_slope(x: Any) -> Any:
        """The derivative, Φ(x) + x φ(x)."""
        return normal_cdf(x) + x * root_2pi * exp(-half * x * x)

    return SimpleNamespace(normal_cdf=normal_cdf, gelu=gelu, gelu_slope=gelu_slope)
