"""The tiles of Winograd's F(2×2, 3×3): their positions, and transforms of squares.

A square X is transformed to A X Aᵀ: each of its columns x to A x, then each row of the result.
`winograd.py` explains the matrices.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

from nnrun.compiler.code import Code, intrinsic, read, write
from nnrun.engines.compiled.kernels.sizes.shapes import LEAST


def tiles_of(rows, oh, ow):
    """The number of tiles of `rows` images, with oh × ow outputs each."""
    return rows * ((oh + 1) // 2) * ((ow + 1) // 2)


def tile_at(number, oh, ow):
    """The image that a tile belongs to, and the line and column of its first output."""
    across = (ow + 1) // 2
    in_row = across * ((oh + 1) // 2)
    rest = number % in_row
    return number // in_row, rest // across * 2, rest % across * 2


@intrinsic
def square(
    t: Code, side: int, base: Any, line: Any, step: Any, i: Any, j: Any,
    height: Any, width: Any, outside: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Addresses of side × side pixels of a map from (i, j) on; `outside` for pixels beyond it."""
    b, steps = t.builder, [t.integer(n) for n in range(side)]
    # One comparison for both ends: a negative index is a large unsigned number.
    columns = [b.add(j, n) for n in steps]
    places = [(b.mul(one, step), b.icmp_unsigned("<", one, width)) for one in columns]
    found = []
    for n in steps:
        row = b.add(i, n)
        start, inside = t.address(base, b.mul(row, line)), b.icmp_unsigned("<", row, height)
        found += [
            b.select(b.and_(inside, within), t.address(start, place), outside)
            for place, within in places
        ]
    return tuple(found)


@intrinsic
def spaced(t: Code, base: Any, pitch: Any, count: int = 16) -> tuple[Any, ...]:
    """`count` addresses from `base` on, `pitch` apart."""
    return tuple(t.address(base, t.builder.mul(pitch, t.integer(n))) for n in range(count))


@intrinsic
def transform(
    t: Code, line: Any, sources: Any, targets: Any, first: Any, last: Any, added: Any = ()
) -> None:
    """Transform the squares at `sources` plus n into `targets` plus n, for n from first to last.

    Numbers at the addresses `added` are added to the results.
    """

    def once(at: Any) -> None:
        values = both_ways(t, line, [read(t, t.address(one, at), LEAST) for one in sources])
        biases = [read(t, t.address(one, at), LEAST) for one in added]
        if biases:
            pairs = zip(values, biases, strict=True)
            values = [t.builder.fadd(value, bias) for value, bias in pairs]
        for value, target in zip(values, targets, strict=True):
            write(t, value, t.address(target, at))

    t.loop(first, last, LEAST, once)


@intrinsic
def transform_one(t: Code, line: Any, sources: Any, targets: Any, at: Any) -> None:
    """Transform the square of the numbers at `sources` into `targets` plus `at`."""
    values = both_ways(t, line, [t.builder.load(one) for one in sources])
    for value, target in zip(values, targets, strict=True):
        t.builder.store(value, t.address(target, at))


def both_ways(t: Code, line: Any, values: Any) -> list[Any]:
    """A square, line by line: all columns are transformed, then all rows of the result."""
    side = isqrt(len(values))
    rows = [values[n : n + side] for n in range(0, len(values), side)]
    columns = [t.inline(line, list(column)) for column in zip(*rows, strict=True)]
    return [one for row in zip(*columns, strict=True) for one in t.inline(line, list(row))]


def input_line(a, b, c, d):
    """Bᵀ d."""
    return a - c, b + c, c - b, b - d


def output_line(a, b, c, d):
    """Aᵀ m."""
    return a + b + c, b - c - d


def spread_line(a, b):
    """A dy."""
    return a, a + b, a - b, -b


def weight_line(a, b, c):
    """G g."""
    outer = a + c
    return a, 0.5 * (outer + b), 0.5 * (outer - b), c


def gradient_line(a, b, c, d):
    """Gᵀ du."""
    inner = 0.5 * (b + c)
    return a + inner, 0.5 * (b - c), inner + d
