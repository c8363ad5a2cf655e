"""Pooling, vectorised over the channels: y[i, j, c] from x[i·s + a, j·s + b, c] over all a, b."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.program import Row
from nnrun.engines.compiled.generated.text import affine, tree

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
