"""Arrays within a block of memory, of a shape that is known while translating."""

from __future__ import annotations

from math import prod
from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code, intrinsic


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
