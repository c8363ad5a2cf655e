"""Dropout, of the same uniform numbers in the same order as the NumPy engine's."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.stages import Value


class Dropout(Emitter):
    """y = x · m, with m drawn for each number of each row; nothing where it only evaluates."""

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return not (training and layer.rate > 0)

    def place(self) -> None:
        self.is_active = not self.overwrites(self.layer, self.plan.training)
        self.y = self.x
        if self.is_active:
            self.y = self.plan.like(f"h{self.tag}", self.x, self.border)
            self.before = self.plan.drawn
            self.plan.drawn += self.x.size

    def forward(self) -> None:
        if self.is_active:
            self._multiply(self.x, self.y)

    def backward(self, dy: Map) -> Map:
        if not (self.is_active and self.needs_dx):
            return dy
        dx = self.plan.free(dy)
        self._multiply(dy, dx)
        return dx

    def _multiply(self, x: Map, y: Map) -> None:
        rate = self.layer.rate
        values: dict[str, Value] = {
            "uniforms": Address("@uniforms"), "drawn": self.plan.drawn, "before": self.before,
            "share": float(rate), "factor": 1 / (1 - rate), **x.named("x"), **y.named("y"),
        }  # fmt: skip
        self.plan.by_rows("dropout", **values, **self.x.shape)
