"""Batch normalisation: y = γ x̂ + β, x̂ = (x - μ) / sqrt(σ² + ε), over all rows (and pixels)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.kernels.sizes.shapes import padded
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.stages import Op, chunks

Values = dict[str, Address | int]


class BatchNorm(Emitter):
    """Rows depend on each other: sums over the batch separate the stages.

    In evaluation, with the running mean and variance, x is overwritten.
    """

    changes = True

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return not training

    def place(self) -> None:
        plan, layer, tag, x = self.plan, self.layer, self.tag, self.x
        self.y = x if self.in_place else plan.like(f"h{tag}", x, self.border)
        # The numbers of a flattened image are features, each with a mean of its own.
        self.is_flat = len(layer.input_shape) == 1
        where = x.order if self.is_flat else np.arange(x.channels)
        stored = x.stored if self.is_flat else x.pixel
        self.gamma = plan.parameter(layer.gamma, f"w{tag}", stored, where, by_rows=True)
        self.beta = plan.parameter(layer.beta, f"b{tag}", stored, where, by_rows=True)
        self.size = padded(stored)
        running = [
            plan.statistic(layer, name, f"{name}{tag}", self.size, where) for name in layer.buffers
        ]
        self.running_mean, self.running_variance = running
        self.inverse = plan.shared(f"inverse{tag}", self.size)
        self.mean = plan.shared(f"mean{tag}", self.size) if plan.training else self.running_mean

    def forward(self) -> None:
        if self.plan.training:
            self._measure()
        else:
            self.plan.before(
                "inverses",
                self._tasks,
                variance=self.running_variance,
                inverse=self.inverse,
                **chunks(self.size),
                epsilon=float(self.layer.epsilon),
            )
        self._by_pixels(
            "normalise", x=self.x, **self._scale, beta=Address(self.beta.block), y=self.y
        )

    def _measure(self) -> None:
        """Mean and variance of the batch, which the running ones follow."""
        plan, layer, tag = self.plan, self.layer, self.tag
        parts = self.size * plan.row_tasks
        sums, squares = (
            plan.shared(f"{name}{tag}", parts, cleared=True) for name in ("sums", "squares")
        )
        self._by_pixels("moments", x=self.x, sums=sums, squares=squares, part=self.size)
        shape = self._features(self.x).shape
        self._by_chunks(
            plan.op(
                "statistics", sums=sums, squares=squares, part=self.size,
                mean=self.mean, inverse=self.inverse,
                running_mean=self.running_mean, running_variance=self.running_variance,
                **chunks(self.size), rows=plan.rows, pixels=shape["height"] * shape["width"],
                epsilon=float(layer.epsilon), momentum=float(layer.momentum),
            )
        )  # fmt: skip

    def backward(self, dy: Map) -> Map:
        plan, x = self.plan, self.x
        parts = {
            "dbeta": Address(self.beta.gradient),
            "dgamma": Address(self.gamma.gradient),
        }
        moments: Values = {"mean": self.mean, "inverse": self.inverse}
        self._by_pixels("normalise_sums", x=x, **moments, dy=dy, **parts, part=self.size)
        if not self.needs_dx:
            return dy
        # The update sums the tasks' parts again; dx needs the sums before.
        sums = {name: plan.shared(f"{name}{self.tag}", self.size) for name in parts}
        self._by_chunks(*(
            plan.op("reduce", buffers=parts[name], buffer_task=self.size, total=sums[name],
                    **chunks(self.size), rows=plan.rows, most=plan.row_tasks)
            for name in parts
        ))  # fmt: skip
        dx = plan.free(dy)
        self._by_pixels("normalise_back", x=x, **self._scale, dy=dy, **sums, dx=dx)
        return dx

    @property
    def _scale(self) -> Values:
        return {"mean": self.mean, "inverse": self.inverse, "gamma": Address(self.gamma.block)}

    @property
    def _tasks(self) -> int:
        return -(-self.size // chunks(self.size)["chunk"])

    def _by_chunks(self, *ops: Op) -> None:
        self.plan.by_tasks(self._tasks, *ops)

    def _by_pixels(self, kernel: str, /, **values: Map | Address | int) -> None:
        """An op on a block of rows, with maps among its parameters."""
        named: Values = {}
        for name, value in values.items():
            named |= self._features(value).named(name) if isinstance(value, Map) else {name: value}
        self.plan.by_rows(kernel, **named, **self._features(self.x).shape)

    def _features(self, x: Map) -> Map:
        """A flattened image as a vector in memory order."""
        return x.lying if self.is_flat else x
