"""exp and functions of it, written so that LLVM vectorises loops over them.

Everything hangs on exp(x) = 2ⁿ exp(r) with n = round(x / ln 2) and |r| ≤ ln 2 / 2. Adding and
taking off 1.5 · 2⁵² (2²³ in float32) rounds to an integer, and leaves that integer in the lowest
bits of the sum, from where a shift takes it into the exponent of a number: no conversion to an
integer, which AVX2 lacks for doubles.

Comparisons are written such that NaN goes in and out of every function.
"""

from __future__ import annotations

from functools import cache
from math import factorial, log
from types import SimpleNamespace
from typing import Any

import numpy as np

from nnrun.compiler.language.numbers import bits, from_bits


@cache
def exponentials(dtype: str) -> SimpleNamespace:
    """exp, exp_nonpositive, expm1, tanh, sigmoid, elu for float64 or float32."""
    real: Any = np.dtype(dtype).type
    double = dtype == "float64"
    zero, one, half, two = real(0), real(1), real(0.5), real(2)
    magic = real(1.5 * 2.0 ** (52 if double else 23))
    integer: Any = np.int64 if double else np.int32
    exponent, unit = (
        (integer(52), integer(1023 << 52)) if double else (integer(23), integer(127 << 23))
    )
    log2_e = real(1.4426950408889634)
    # ln 2 in two parts; the first has so few digits that n times it is exact.
    ln2_high = real(6.93147180369123816490e-01 if double else 0.693359375)
    ln2_low = real(1.90821492927058770002e-10 if double else -2.12194440e-4)
    lowest, highest = (real(-746), real(710)) if double else (real(-104), real(89))
    flat, edge = (real(20), real(709)) if double else (real(10), real(88))
    deepest = real(log(np.finfo(dtype).smallest_normal))
    tail = _tail(dtype)

    def exp(x: Any) -> Any:
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        n = (x * log2_e + magic) - magic
        r = (x - n * ln2_high) - n * ln2_low
        # 2ⁿ in two factors, since the product may be a denormal or infinite.
        first = n * half + magic
        second = (n - (first - magic)) + magic
        scale = from_bits(integer((bits(first) << exponent) + unit))
        rest = from_bits(integer((bits(second) << exponent) + unit))
        return (one + (r + r * r * tail(r))) * scale * rest

    def parts(x: Any) -> Any:
        """2ⁿ, and exp(r) - 1, where 2ⁿ needs no second factor."""
        shifted = x * log2_e + magic
        n = shifted - magic
        r = (x - n * ln2_high) - n * ln2_low
        return from_bits(integer((bits(shifted) << exponent) + unit)), r + r * r * tail(r)

    def exp_nonpositive(x: Any) -> Any:
        """exp(x) for x ≤ 0, with nothing before the power that would take time: a softmax waits.

        Results below the normal numbers are 0, which changes no softmax: its sum has a term of 1.
        """
        scale, grown = parts(x)
        value = scale + scale * grown
        return zero if x < deepest else value

    def expm1(x: Any) -> Any:
        """exp(x) - 1 for |x| ≤ 60, without cancellation."""
        scale, grown = parts(x)
        return scale * grown + (scale - one)

    def tanh(x: Any) -> Any:
        x = -flat if x < -flat else x
        x = flat if x > flat else x
        e = expm1(x + x)
        return e / (e + two)

    def sigmoid(x: Any) -> Any:
        held = edge if -x > edge else -x
        held = -edge if held < -edge else held
        # Within ± edge 2ⁿ needs no second factor: where it is lost, so is the sum's digit.
        scale, grown = parts(held)
        return one / (one + (scale + scale * grown))

    def elu(x: Any) -> Any:
        held = -two * flat if x < -two * flat else x
        held = zero if held > zero else held
        return x if x > zero else expm1(held)

    return SimpleNamespace(
        exp=exp,
        exp_nonpositive=exp_nonpositive,
        expm1=expm1,
        tanh=tanh,
        sigmoid=sigmoid,
        elu=elu,
    )


def _tail(dtype: str) -> Any:
    """(exp(r) - 1 - r) / r² by Taylor's series, summed in pairs for a short chain."""
    real: Any = np.dtype(dtype).type
    c = tuple(real(1 / factorial(k)) for k in range(14))

    def long(r: Any) -> Any:
        r2 = r * r
        r4 = r2 * r2
        low = (c[2] + c[3] * r) + (c[4] + c[5] * r) * r2
        middle = (c[6] + c[7] * r) + (c[8] + c[9] * r) * r2
        high = (c[10] + c[11] * r) + (c[12] + c[13] * r) * r2
        return low + (middle + high * r4) * r4

    def short(r: Any) -> Any:
        """What is left out is a fifth of float32's last digit at most."""
        r2 = r * r
        low = (c[2] + c[3] * r) + (c[4] + c[5] * r) * r2
        return low + (c[6] + c[7] * r) * (r2 * r2)

    return long if dtype == "float64" else short
