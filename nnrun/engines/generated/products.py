"""Emitters of layers that add up products or windows of one row: dense, convolution, pooling.

z[i, j, o] = Σ_{a, b, c} x[i·s + a, j·s + b, c] w[a, b, c, o], with dw and dx from the same loops.
The weights are stored as (height, width, channels in, channels out).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import product
from math import prod
from typing import Any

import numpy as np

from nnrun.engines.generated.elementwise import Emitter, Product
from nnrun.engines.generated.program import Program, Row, affine, tree
from nnrun.nn.layers.matmul import MatMul

FEW_TAPS = 16
BLOCK = 8


class Convolution(Product):
    """Sums of a few products at a time, vectorised over the output's channels (dx: the input's)."""

    @classmethod
    def compiling(cls, layer: Any) -> float:
        """Its loops are unrolled over the channels."""
        return 0.1 + 0.003 * float(layer.channels)

    def plan(self) -> None:
        p, layer, tag = self.program, self.layer, self.tag
        inputs, height, width = layer.padded
        kh, kw = layer.kernel
        self.taps = (kh, kw, inputs)
        self.shape = (*self.taps, layer.channels)
        where = np.arange(prod(self.shape)).reshape(self.shape).transpose(3, 2, 0, 1)
        self.w = p.parameter(layer.w, f"w{tag}", self.shape, where)
        self.dw = p.array(f"dw{tag}", self.shape) if p.direct else f"dw{tag}"
        self.image = f"{self.x.name}_hwc"
        self.is_padded = layer.padded != layer.input_shape
        if self.is_padded:
            self.image = p.array(f"padded{tag}", (height, width, inputs), written=0)
            self.dx_padded = p.array(f"dpadded{tag}", (height, width, inputs))
        if self.needs_dx:
            self.turned = p.array(f"turned{tag}", (kh, kw, layer.channels, inputs))
        self.y = p.row(f"z{tag}", prod(layer.output_shape), layer.output_shape)
        self.height, self.width = layer.output_shape[1:]

    def before(self) -> None:
        if not self.needs_dx:
            return
        p = self.program
        p.comment(f"{self.tag}.weight with the input's channels innermost")
        with self._over_taps(), p.loop("o", self.layer.channels):
            p.line(f"{self.turned}[a, b, o, c] = {self.w}[a, b, c, o]")

    def forward(self) -> None:
        p, layer = self.program, self.layer
        size = " x ".join(map(str, layer.kernel))
        p.comment(f"{self.tag}.weight: z = w * x, {self.taps[2]} -> {layer.channels} of {size}")
        if self.is_padded:
            with p.pixels(self.x):
                p.line(f"{self.image}[{self._inside()}] = {self.x.name}_hwc[i, j, c]")
        with p.loop("i", self.height), p.loop("j", self.width):
            if prod(self.taps) <= FEW_TAPS:
                self._sum([(a, b, c) for a, b, c in np.ndindex(*self.taps)], "=")
            else:
                self._sum_in_parts()

    def _sum_in_parts(self) -> None:
        p, channels = self.program, self.taps[2]
        with p.loop("o", self.layer.channels):
            p.line(f"{self.y.name}_hwc[i, j, o] = {self._bias()}")
        rest = channels % BLOCK
        with p.loop("a", self.taps[0]), p.loop("b", self.taps[1]):
            if channels > rest:
                with p.loop("c", 0, channels - rest, BLOCK):
                    self._sum([("a", "b", affine("c", 1, n)) for n in range(BLOCK)], "+=")
            if rest:
                self._sum([("a", "b", c) for c in range(channels - rest, channels)], "+=")

    def _sum(self, taps: list[tuple[int | str, int | str, int | str]], sign: str) -> None:
        """The products of one output pixel with some taps of the kernel."""
        p = self.program
        for n, tap in enumerate(taps):
            p.line(f"x_{n} = {self._input('i', 'j', tap)}")
        terms = [f"x_{n} * {self.w}[{a}, {b}, {c}, o]" for n, (a, b, c) in enumerate(taps)]
        if sign == "=" and self.bias is not None:
            terms.append(self._bias())
        with p.loop("o", self.layer.channels):
            p.line(f"{self.y.name}_hwc[i, j, o] {sign} {tree(terms)}")

    def _bias(self) -> str:
        return "zero" if self.bias is None else self.bias.at_pixel(f"i * {self.width} + j", "o")

    def backward(self, dy: Row) -> Row:
        p = self.program
        p.comment(f"{self.tag}.weight: dw = Σ dz x" + (", dx = Σ dz w" if self.needs_dx else ""))
        if p.direct:
            with self._over_taps(), p.loop("o", self.layer.channels):
                p.line(f"{self.dw}[a, b, c, o] = zero")
        together = max(range(4, BLOCK + 1), key=lambda n: (self.width % n == 0, n))
        together = min(together, self.width)
        rest = self.width % together
        with p.loop("i", self.height):
            with p.loop("j", 0, self.width - rest, together):
                self._weights(dy, "j", together)
            if rest:
                self._weights(dy, str(self.width - rest), rest)
        dx = self._inputs(dy) if self.needs_dx else dy
        if p.direct:
            with self._over_taps(), p.loop("o", self.layer.channels):
                p.line(f"{self.w}[a, b, c, o] -= {self.dw}[a, b, c, o]")
        return dx

    def _weights(self, dy: Row, j: str, count: int) -> None:
        """Add the terms of some output pixels of one line to dw."""
        p = self.program
        columns = [affine(j, 1, n) for n in range(count)]
        with self._over_taps():
            for n, column in enumerate(columns):
                p.line(f"x_{n} = {self._input('i', column, ('a', 'b', 'c'))}")
            terms = [f"x_{n} * {dy.name}_hwc[i, {column}, o]" for n, column in enumerate(columns)]
            with p.loop("o", self.layer.channels):
                p.line(f"{self.dw}[a, b, c, o] += {tree(terms)}")

    def _inputs(self, dy: Row) -> Row:
        p, x, channels = self.program, self.x, self.layer.channels
        dx = p.like(f"d{x.name}", x)
        target = self.dx_padded if self.is_padded else f"{dx.name}_hwc"
        _, height, width = self.layer.padded
        with p.loop("i", height), p.loop("j", width), p.loop("c", self.taps[2]):
            p.line(f"{target}[i, j, c] = zero")
        rest = channels % BLOCK
        with p.loop("i", self.height), p.loop("j", self.width):
            if channels > rest:
                with p.loop("o", 0, channels - rest, BLOCK):
                    self._spread(dy, target, [affine("o", 1, n) for n in range(BLOCK)])
            if rest:
                self._spread(dy, target, [str(o) for o in range(channels - rest, channels)])
        if self.is_padded:
            with p.pixels(x):
                p.line(f"{dx.name}_hwc[i, j, c] = {target}[{self._inside()}]")
        return dx

    def _spread(self, dy: Row, target: str, outputs: list[str]) -> None:
        """Add the terms of one pixel of some output channels to dx."""
        p = self.program
        for n, o in enumerate(outputs):
            p.line(f"dz_{n} = {dy.name}_hwc[i, j, {o}]")
        terms = [f"dz_{n} * {self.turned}[a, b, {o}, c]" for n, o in enumerate(outputs)]
        sh, sw = self.layer.stride
        with self._over_taps():
            p.line(f"{target}[{affine('i', sh, 'a')}, {affine('j', sw, 'b')}, c] += {tree(terms)}")

    def _over_taps(self) -> AbstractContextManager[None]:
        return self.program.nest(a=self.taps[0], b=self.taps[1], c=self.taps[2])

    def _input(self, i: str, j: str, tap: tuple[int | str, int | str, int | str]) -> str:
        (sh, sw), (a, b, c) = self.layer.stride, tap
        return f"{self.image}[{affine(i, sh, a)}, {affine(j, sw, b)}, {c}]"

    def _inside(self) -> str:
        _, rows, columns = self.layer.inside
        return f"{affine('i', 1, rows.start)}, {affine('j', 1, columns.start)}, c"


# Pooling, vectorised over the channels: y[i, j, c] from x[i·s + a, j·s + b, c] over all a, b.

# Every pixel of a window has its own lines of source.
LARGEST_WINDOW = 64


class Pooling(Emitter):
    """The base class of both kinds."""

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        if prod(layer.size) > LARGEST_WINDOW:
            return f"pools at most {LARGEST_WINDOW} pixels into one"
        return None

    def plan(self) -> None:
        p, shape = self.program, self.layer.output_shape
        self.y = p.row(f"h{self.tag}", prod(shape), shape)
        (kh, kw), (sh, sw) = self.layer.size, self.layer.stride
        self.window = [
            f"{affine('i', sh, a)}, {affine('j', sw, b)}, c"
            for a, b in product(range(kh), range(kw))
        ]
        self.overlapping = kh > sh or kw > sw
        _, height, width = self.layer.input_shape
        _, lines, columns = self.layer.output_shape
        self.covering = (height, width) == (lines * kh, columns * kw)

    def backward(self, dy: Row) -> Row:
        p, x = self.program, self.x
        if not self.needs_dx:
            return dy
        p.comment(f"{self.tag}: {self.layer.type}, dy goes back to the pixels of its window")
        # Pixels in no window are never written and stay at zero.
        dx = p.like(f"d{x.name}", x, cleared=not self.covering)
        if self.overlapping:
            for j in p.each(x):
                p.line(f"{dx.at(j)} = zero")
        with p.pixels(self.y):
            p.line(f"dy = {dy.name}_hwc[i, j, c]")
            for place, pixel in enumerate(self.window):
                sign = "+=" if self.overlapping else "="
                p.line(f"{dx.name}_hwc[{pixel}] {sign} {self.share(place)}")
        return dx

    def share(self, place: int) -> str:
        """A pixel's share of its window's dy."""
        raise NotImplementedError


class MaxPool2d(Pooling):
    """The largest number; `winner` is its position in the window, the first of equals."""

    def plan(self) -> None:
        super().plan()
        self.winner = self.program.like(f"winner{self.tag}", self.y)

    def forward(self) -> None:
        p, x = self.program, self.x
        p.comment(f"{self.tag}: max_pool2d, y = the largest of each window")
        with p.pixels(self.y):
            first, *others = self.window
            p.line(f"best = {x.name}_hwc[{first}]")
            p.line("place = zero")
            for place, pixel in enumerate(others, start=1):
                p.line(f"other = {x.name}_hwc[{pixel}]")
                p.line(f"place = real({place}) if other > best else place")
                p.line("best = other if other > best else best")
            p.line(f"{self.winner.name}_hwc[i, j, c] = place")
            p.line(f"{self.y.name}_hwc[i, j, c] = best")

    def share(self, place: int) -> str:
        return f"dy if {self.winner.name}_hwc[i, j, c] == real({place}) else zero"


class AvgPool2d(Pooling):
    """The mean."""

    def forward(self) -> None:
        p, x = self.program, self.x
        p.comment(f"{self.tag}: avg_pool2d, y = the mean of each window")
        with p.pixels(self.y):
            terms = [f"{x.name}_hwc[{pixel}]" for pixel in self.window]
            p.line(f"{self.y.name}_hwc[i, j, c] = {tree(terms)} * {self._part}")

    def share(self, place: int) -> str:
        return f"dy * {self._part}"

    @property
    def _part(self) -> str:
        return f"real({1 / len(self.window)!r})"


# Matrix multiplication for one row: z = x w, dw = xᵀ dz, dx = dz wᵀ.
#
# For one row this is a loop over w, and the fastest loop depends on the shape:
#
#     few      a handful of weights: each in a variable, for the whole run
#     wide     units innermost, for the first layer: z = x₀ w₀ + x₁ w₁ + …
#     deep     inputs innermost, for the others: dot products of x with each unit's weights; dx and
#              the new weights are computed in one pass over w

FEW = 40  # weights at most
WIDE_BLOCK, UNROLLED = 8, 16  # inputs that are taken together, or all of them if they are so few
SCALARS, DEEP_BLOCK = 4, 10  # units at most that are variables; units that are taken together


class DeepMatMul(Product):
    """The inputs innermost; w is stored as (units, inputs)."""

    def plan(self) -> None:
        p, x, units = self.program, self.x, self.layer.units
        self.columns = p.padded(x.size)
        where = x.order[:, None] + np.arange(units) * self.columns
        self.w = p.parameter(self.layer.w, f"w{self.tag}", (units, self.columns), where)
        self.y = p.row(f"z{self.tag}", units, scalar=p.direct and units <= SCALARS)
        self.input = p.row(f"{x.name}_together", x.size) if x.scalar else x

    def forward(self) -> None:
        p, x, z = self.program, self.x, self.y
        p.comment(f"{self.tag}.weight: z = x w, {x.size} -> {z.size}")
        if self.input is not x:
            for i in p.each(x):
                p.line(f"{self.input.at(i)} = {x.at(i)}")
        for j in p.each(z, extra=False):
            product = f"dot({self.input.name}, {self.w}, {j})"
            p.line(f"{z.at(j)} = {' + '.join(self.with_start([product], j))}")

    def backward(self, dy: Row) -> Row:
        p = self.program
        p.comment(f"{self.tag}.weight: dw = xᵀ dz" + (", dx = dz wᵀ" if self.needs_dx else ""))
        units = dy.size
        dx = p.row(f"d{self.x.name}", self.columns, self.x.image)
        blocks = -(-units // DEEP_BLOCK)
        if dy.scalar or blocks == 1:
            self._pass(list(range(units)), dy, dx, first=True)
        else:
            whole = units - units % DEEP_BLOCK
            if self.needs_dx:
                with p.loop("i", self.columns):
                    p.line(f"{dx.at('i')} = zero")
            with p.loop("first", 0, whole, DEEP_BLOCK):
                self._pass([affine("first", 1, n) for n in range(DEEP_BLOCK)], dy, dx, first=False)
            if units > whole:
                self._pass(list(range(whole, units)), dy, dx, first=False)
        return Row(dx.name, self.x.size, self.x.stored, self.x.image)

    def _pass(self, units: Sequence[int | str], dy: Row, dx: Row, *, first: bool) -> None:
        """One pass over the weights of some units: their part of dx, and dw."""
        p = self.program
        for n, o in enumerate(units):
            p.line(f"dz_{n} = {dy.at(o)}")
        with p.loop("i", self.columns):
            if self.needs_dx:
                terms = [f"dz_{n} * {self.w}[{o}, i]" for n, o in enumerate(units)]
                p.line(f"{dx.at('i')} {'=' if first else '+='} {tree(terms)}")
            p.line(f"x_i = {self.input.at('i')}")
            for n, o in enumerate(units):
                p.descend(f"{self.w}[{o}, i]", f"dz_{n} * x_i")


class WideMatMul(Product):
    """The units innermost, with the inputs taken in blocks so that z is loaded less often."""

    def plan(self) -> None:
        p, x, units = self.program, self.x, self.layer.units
        self.columns = p.padded(units)
        where = x.order[:, None] * self.columns + np.arange(units)
        shape = (x.size, self.columns)
        self.w = p.parameter(self.layer.w, f"w{self.tag}", shape, where)
        self.y = p.row(f"z{self.tag}", units)
        whole = x.size if x.size <= UNROLLED else WIDE_BLOCK
        self.block, self.rest = whole, x.size % whole

    def forward(self) -> None:
        p, x, z = self.program, self.x, self.y
        p.comment(f"{self.tag}.weight: z = x w, {x.size} -> {z.size}")
        if self.block == x.size:
            self._sum(0, self.block, "=")
            return
        for j in p.each(z):
            p.line(f"{z.at(j)} = {self.start(j)}")
        with p.loop("i", 0, x.size - self.rest, self.block):
            self._sum("i", self.block, "+=")
        if self.rest:
            self._sum(x.size - self.rest, self.rest, "+=")

    def _sum(self, first: int | str, count: int, sign: str) -> None:
        """Add the products of some inputs to z."""
        p = self.program
        indices = self._inputs(first, count)
        terms = [f"x_{n} * {self.w}[{i}, j]" for n, i in enumerate(indices)]
        if sign == "=":
            terms = self.with_start(terms, "j")
        for j in p.each(self.y):
            p.line(f"{self.y.at(j)} {sign} {tree(terms)}")

    def _inputs(self, first: int | str, count: int) -> list[int | str]:
        """Load some inputs into x_0, x_1, … and return their indices."""
        indices: list[int | str] = [
            first + n if isinstance(first, int) else affine(first, 1, n) for n in range(count)
        ]
        for n, i in enumerate(indices):
            self.program.line(f"x_{n} = {self.x.at(i)}")
        return indices

    def backward(self, dy: Row) -> Row:
        p, x = self.program, self.x
        p.comment(f"{self.tag}.weight: dw = xᵀ dz")
        self._step(dy)
        return dy if not self.needs_dx else x

    def _step(self, dy: Row) -> None:
        p, size = self.program, self.x.size
        if self.block == size:
            self._outer(0, self.block, dy)
            return
        with p.loop("i", 0, size - self.rest, self.block):
            self._outer("i", self.block, dy)
        if self.rest:
            self._outer(size - self.rest, self.rest, dy)

    def _outer(self, first: int | str, count: int, dy: Row) -> None:
        p = self.program
        indices = self._inputs(first, count)
        for j in p.each(self.y):
            p.line(f"dz = {dy.at(j)}")
            for n, i in enumerate(indices):
                p.descend(f"{self.w}[{i}, {j}]", f"x_{n} * dz")


class FewMatMul(Product):
    """Each weight is in a register for the whole run; all loops are unrolled."""

    def plan(self) -> None:
        p, units = self.program, self.layer.units
        size = self.x.size * units
        place = p.parameter(self.layer.w, f"w{self.tag}", (size,), np.arange(size))
        p.registers += [(self.w(i, j), f"{place}[{i * units + j}]") for i, j in self._all()]
        self.y = p.row(f"z{self.tag}", units, scalar=True)

    def w(self, i: int, j: int) -> str:
        """The weight from input i to unit j."""
        return f"w{self.tag}_{i}_{j}"

    def forward(self) -> None:
        p, x, z = self.program, self.x, self.y
        p.comment(f"{self.tag}.weight: z = x w, {x.size} -> {z.size}")
        if not x.scalar:
            for i in range(x.size):
                p.line(f"{x.name}_{i} = {x.at(i)}")
        for j in range(z.size):
            terms = [f"{x.name}_{i} * {self.w(i, j)}" for i in range(x.size)]
            p.line(f"{z.at(j)} = {tree(self.with_start(terms, j))}")

    def backward(self, dy: Row) -> Row:
        p, x = self.program, self.x
        p.comment(f"{self.tag}.weight: dx = dz wᵀ, w -= xᵀ dz")
        dx = p.like(f"d{x.name}", x) if self.needs_dx else dy
        if self.needs_dx:
            for i in range(x.size):
                terms = [f"{dy.at(j)} * {self.w(i, j)}" for j in range(dy.size)]
                p.line(f"{dx.at(i)} = {tree(terms)}")
        for i, j in self._all():
            p.line(f"{self.w(i, j)} -= {x.name}_{i} * {dy.at(j)}")
        return dx

    def _all(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.x.size) for j in range(self.layer.units)]


def matmul(program: Program, layer: MatMul, tag: str, x: Row, needs_dx: bool) -> Emitter:
    """The emitter that suits the layer's shape."""
    inputs, units = x.size, layer.units
    if program.direct and inputs * units <= FEW and (x.scalar or not needs_dx):
        return FewMatMul(program, layer, tag, x, needs_dx)
    if not needs_dx and 2 * units >= program.lanes:
        return WideMatMul(program, layer, tag, x, needs_dx)
    return DeepMatMul(program, layer, tag, x, needs_dx)
