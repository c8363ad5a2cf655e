"""Matrix multiplication for one row: z = x w, dw = xᵀ dz, dx = dz wᵀ.

For one row this is a loop over w, and the fastest loop depends on the shape:

    few      a handful of weights: each in a variable, for the whole run
    wide     units innermost, for the first layer: z = x₀ w₀ + x₁ w₁ + …
    deep     inputs innermost, for the others: dot products of x with each unit's weights; dx and
             the new weights are computed in one pass over w
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.layers.bias import Product
from nnrun.engines.compiled.generated.program import Program, Row
from nnrun.engines.compiled.generated.text import affine, tree
from nnrun.nn.layers.matmul import MatMul

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
