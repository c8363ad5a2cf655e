"""New rows that are unlike those of training: cells beyond its range or of a new category, and rows
far from all of its rows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from nnrun.characters import cell, escaped
from nnrun.data.columns.categories import Categorical, TargetMean
from nnrun.data.columns.column import Number
from nnrun.data.layout import Columns
from nnrun.data.rows import RawRows
from nnrun.nn.signature import Array

COLUMN = "outside"
"""The column of predictions that names such cells."""

Range = tuple[float, float]


def ranges_of(columns: Columns, rows: RawRows) -> list[list[float]]:
    """The smallest and the largest value of each column of numbers, in their order."""
    each = zip(columns.every, columns.places.values(), strict=True)
    places = [place.start for column, place in each if isinstance(column, Number)]
    if not places:
        return []
    low, high = np.full(len(places), np.inf), np.full(len(places), -np.inf)
    for _, x in rows.blocks():
        numbers = x[:, places]
        low = np.fmin(low, np.fmin.reduce(numbers))
        high = np.fmax(high, np.fmax.reduce(numbers))
    return [list(ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]


MOST_ROWS, MOST_NUMBERS = 1000, 2**14
"""Of training rows that are stored with a model, and of their values."""
_HELD_OUT, _SHARE, _AT_ONCE = 100, 0.99, 1000
# Spreads that are as far as any; and a square that is rounding.
_FAR_OUT, _SAME = 1e6, 1e-12


def categories_of(columns: Columns) -> Array:
    """Whether each value is a category, (values,); a mean of the target is a number."""
    kinds = [
        [True]
        if isinstance(c, Categorical) and not isinstance(c, TargetMean)
        else [False] * c.width
        for c in columns.every
    ]
    return np.array([each for kind in kinds for each in kind], np.bool_)


def values_of(columns: Columns, x: Array) -> Array:
    """Encoded rows as (rows, values) in float32: categories by number, all else by its features.

    A category that training has not seen has the number after those of training.
    """
    parts = [x[:, :0]]
    for column, part in columns.parts(x):
        numbers = part
        if isinstance(column, Categorical) and not isinstance(column, TargetMean):
            numbers = column.codes(part)[:, np.newaxis]
            if (new := column.unseen_rows(part)) is not None:
                numbers[new] = len(column.labels)
        parts.append(numbers)
    return np.concatenate(parts, axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Sample:
    """Some training rows, and how far from the nearest of them rows like those of training are.

    The distance is Euclidean, in numbers as standard deviations from the mean, and 1 for each
    category that differs; a missing number is at the mean.

    Args:
        columns: of the network's table.
        values: as `values_of` returns them, (rows, values).
        cut: 99% of held-out rows are at most that far from the nearest.
    """

    columns: Columns
    values: Array
    cut: float = 0.0

    @classmethod
    def of(cls, columns: Columns, train: RawRows, held_out: RawRows | None) -> Self | None:
        """Training rows at equal steps; None where there are no columns, or too many.

        The cut is by validation rows at equal steps, or, with fewer than a hundred, by the stored
        rows, each without itself.
        """
        width = len(categories_of(columns))
        rows = min(MOST_ROWS, MOST_NUMBERS // max(width, 1), len(train))
        if not width or rows < 2:
            return None
        sample = cls(columns, values_of(columns, _at_equal_steps(train, rows)))
        if held_out is not None and len(held_out) >= _HELD_OUT:
            others = _at_equal_steps(held_out, min(MOST_ROWS, len(held_out)))
            distances = sample.distances(values_of(columns, others))
        else:
            distances = sample.distances(sample.values, without_itself=True)
        return replace(sample, cut=float(np.quantile(distances, _SHARE, method="higher")))

    def to_dict(self) -> dict[str, Any]:
        """The sample as JSON."""
        return {
            "values": base64.b64encode(self.values.astype("<f4").tobytes()).decode(),
            "cut": self.cut,
        }

    @cached_property
    def _scaling(self) -> tuple[Array, Array, Array]:
        """Which values are numbers, their means, and by what they are divided; inf if all equal."""
        numbers = ~categories_of(self.columns)
        there = np.ma.masked_invalid(self.values[:, numbers].astype(np.float64))
        spread = np.ma.filled(there.std(axis=0), 0.0)
        return numbers, np.ma.filled(there.mean(axis=0), 0.0), np.where(spread, spread, np.inf)

    def _scaled(self, values: Array) -> Array:
        numbers, mean, spread = self._scaling
        scaled = (values[:, numbers].astype(np.float64) - mean) / spread
        return np.clip(np.nan_to_num(scaled, nan=0.0), -_FAR_OUT, _FAR_OUT)

    def distances(self, values: Array, *, without_itself: bool = False) -> Array:
        """Distance from each row (rows, values) to the nearest one of the sample: (rows,)."""
        nearest = [np.empty(0)]
        categories, stored = np.flatnonzero(~self._scaling[0]), self._scaled(self.values)
        for start in range(0, len(values), _AT_ONCE):
            part = values[start : start + _AT_ONCE]
            scaled = self._scaled(part)
            squares = (scaled**2).sum(axis=1)[:, np.newaxis] + (stored**2).sum(axis=1)
            squares -= 2 * scaled @ stored.T
            for at in categories:
                squares += part[:, [at]] != self.values[:, at]
            if without_itself:
                np.fill_diagonal(squares, np.inf)
            nearest.append(squares.min(axis=1))
        squared = np.concatenate(nearest)
        return np.sqrt(np.where(squared > _SAME, squared, 0.0))


def _at_equal_steps(rows: RawRows, count: int) -> Array:
    places = np.arange(count) * len(rows) // count
    return replace(rows, rows=rows.rows[places]).between(0, count)


@dataclass
class _Beyond:
    """How many cells of a column are beyond an end of its range, and the farthest."""

    cells: int = 0
    farthest: float = 0.0


@dataclass(eq=False)
class Outside:
    """Looks for such cells in new rows, and counts them.

    Args:
        columns: of the network's table.
        ranges: as `ranges_of` returns them.
        sample: for rows far from all of training; None if they are not asked for.
    """

    columns: Columns
    ranges: Sequence[Range]
    sample: Sample | None = None
    far: int = 0
    _farthest: float = 0.0
    _below: dict[str, _Beyond] = field(default_factory=dict)
    _above: dict[str, _Beyond] = field(default_factory=dict)
    rows: int = 0

    def add(self, x: Array) -> Array:
        """Count the cells of encoded rows, and name those of each row: (rows,), text."""
        found = np.full(len(x), "", object)
        numbers = iter(self.ranges)
        for column, part in self.columns.parts(x):
            if isinstance(column, Number):
                low, high = next(numbers)
                value = part[:, 0].astype(np.float64)
                self._name(found, column.name, value < low, value, self._below, f"< {low:.6g}")
                self._name(found, column.name, value > high, value, self._above, f"> {high:.6g}")
            elif isinstance(column, Categorical) and (new := column.unseen_rows(part)) is not None:
                _append(found, np.flatnonzero(new), f"{column.name} new")
        self.rows += int(np.count_nonzero(found != ""))
        if self.sample is not None:
            self._measure(self.sample, found, x)
        named = np.flatnonzero(found != "")
        found[named] = [cell(text) for text in found[named]]  # a column may be named like a formula
        return found

    def _measure(self, sample: Sample, found: Array, x: Array) -> None:
        distances = sample.distances(values_of(self.columns, x))
        far = np.flatnonzero(distances > sample.cut)
        for row in far.tolist():
            times = f" ({distances[row] / sample.cut:.3g} times)" if sample.cut else ""
            _append(found, [row], f"far{times}")
        self.far += len(far)
        self._farthest = max(self._farthest, *distances[far].tolist(), 0.0)

    def _name(
        self,
        found: Array,
        name: str,
        beyond: Array,
        value: Array,
        counts: dict[str, _Beyond],
        end: str,
    ) -> None:
        if not beyond.any():
            return
        count = counts.setdefault(name, _Beyond())
        values = [*value[beyond].tolist(), *([count.farthest] if count.cells else [])]
        count.cells += int(beyond.sum())
        count.farthest = max(values) if counts is self._above else min(values)
        _append(found, np.flatnonzero(beyond), f"{name} {end}")

    def notes(self) -> Iterator[str]:
        """A sentence for each column and end of its range."""
        names = [column.name for column in self.columns if isinstance(column, Number)]
        for name, (low, high) in zip(names, self.ranges, strict=True):
            ends = ((self._below, "below", low), (self._above, "above", high))
            for counts, way, end in ends:
                if (beyond := counts.get(name)) is None:
                    continue
                cells = f"{beyond.cells:,} cell{'s' * (beyond.cells > 1)}"
                verb = "are" if beyond.cells > 1 else "is"
                yield escaped(
                    f"{name}: {cells} {verb} {way} all of training, {end:.6g} "
                    f"(the farthest {beyond.farthest:.6g})",
                    kept="",
                )
        if self.sample is not None and self.far:
            rows = "rows are" if self.far > 1 else "row is"
            more = (
                f", up to {self._farthest / self.sample.cut:.3g} times" if self.sample.cut else ""
            )
            yield f"{self.far:,} {rows} farther from training than 99% of held-out rows{more}"


def _append(found: Array, rows: Sequence[int] | Array, text: str) -> None:
    for row in rows:
        found[row] += f"; {text}" if found[row] else text
