"""The sums of one row over the indices of a mask, for products that skip zeros."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels.dense.matrix_tile import prefetch
from nnrun.engines.compiled.language.code import Code
from nnrun.engines.compiled.language.kinds import I1, I64
from nnrun.engines.compiled.language.marks import intrinsic
from nnrun.engines.compiled.language.vectors import spread
from nnrun.engines.compiled.llvm import machine

# Registers of sums: enough to hide latency, few enough for 16 registers.
WIDEST = 8


@intrinsic
def chains(
    t: Code, registers: int, word: Any, a: Any, a_step: Any, b: Any, b_step: Any,
    begin: Any, c: Any,
) -> None:  # fmt: skip
    """C = begin + Σ a[i a_step] b[i b_step …] over the bits i of a word, in ascending order.

    Args:
        t: the translator.
        registers: the width of b, begin and c.
        word: the mask.
        a: numbers.
        a_step: their distance.
        b: rows.
        b_step: their distance.
        begin: a row.
        c: a row.
    """
    builder = t.builder
    vector = _vector(t)
    sums, left = [t.place(vector) for _ in range(registers)], t.place(I64)

    def parts(base: Any) -> list[Any]:
        return [t.address(base, part * vector.count) for part in range(registers)]

    def step() -> None:
        bits = builder.load(left)
        index = _trailing(t, bits)
        builder.store(builder.and_(bits, builder.sub(bits, I64(1))), left)
        number = builder.load(t.address(a, builder.mul(index, t.integer(a_step))))
        factor = spread(t, number, vector.count)
        for place, total in zip(
            parts(t.address(b, builder.mul(index, t.integer(b_step)))), sums, strict=True
        ):
            values = factor, _load(t, place), builder.load(total)
            builder.store(t.call("llvm.fma", *values), total)

    for place, total in zip(parts(begin), sums, strict=True):
        builder.store(_load(t, place), total)
    builder.store(word, left)
    t.repeat(lambda: builder.icmp_unsigned("!=", builder.load(left), I64(0)), step)
    for place, total in zip(parts(c), sums, strict=True):
        _store(t, builder.load(total), place)


@intrinsic
def copy(t: Code, source: Any, target: Any) -> None:
    """As many numbers as a register holds."""
    _store(t, _load(t, source), target)


@intrinsic
def add_scaled(t: Code, c: Any, factor: Any, a: Any) -> None:
    """C += factor a, of as many numbers as a register holds."""
    scale = spread(t, factor, _vector(t).count)
    _store(t, t.call("llvm.fma", scale, _load(t, a), _load(t, c)), c)


@intrinsic
def fetch_soon(t: Code, place: Any) -> None:
    """Prefetch an address into the second cache: the first one is in use."""
    prefetch(t, place, near=2)


def _trailing(t: Code, word: Any) -> Any:
    """The lowest bit that is set; there must be one."""
    name = "llvm.cttz.i64"
    function = t.module.globals.get(name)
    if function is None:
        function = ir.Function(t.module, ir.FunctionType(I64, [I64, I1]), name)
    return t.builder.call(function, [word, I1(1)])


def _vector(t: Code) -> Any:
    return ir.VectorType(t.real, machine.register() // t.size)


def _load(t: Code, place: Any) -> Any:
    return t.builder.load(t.builder.bitcast(place, _vector(t).as_pointer()), align=t.size)


def _store(t: Code, value: Any, place: Any) -> None:
    t.builder.store(value, t.builder.bitcast(place, value.type.as_pointer()), align=t.size)
