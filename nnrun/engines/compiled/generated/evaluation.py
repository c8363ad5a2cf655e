"""Evaluation by a generated function: the loss over rows, and the outputs for them."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from nnrun.compiler.llvm.arguments import ARGUMENTS, NUMBER
from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.generated.generate import Blocks
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array

if TYPE_CHECKING:
    from nnrun.compiler.llvm.machine import Function

# Rows of a batch in evaluation, unless the function takes single rows.
_TOGETHER = 64
_VALUES = NUMBER["values"]


def arguments_for(blocks: Blocks, **given: Array | int) -> list[int]:
    """The generated function's arguments in order, 0 if not given.

    The caller keeps the arrays alive.
    """
    given |= {"steps": blocks.optimizer.steps, **blocks.addresses}
    return [
        found if isinstance(found := given.get(name, 0), int) else allocation.address(found)
        for name in ARGUMENTS
    ]


class Evaluation:
    """Evaluates a network in portions of rows.

    Args:
        arrange: copies rows into the function's layout.
        single: whether it takes one row at a time.
    """

    def __init__(
        self, blocks: Blocks, function: Function, arrange: Callable[[Array], Array], single: bool
    ) -> None:
        self.blocks = blocks
        self.function = function
        self.arrange = arrange
        self.portion = chunk_rows(blocks.network)
        self.together = 1 if single else min(self.portion, _TOGETHER)
        self.counted = allocation.given(np.arange(self.portion + 1), np.int64)
        self._no_rates = allocation.zeros(self.portion, np.float64)
        self.always = {
            "rows": allocation.address(self.counted),
            "rates": allocation.address(self._no_rates),
            "evaluating": 1,
        }

    def of(self, x: Array, target: Array, inputs: Array | None = None) -> RowsEvaluator:
        """An evaluator of these rows (see `Engine.evaluator`).

        `inputs` are the rows in the function's layout, if they exist already.
        """
        network = self.blocks.network
        target = allocation.given(target.reshape(len(x), -1), network.dtype)
        # Machine code checks no bounds.
        if x.shape[1:] != network.input_shape or target.size != len(x) * network.target_size:
            raise ValueError("rows and targets are not of the network's shapes")
        return RowsEvaluator(self, x, target, inputs)


class RowsEvaluator:
    """Evaluates the same rows at each call."""

    def __init__(
        self, evaluation: Evaluation, x: Array, target: Array, inputs: Array | None
    ) -> None:
        self._evaluation = evaluation
        self._x = x
        self._target = target
        self._inputs = inputs
        size, rows = evaluation.portion, len(x)
        self._parts = [slice(at, min(at + size, rows)) for at in range(0, rows, size)]
        self._kept: Portion | None = None

    def __call__(self) -> tuple[float, Array]:
        blocks, rows = self._evaluation.blocks, len(self._x)
        blocks.gather()
        outputs = np.empty((rows, *blocks.network.output_shape), blocks.network.dtype)
        if self.whole and self._kept is None:
            self._kept = self._portion(self._parts[0])
        total = 0.0
        for part in self._parts:
            total += (self._kept or self._portion(part)).evaluate(outputs[part])
        return total / rows, outputs

    def __len__(self) -> int:
        return len(self._x)

    @property
    def whole(self) -> bool:
        """Whether one call evaluates all rows."""
        return len(self._parts) == 1

    def repeated(self, times: int) -> Portion:
        """All rows for `times` evaluations; only if one call evaluates all rows."""
        (part,) = self._parts
        return self._portion(part, times)

    def _portion(self, part: slice, times: int = 1) -> Portion:
        x, target = self._x[part], self._target[part]
        inputs = self._evaluation.arrange(x) if self._inputs is None else self._inputs[part]
        return Portion(self._evaluation, inputs, target, times)


class Portion:
    """Rows that one call evaluates, with the arguments of the call, built once.

    Args:
        times: the number of evaluations, each one call.
    """

    def __init__(self, evaluation: Evaluation, inputs: Array, target: Array, times: int) -> None:
        self._blocks, self._function = evaluation.blocks, evaluation.function
        self.rows = len(inputs)
        network, together = self._blocks.network, evaluation.together
        bounds = evaluation.counted[: len(inputs) + 1]
        if together > 1:
            bounds = allocation.given(np.append(bounds[:-1:together], len(inputs)), np.int64)
        self._sizes = np.diff(bounds) if together > 1 else None
        shape = (times, len(inputs), *network.output_shape)
        losses = allocation.unwritten(times * (len(bounds) - 1), np.float64)
        self._losses = losses.reshape(times, -1)
        self.outputs = allocation.unwritten(prod(shape), network.dtype).reshape(shape)
        self._arrays = {
            "inputs": inputs,
            "targets": target,
            "bounds": bounds,
            "outputs": self.outputs,
            "losses": self._losses,
        }
        self._arguments = arguments_for(
            self._blocks, count=len(bounds) - 1, **evaluation.always, **self._arrays
        )

    def evaluate(self, outputs: Array) -> float:
        """Evaluate once: the sum of the losses; the outputs are copied to `outputs`."""
        self._arguments[_VALUES] = self._blocks.values_address
        self._function(*self._arguments)
        outputs[...] = self.outputs[0]
        return float(self.sums()[0])

    @property
    def table(self) -> list[int]:
        """The driver's table for these evaluations (see `fields`)."""
        return [*self._arguments, self.outputs[0].nbytes]

    def sums(self) -> Array:
        """For each evaluation, the sum of the losses."""
        with np.errstate(over="ignore"):
            losses = self._losses if self._sizes is None else self._losses * self._sizes
            # Not a dot product: the order of a BLAS' sums is not fixed.
            sums: Array = np.add.reduce(losses, axis=1)
        return sums
