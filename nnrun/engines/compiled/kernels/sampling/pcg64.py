"""NumPy's random numbers, bit for bit, from inside compiled code: its generator PCG64.

A linear congruential generator of 128 bits; each step gives 64 by XSL-RR: two numbers of
32 bits, the lower half first. M. E. O'Neill, HMC-CS-2014-0905.

A stream is the `STREAM` numbers at a pointer to int64 that `fields` describes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels.sampling.fields import FULL, HALF, INCREMENT, STATE, STREAM
from nnrun.engines.compiled.language.code import Code
from nnrun.engines.compiled.language.kinds import I64
from nnrun.engines.compiled.language.marks import intrinsic

_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
_STATE = ir.IntType(128)
_LOWER_HALF = ir.Constant(I64, 0xFFFFFFFF)


@intrinsic
def below(t: Code, stream: Any, bound: Any) -> Any:
    """A random integer from 0 to bound - 1, for 2 ≤ bound < 2³²; the stream moves on.

    By multiplication; the few numbers that would cause a bias are drawn again. D. Lemire, ACM
    Trans. Model. Comput. Simul. 29 (2019).
    """
    builder = t.builder

    def lower(product: Any) -> Any:
        return builder.and_(product, _LOWER_HALF)

    product = builder.mul(_half(builder, stream), bound)
    rare, again, end = (builder.append_basic_block(name) for name in ("rare", "again", "end"))
    results = [(product, builder.block)]
    branch = builder.cbranch(builder.icmp_unsigned("<", lower(product), bound), rare, end)
    branch.set_weights([1, 99])
    builder.position_at_end(rare)
    over = builder.urem(builder.sub(ir.Constant(I64, 1 << 32), bound), bound)
    results.append((product, rare))
    builder.cbranch(builder.icmp_unsigned("<", lower(product), over), again, end)
    builder.position_at_end(again)
    other = builder.mul(_half(builder, stream), bound)
    results.append((other, builder.block))
    builder.cbranch(builder.icmp_unsigned("<", lower(other), over), again, end)
    builder.position_at_end(end)
    return builder.lshr(_one_of(builder, results), ir.Constant(I64, 32))


@intrinsic
def masked(t: Code, stream: Any, mask: Any) -> Any:
    """32 random bits under a mask; the stream moves on."""
    return t.builder.and_(_half(t.builder, stream), mask)


@intrinsic
def copied(t: Code, stream: Any) -> Any:
    """The stream in variables of the function, which need not be in memory while it draws."""
    copy = t.builder.bitcast(t.place(ir.ArrayType(I64, STREAM)), I64.as_pointer())
    _copy(t.builder, stream, copy)
    return copy


@intrinsic
def put_back(t: Code, copy: Any, stream: Any) -> None:
    """Copy the stream back."""
    _copy(t.builder, copy, stream)


def _half(builder: Any, stream: Any) -> Any:
    """32 random bits; the stream moves on."""

    def field(index: int, kind: Any = I64) -> Any:
        return builder.bitcast(_at(builder, stream, index), kind.as_pointer())

    full, left = field(FULL), field(HALF)
    zero = ir.Constant(I64, 0)
    results = []
    with builder.if_else(builder.icmp_signed("!=", builder.load(full), zero)) as (yes, no):
        with yes:
            results.append((builder.load(left), builder.block))
            builder.store(zero, full)
        with no:
            state, increment = field(STATE, _STATE), field(INCREMENT, _STATE)
            product = builder.mul(builder.load(state, align=8), ir.Constant(_STATE, _MULTIPLIER))
            stepped = builder.add(product, builder.load(increment, align=8))
            builder.store(stepped, state, align=8)
            upper = builder.trunc(builder.lshr(stepped, ir.Constant(_STATE, 64)), I64)
            mixed = builder.xor(builder.trunc(stepped, I64), upper)
            number = _turned(builder, mixed, builder.lshr(upper, ir.Constant(I64, 58)))
            results.append((builder.and_(number, _LOWER_HALF), builder.block))
            builder.store(builder.lshr(number, ir.Constant(I64, 32)), left)
            builder.store(ir.Constant(I64, 1), full)
    return _one_of(builder, results)


def _copy(builder: Any, source: Any, target: Any) -> None:
    """Copy the stream to another address."""
    for index in range(STREAM):
        builder.store(builder.load(_at(builder, source, index)), _at(builder, target, index))


def _one_of(builder: Any, results: list[tuple[Any, Any]]) -> Any:
    """That of the blocks which control came from."""
    result = builder.phi(I64)
    for value, block in results:
        result.add_incoming(value, block)
    return result


def _at(builder: Any, stream: Any, index: int) -> Any:
    return builder.gep(stream, [ir.Constant(I64, index)], inbounds=True)


def _turned(builder: Any, word: Any, places: Any) -> Any:
    """The bits of a word, turned to the right."""
    back = builder.and_(builder.neg(places), ir.Constant(I64, 63))
    return builder.or_(builder.lshr(word, places), builder.shl(word, back))
