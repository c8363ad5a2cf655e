"""A learning curve as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nnrun.frames import to_frame
from nnrun.nn.signature import Array


class History(Mapping[str, Array]):
    """The evaluations of a run: a column for each name, such as `test_loss`.

    Args:
        rows: the evaluations in order; all have the same keys.
    """

    def __init__(self, rows: Sequence[Mapping[str, float | int]]) -> None:
        names = list(rows[0]) if rows else []
        self._columns = {name: np.array([row[name] for row in rows]) for name in names}
        self._length = len(rows)

    def __getitem__(self, name: str) -> Array:
        if name not in self._columns:
            raise KeyError(f"{name!r}; there are {', '.join(self._columns) or 'no columns'}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """The number of columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<History of {self._length} evaluations: {', '.join(self._columns)}>"

    def rows(self) -> list[dict[str, float | int]]:
        """A dictionary for each evaluation."""
        columns = {name: column.tolist() for name, column in self._columns.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_frame(self) -> Any:
        """A pandas DataFrame, indexed by iteration.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(self._columns).set_index("iteration", drop=False)
