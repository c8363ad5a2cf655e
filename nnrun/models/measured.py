"""The metrics of predictions: the usual ones of a task, and others by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.metrics.compute import NO_ROWS, Truth, values_of
from nnrun.metrics.table import find
from nnrun.models.scores import Metrics, score_of, together
from nnrun.models.task import Regression, Task
from nnrun.nn.signature import Array

KEPT_BYTES = 256_000_000
"""The most that `nnrun predict --score` keeps of outputs and true values."""


class Measured:
    """The metrics of predictions that are added batch by batch.

    The usual ones are summed up. Others take all rows at once, so outputs, y and weights are kept
    for them. Where one of these is undefined it is None, and `undefined` has the reason by its
    name.

    Args:
        task: what outputs mean.
        names: of metrics beside the usual ones.
        most: the bytes to keep; with more rows the other metrics are undefined. None for no limit.
    """

    def __init__(self, task: Task, names: Sequence[str] = (), most: int | None = None) -> None:
        self.task, self.most = task, most
        self.others = [name for name in names if (one := find(name)) is None or not one.always]
        self._summed = score_of(task)
        self._kept: list[tuple[Array, Array, Array | None]] = []
        self._rows = self._bytes = 0

    def add(self, outputs: Array, y: Array, weight: Array | None = None) -> None:
        """Add the network's outputs for some rows, their y as in a data set, and their weights."""
        self._summed.add(outputs, y, weight)
        if not self.others:
            return
        self._rows += len(y)
        self._bytes += sum(part.nbytes for part in (outputs, y, weight) if part is not None)
        if self.most is not None and self._bytes > self.most:
            self._kept.clear()
        else:
            self._kept.append((outputs, y, weight))

    def metrics(self) -> Metrics:
        """The metrics of all rows so far."""
        found = self._summed.metrics()
        if not self.others:
            return found
        if not self._kept:
            reason = self._too_many() if self._rows else NO_ROWS
            others: Metrics = dict.fromkeys(self.others)
            others["undefined"] = dict.fromkeys(self.others, reason)
        else:
            outputs, y, weights = zip(*self._kept, strict=True)
            weight = None if weights[0] is None else _joined(weights)
            rows = truth_of(self.task, _joined(outputs), _joined(y), weight)
            others = values_of(self.others, rows)
        return together(found, others)

    def _too_many(self) -> str:
        return (
            f"it takes all {self._rows:,} rows at once, and their outputs are more than the "
            f"{(self.most or 0) / 1e6:g} MB that are kept"
        )


def _joined(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def measured(
    task: Task,
    outputs: Array,
    y: Array,
    names: Sequence[str] = (),
    weight: Array | None = None,
) -> Metrics:
    """`Measured` of all rows at once."""
    found = Measured(task, names)
    found.add(outputs, y, weight)
    return found.metrics()


def truth_of(task: Task, outputs: Array, y: Array, weight: Array | None = None) -> Truth:
    """True values and those that the network's outputs mean, with the weights of rows."""
    predicted = task.decode(outputs)
    if isinstance(task, Regression):
        return Truth(y, predicted, weight=weight)
    probabilities = task.probabilities(outputs)
    if probabilities is not None:
        probabilities = probabilities.astype(np.float64)
    return Truth(y, predicted, probabilities, task.classes, weight)
