"""A matrix product with so few weights that they stay in registers for the whole run."""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.generated.layers.product import Product
from nnrun.engines.compiled.generated.row import Row
from nnrun.engines.compiled.generated.text import tree


class FewMatMul(Product):
    """Each weight and each number is a variable; all loops are unrolled."""

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
