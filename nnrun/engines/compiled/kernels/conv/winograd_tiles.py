"""The tiles of Winograd's F(2×2, 3×3): their positions, and transforms of squares.

A square's transform is that of a line, A x, for all its columns and then for all its rows: A X Aᵀ.
`winograd.py` explains the matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from llvmlite import ir

from nnrun.engines.compiled.kernels.conv.pieces import LEAST
from nnrun.engines.compiled.kernels.writer import Kernel, Value

Line = Callable[[list[Value]], list[Value]]
"""The transform of a line of vectors."""


class Places:
    """The positions of a task's tiles, numbered through all its rows.

    Args:
        k: the kernel.
    """

    def __init__(self, k: Kernel) -> None:
        self._k = k
        self._first, last = k.rows(k.n)
        self._across = k.div(k.add(k["ow"], 1), 2)
        self._in_row = k.mul(self._across, k.div(k.add(k["oh"], 1), 2))
        self.total = k.mul(k.sub(last, self._first), self._in_row)

    def of(self, number: Value) -> tuple[Value, Value, Value]:
        """The row, and line and column of the tile's first output."""
        k = self._k
        row = k.div(number, self._in_row)
        rest = k.sub(number, k.mul(row, self._in_row))
        i = k.div(rest, self._across)
        j = k.sub(rest, k.mul(i, self._across))
        return k.add(self._first, row), k.mul(i, 2), k.mul(j, 2)


def pixels(
    k: Kernel, name: str, side: int, where: tuple[Value, Value, Value],
    sides: tuple[Value, Value], outside: Value,
) -> list[Value]:  # fmt: skip
    """Addresses of side × side pixels of a map; `outside` for pixels beyond it."""
    row, i, j = where
    base = k.at(k.pointer(name), k.mul(row, k.bytes(f"{name}_row")))
    found = []
    for a in range(side):
        line = k.add(i, a)
        start = k.at(base, k.mul(line, k.bytes(f"{name}_line")))
        for b in range(side):
            column = k.add(j, b)
            inside = k.b.and_(k.within(line, sides[0]), k.within(column, sides[1]))
            here = k.at(start, k.mul(column, k.bytes(f"{name}_pixel")))
            found.append(k.b.select(inside, here, outside))
    return found


def transform(
    k: Kernel, line: Line, sources: list[Value], targets: list[Value], numbers: tuple[Value, Value]
) -> None:
    """Transform squares from some addresses to others, for these distances from them."""
    first, last = numbers

    def vector(at: Value) -> None:
        values = [k.load(k.vector(LEAST), k.at(source, at)) for source in sources]
        for value, target in zip(both_ways(line, values), targets, strict=True):
            k.store(value, k.at(target, at))

    k.repeat(last, vector, start=first, step=LEAST * k.size)


def spaced(k: Kernel, base: Value, pitch: Value, count: int = 16) -> list[Value]:
    """Addresses of so many places."""
    return [k.at(base, k.mul(pitch, n)) for n in range(count)]


def both_ways(line: Line, values: list[Value]) -> list[Value]:
    """A square, line by line: all columns are transformed, then all rows of the result."""
    side = isqrt(len(values))
    rows = [values[n : n + side] for n in range(0, len(values), side)]
    columns = [line(list(column)) for column in zip(*rows, strict=True)]
    return [value for row in zip(*columns, strict=True) for value in line(list(row))]


def input_line(k: Kernel) -> Line:
    """Bᵀ d."""
    add, sub = k.b.fadd, k.b.fsub
    return lambda d: [sub(d[0], d[2]), add(d[1], d[2]), sub(d[2], d[1]), sub(d[1], d[3])]


def output_line(k: Kernel) -> Line:
    """Aᵀ m."""
    add, sub = k.b.fadd, k.b.fsub
    return lambda m: [add(add(m[0], m[1]), m[2]), sub(sub(m[1], m[2]), m[3])]


def spread_line(k: Kernel) -> Line:
    """A dy."""
    return lambda dy: [dy[0], k.b.fadd(*dy), k.b.fsub(*dy), k.b.fneg(dy[1])]


def weight_line(k: Kernel) -> Line:
    """G g."""
    add, sub, half = k.b.fadd, k.b.fsub, _half(k)

    def line(g: list[Value]) -> list[Value]:
        outer = add(g[0], g[2])
        return [g[0], half(add(outer, g[1])), half(sub(outer, g[1])), g[2]]

    return line


def gradient_line(k: Kernel) -> Line:
    """Gᵀ du."""
    add, sub, half = k.b.fadd, k.b.fsub, _half(k)

    def line(du: list[Value]) -> list[Value]:
        inner = half(add(du[1], du[2]))
        return [add(du[0], inner), half(sub(du[1], du[2])), add(inner, du[3])]

    return line


def _half(k: Kernel) -> Callable[[Value], Value]:
    halves = ir.Constant(k.vector(LEAST), [ir.Constant(k.real, 0.5)] * LEAST)
    return lambda value: k.b.fmul(halves, value)
