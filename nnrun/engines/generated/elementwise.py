"""Emitters of layers that work on each number alone, and their base class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnrun.engines.formulas import POINTWISE, Pointwise
from nnrun.engines.generated.program import Program, Row, affine, tree


class Emitter:
    """Writes one layer's forward and backward pass for one row.

    Args:
        tag: the layer's index in the config: w0 and b0 are the parameters of layer 0.
        needs_dx: whether a layer before this one has parameters.
    """

    y: Row
    seconds = 0.015  # that compiling a layer of this type takes, about

    def __init__(self, program: Program, layer: Any, tag: str, x: Row, needs_dx: bool) -> None:
        self.program = program
        self.layer = layer
        self.tag = tag
        self.x = x
        self.needs_dx = needs_dx
        self.plan()

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """Why this layer cannot be compiled, as the end of "the compiled engine …"."""
        return None

    @classmethod
    def compiling(cls, layer: Any) -> float:
        """Seconds that compiling this layer takes, about."""
        return cls.seconds

    def plan(self) -> None:
        """Allocate memory and set `y`, the output row."""
        raise NotImplementedError

    def before(self) -> None:
        """Write what is done once for a batch, before its rows."""

    def forward(self) -> None:
        """Write y, computed from x."""
        raise NotImplementedError

    def backward(self, dy: Row) -> Row:
        """Write dx, computed from dy, and the parameters' gradients or updates.

        If dx is not needed, the returned value is not used.
        """
        raise NotImplementedError


# Activations as layers: y = f(x), dx = dy f'(x).

TOGETHER = 16


class Activation(Emitter):
    """Elementwise, from a pair of formulas."""

    @classmethod
    def compiling(cls, layer: Any) -> float:
        """The formulas' functions are inlined."""
        return cls.seconds + 0.04 * len(POINTWISE[layer.type].functions)

    @property
    def formulas(self) -> Pointwise:
        """The formulas of this activation."""
        return POINTWISE[self.layer.type]

    def plan(self) -> None:
        self.y = self.program.like(f"h{self.tag}", self.x)

    def forward(self) -> None:
        p, x, y, f = self.program, self.x, self.y, self.formulas
        p.comment(f"{self.tag}: {self.layer.type}, y = {f.value.format(x='x')}")
        p.functions.update(f.functions)
        for j in p.each(x):
            value = f.value.format(x=x.at(j))
            p.line(f"{y.at(j)} = {value if f.keeps_zero else within(y, j, value)}")

    def backward(self, dy: Row) -> Row:
        p, x, y, f = self.program, self.x, self.y, self.formulas
        if not self.needs_dx:
            return dy
        p.comment(f"{self.tag}: {self.layer.type}, dx = {f.gradient.format(x='x', y='y', dy='dy')}")
        dx = p.like(f"d{x.name}", x)
        for j in p.each(x):
            p.line(f"{dx.at(j)} = {f.gradient.format(x=x.at(j), y=y.at(j), dy=dy.at(j))}")
        return dx


class Softmax(Emitter):
    """yᵢ = exp(xᵢ - m) / Σⱼ exp(xⱼ - m) with m = max x; dxᵢ = yᵢ (dyᵢ - Σⱼ dyⱼ yⱼ)."""

    def plan(self) -> None:
        self.y = self.program.like(f"h{self.tag}", self.x)

    def forward(self) -> None:
        self.program.comment(f"{self.tag}: softmax")
        softmax(self.program, self.x, self.y)

    def backward(self, dy: Row) -> Row:
        p, x, y = self.program, self.x, self.y
        if not self.needs_dx:
            return dy
        p.comment(f"{self.tag}: softmax, dx = y (dy - Σ dy y)")
        dx = p.like(f"d{x.name}", x)
        total(p, "along", x.size, lambda j: f"{dy.at(j)} * {y.at(j)}")
        for j in p.each(x, extra=False):
            p.line(f"{dx.at(j)} = {y.at(j)} * ({dy.at(j)} - along)")
        return dx


def within(y: Row, index: int | str, value: str) -> str:
    """The value, but zero in the padding of y."""
    if y.scalar or y.stored == y.size:
        return value
    return f"{value} if {index} < {y.size} else zero"


