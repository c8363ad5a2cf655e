"""Arrays of a shape that is known while translating; vectors of any width;
and dot products, which LLVM does not vectorise: that reorders a sum.
"""

from __future__ import annotations

from math import prod
from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code, intrinsic
from nnrun.compiler.language.kinds import I32


class View:
    """An array in row-major order; it exists only while translating."""

    def __init__(self, start: Any, shape: tuple[int, ...]) -> None:
        self.start = start
        self.shape = shape

    def address(self, t: Code, index: Any) -> Any:
        """The address of a number, without a check of bounds."""
        indices = index if isinstance(index, tuple) else (index,)
        if len(indices) != len(self.shape):
            raise TypeError(f"{len(indices)} indices for an array of {len(self.shape)} dimensions")
        kind = self.start.type.pointee
        for side in reversed(self.shape[1:]):
            kind = ir.ArrayType(kind, side)
        first = t.builder.bitcast(self.start, kind.as_pointer())
        return t.builder.gep(first, [t.integer(part) for part in indices], inbounds=True)

    def row(self, t: Code, index: Any) -> Any:
        """The address of a row, or of a block below the first index."""
        return self.address(t, (index, *[0] * (len(self.shape) - 1)))

    @property
    def row_length(self) -> int:
        """Numbers from one row to the next."""
        return prod(self.shape[1:])


@intrinsic
def view(t: Code, block: Any, offset: Any, shape: tuple[int, ...]) -> View:
    """The array of this shape that starts at block + offset."""
    return View(t.address(block, offset), shape)


SUMS = 4


@intrinsic
def dot(t: Code, x: View, w: View, row: Any) -> Any:
    """The product of x with a row of w, both as long as the row: a multiple of a register.

    Four registers sum up side by side; then they and the numbers in them are added as a tree.
    """
    left, right, length = x.start, w.row(t, row), w.row_length
    sums = _zeros(t, SUMS)

    def add(index: Any, place: Any) -> None:
        factors = (read(t, t.address(base, index), t.lanes) for base in (left, right))
        t.builder.store(t.call("llvm.fma", *factors, t.builder.load(place)), place)

    def add_all(start: Any) -> None:
        for part, place in enumerate(sums):
            add(t.builder.add(start, t.integer(part * t.lanes)), place)

    whole = length - length % (SUMS * t.lanes)
    t.loop(0, whole, SUMS * t.lanes, add_all)
    t.loop(whole, length, t.lanes, lambda index: add(index, sums[0]))
    a, b, c, d = (t.builder.load(place) for place in sums)
    return _across(t, t.builder.fadd(t.builder.fadd(a, b), t.builder.fadd(c, d)))


@intrinsic
def read(t: Code, address: Any, lanes: int) -> Any:
    """The vector of the numbers from an address on."""
    kind = ir.VectorType(address.type.pointee, lanes)
    return t.builder.load(t.builder.bitcast(address, kind.as_pointer()), align=t.size)


@intrinsic
def write(t: Code, vector: Any, address: Any) -> None:
    """Write a vector to an address."""
    t.builder.store(vector, t.builder.bitcast(address, vector.type.as_pointer()), align=t.size)


@intrinsic
def spread(t: Code, number: Any, lanes: int) -> Any:
    """The vector with a number in all its lanes."""
    return t.spread(t.number(number), lanes)


@intrinsic
def lane(t: Code, vector: Any, index: int) -> Any:
    """One of a vector's numbers."""
    return t.builder.extract_element(vector, I32(index))


@intrinsic
def room(t: Code, count: int, like: Any) -> View:
    """An uninitialized array of `count` values of one type, in registers."""
    place = t.place(ir.ArrayType(t.variable(like).type, count))
    return View(t.builder.gep(place, [I32(0), I32(0)]), (count,))


def _zeros(t: Code, count: int) -> list[Any]:
    """The places of this many registers of zeros."""
    places = [t.place(ir.VectorType(t.real, t.lanes)) for _ in range(count)]
    for place in places:
        t.builder.store(ir.Constant(place.type.pointee, None), place)
    return places


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
