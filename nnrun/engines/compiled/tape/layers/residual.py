"""Residual connections: y = x + f(x), dx = dy + (∂f/∂x)ᵀ dy."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.tape.arrays import Border, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.layers.sequence import Sequence, Step, border_of, steps_of


class Residual(Emitter):
    """f's layers leave x and dy unchanged: both are added at the end."""

    @classmethod
    def _steps(cls, layer: Any, training: bool, tag: str = "") -> list[Step]:
        return steps_of(layer.inner, training, holder=f"{tag}.", kept=True)

    @classmethod
    def needed_border(cls, layer: Any, training: bool) -> Border:
        return border_of(cls._steps(layer, training), training)

    def place(self) -> None:
        plan, x, layer = self.plan, self.x, self.layer
        # Both terms need the same order of numbers, that of vectors.
        self.is_flat = len(layer.input_shape) == 1 and not x.is_vector
        self.taken = plan.vector(f"{x.block}_flat", x.size) if self.is_flat else x
        steps = self._steps(layer, plan.training, self.tag)
        self.inner = Sequence(plan, steps, self.taken, needs_dx=self.needs_dx)
        self.y = plan.like(f"h{self.tag}", self.taken, self.border)

    def forward(self) -> None:
        if self.is_flat:
            self.plan.flatten(self.x, self.taken)
        self.inner.forward()
        self.label()
        self.plan.pointwise("add", self.inner.y, a=self.taken, b=self.inner.y, y=self.y)

    def backward(self, dy: Map) -> Map:
        plan = self.plan
        with plan.keeping(dy):
            through = self.inner.backward(dy)
        if not self.needs_dx:
            return dy
        self.label()
        dx = plan.free(through)
        plan.pointwise("add", through, a=dy, b=through, y=dx)
        return plan.unflattened(dx, self.x) if self.is_flat else dx
