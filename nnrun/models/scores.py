"""Metrics of predictions, in the target's original units, accumulated over batches of rows.

They are defined as scikit-learn's functions of the same names, and tests compare them. Calling
scikit-learn would take longer than most small runs: 9 ms a run, and half a second per process for
the import.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, nan
from operator import add
from typing import Any

import numpy as np

from nnrun.metrics.compute import BEYOND, NO_ROWS, NO_WEIGHT, NOT_FINITE, ONE_ROW, Truth, values_of
from nnrun.metrics.table import find
from nnrun.models.task import Classification, Regression, Task
from nnrun.nn.signature import Array
from nnrun.nn.special import portable_log

Metrics = dict[str, Any]

# Squares of larger numbers, times the largest weights, and sums of these may overflow. Columns with
# such numbers are multiplied by a power of two, which changes no other digit.
_LARGEST = 1e120
_SHIFT = 700
NO_PROBABILITIES = "the network's outputs are not probabilities"


def finite(value: float) -> float | None:
    """The number, or None if it is not finite, which strict JSON cannot express."""
    number = float(value)
    return number if isfinite(number) else None


def with_reasons(numbers: Metrics, reasons: dict[str, str]) -> Metrics:
    """Metrics, and under `undefined` the reason for each that is None, if there is one.

    Reasons of metrics that are numbers are left out.
    """
    undefined = {name: reason for name, reason in reasons.items() if numbers[name] is None}
    return numbers | ({"undefined": undefined} if undefined else {})


def together(first: Metrics, second: Metrics) -> Metrics:
    """The metrics of both, and then their reasons."""
    reasons = {**first.get("undefined", {}), **second.get("undefined", {})}
    numbers = {name: value for name, value in {**first, **second}.items() if name != "undefined"}
    return numbers | ({"undefined": reasons} if reasons else {})


def score_of(task: Task) -> RegressionScore | ClassificationScore:
    """An empty score for the predictions of a task."""
    return RegressionScore(task) if isinstance(task, Regression) else ClassificationScore(task)


class RegressionScore:
    """The metrics of regression.

    Sums are of errors / 2^shift and of y / 2^y_shift, where both are 0 or 700 for each output.
    """

    def __init__(self, task: Regression) -> None:
        self.task = task
        self.rows: float = 0
        self.count = 0
        self.numbers: float = 0
        self.sound = True
        self.largest = 0.0
        self.absolute = 0.0
        self.squared = 0.0
        self.absolute_by_output: Any = 0.0
        self.squared_by_output: Any = 0.0
        self.mean: Any = 0.0  # of y, by output
        self.spread: Any = 0.0  # Σ (y - mean)², by output
        self.shift: Any = 0
        self.y_shift: Any = 0

    def add(self, outputs: Array, y: Array, weight: Array | None = None) -> None:
        """Add the network's outputs for some rows, their y in original units, and their weights."""
        predicted = self.task.decode(outputs)
        self.sound = self.sound and bool(np.isfinite(predicted).all())
        if not self.sound or not len(y):
            return
        self.count += len(y)
        weight = np.ones(len(y)) if weight is None else weight
        total, by_row = float(weight.sum()), weight[:, np.newaxis]
        if not total:
            return
        errors, y = self._scaled(predicted, y)  # (rows, outputs)
        squares, sizes = by_row * errors**2, by_row * np.abs(errors)
        self.squared += float(np.sum(squares))
        self.squared_by_output = self.squared_by_output + np.sum(squares, axis=0)
        self.absolute += float(np.sum(sizes))
        self.absolute_by_output = self.absolute_by_output + np.sum(sizes, axis=0)
        self.numbers += total * errors.shape[1]
        mean = np.sum(by_row * y, axis=0) / total
        self._merge(mean, np.sum(by_row * (y - mean) ** 2, axis=0), total)

    def _scaled(self, predicted: Array, y: Array) -> tuple[Array, Array]:
        """Errors and y, each with its shift; where numbers are larger than before, earlier sums are
        shifted too.
        """
        size, y_size = np.abs(predicted).max(axis=0), np.abs(y).max(axis=0)
        size = np.maximum(size, y_size)
        self.largest = max(self.largest, float(size.max()))
        shift = np.maximum(self.shift, np.where(size < _LARGEST, 0, _SHIFT))
        y_shift = np.maximum(self.y_shift, np.where(y_size < _LARGEST, 0, _SHIFT))
        if not shift.any():
            self.shift, self.y_shift = shift, y_shift
            return predicted - y, y
        up, y_up = self.shift - shift, self.y_shift - y_shift
        self.absolute_by_output = np.ldexp(self.absolute_by_output, up)
        self.squared_by_output = np.ldexp(self.squared_by_output, 2 * up)
        self.mean, self.spread = np.ldexp(self.mean, y_up), np.ldexp(self.spread, 2 * y_up)
        self.shift, self.y_shift = shift, y_shift
        return np.ldexp(predicted, -shift) - np.ldexp(y, -shift), np.ldexp(y, -y_shift)

    def _merge(self, mean: Array, spread: Array, rows: float) -> None:
        """Combine mean and squares of two samples: Chan, Golub and LeVeque, COMPSTAT 1982."""
        total = self.rows + rows
        if not self.rows:
            self.mean, self.spread = mean, spread
        else:
            difference = mean - self.mean
            self.mean = self.mean + difference * (rows / total)
            self.spread = self.spread + spread + difference**2 * (self.rows * rows / total)
        self.rows = total

    @np.errstate(over="ignore")  # what overflows has a reason
    def metrics(self) -> Metrics:
        """mse, rmse, mae and r2, each the mean over outputs; None where there is a reason."""
        names = ("mse", "rmse", "mae", "r2")
        if not self.sound or not self.rows:
            without = NO_WEIGHT if self.count else NO_ROWS
            reason = without if self.sound else NOT_FINITE
            return with_reasons(dict.fromkeys(names), dict.fromkeys(names, reason))
        if np.any(self.shift):
            mse = _mean(self.squared_by_output / self.rows, 2 * self.shift)
            mae = _mean(self.absolute_by_output / self.rows, self.shift)
        else:
            mse, mae = self.squared / self.numbers, self.absolute / self.numbers
        rmse = _mean(np.sqrt(self.squared_by_output / self.rows), self.shift)
        found = map(finite, (mse, rmse, mae, self._r2()))
        reasons = dict.fromkeys(names, BEYOND.format(self.largest))
        if self.count < 2:
            reasons["r2"] = ONE_ROW
        return with_reasons(dict(zip(names, found, strict=True)), reasons)

    def _r2(self) -> float:
        """1 - Σ error² / Σ (y - mean)², the mean over outputs; NaN for a single row.

        For a constant output it is 1 if every prediction is exact, else 0.
        """
        if self.count < 2:
            return nan
        left, there = self.squared_by_output, self.spread
        varies = there > 0
        explained = np.where(left == 0, 1.0, 0.0)
        shift = 2 * (self.shift - self.y_shift)[varies]
        explained[varies] = 1 - _ratio(left[varies], there[varies], shift)
        return float(explained.mean())


