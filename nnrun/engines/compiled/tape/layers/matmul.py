"""Matrix products, their bias added on the way: z = b + x w, dx = dz wᵀ, dw = xᵀ dz."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.kernels.sizes import shapes, sparse
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.plan import ExecutionPlan, Placed
from nnrun.engines.compiled.tape.stages import Op, Value

_BYTES = 8  # of a mask, and of a count


# The parameters by which kernels choose whether zeros are skipped, where they are never.
NOT_SKIPPED: dict[str, Value] = {"counts": 0, "counted": 1}


def nonzeros_of(plan: ExecutionPlan, x: Map) -> dict[str, Value]:
    """Add the op that finds x's nonzeros, once for all products; the parameters of their kernels.

    There is a mask for each row and 64 numbers, and a count for each block of rows.
    """
    size = x.stored
    length = _BYTES // plan.dtype.itemsize
    masks = plan.shared(f"{x.block}_masks", length * sparse.words(size) * plan.batch_size)
    counts = plan.shared(f"{x.block}_counts", length * plan.row_tasks)
    found: dict[str, Value] = {
        "masks": masks, "capacity": plan.batch_size, "counts": counts, "counted": plan.rows,
    }  # fmt: skip
    plan.by_rows("nonzeros", **x.rows("x"), size=size, **found)
    return found


class MatMul(Emitter):
    """In strips of z forward, of x backward; in tiles where zeros are skipped.

    A flattened image is read in memory order: where the channels are last,
    the weights lie accordingly.
    """

    bias: Placed | None = None
    nonzeros: dict[str, Value] | None = None  # of x

    def place(self) -> None:
        plan, x, units = self.plan, self.x, self.layer.units
        assert x.is_whole
        self.dtype = plan.dtype.name
        self.sizes = (x.stored, units)
        order = None if x.is_vector else x.order
        strips = shapes.Strips(*self.sizes, self.dtype, order)
        size = shapes.size(*self.sizes)
        self.w = plan.parameter(self.layer.w, f"w{self.tag}", size, strips, by_rows=False)
        self.y = plan.vector(f"z{self.tag}", units)

    def merge(self, bias: Any, tag: str) -> None:
        """Add the bias after this layer in its own kernel."""
        units = self.layer.units
        self.bias = self.plan.parameter(bias.b, f"b{tag}", units, np.arange(units), by_rows=False)

    def forward(self) -> None:
        plan, (inputs, units) = self.plan, self.sizes
        cut = units, plan.batch_size, self.dtype
        if sparse.suits(plan.batch_size, inputs, units, self.dtype):
            self.nonzeros = nonzeros_of(plan, self.x)
        values: dict[str, Value] = {
            **self.x.rows("x"), "w": Address(self.w.block), **self.y.rows("z"), **self._shape,
            "b": Address(self.bias.block) if self.bias else 0, **(self.nonzeros or NOT_SKIPPED),
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
        nonzeros = nonzeros_of(plan, dy) if suits and self.needs_dx else None
        back = self._back(dy, nonzeros, dx) if self.needs_dx else []
        if back and (nonzeros or self.nonzeros):
            # Strips and tiles hold different weights: none may change before dx is complete.
            self._add(*back)
            back = []
        self._add(*back, *self._updates(dy))
        return dx

    def _back(self, dy: Map, nonzeros: dict[str, Value] | None, dx: Map) -> list[Op]:
        plan, (inputs, _) = self.plan, self.sizes
        values: dict[str, Value] = {
            **dy.rows("dz"), "w": Address(self.w.block), **dx.rows("dx"), **self._shape,
            **(nonzeros or NOT_SKIPPED), "columns": self._columns(inputs),
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
            "stored": shapes.padded(inputs), "descend": int(plan.descends),
            **(self.nonzeros or NOT_SKIPPED),
            "rows": self._columns(inputs), "columns": self._columns(units),
        }  # fmt: skip
        ops = [plan.op("product_update", shapes.update_tasks(inputs, self.dtype), **values)]
        if self.nonzeros:
            tasks = sparse.tiles(inputs, self.dtype)
            ops.append(plan.op("sparse_product_update", tasks, **values))
        if self.bias:
            # The weights of one input, which is always 1.
            values |= {"x": Address("ones"), "x_row": 0, "inputs": 1, "stored": 1, **NOT_SKIPPED}
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
