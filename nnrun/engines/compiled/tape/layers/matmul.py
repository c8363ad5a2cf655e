"""Matrix products, their bias added on the way: z = b + x w, dx = dz wᵀ, dw = xᵀ dz."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.kernels.sizes import shapes
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.plan import Placed
from nnrun.engines.compiled.tape.stages import Op, Value


class MatMul(Emitter):
    """In strips of z forward, of x backward.

    A flattened image is read in memory order: where the channels are last,
    the weights lie accordingly.
    """

    bias: Placed | None = None

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
        plan, cut = self.plan, (self.layer.units, self.plan.batch_size, self.dtype)
        values: dict[str, Value] = {
            **self.x.rows("x"), "w": Address(self.w.block), **self.y.rows("z"), **self._shape,
            "b": Address(self.bias.block) if self.bias else 0,
            "rows": shapes.product_rows(*cut),
        }  # fmt: skip
        self._add(plan.op("product", shapes.product_tasks(*cut), **values))

    def backward(self, dy: Map) -> Map:
        plan, tasks = self.plan, shapes.update_tasks(self.sizes[0], self.dtype)
        dx, ops = dy, list[Op]()
        if self.needs_dx:
            dx = plan.like(f"d{self.x.block}", self.x)
            back = {**dy.rows("dz"), "w": Address(self.w.block), **dx.rows("dx"), **self._shape}
            ops.append(plan.op("product_back", tasks, **back))
        values: dict[str, Value] = {
            **self.x.rows("x"), **dy.rows("dz"), "w": self._target(self.w), **self._shape,
            "stored": shapes.padded(self.sizes[0]), "descend": int(plan.descends),
        }  # fmt: skip
        ops.append(plan.op("product_update", tasks, **values))
        if self.bias:
            # The weights of one input, which is always 1.
            values |= {"x": Address("ones"), "x_row": 0, "inputs": 1, "stored": 1}
            values["w"] = self._target(self.bias)
            ops.append(plan.op("product_update", 1, **values))
        self._add(*ops)
        return dx

    def _target(self, placed: Placed) -> Address:
        """The parameter that the step changes, or its gradient."""
        return Address(placed.block if self.plan.descends else placed.gradient)

    @property
    def _shape(self) -> dict[str, Value]:
        return dict(zip(("inputs", "units"), self.sizes, strict=True))

    def _add(self, *ops: Op) -> None:
        self.plan.by_tasks(max(op.limit for op in ops), *ops)
