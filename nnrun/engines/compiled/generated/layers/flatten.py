"""Flattening: nothing to do, since the next matrix product arranges its weights accordingly."""

from __future__ import annotations

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.program import Row


class Flatten(Emitter):
    """The same numbers in the same places."""

    def plan(self) -> None:
        self.y = self.x

    def forward(self) -> None:
        self.program.comment(f"{self.tag}: flatten")

    def backward(self, dy: Row) -> Row:
        return dy
