"""Matrix products, their bias added on the way: z = b + x w, dx = dz wᵀ, dw = xᵀ dz."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.kernels import shapes
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.plan import Placed
from nnrun.engines.compiled.tape.stages import Op


class MatMul(Emitter):
    """In strips of z forward, of x backward.

    An image that has been flattened is taken as it lies in memory: where the channels are last,
    the weights lie accordingly.
    """

    bias: Placed | None = None

    def place(self) -> None:
        plan, x, units = self.plan, self.x, self.layer.units
        self.dtype = plan.dtype.name
        self.sizes = (x.stored, units)
        order = None if x.is_vector else x.order
        strips = shapes.Strips(*self.sizes, self.dtype, order)
        size = shapes.size(*self.sizes, self.dtype)
        self.w = plan.parameter(self.layer.w, f"w{self.tag}", size, strips, by_rows=False)
        self.y = plan.vector(f"z{self.tag}", units)

    def merge(self, bias: Any, tag: str) -> None:
        """Let the bias after this layer be a part of it."""
        units = self.layer.units
        self.bias = self.plan.parameter(bias.b, f"b{tag}", units, np.arange(units), by_rows=False)

    def forward(self) -> None:
        plan, (inputs, units) = self.plan, self.sizes
        cut = units, plan.batch_size, self.dtype
        tasks, rows = shapes.product_tasks(*cut), shapes.product_rows(*cut)
        op = plan.op(
            "product",
            **self.x.rows("x"),
            w=Address(self.w.block),
            b=Address(self.bias.block) if self.bias else 0,
            **self.y.rows("z"),
            inputs=inputs,
            units=units,
            rows=rows,
        )
        # What follows can only take a task's numbers over if they are whole columns.
        plan.by_strips(self.y.block if rows >= plan.batch_size else "", tasks, op)

    def backward(self, dy: Map) -> Map:
        plan, (inputs, units) = self.plan, self.sizes
        dx = plan.like(f"d{self.x.block}", self.x) if self.needs_dx else dy
        tasks = shapes.update_tasks(inputs, self.dtype)
        ops = []
        if self.needs_dx:
            back = {**dy.rows("dz"), "w": Address(self.w.block), **dx.rows("dx")}
            ops.append(plan.op("product_back", **back, inputs=inputs, units=units))
        stored = shapes.padded(inputs)
        ops.append(self._update(self.w, self.x.rows("x"), dy, inputs, stored))
        if self.bias:
            # The weights of one input, which is always 1.
            ones: dict[str, Address | int] = {"x": Address("ones"), "x_row": 0}
            ops.append(self._update(self.bias, ones, dy, 1, 1))
        plan.by_strips(dx.block if self.needs_dx else "", tasks, *ops)
        return dx

    def _update(
        self, placed: Placed, x: dict[str, Address | int], dy: Map, inputs: int, stored: int
    ) -> Op:
        descends = self.plan.descends
        target = Address(placed.block if descends else placed.gradient)
        limit = shapes.update_tasks(inputs, self.dtype)
        values = {**x, **dy.rows("dz"), "w": target, "stored": stored, "inputs": inputs}
        return self.plan.op(
            "product_update", limit, **values, units=self.layer.units, descend=int(descends)
        )
