"""A matrix product with the inputs innermost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.engines.compiled.generated.layers.product import Product
from nnrun.engines.compiled.generated.row import Row
from nnrun.engines.compiled.generated.text import affine, tree

SCALARS = 4
BLOCK = 10


class DeepMatMul(Product):
    """w is stored as (units, inputs)."""

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
        blocks = -(-units // BLOCK)
        if dy.scalar or blocks == 1:
            self._pass(list(range(units)), dy, dx, first=True)
        else:
            whole = units - units % BLOCK
            if self.needs_dx:
                with p.loop("i", self.columns):
                    p.line(f"{dx.at('i')} = zero")
            with p.loop("first", 0, whole, BLOCK):
                self._pass([affine("first", 1, n) for n in range(BLOCK)], dy, dx, first=False)
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
