"""Activations as layers: y = f(x), dx = dy f'(x)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.engines.compiled.formulas.activations import POINTWISE, Pointwise
from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.program import Program, Row
from nnrun.engines.compiled.generated.text import affine, tree

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
