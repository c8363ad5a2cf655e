"""Matrix products, their bias added on the way: z = b + x w, dx = dz wᵀ, dw = xᵀ dz."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.kernels.sizes import shapes, sparse
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.nonzeros import NONE_COUNTED, Nonzeros, mark
from nnrun.engines.compiled.tape.plan import Placed
from nnrun.engines.compiled.tape.stages import Op, Value


class MatMul(Emitter):
    """In strips of z forward, of x backward; in tiles where zeros are skipped.

    A flattened image is read in memory order: where the channels are last,
    the weights lie accordingly.
    """

    bias: Placed | None = None
    nonzeros: Nonzeros | None = None  # of x

    def place(self) -> None:
        plan, x, units = self.plan, self.x, self.layer.units
        assert x.is_whole
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
        values: dict[str, Value] = {
            **self.x.rows("x"),
            "w": Address(self.w.block),
            "b": Address(self.bias.block) if self.bias else 0,
            **self.y.rows("z"),
            "inputs": inputs,
            "units": units,
        }
        if sparse.suits(plan.batch_size, inputs, units, self.dtype):
            self.nonzeros = mark(plan, self.x)
        rows, tasks = shapes.product_rows(*cut), shapes.product_tasks(*cut)
        ops = [self._dense("product", tasks, self.nonzeros, **values, rows=rows)]
        if self.nonzeros:
            rows, tasks = sparse.product_rows(*cut), sparse.product_tasks(*cut)
            ops.append(self._sparse("product", tasks, self.nonzeros, units, **values, rows=rows))
        # The next op can only join if the tasks are whole columns.
        self._add(self.y if rows >= plan.batch_size else None, *ops)

    def backward(self, dy: Map) -> Map:
        plan, (inputs, units) = self.plan, self.sizes
        dx = plan.like(f"d{self.x.block}", self.x) if self.needs_dx else dy
        suits = sparse.suits(plan.batch_size, units, inputs, self.dtype)
        nonzeros = mark(plan, dy) if suits and self.needs_dx else None
        back = self._back(dy, nonzeros, dx) if self.needs_dx else []
        updates = self._updates(dy)
        if back and not (nonzeros or self.nonzeros):
            self._add(dx, *back, *updates)
            return dx
        # Strips and tiles hold different weights: none may change before dx is complete.
        if back:
            self._add(dx, *back)
        self._add(None, *updates)
        return dx

    def _back(self, dy: Map, nonzeros: Nonzeros | None, dx: Map) -> list[Op]:
        inputs, units = self.sizes
        values: dict[str, Value] = {
            **dy.rows("dz"),
            "w": Address(self.w.block),
            **dx.rows("dx"),
            "inputs": inputs,
            "units": units,
        }
        tasks = shapes.update_tasks(inputs, self.dtype)
        ops = [self._dense("product_back", tasks, nonzeros, **values)]
        if nonzeros:
            tasks = sparse.tiles(inputs, self.dtype)
            ops.append(self._sparse("product_back", tasks, nonzeros, inputs, **values))
        return ops

    def _updates(self, dy: Map) -> list[Op]:
        plan, (inputs, units) = self.plan, self.sizes
        stored, tasks = shapes.padded(inputs), shapes.update_tasks(inputs, self.dtype)
        values = self._update(self.w, self.x.rows("x"), dy, inputs, stored)
        ops = [self._dense("product_update", tasks, self.nonzeros, **values)]
        if self.nonzeros:
            tasks, rows = (cut(inputs, self.dtype) for cut in (sparse.tiles, sparse.columns))
            values |= {"rows": rows, "columns": sparse.columns(units, self.dtype)}
            values |= self.nonzeros.choice
            ops.append(plan.op("sparse_product_update", tasks, **values))
        if self.bias:
            # The weights of one input, which is always 1.
            ones: dict[str, Address | int] = {"x": Address("ones"), "x_row": 0}
            values = self._update(self.bias, ones, dy, 1, 1)
            ops.append(plan.op("product_update", 1, **values, **NONE_COUNTED))
        return ops

    def _update(
        self, placed: Placed, x: dict[str, Address | int], dy: Map, inputs: int, stored: int
    ) -> dict[str, Value]:
        descends = self.plan.descends
        return {
            **x,
            **dy.rows("dz"),
            "w": Address(placed.block if descends else placed.gradient),
            "stored": stored,
            "inputs": inputs,
            "units": self.layer.units,
            "descend": int(descends),
        }

    def _dense(self, kernel: str, tasks: int, nonzeros: Nonzeros | None, **values: Value) -> Op:
        """A dense product; it does nothing if zeros are skipped."""
        choice = nonzeros.choice if nonzeros else NONE_COUNTED
        return self.plan.op(kernel, tasks, **values, **choice)

    def _sparse(
        self, kernel: str, tasks: int, nonzeros: Nonzeros, numbers: int, **values: Value
    ) -> Op:
        """A product that skips zeros, in tiles of so many columns."""
        columns = sparse.columns(numbers, self.dtype)
        return self.plan.op(f"sparse_{kernel}", tasks, **values, columns=columns, **nonzeros.named)

    def _add(self, done: Map | None, *ops: Op) -> None:
        """A stage of these ops; the next op may join it if the tasks are strips of `done`."""
        skips = any(op.kernel.startswith("sparse_") for op in ops)
        strips = done.block if done and not skips else ""
        self.plan.by_strips(strips, max(op.limit for op in ops), *ops)
