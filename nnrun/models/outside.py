"""Cells of new rows that are unlike those of training: beyond its range, or of a new category."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnrun.characters import cell, escaped
from nnrun.data.columns.categories import Categorical
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
    """

    columns: Columns
    ranges: Sequence[Range]
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
                _append(found, new, f"{column.name} new")
        named = np.flatnonzero(found != "")
        self.rows += len(named)
        found[named] = [cell(text) for text in found[named]]  # a column may be named like a formula
        return found

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
        _append(found, beyond, f"{name} {end}")

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


def _append(found: Array, rows: Array, text: str) -> None:
    for row in np.flatnonzero(rows):
        found[row] += f"; {text}" if found[row] else text
