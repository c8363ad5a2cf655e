"""Pooling, a block of rows at a time, over all channels that are stored, eight at once.

Windows of 2×2 side by side have code of their own, without loops over the window. Max-pooling
keeps which pixel of its window was the largest, the first of equal ones: a number for each of y's,
in rows that lie as y's would without a border.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels.writer import Kernel, Value, written

LEVEL = 0  # of LLVM's passes: none
_LANES = 8

# Of a window: gets what is carried on, and body(number of the pixel, its address, *carried).
Window = Callable[[list[Value], Callable[..., list[Value]]], list[Value]]


@written
def max_pool(module: Any, symbol: str, dtype: str) -> None:
    """y = the largest number of each window, and `place`, if there is one, which that was."""
    k = _Pooling(module, symbol, dtype, "x")
    places, is_kept = k.pointer("place"), k.compare("!=", k["place"], 0)

    def pool(window: Window, at: Value, y: Value, place: Value) -> None:
        def pixel(number: Value, here: Value, held: Value, best: Value) -> list[Value]:
            value = k.load(k.vector(_LANES), here)
            # NaN, which is larger than nothing, stays where it has come in.
            larger = k.b.and_(
                k.b.fcmp_unordered("<", held, value), k.b.fcmp_ordered("ord", held, held)
            )
            return [k.b.select(larger, value, held), k.b.select(larger, k.all(number), best)]

        held, best = window([k.load(k.vector(_LANES), at), k.zeros(_LANES)], pixel)
        k.store(held, y)
        k.when(is_kept, lambda: k.store(best, k.at(places, place)))

    k.each_window(pool)


@written
def max_pool_back(module: Any, symbol: str, dtype: str) -> None:
    """dy to the largest pixel of each window, zeros to the others."""
    k = _Pooling(module, symbol, dtype, "dx")
    places = k.pointer("place")

    def pool(window: Window, at: Value, dy: Value, place: Value) -> None:
        slope, best = k.load(k.vector(_LANES), dy), k.load(k.vector(_LANES), k.at(places, place))

        def pixel(number: Value, here: Value) -> list[Value]:
            is_best = k.b.fcmp_ordered("==", best, k.all(number))
            k.put(k.b.select(is_best, slope, k.zeros(_LANES)), here)
            return []

        window([], pixel)

    k.each_window(pool)


@written
def avg_pool(module: Any, symbol: str, dtype: str) -> None:
    """y = the mean of each window."""
    k = _Pooling(module, symbol, dtype, "x")

    def pool(window: Window, _: Value, y: Value, __: Value) -> None:
        def pixel(_: Value, here: Value, total: Value) -> list[Value]:
            return [k.b.fadd(total, k.load(total.type, here))]

        (total,) = window([k.zeros(_LANES)], pixel)
        k.store(k.b.fmul(total, k.share), y)

    k.each_window(pool)


@written
def avg_pool_back(module: Any, symbol: str, dtype: str) -> None:
    """dy / (kh · kw) to every pixel of each window."""
    k = _Pooling(module, symbol, dtype, "dx")

    def pool(window: Window, _: Value, dy: Value, __: Value) -> None:
        part = k.b.fmul(k.load(k.vector(_LANES), dy), k.share)

        def pixel(_: Value, here: Value) -> list[Value]:
            k.put(part, here)
            return []

        window([], pixel)

    k.each_window(pool)


class _Pooling(Kernel):
    """The loops that all four share.

    Args:
        image: the map with the windows, x or dx; the other is y or dy.
    """

    def __init__(self, module: Any, symbol: str, dtype: str, image: str) -> None:
        super().__init__(module, symbol, dtype)
        self.image, self.other = image, image.replace("x", "y")
        area = self.mul(self["kh"], self["kw"])
        number = self.b.sitofp(area, self.real)
        self.share = self.spread(self.b.fdiv(ir.Constant(self.real, 1.0), number), _LANES)
        self._adds = False

    def all(self, number: int | Value) -> Value:
        """The vector of a number."""
        return self.spread(self.b.sitofp(self.integer(number), self.real), _LANES)

    def put(self, value: Value, place: Value) -> None:
        """Write to a pixel of dx, or add to it where windows may overlap."""
        if self._adds:
            value = self.b.fadd(self.load(value.type, place), value)
        self.store(value, place)

    def each_window(self, pool: Callable[[Window, Value, Value, Value], None]) -> None:
        """Write pool(window, its first pixel, y's or dy's pixel, its place) for all there are."""
        two_by_two = self.b.and_(
            self.b.and_(self.compare("==", self["kh"], 2), self.compare("==", self["kw"], 2)),
            self.b.and_(self.compare("==", self["sh"], 2), self.compare("==", self["sw"], 2)),
        )
        if self.image == "dx":
            for side, outputs in (("height", "oh"), ("width", "ow")):
                is_whole = self.compare("==", self[side], self.mul(self[outputs], 2))
                two_by_two = self.b.and_(two_by_two, is_whole)
        with self.b.if_else(two_by_two) as (simple, general):
            with simple:
                self._rows(pool, self._two_by_two)
            with general:
                self._adds = True
                self._rows(pool, self._any)
        self.end()

    def _rows(self, pool: Callable[..., None], window: Callable[..., list[Value]]) -> None:
        x_line, x_pixel = self.bytes(f"{self.image}_line"), self.bytes(f"{self.image}_pixel")
        y_line, y_pixel = self.bytes(f"{self.other}_line"), self.bytes(f"{self.other}_pixel")
        down, across = self.mul(self["sh"], x_line), self.mul(self["sw"], x_pixel)
        places = self.mul(self["ow"], y_pixel)

        def row(r: Value) -> None:
            x = self.at(self.pointer(self.image), self.mul(r, self.bytes(f"{self.image}_row")))
            y = self.at(self.pointer(self.other), self.mul(r, self.bytes(f"{self.other}_row")))
            if self._adds and self.image == "dx":
                length = self.mul(self["width"], x_pixel)
                self.repeat(
                    self["height"],
                    lambda i: self.clear(self.at(x, self.mul(i, x_line)), length),
                )

            def line(i: Value) -> None:
                place_line = self.mul(self.add(self.mul(r, self["oh"]), i), places)

                def pixel(j: Value) -> None:
                    first = self.at(x, self.mul(i, down), self.mul(j, across))
                    other = self.at(y, self.mul(i, y_line), self.mul(j, y_pixel))
                    place = self.add(place_line, self.mul(j, y_pixel))

                    def numbers(at: Value) -> None:
                        here = self.at(first, at)
                        pool(
                            lambda carried, body: window(here, x_line, x_pixel, carried, body),
                            here, self.at(other, at), self.add(place, at),
                        )  # fmt: skip

                    self.repeat(y_pixel, numbers, step=_LANES * self.size)

                self.repeat(self["ow"], pixel)

            self.repeat(self["oh"], line)

        first, last = self.rows(self.n)
        self.repeat(last, row, start=first)

    def _two_by_two(
        self, here: Value, x_line: Value, x_pixel: Value, carried: list[Value], body: Any
    ) -> list[Value]:
        for number in range(4):
            distance = self.add(self.mul(x_line, number // 2), self.mul(x_pixel, number % 2))
            carried = body(self.integer(number), self.at(here, distance), *carried)
        return carried

    def _any(
        self, here: Value, x_line: Value, x_pixel: Value, carried: list[Value], body: Any
    ) -> list[Value]:
        def line(a: Value, *carried: Value) -> list[Value]:
            def pixel(b: Value, *carried: Value) -> list[Value]:
                number = self.add(self.mul(a, self["kw"]), b)
                place = self.at(here, self.mul(a, x_line), self.mul(b, x_pixel))
                result: list[Value] = body(number, place, *carried)
                return result

            return self.repeat(self["kw"], pixel, carried)

        return self.repeat(self["kh"], line, carried)
