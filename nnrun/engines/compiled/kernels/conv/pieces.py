"""Pieces of a result that stay in registers while their sums run: rows by columns.

The columns of a piece are a `Group`: the lanes of one or two registers, side by side. How large
pieces are depends on the processor; in which order each number is summed does not: it is one chain
of fused multiply-adds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels.writer import INTEGER, POINTER, SIZES, Value, Writer
from nnrun.engines.compiled.llvm import machine

LEAST = 8  # numbers: columns come in multiples of it
_MANY = 64  # bytes of a register: processors with such have 32 of them, others 16

Group = tuple[int, ...]


class Pieces:
    """Cuts results into pieces, and has the functions that compute them.

    Args:
        module: gets the functions, each when it is first asked for.
        dtype: of the numbers.
    """

    def __init__(self, module: Any, dtype: str) -> None:
        register = machine.register()
        self.module = module
        self.dtype = dtype
        self.many = register >= _MANY
        self.lanes = register // SIZES[dtype]

    @property
    def widest(self) -> int:
        """The most numbers in a group."""
        return max(2 * self.lanes, LEAST)

    def heights(self, group: Group) -> list[int]:
        """Rows of pieces, such that registers are left for the factors."""
        if self.many:
            return [1, 2, 4, 8, 14]
        return {1: [1, 2, 4, 8, 12], 2: [1, 2, 4, 6], 4: [1, 2, 3]}[len(group)]

    def columns(self, w: Writer, count: Value, body: Callable[[Group, Value], None]) -> None:
        """Write body(group, first column) for groups that make up all columns, pairs first."""

        def one(first: Value) -> list[Value]:
            left = w.sub(count, first)
            taken = w.integer(0)
            for group, condition in self._choices(w, left):
                with w.b.if_then(condition):
                    body(group, first)
                taken = w.select(condition, sum(group), taken)
            return [w.add(first, taken)]

        w.loop(lambda first: w.compare("<", first, count), one, [w.integer(0)])

    def _choices(self, w: Writer, left: Value) -> list[tuple[Group, Value]]:
        """The groups there are, and when each comes next."""
        full, b = self.lanes, w.b
        if full < LEAST:
            return [((full,) * (LEAST // full), ir.Constant(ir.IntType(1), 1))]
        pair = w.compare(">=", left, 2 * full)
        alone = b.and_(b.not_(pair), w.compare(">=", left, full))
        groups: list[tuple[Group, Value]] = [((full, full), pair), ((full,), alone)]
        if full > LEAST:
            groups.append(((LEAST,), w.compare("<", left, full)))
        return groups

    def rows(
        self,
        w: Writer,
        count: Value,
        group: Group,
        body: Callable[[int, Value], None],
    ) -> None:
        """Write body(height, first row) for pieces that make up all rows, the highest first."""
        heights = self.heights(group)

        def one(first: Value) -> list[Value]:
            left = w.least(w.sub(count, first), heights[-1])
            blocks = [w.function.append_basic_block() for _ in heights]
            end = w.function.append_basic_block()
            switch = w.b.switch(left, blocks[0])
            ends = []
            above = [*heights[1:], heights[-1] + 1]
            for block, height, beyond in zip(blocks, heights, above, strict=True):
                for value in range(max(height, 2), beyond):
                    switch.add_case(ir.Constant(INTEGER, value), block)
                w.b.position_at_end(block)
                body(height, first)
                ends.append(w.b.block)
                w.b.branch(end)
            w.b.position_at_end(end)
            taken = w.b.phi(INTEGER)
            for block, height in zip(ends, heights, strict=True):
                taken.add_incoming(ir.Constant(INTEGER, height), block)
            return [w.add(first, taken)]

        w.loop(lambda first: w.compare("<", first, count), one, [w.integer(0)])

    def pixels(self, rows: int, group: Group) -> Any:
        """y[r] = init[r] + Σₜ x[r + table[t]] w[t], for some pixels r of a line.

        A function of init, x, w, y, table, steps, and the pitches of init, x, w, y.
        """
        function, w = self._function("pixels", rows, group, 5, 5)
        if w is None:
            return function
        init, x, factors, y, table, steps, init_row, x_row, factors_row, y_row = function.args
        distances = (0, x_row, w.mul(x_row, 2))
        thrice = w.mul(x_row, 3)

        def step(t: Value, at: Value, *values: Value) -> list[Value]:
            right = _line(w, group, at)
            base, following = w.at(x, w.entry(table, t)), []
            for row, line in enumerate(_lines(values, group)):
                # Three rows share an address, since the processor adds one or two pitches itself.
                if row and row % 3 == 0:
                    base = w.at(base, thrice)
                number = w.load(w.real, w.at(base, distances[row % 3]))
                following += _products(w, number, right, line)
            return [w.at(at, factors_row), *following]

        begun = _load(w, group, rows, init, init_row)
        _, *done = w.repeat(steps, step, [factors, *begun])
        _store(w, group, done, y, y_row)
        w.end()
        return function

    def taps(self, rows: int, group: Group) -> Any:
        """dw[t] = init[t] + Σᵢⱼ x[table[t] + pixel] dy[pixel], for some taps t.

        A function of init, x, dy, dw, table, lines, columns, and the pitches of init, x's lines,
        x's pixels, dy's lines, dy's pixels, dw.
        """
        function, w = self._function("taps", rows, group, 5, 8)
        if w is None:
            return function
        init, x, dy, dw, table, lines, columns, init_row = function.args[:8]
        x_line, x_pixel, dy_line, dy_pixel, dw_row = function.args[8:]
        starts = [w.at(x, w.entry(table, row)) for row in range(rows)]

        def line(_: Value, place: Value, at: Value, *values: Value) -> list[Value]:
            def pixel(_: Value, place: Value, at: Value, *values: Value) -> list[Value]:
                right, following = _line(w, group, at), []
                for start, line in zip(starts, _lines(values, group), strict=True):
                    number = w.load(w.real, w.at(start, place))
                    following += _products(w, number, right, line)
                return [w.add(place, x_pixel), w.at(at, dy_pixel), *following]

            _, _, *following = w.repeat(columns, pixel, [place, at, *values])
            return [w.add(place, x_line), w.at(at, dy_line), *following]

        begun = _load(w, group, rows, init, init_row)
        _, _, *done = w.repeat(lines, line, [w.integer(0), dy, *begun])
        _store(w, group, done, dw, dw_row)
        w.end()
        return function

    def _function(
        self, kind: str, rows: int, group: Group, pointers: int, integers: int
    ) -> tuple[Any, Writer | None]:
        """The private function for such pieces, and what writes it if it is new."""
        name = f"{kind}_{rows}_{'_'.join(map(str, group))}"
        known = self.module.globals.get(name)
        if known is not None:
            return known, None
        signature = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + [INTEGER] * integers)
        function = ir.Function(self.module, signature, name)
        function.linkage = "internal"
        function.calling_convention = "fastcc"
        function.attributes.add("noinline")
        return function, Writer(function, self.dtype)


def _products(w: Writer, number: Value, right: list[Value], line: list[Value]) -> list[Value]:
    return [
        w.fma(w.spread(number, factor.type.count), factor, value)
        for factor, value in zip(right, line, strict=True)
    ]


def _lines(values: tuple[Value, ...], group: Group) -> list[list[Value]]:
    return [list(values[n : n + len(group)]) for n in range(0, len(values), len(group))]


def _line(w: Writer, group: Group, base: Value) -> list[Value]:
    return _load(w, group, 1, base, w.integer(0))


def _load(w: Writer, group: Group, rows: int, base: Value, pitch: Value) -> list[Value]:
    return [w.load(w.vector(lanes), at) for lanes, at in _places(w, group, rows, base, pitch)]


def _store(w: Writer, group: Group, values: list[Value], base: Value, pitch: Value) -> None:
    rows = len(values) // len(group)
    for value, (_, at) in zip(values, _places(w, group, rows, base, pitch), strict=True):
        w.store(value, at)


def _places(
    w: Writer, group: Group, rows: int, base: Value, pitch: Value
) -> list[tuple[int, Value]]:
    """Lanes and address of each vector of a piece, row by row."""
    places = []
    for row in range(rows):
        line = w.at(base, w.mul(pitch, row)) if row else base
        places += [
            (lanes, w.at(line, sum(group[:part]) * w.size)) for part, lanes in enumerate(group)
        ]
    return places
