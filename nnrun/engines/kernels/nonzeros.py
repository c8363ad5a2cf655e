"""Masks of nonzeros, and whether they are so few that zeros are skipped."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.code import I64, Code, integers, intrinsic
from nnrun.engines.kernels.primitives import pointer, row_range
from nnrun.engines.kernels.sizes import BLOCK, SPARSE


def nonzeros(task, n, x, x_row, size, masks, capacity, counts, rows):
    """The masks of a block of rows, and the number of its nonzeros; NaN is one.

    Bit i of a row's word b is that of number 64 b + i. The words b of all rows lie together, and
    are `capacity` rows from the next.
    """
    x, masks, counts = pointer(x), integers(masks), integers(counts)
    first, last = row_range(task, rows, n)
    total = 0
    for r in range(first, last):
        row = x + r * x_row
        for i in range(0, size, BLOCK):
            count = min(BLOCK, size - i)
            word = 0
            if count == BLOCK:
                word = marked(row + i)
            else:
                for j in range(count):
                    word = word + ((1 << j) if row[i + j] != 0 else 0)
            total += ones(word)
            masks[i // BLOCK * capacity + r] = word
    counts[task] = total


def is_sparse(counts, counted, n, size):
    """Whether zeros of n rows are skipped, from the nonzeros of each `counted` rows.

    Without counts they are not.
    """
    total, most = 0, -1
    if counts != 0:
        found = integers(counts)
        for block in range((n + counted - 1) // counted):
            total += found[block]
        most = n * size * SPARSE // 100
    return total <= most


@intrinsic
def marked(t: Code, place: Any) -> Any:
    """The mask of `BLOCK` numbers."""
    kind = ir.VectorType(t.real, BLOCK)
    values = t.builder.load(t.builder.bitcast(place, kind.as_pointer()), align=t.size)
    differ = t.builder.fcmp_unordered("!=", values, ir.Constant(kind, None))
    return t.builder.bitcast(differ, I64)


@intrinsic
def ones(t: Code, word: Any) -> Any:
    """The number of set bits."""
    return t.call("llvm.ctpop", word)