def softmax(p: Program, x: Row, y: Row) -> None:
    """Write the statements that make y the softmax of x."""
    exponentials(p, x, y)
    p.line("share_of_one = one / total")
    for j in p.each(x):
        p.line(f"{y.at(j)} = {within(y, j, f'{y.at(j)} * share_of_one')}")


def exponentials(p: Program, x: Row, y: Row) -> None:
    """Write y = exp(x - m), with `largest` m = max x, and their sum `total`."""
    p.line(f"largest = {x.at(0)}")
    for j in p.each(x, extra=False):
        p.line(f"largest = max(largest, {x.at(j)})")
    exp = p.call("exp_nonpositive")
    for j in p.each(x):
        p.line(f"{y.at(j)} = {exp}({x.at(j)} - largest)")
    total(p, "total", x.size, y.at)


def total(p: Program, name: str, count: int, term: Callable[[int | str], str]) -> None:
    """Write a variable that is the sum of `term(j)` over all j, sixteen at a time."""
    rest = count % TOGETHER
    p.line(f"{name} = {tree([term(j) for j in range(rest)]) if rest else 'zero'}")
    if count > 4 * TOGETHER:
        with p.loop("j", rest, count, TOGETHER):
            p.line(f"{name} += {tree([term(affine('j', 1, n)) for n in range(TOGETHER)])}")
        return
    for first in range(rest, count, TOGETHER):
        p.line(f"{name} += {tree([term(first + n) for n in range(TOGETHER)])}")


# Dropout: y = x m / (1 - rate) with m = 0 where a random number is below the rate, else 1.


class Dropout(Emitter):
    """The random numbers were drawn before, in the order in which the NumPy engine draws them."""

    def plan(self) -> None:
        p, x = self.program, self.x
        self.y = x
        if self.layer.rate == 0:
            return
        self.y = p.like(f"h{self.tag}", x)
        self.mask = p.like(f"mask{self.tag}", x)
        self.first = p.drawn
        p.drawn += x.size

    def forward(self) -> None:
        p, x, y = self.program, self.x, self.y
        if y is x:
            return
        p.comment(f"{self.tag}: dropout at rate {self.layer.rate}, y = x m / (1 - rate)")
        with p.block("if evaluating:"):
            for j in p.each(x):
                p.line(f"{y.at(j)} = {x.at(j)}")
        with p.block("else:"):
            self._drop()

    def _drop(self) -> None:
        p, x, y = self.program, self.x, self.y
        offset = f"drawn + n * {self.first} + r * {x.size}"
        p.line(f"u = view(uniforms, {offset}, ({x.size},))")
        kept = f"real({1 / (1 - self.layer.rate)!r})"
        if x.image is not None:
            channels, height, width = x.image
            with p.pixels(x):
                uniform = f"u[(c * {height} + i) * {width} + j]"
                p.line(
                    f"{self.mask.name}[(i * {width} + j) * {channels} + c] = "
                    f"{kept} if {uniform} >= {self.layer.rate!r} else zero"
                )
        else:
            for j in p.each(x, extra=False):
                uniform = f"u[{j}]"
                p.line(f"{self.mask.at(j)} = {kept} if {uniform} >= {self.layer.rate!r} else zero")
        for j in p.each(x):
            p.line(f"{y.at(j)} = {x.at(j)} * {self.mask.at(j)}")

    def backward(self, dy: Row) -> Row:
        p, x = self.program, self.x
        if self.y is x or not self.needs_dx:
            return dy
        p.comment(f"{self.tag}: dropout, dx = dy m / (1 - rate)")
        dx = p.like(f"d{x.name}", x)
        for j in p.each(x):
            p.line(f"{dx.at(j)} = {dy.at(j)} * {self.mask.at(j)}")
        return dx


# Biases, and the layers whose sums may start from one.
#
# Adding a bias: y = x + b, db = Σ dy over the rows, and over the pixels where b is per channel.


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


# Flattening: nothing to do, since the next matrix product arranges its weights accordingly.


class Flatten(Emitter):
    """The same numbers in the same places."""

    def plan(self) -> None:
        self.y = self.x

    def forward(self) -> None:
        self.program.comment(f"{self.tag}: flatten")

    def backward(self, dy: Row) -> Row:
        return dy
