"""Biases: by themselves, or as a part of a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.plan import ExecutionPlan, Placed

Values = dict[str, Address | int]


def place_bias(plan: ExecutionPlan, layer: Any, tag: str, y: Map) -> Placed:
    """A place in the form of a row of y without a border, or of one of its pixels."""
    if layer.b.size == y.size:
        return plan.parameter(layer.b, f"b{tag}", y.stored, y.order, by_rows=True)
    return plan.parameter(layer.b, f"b{tag}", y.pixel, np.arange(y.channels), by_rows=True)


def strides(b: Placed, y: Map) -> tuple[int, int]:
    """Numbers of the bias from one line to the next, and from one pixel to the next."""
    if b.parameter.size != y.size:
        return 0, 0
    return y.width * y.pixel, y.pixel


def added(b: Placed, y: Map) -> Values:
    """The parameters of kernels that add a bias."""
    line, pixel = strides(b, y)
    return {"b": Address(b.block), "b_line": line, "b_pixel": pixel}


def sum_bias(plan: ExecutionPlan, b: Placed, dy: Map) -> None:
    """Add the op that sums the bias' gradient over a block of rows."""
    line, pixel = strides(b, dy)
    db: Values = {"db": Address(b.gradient), "db_task": b.size, "db_line": line, "db_pixel": pixel}
    plan.by_rows("sum_rows", **dy.named("dy"), **db, **dy.shape)


class Bias(Emitter):
    """y = x + b; dx = dy."""

    def place(self) -> None:
        self.y = self.plan.like(f"z{self.tag}", self.x, self.border)
        self.b = place_bias(self.plan, self.layer, self.tag, self.y)

    def forward(self) -> None:
        x, y = self.x, self.y
        values = {**x.named("x"), **added(self.b, y), **y.named("y"), **x.shape}
        self.plan.by_rows("add_bias", **values)

    def backward(self, dy: Map) -> Map:
        sum_bias(self.plan, self.b, dy)
        return dy
