"""Estimates of settings that differ in whole numbers, from what runs take at the ends of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnrun.config.schema.training import TrainingConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.data.splits.parts import Sizes
from nnrun.nn.signature import Array
from nnrun.runs.preparation.evaluations import EVALUATIONS
from nnrun.sweeps.planning.estimate import Costs, Length, compiling_of, seconds_of
from nnrun.training.examples import FEWEST

# They decide how long a run is, and nothing else that it takes.
_LENGTHS = {
    ("training", "iterations"),
    ("training", "epochs"),
    ("training", "early_stopping", "patience"),
}


@dataclass(frozen=True, eq=False)
class Between:
    """What runs take between the ends of their whole numbers.

    How long they are follows from the numbers. Parameters are linear in each number while the
    others stay, and so is, nearly, what an update and an evaluation take.

    Args:
        ends: the costs of the settings with the first or the last of each number, in the order of
            the product.
        numbers: the values of each, by its path in the config, from one end to the other.
        training: that of one of the settings.
        sizes: of the splits of a run.
    """

    ends: Sequence[Costs]
    numbers: Mapping[KeyPath, Sequence[float]]
    training: TrainingConfig
    sizes: Sizes

    @property
    def memory(self) -> int:
        """The most that a run takes."""
        return int(max(end.memory for end in self.ends))

    @cached_property
    def seconds(self) -> Array:
        """Of a run with each combination of the numbers."""
        return np.broadcast_to(seconds_of(self._costs, self._length, self.sizes), self._shape)

    @cached_property
    def compiling(self) -> Array:
        """Seconds for the code of each combination."""
        return np.broadcast_to(compiling_of(self._costs, self._length), self._shape)

    @cached_property
    def parameters(self) -> Array:
        """Of its network."""
        return np.broadcast_to(np.rint(self._costs.parameters).astype(np.int64), self._shape)

    @cached_property
    def order(self) -> Array:
        """The combinations by number, those that take longest first."""
        return np.argsort(-self.seconds, axis=None, kind="stable")

    @property
    def _shape(self) -> list[int]:
        return [len(numbers) for numbers in self.numbers.values()]

    @cached_property
    def _costs(self) -> Costs:
        fields = [np.array(each, np.float64) for each in zip(*self.ends, strict=True)]
        return Costs(*map(self._between, fields))

    def _between(self, ends: Array) -> Array:
        found = ends.reshape((2,) * len(self.numbers))
        for path, numbers in self.numbers.items():
            # The first dimension becomes the last.
            if path in _LENGTHS:
                found = found[0, ..., np.newaxis]
            else:
                share = np.array(numbers, np.float64) - numbers[0]
                share /= share[-1]
                found = np.tensordot(found, [1 - share, share], axes=(0, 0))
        return found

    @property
    def _length(self) -> Length:
        """Of all combinations, as `evaluations` has it for one."""
        training, sizes = self.training, self.sizes
        values = {key: self._values(key) for key in ("iterations", "epochs", "batch_size")}

        def iterations(rows: int) -> Array:
            if training.iterations is not None:
                return values["iterations"]
            batches: Array = -(-rows // values["batch_size"])
            return values["epochs"] * batches

        planned, splits = iterations(sizes.planned), 1 + len(sizes.held_out)
        every = np.asarray(training.evaluate_every or np.maximum(1, -(-planned // EVALUATIONS)))
        usual = np.maximum(FEWEST, every * values["batch_size"] // (2 * splits))
        asked = sizes.largest if training.evaluate_rows == "all" else training.evaluate_rows
        rows = usual if asked is None else np.asarray(asked)
        return Length(iterations(sizes.train), planned, every, rows)

    def _values(self, key: str) -> Array:
        """Of a key of `training`, along its dimension where it has several."""
        paths = [*self.numbers]
        if ("training", key) not in paths:
            return np.asarray(getattr(self.training, key) or 0, np.float64)
        own = paths.index(("training", key))
        shape = [-1 if dimension == own else 1 for dimension in range(len(paths))]
        return np.array(self.numbers["training", key], np.float64).reshape(shape)
