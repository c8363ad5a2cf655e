"""Convolution of one row: direct loops, channels innermost, no patches copied.

z[i, j, o] = Σ_{a, b, c} x[i·s + a, j·s + b, c] w[a, b, c, o], with dw and dx from the same loops.
The weights are stored as (height, width, channels in, channels out).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from math import prod
from typing import Any

import numpy as np

from nnrun.engines.compiled.generated.layers.bias import Product
from nnrun.engines.compiled.generated.program import Row
from nnrun.engines.compiled.generated.text import affine, tree

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