def _mean(values: Array, shift: Array) -> float:
    """The mean of values · 2^shift, which may be a number where their sum is not."""
    most = int(np.max(shift))
    return float(np.ldexp(np.ldexp(values, shift - most).mean(), most))


def _ratio(above: Array, below: Array, shift: Array) -> Array:
    """above / below · 2^shift, without an overflow on the way."""
    (a, a_shift), (b, b_shift) = np.frexp(above), np.frexp(below)
    scaled: Array = np.ldexp(a / b, a_shift - b_shift + shift)
    return np.where(shift == 0, above / below, scaled)


class ClassificationScore:
    """The metrics of classification."""

    def __init__(self, task: Classification) -> None:
        self.task = task
        # confusion[i, j]: the number of rows of class i that were predicted as class j
        self.confusion = np.zeros((task.classes, task.classes), np.int64)
        self.weighted: Array | None = None  # likewise, the sums of their weights
        self.log_likelihood: float | None = 0.0 if task.probabilistic else None

    def add(self, outputs: Array, y: Array, weight: Array | None = None) -> None:
        """Add the network's outputs for some rows, their class numbers, and their weights."""
        n = self.task.classes
        cells = y * n + self.task.decode(outputs)
        self.confusion += np.bincount(cells, minlength=n * n).reshape(n, n)
        if weight is not None:
            sums = np.bincount(cells, weight, n * n).reshape(n, n)
            self.weighted = sums if self.weighted is None else self.weighted + sums
        if self.log_likelihood is not None:
            added = self._log_likelihood(outputs, y, weight)
            self.log_likelihood = None if added is None else self.log_likelihood + added

    def metrics(self) -> Metrics:
        """accuracy, log_loss, confusion, and precision, recall, f1 and support by class.

        confusion and support count rows; all others count each row by its weight.
        """
        confusion: list[list[int]] = self.confusion.tolist()
        sums = confusion if self.weighted is None else self.weighted.tolist()
        right = [row[index] for index, row in enumerate(sums)]
        there, taken = (
            [sum(row) for row in sums],
            [sum(column) for column in zip(*sums, strict=True)],
        )
        rows = sum(there)
        log_loss = None if self.log_likelihood is None or not rows else -self.log_likelihood / rows
        without = NO_WEIGHT if self.confusion.any() else NO_ROWS
        numbers = {
            "accuracy": sum(right) / rows if rows else None,
            "log_loss": log_loss,
            "confusion": confusion,
            "precision": _shares(right, taken),
            "recall": _shares(right, there),
            "f1": _shares([2 * n for n in right], map(add, there, taken)),
            "support": [sum(row) for row in confusion],
        }
        unsound = NOT_FINITE if self.task.probabilistic else NO_PROBABILITIES
        reasons = {"accuracy": without, "log_loss": unsound if rows else without}
        return with_reasons(numbers, reasons)

    def _log_likelihood(self, outputs: Array, y: Array, weight: Array | None) -> float | None:
        """The sum of log p over the true classes; None if outputs are not probabilities.

        p is clipped to [ε, 1 - ε] of its dtype, so that one confident error does not give infinity.
        """
        probabilities = self.task.probabilities(outputs)
        if probabilities is None or not np.isfinite(probabilities).all():
            return None
        epsilon = np.finfo(probabilities.dtype).eps
        right = probabilities[np.arange(len(y)), y]
        right = np.minimum(np.maximum(right, epsilon), 1 - epsilon)  # faster than `clip`
        logarithms = logarithm(right.astype(np.float64))
        return float((logarithms if weight is None else weight * logarithms).sum())


def _shares(parts: Iterable[float], wholes: Iterable[float]) -> list[float]:
    """The ratios part / whole; 0 if the whole is 0."""
    return [part / whole if whole else 0.0 for part, whole in zip(parts, wholes, strict=True)]


_BLOCK = 1 << 16


def logarithm(x: Array) -> Array:
    """log x for positive float64 numbers (n,), with the same bits on every processor."""
    found = np.empty(len(x))
    for start in range(0, len(x), _BLOCK):
        found[start : start + _BLOCK] = portable_log(x[start : start + _BLOCK])
    return found


# The metrics of predictions: the usual ones of a task, and others by name.

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
