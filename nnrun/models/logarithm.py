"""The natural logarithm with the same bits on every processor."""

from __future__ import annotations

import numpy as np

from nnrun.nn.signature import Array

# The series of log((1 + s) / (1 - s)) / s - 2 in s², fitted to [0, 0.1716]: the coefficients, and
# the two parts of log 2, are those of `e_log.c` in fdlibm (Sun Microsystems, 1993).
_ODD = (
    6.666666666666735130e-01,
    2.857142874366239149e-01,
    1.818357216161805012e-01,
    1.479819860511658591e-01,
)
_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)
_LOG_2 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_HALF_ROOT = 0.7071067811865476


_BLOCK = 1 << 16


def logarithm(x: Array) -> Array:
    """log x for positive float64 numbers (n,), with an error below one unit in the last place.

    `np.log` rounds some numbers otherwise where the processor has other vector instructions. These
    are additions, multiplications and divisions, which are the same everywhere.
    """
    found = np.empty(len(x))
    for start in range(0, len(x), _BLOCK):
        found[start : start + _BLOCK] = _logarithm(x[start : start + _BLOCK])
    return found


def _logarithm(x: Array) -> Array:
    # x = 2ᵏ · (1 + f), with √½ ≤ 1 + f < √2
    mantissa, exponent = np.frexp(x)
    small = mantissa < _HALF_ROOT
    f = np.where(small, 2 * mantissa, mantissa) - 1.0
    k = (exponent - small).astype(np.float64)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (_ODD[0] + w * (_ODD[1] + w * (_ODD[2] + w * _ODD[3])))
    even = w * (_EVEN[0] + w * (_EVEN[1] + w * _EVEN[2]))
    half = 0.5 * f * f
    rest = half - (s * (half + odd + even) + k * _LOG_2[1])
    result: Array = k * _LOG_2[0] - (rest - f)
    return result
