"""Biases, and the layers whose sums may start from one.

Adding a bias: y = x + b, db = Σ dy over the rows, and over the pixels where b is per channel.
"""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.program import Row


class Bias(Emitter):
    """After a product nothing is added: its sums start from b."""

    merged = False

    def plan(self) -> None:
        p, x, parameter, name = self.program, self.x, self.layer.b, f"b{self.tag}"
        self.per_channel = x.image is not None and parameter.size != x.size
        if self.per_channel:
            p.parameter(parameter, name, (parameter.size,), np.arange(parameter.size))
        else:
            p.parameter(parameter, name, (x.stored,), x.order)
        if x.scalar:
            p.registers += [(self.at(j), f"{name}[{j}]") for j in range(x.size)]
        self.y = p.like(f"y{self.tag}", x)

    def merge(self) -> None:
        """Leave the addition to the product before."""
        self.merged, self.y = True, self.x

    def at(self, index: int | str) -> str:
        """One bias in the source."""
        return f"b{self.tag}_{index}" if self.x.scalar else f"b{self.tag}[{index}]"

    def at_pixel(self, pixel: str, channel: str) -> str:
        """The bias of a pixel; pixels are counted row by row."""
        if self.per_channel or self.x.image is None:
            return self.at(channel)
        return self.at(f"{self.x.image[0]} * ({pixel}) + {channel}")

    def forward(self) -> None:
        if self.merged:
            return
        p, x = self.program, self.x
        p.comment(f"{self.tag}.bias: y = x + b")
        y = self.y
        if self.per_channel:
            with p.pixels(x):
                p.line(f"{y.name}_hwc[i, j, c] = {x.name}_hwc[i, j, c] + {self.at('c')}")
            return
        for j in p.each(x):
            p.line(f"{y.at(j)} = {x.at(j)} + {self.at(j)}")

    def backward(self, dy: Row) -> Row:
        p = self.program
        p.comment(f"{self.tag}.bias: db = Σ dy")
        if self.per_channel:
            with p.pixels(self.x):
                p.descend(self.at("c"), f"{dy.name}_hwc[i, j, c]")
            return dy
        for j in p.each(self.x):
            p.descend(self.at(j), dy.at(j))
        return dy


class Product(Emitter):
    """A layer whose sums start from the bias, if the next layer is one, else from zero."""

    bias: Bias | None = None

    def start(self, index: int | str) -> str:
        """The start of one output's sum."""
        return "zero" if self.bias is None else self.bias.at(index)

    def with_start(self, terms: list[str], index: int | str) -> list[str]:
        """The terms of a sum, the bias among them if there is one."""
        return terms if self.bias is None else [*terms, self.bias.at(index)]
