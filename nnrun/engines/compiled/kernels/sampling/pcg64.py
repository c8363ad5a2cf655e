"""NumPy's random numbers, bit for bit, from inside compiled code: its generator PCG64.

A linear congruential generator of 128 bits; each step gives 64 by XSL-RR: two numbers of
32 bits, the lower half first. M. E. O'Neill, HMC-CS-2014-0905.

A stream is the `STREAM` numbers at a pointer to int64 that `fields` describes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.code import I64, Code, intrinsic, room
from nnrun.engines.compiled.kernels.sampling.fields import FULL, HALF, INCREMENT, STATE, STREAM

_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
_WIDE = ir.IntType(128)
_LOWER = 0xFFFFFFFF


def below(stream: Any, bound: Any) -> Any:
    """A random integer from 0 to bound - 1, for 2 ≤ bound < 2³²; the stream moves on.

    By multiplication; the few numbers that would cause a bias are drawn again. D. Lemire, ACM
    Trans. Model. Comput. Simul. 29 (2019).
    """
    product = times(half(stream), bound)
    if product & _LOWER < bound:
        over = ((1 << 32) - bound) % bound
        while product & _LOWER < over:
            product = times(half(stream), bound)
    return upper(product)


def half(stream: Any) -> Any:
    """32 random bits; the stream moves on."""
    number = stream[HALF]
    if stream[FULL] != 0:
        stream[FULL] = 0
    else:
        number = following(stream)
        stream[HALF] = upper(number)
        stream[FULL] = 1
        number = number & _LOWER
    return number


def copied(stream: Any) -> Any:
    """The stream in variables of the function, which need not be in memory while it draws."""
    copy = room(STREAM, 0)
    for index in range(STREAM):
        copy[index] = stream[index]
    return copy


def put_back(copy: Any, stream: Any) -> None:
    """Copy the stream back."""
    for index in range(STREAM):
        stream[index] = copy[index]


@intrinsic
def times(t: Code, left: Any, right: Any) -> Any:
    """A product of numbers of 32 bits: 64 bits, none of them a sign."""
    return t.builder.mul(left, right)


@intrinsic
def upper(t: Code, word: Any) -> Any:
    """The upper half of 64 bits."""
    return t.builder.lshr(word, t.integer(32))


@intrinsic
def following(t: Code, stream: Any) -> Any:
    """64 random bits from the stepped state: its halves mixed, and turned to the right."""
    b = t.builder
    state, increment = (_wide(t, stream, index) for index in (STATE, INCREMENT))
    stepped = b.add(b.mul(state, ir.Constant(_WIDE, _MULTIPLIER)), increment)
    low, high = (b.trunc(b.lshr(stepped, ir.Constant(_WIDE, n)), I64) for n in (0, 64))
    for index, part in enumerate((low, high)):
        b.store(part, t.address(stream, STATE + index))
    word, places = b.xor(low, high), b.lshr(high, t.integer(58))
    back = b.and_(b.neg(places), t.integer(63))
    return b.or_(b.lshr(word, places), b.shl(word, back))


def _wide(t: Code, stream: Any, index: int) -> Any:
    """A number of 128 bits, the lower half first."""
    low, high = (
        t.builder.zext(t.builder.load(t.address(stream, index + n)), _WIDE) for n in range(2)
    )
    return t.builder.or_(low, t.builder.shl(high, ir.Constant(_WIDE, 64)))
