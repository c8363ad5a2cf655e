"""Matrix products, their bias added on the way: z = b + x w, dx = dz wᵀ, dw = xᵀ dz."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.kernels.sizes import shapes, sparse
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.nonzeros import Nonzeros, mark, named
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
        if sparse.suits(plan.batch_size, inputs, units, self.dtype):
            self.nonzeros = mark(plan, self.x)
        values: dict[str, Value] = {
            **self.x.rows("x"), "w": Address(self.w.block), **self.y.rows("z"), **self._shape,
            "b": Address(self.bias.block) if self.bias else 0, **named(self.nonzeros),
            "rows": shapes.product_rows(*cut),
        }  # fmt: skip
        ops = [plan.op("product", shapes.product_tasks(*cut), **values)]
        if self.nonzeros:
            values |= {"rows": sparse.product_rows(*cut), "columns": self._columns(units)}
            ops.append(plan.op("sparse_product", sparse.product_tasks(*cut), **values))
        self._add(*ops)

    def backward(self, dy: Map) -> Map:
        plan, (inputs, units) = self.plan, self.sizes
        dx = plan.like(f"d{self.x.block}", self.x) if self.needs_dx else dy
        suits = sparse.suits(plan.batch_size, units, inputs, self.dtype)
        nonzeros = mark(plan, dy) if suits and self.needs_dx else None
        back = self._back(dy, nonzeros, dx) if self.needs_dx else []
        if back and (nonzeros or self.nonzeros):
            # Strips and tiles hold different weights: none may change before dx is complete.
            self._add(*back)
            back = []
        self._add(*back, *self._updates(dy))
        return dx

    def _back(self, dy: Map, nonzeros: Nonzeros | None, dx: Map) -> list[Op]:
        plan, (inputs, _) = self.plan, self.sizes
        values: dict[str, Value] = {
            **dy.rows("dz"), "w": Address(self.w.block), **dx.rows("dx"), **self._shape,
            **named(nonzeros), "columns": self._columns(inputs),
        }  # fmt: skip
        ops = [plan.op("product_back", shapes.update_tasks(inputs, self.dtype), **values)]
        if nonzeros:
            tasks = sparse.tiles(inputs, self.dtype)
            ops.append(plan.op("sparse_product_back", tasks, **values))
        return ops

    def _updates(self, dy: Map) -> list[Op]:
        plan, (inputs, units) = self.plan, self.sizes
        values: dict[str, Value] = {
            **self.x.rows("x"), **dy.rows("dz"), "w": self._target(self.w), **self._shape,
            "stored": shapes.padded(inputs), "descend": int(plan.descends), **named(self.nonzeros),
            "rows": self._columns(inputs), "columns": self._columns(units),
        }  # fmt: skip
        ops = [plan.op("product_update", shapes.update_tasks(inputs, self.dtype), **values)]
        if self.nonzeros:
            tasks = sparse.tiles(inputs, self.dtype)
            ops.append(plan.op("sparse_product_update", tasks, **values))
        if self.bias:
            # The weights of one input, which is always 1.
            values |= {"x": Address("ones"), "x_row": 0, "inputs": 1, "stored": 1, **named(None)}
            values["w"] = self._target(self.bias)
            ops.append(plan.op("product_update", 1, **values))
        return ops

    def _target(self, placed: Placed) -> Address:
        """The parameter that the step changes, or its gradient."""
        return Address(placed.block if self.plan.descends else placed.gradient)

    @property
    def _shape(self) -> dict[str, Value]:
        return dict(zip(("inputs", "units"), self.sizes, strict=True))

    def _columns(self, numbers: int) -> int:
        """The width of a tile where zeros are skipped."""
        return sparse.columns(numbers, self.dtype)

    def _add(self, *ops: Op) -> None:
        self.plan.by_tasks(max(op.limit for op in ops), *ops)
