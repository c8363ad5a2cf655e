"""A matrix product with the units innermost, for the first layer."""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.generated.layers.product import Product
from nnrun.engines.compiled.generated.row import Row
from nnrun.engines.compiled.generated.text import affine, tree

BLOCK = 8
UNROLLED = 16


class WideMatMul(Product):
    """Loops over the units, with the inputs taken in blocks so that z is loaded less often."""

    def plan(self) -> None:
        p, x, units = self.program, self.x, self.layer.units
        self.columns = p.padded(units)
        where = x.order[:, None] * self.columns + np.arange(units)
        shape = (x.size, self.columns)
        self.w = p.parameter(self.layer.w, f"w{self.tag}", shape, where)
        self.y = p.row(f"z{self.tag}", units)
        whole = x.size if x.size <= UNROLLED else BLOCK
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
