"""A matrix product for all rows of a batch at once: z = x w, dw = xᵀ dz, dx = dz wᵀ.

Each is cut into tiles that fit the vector registers, so that a number is used many times for every
time it is loaded: what a BLAS does, without its preparations, which pay for larger matrices only.
"""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.generated.layers.product import Product
from nnrun.engines.compiled.generated.row import Row

# Sixteen sums at once hide how long a multiplication and addition takes.
HEIGHTS, REGISTERS = (8, 4, 1), 2


class TiledMatMul(Product):
    """w lies in memory as (inputs, units); for dx also turned, (units, inputs)."""

    batch_dependent = True

    def plan(self) -> None:
        p, x, units = self.program, self.x, self.layer.units
        self.columns = p.padded(units)
        where = x.order[:, None] * self.columns + np.arange(units)
        shape = (x.size, self.columns)
        self.w = p.parameter(self.layer.w, f"w{self.tag}", shape, where, alone=p.plain)
        self.input = p.like(f"{x.name}_copy", x) if x.name == "x" else x
        if self.needs_dx:
            shape = (self.columns, x.stored)  # columns beyond x.size are never written
            self.turned = p.shared(f"turned{self.tag}", shape, cleared=True)
        self.y = p.row(f"z{self.tag}", units)

    def before(self) -> None:
        if not self.needs_dx:
            return
        p = self.program
        p.comment(f"{self.tag}.weight with the inputs innermost")
        with p.loop("i", self.x.size), p.loop("j", self.columns):
            p.line(f"{self.turned}[j, i] = {self.w}[i, j]")

    def prepare(self) -> None:
        """Write what is done for a row before `across`."""
        p = self.program
        if self.input is not self.x:
            p.comment("the rows of the batch together")
            for j in p.each(self.x):
                p.line(f"{self.input.at(j)} = {self.x.at(j)}")
        for j in p.each(self.y):
            p.line(f"{self.y.at(j)} = {self.start(j)}")

    def across(self) -> None:
        p, x, z = self.program, self.input, self.y
        p.comment(f"{self.tag}.weight: z = x w for all rows, {x.size} -> {z.size}")
        self._product(
            ("n", self.columns, x.size),
            ("values", p.start_of(x.name), "record", "1"),
            ("theta", p.start_of(self.w), str(self.columns)),
            ("values", p.start_of(z.name), "record"),
        )

    def forward(self) -> None:
        """The rows have their z already."""

    def across_backward(self, dy: Row) -> None:
        p, x = self.program, self.input
        if self.needs_dx:
            self.dx = p.like(f"d{self.x.name}", self.x)
            p.comment(f"{self.tag}.weight: dx = dz wᵀ for all rows")
            with p.rows():
                for j in p.each(self.dx):
                    p.line(f"{self.dx.at(j)} = zero")
            self._product(
                ("n", self.x.stored, dy.size),
                ("values", p.start_of(dy.name), "record", "1"),
                ("values", p.start_of(self.turned), str(self.x.stored)),
                ("values", p.start_of(self.dx.name), "record"),
            )
        update, target, factor = "dw = ", ("gradient", f"d{self.w}"), "one"
        if p.plain:
            update, target, factor = "w -= rate ", ("theta", self.w), "-rate"
        p.comment(f"{self.tag}.weight: {update}xᵀ dz over all rows")
        self._product(
            (str(x.size), self.columns, "n"),
            ("values", p.start_of(x.name), "1", "record"),
            ("values", p.start_of(dy.name), "record"),
            (target[0], p.start_of(target[1]), str(self.columns)),
            factor,
        )

    def backward(self, dy: Row) -> Row:
        return self.dx if self.needs_dx else dy

    def _product(
        self,
        sizes: tuple[str, int, int | str],
        a: tuple[str, str, str, str],
        b: tuple[str, str, str],
        c: tuple[str, str, str],
        factor: str = "one",
    ) -> None:
        """c += factor a b, tile by tile.

        Args:
            sizes: rows and columns of c, and how many products each of its numbers sums up.
            a: block, offset, and its strides for c's rows and for the sum.
            b: block, offset, and its stride for the sum.
            c: block, offset, and its stride for rows.
            factor: a number.
        """
        p = self.program
        rows, columns, steps = sizes
        done = 0
        for registers in (REGISTERS, 1):
            width = registers * p.lanes
            end = columns - (columns - done) % width
            if end == done:
                continue
            with p.loop("j", done, end, width):
                first = "0"
                for height in HEIGHTS:
                    last = f"{rows} - {rows} % {height}" if height > 1 else rows
                    with p.loop("i", first, last, height):
                        function = p.tile(height, registers)
                        p.line(
                            f"{function}({a[0]}, {a[1]} + i * {a[2]}, {a[2]}, {a[3]}, "
                            f"{b[0]}, {b[1]} + j, {b[2]}, "
                            f"{c[0]}, {c[1]} + i * {c[2]} + j, {c[2]}, {steps}, {factor})"
                        )
                    first = last
            done = end
