"""Activations: in place where x need not be kept."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.tape.arrays import Map
from nnrun.engines.compiled.tape.layers.base import Emitter


class Activation(Emitter):
    """Elementwise."""

    needs_y = changes = True

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return POINTWISE[layer.type].in_place

    def place(self) -> None:
        new = not self.in_place
        self.y = self.plan.like(f"h{self.tag}", self.x, self.border) if new else self.x

    def forward(self) -> None:
        plan, kind, x, y = self.plan, self.layer.type, self.x, self.y
        plan.pointwise(kind, x, x=x, y=y)
        # Of a single pixel, padding channels are not computed.
        if not (POINTWISE[kind].keeps_zero or x.is_vector):
            plan.clear(y)

    def backward(self, dy: Map) -> Map:
        if not self.needs_dx:
            return dy
        dx = self.plan.free(dy)
        self.plan.pointwise(f"{self.layer.type}_back", dy, x=self.x, y=self.y, dy=dy, dx=dx)
        return dx


class Softmax(Emitter):
    """yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)."""

    needs_y = True

    def place(self) -> None:
        plan, x, name = self.plan, self.x, f"h{self.tag}"
        self.y = plan.like(name, x) if x.is_vector else plan.vector(name, x.size)

    def forward(self) -> None:
        x = self.plan.flattened(self.x)
        self.plan.by_rows("softmax", **x.rows("x"), **self.y.rows("y"), size=x.size)

    def backward(self, dy: Map) -> Map:
        if not self.needs_dx:
            return dy
        dx = self.plan.free(dy)
        values = {**self.y.rows("y"), **dy.rows("dy"), **dx.rows("dx")}
        self.plan.by_rows("softmax_back", **values, size=self.y.size)
        return self.plan.unflattened(dx, self.x)
