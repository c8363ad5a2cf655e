"""Dot products, which LLVM does not vectorise, since that reorders a sum."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.language.code import Code
from nnrun.engines.compiled.language.kinds import I32
from nnrun.engines.compiled.language.marks import intrinsic
from nnrun.engines.compiled.language.views import View

SUMS = 4


@intrinsic
def dot(t: Code, x: View, w: View, row: Any) -> Any:
    """The product of x with a row of w, both as long as the row: a multiple of a register.

    Four registers sum up side by side; then they and the numbers in them are added as a tree.
    """
    left, right, length = x.start, w.row(t, row), w.row_length
    sums = _zeros(t, SUMS)

    def add(index: Any, place: Any) -> None:
        factors = (_load(t, t.address(base, index)) for base in (left, right))
        t.builder.store(t.call("llvm.fma", *factors, t.builder.load(place)), place)

    def add_all(start: Any) -> None:
        for part, place in enumerate(sums):
            add(t.builder.add(start, t.integer(part * t.lanes)), place)

    whole = length - length % (SUMS * t.lanes)
    t.loop(0, whole, SUMS * t.lanes, add_all)
    t.loop(whole, length, t.lanes, lambda index: add(index, sums[0]))
    a, b, c, d = (t.builder.load(place) for place in sums)
    return _across(t, t.builder.fadd(t.builder.fadd(a, b), t.builder.fadd(c, d)))


def spread(t: Code, value: Any, lanes: int) -> Any:
    """A number in all places of a vector."""
    kind = ir.VectorType(value.type, lanes)
    first = t.builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
    mask = ir.Constant(ir.VectorType(I32, lanes), None)
    return t.builder.shuffle_vector(first, first, mask)


def _register(t: Code) -> Any:
    return ir.VectorType(t.real, t.lanes)


def _zeros(t: Code, count: int) -> list[Any]:
    """The places of so many registers of zeros."""
    places = [t.place(_register(t)) for _ in range(count)]
    for place in places:
        t.builder.store(ir.Constant(_register(t), None), place)
    return places


def _whole(t: Code, address: Any) -> Any:
    """The address of a number as that of a register."""
    return t.builder.bitcast(address, _register(t).as_pointer())


def _load(t: Code, address: Any) -> Any:
    """A register that begins at any number."""
    return t.builder.load(_whole(t, address), align=t.size)


def _across(t: Code, vector: Any) -> Any:
    """The sum of the numbers in a register: its halves added, and so on."""
    lanes = t.lanes
    while lanes > 1:
        lanes //= 2
        kind = ir.VectorType(I32, lanes)
        halves = [
            t.builder.shuffle_vector(
                vector, vector, ir.Constant(kind, list(range(start, start + lanes)))
            )
            for start in (0, lanes)
        ]
        vector = t.builder.fadd(*halves)
    return t.builder.extract_element(vector, I32(0))
