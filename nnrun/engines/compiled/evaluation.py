"""Evaluation by a generated function: the loss over rows, and the outputs for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nnrun.engines.compiled.arguments import ARGUMENTS, NUMBER
from nnrun.engines.compiled.blocks import Blocks
from nnrun.models.chunks import chunk_rows
from nnrun.nn.signature import Array

if TYPE_CHECKING:
    from nnrun.engines.compiled.machine import Function

# Rows that are evaluated together where the code works on all rows of a batch at once.
_TOGETHER = 64
_NOTHING = np.zeros(1)
_VALUES = NUMBER["values"]


def arguments_for(blocks: Blocks, **given: Array | int) -> list[int]:
    """What the generated function is called with, in its order; what is not given is 0.

    It does not keep the arrays alive whose addresses it has.
    """
    own = ("theta", "gradient", "state", "values")
    given |= {"steps": blocks.optimizer.steps, **{name: getattr(blocks, name) for name in own}}
    return [
        found if isinstance(found := given.get(name, 0), int) else found.ctypes.data
        for name in ARGUMENTS
    ]


class Evaluation:
    """Evaluates a network in portions of rows.

    Args:
        blocks: of memory, where the weights are gathered.
        function: that was generated for the network.
        arrange: brings rows into the form that it wants.
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
        self.counted, self.no_rates = np.arange(self.portion + 1), np.zeros(self.portion)
        blocks.reserve(self.together)

    def of(
        self, x: Array, target: Array, inputs: Array | None = None
    ) -> Callable[[], tuple[float, Array]]:
        """What evaluates these rows as often as it is called (see `Engine.evaluator`).

        Args:
            x: the rows.
            target: theirs.
            inputs: the rows as the function wants them, where there are such.
        """
        network = self.blocks.network
        target = np.ascontiguousarray(target.reshape(len(x), -1), network.dtype)
        shape = (len(x), *network.output_shape)
        # Machine code does not look how much there is.
        if x.shape[1:] != network.input_shape or target.size != np.prod(shape):
            raise ValueError("rows and targets are not of the network's shapes")

        def portion(part: slice) -> _Portion:
            arranged = self.arrange(x[part]) if inputs is None else inputs[part]
            return _Portion(self, arranged, target[part])

        parts = [slice(at, at + self.portion) for at in range(0, len(x), self.portion)]
        kept = portion(parts[0]) if len(parts) == 1 else None

        def evaluate() -> tuple[float, Array]:
            self.blocks.gather()
            outputs, total = np.empty(shape, network.dtype), 0.0
            for part in parts:
                total += (kept or portion(part)).evaluate(outputs[part])
            return total / len(x), outputs

        return evaluate


class _Portion:
    """Rows that one call evaluates, with all that is the same whenever it is made."""

    def __init__(self, evaluation: Evaluation, inputs: Array, target: Array) -> None:
        self._blocks, self._function = evaluation.blocks, evaluation.function
        network, together = self._blocks.network, evaluation.together
        bounds = evaluation.counted[: len(inputs) + 1]
        if together > 1:
            bounds = np.append(bounds[:-1:together], len(inputs))
        self._sizes = np.diff(bounds) if together > 1 else None
        self._losses = np.empty(len(bounds) - 1)
        self._outputs = np.empty((len(inputs), *network.output_shape), network.dtype)
        self._arrays = {
            "inputs": inputs,
            "targets": target,
            "rows": evaluation.counted,
            "bounds": bounds,
            "rates": evaluation.no_rates,
            "uniforms": _NOTHING,
            "outputs": self._outputs,
            "losses": self._losses,
        }
        self._arguments = arguments_for(
            self._blocks, count=len(self._losses), evaluating=1, **self._arrays
        )

    def evaluate(self, outputs: Array) -> float:
        """The sum of the losses; the outputs are copied to where they belong."""
        self._arguments[_VALUES] = self._blocks.values_address
        self._function(*self._arguments)
        outputs[...] = self._outputs
        losses = self._losses if self._sizes is None else self._losses * self._sizes
        # No product of vectors: a BLAS sums in an order of its own.
        return float(np.add.reduce(losses))
