"""Pooling."""

from __future__ import annotations

from math import prod
from typing import Any

from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter

# The position of the largest pixel is stored in the network's dtype; float32 represents all
# integers up to this one.
LARGEST_WINDOW = 1 << 24


class Pooling(Emitter):
    """The base class of both kinds."""

    kernel = ""

    def place(self) -> None:
        self.y = self.plan.array(f"z{self.tag}", self.layer.output_shape, self.border)
        assert self.x.pixel == self.y.pixel
        self.winners: Address | int = 0  # what the backward pass needs besides dy

    @property
    def _window(self) -> dict[str, int]:
        (kh, kw), (sh, sw) = self.layer.size, self.layer.stride
        return {"kh": kh, "kw": kw, "sh": sh, "sw": sw, "oh": self.y.height, "ow": self.y.width}

    def forward(self) -> None:
        values = {**self.x.named("x"), **self.y.named("y"), "place": self.winners, **self._window}
        self.plan.by_rows(self.kernel, **values)
        self.plan.clear(self.y)

    def backward(self, dy: Map) -> Map:
        if not self.needs_dx:
            return dy
        x = self.x
        # x is not needed any more; a second map of its size would fill the cache.
        dx = self.plan.like(f"d{x.block}", x) if self.kept else self.plan.free(x)
        assert dy.pixel == self.y.pixel  # the winners lie as y does
        values = {**dy.named("dy"), **dx.named("dx"), "place": self.winners, **self._window}
        self.plan.by_rows(f"{self.kernel}_back", **values, **x.shape)
        return dx


class MaxPool2d(Pooling):
    """The largest number of each window; dy goes to the first of them."""

    kernel = "max_pool"

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        if prod(layer.size) > LARGEST_WINDOW:
            return f"finds the largest of at most {LARGEST_WINDOW:,} pixels"
        return None

    def place(self) -> None:
        super().place()
        y = self.y
        if self.plan.training and self.needs_dx:
            size = self.plan.batch_size * y.height * y.width * y.pixel
            self.winners = self.plan.shared(f"place{self.tag}", size)


class AvgPool2d(Pooling):
    """The mean of each window."""

    kernel = "avg_pool"
