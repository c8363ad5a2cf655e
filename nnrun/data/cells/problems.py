"""Mistakes in the cells of a table, collected and reported together."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

from nnrun.characters import escaped
from nnrun.data.cells.cell_errors import Mistake
from nnrun.errors import DataError

Form = tuple[str, str]
"""The form of the place of a row, and what follows it for a cell."""
IN_TEXT: Form = ("{path}:{line}", ":{column}")
IN_ROWS: Form = ("{path}: row {line}", ", column '{column}'")
"""In a table whose rows have no lines; they count from 1."""
IN_MEMORY: Form = ("row {line}", ", column '{column}'")
"""In a table in memory, whose rows count from 0."""
IN_ARRAYS: Form = ("{path}", "")
"""In arrays, whose messages say where the row is."""


class UnseenCategories:
    """The cells of one column with categories that training has not seen: how many, and some."""

    _most = 3

    def __init__(self) -> None:
        self.cells = 0
        self.examples: list[str] = []
        self.more = False

    def add(self, text: str) -> None:
        self.cells += 1
        if text in self.examples:
            return
        self.more = len(self.examples) == self._most
        if not self.more:
            self.examples.append(text)

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {"cells": self.cells, "examples": self.examples}


class Problems:
    """Mistakes in a file, collected so that all are reported together.

    Mistakes of one kind in one column are reported once, at the first, with their number. The first
    `limit` different ones are reported, regardless of the order of columns; the rest is counted.
    `unseen` has by column the categories that training has not seen, which are no mistakes; `form`
    says how places are written.
    """

    limit = 20

    def __init__(
        self,
        path: Path | str,
        unseen: dict[str, UnseenCategories] | None = None,
        form: Form = IN_TEXT,
    ) -> None:
        self.path, self.form = path, form
        self.unseen = {} if unseen is None else unseen
        self._count: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], tuple[int, Mistake]] = {}
        self._others = 0

    def add(self, line: int, column: str, mistake: Mistake) -> None:
        """Add a mistake in a line and a column ("" for the whole row)."""
        key = column, mistake.kind
        if key not in self._first and len(self._first) == self.limit:
            last = max(reversed(self._first), key=lambda known: self._first[known][0])
            if line >= self._first[last][0]:
                self._others += 1
                return
            del self._first[last]
            self._others += self._count.pop(last)
        self._first[key] = min(
            self._first.get(key, (line, mistake)), (line, mistake), key=itemgetter(0)
        )
        self._count[key] += 1

    def add_unseen(self, column: str, text: str) -> None:
        """Count a category that training has not seen; it is no mistake."""
        self.unseen.setdefault(column, UnseenCategories()).add(text)

    def __len__(self) -> int:
        return self._count.total() + self._others

    def raise_if_any(self, last: str = "") -> None:
        """Raise one DataError for all mistakes, followed by `last` if it is not empty."""
        lines = [*self.lines(), *([last] if last else [])]
        if lines:
            raise DataError("\n".join(lines))

    def lines(self) -> list[str]:
        """A line for each kind of mistake in a column, by the first; and the number of others."""
        shown = sorted(self._first, key=lambda key: self._first[key][0])
        more = [f"{self.path}: and {self._others} more like these"] if self._others else []
        return [*(self._line(*key) for key in shown), *more]

    def _line(self, column: str, kind: str) -> str:
        line, mistake = self._first[column, kind]
        more = self._count[column, kind] - 1
        where = "in this column" if column else "in other rows"
        count = f" ({more} more like it {where})" if more else ""
        hint = mistake.hint.replace("COLUMN", column)
        return escaped(f"{self.place(line, column)}: {mistake.text}{count}{hint}", kept="")

    def place(self, line: int, column: str) -> str:
        """Where a mistake is; without a column, that is a whole row."""
        row, cell = self.form
        known = {"path": self.path, "line": line, "column": column}
        return row.format(**known) + (cell.format(**known) if column else "")
