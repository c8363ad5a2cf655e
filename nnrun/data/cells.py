"""Columns of cells as they are read, and what is wrong with the cells."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.data.labels import all_numbers, canonical, number, ordered_classes
from nnrun.errors import DataError

MISSING = {"na", "n/a", "nan", "null", "none", "?", "-"}


class Problems:
    """Mistakes in a file, collected so that one reading shows them all.

    At most `limit` are told, the first of every column before the second of any, since a column
    that is wrong is usually wrong in every row; the rest is counted.
    """

    limit = 20

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count: Counter[str] = Counter()
        self._kept: list[tuple[int, int, str]] = []  # place within its column, order, message

    def add(self, line: int, column: str, message: str) -> None:
        """Note what is wrong in a line, in a column ("" for the row as a whole)."""
        self._count[column] += 1
        if self._count[column] <= self.limit:
            place = f"{self.path}:{line}:{column}" if column else f"{self.path}:{line}"
            self._kept.append((self._count[column], len(self._kept), f"{place}: {message}"))

    def __bool__(self) -> bool:
        return bool(self._kept)

    def raise_if_any(self, last: str = "") -> None:
        """Raise one DataError for everything that was noted, and `last` if it is not empty."""
        told = sorted(sorted(self._kept)[: self.limit], key=lambda kept: kept[1])
        untold = self._count.total() - len(told)
        lines = [message for _, _, message in told]
        lines += [f"{self.path}: and {untold} more like these"] if untold else []
        lines += [last] if last else []
        if lines:
            raise DataError("\n".join(lines))


class NumberColumn:
    """Cells that have to be finite numbers."""

    def __init__(self, name: str, problems: Problems, hint: str) -> None:
        self.name, self.problems, self.hint = name, problems, hint
        self.values = array("d")

    def add(self, text: str, line: int) -> None:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:
            self.problems.add(line, self.name, self._complaint(text.strip()))
        self.values.append(value)

    def features(self) -> npt.NDArray[np.float64]:
        """The column as one feature: (rows, 1)."""
        return np.frombuffer(self.values, dtype=np.float64)[:, None]

    def _complaint(self, text: str) -> str:
        if not text:
            return "the cell is blank"
        if text.lower() in MISSING:
            return f"'{text}' stands for a missing value; fill it in or leave the row out"
        if number(text) is not None:
            return f"'{text}' is not a finite number"
        if text.replace(",", "").lstrip("+-").replace(".", "").isdigit():
            return f"'{text}' is not a number: write 1.5 and 1200, without commas"
        return f"'{text}' is not a number{self.hint}"


class LabelColumn:
    """Cells that name one of a few categories; `known` fixes what categories there are."""

    def __init__(self, name: str, problems: Problems, known: Iterable[str] | None = None) -> None:
        self.name, self.problems = name, problems
        self.known = None if known is None else dict.fromkeys(known)
        self.lines: dict[str, int] = {}  # each text with the line where it is first seen
        self.numbers: dict[str, int] = {}
        self.values = array("q")

    def add(self, text: str, line: int) -> None:
        text = text.strip()
        if self.known is not None and text not in self.known:
            text = canonical(text)
        if not text or (self.known is not None and text not in self.known):
            self.problems.add(line, self.name, self._complaint(text))
        self.lines.setdefault(text, line)
        self.values.append(self.numbers.setdefault(text, len(self.numbers)))

    def ordered(self) -> tuple[str, ...]:
        """The categories in order; `known` where they are fixed."""
        return ordered_classes(self.numbers)[0] if self.known is None else tuple(self.known)

    def positions(self) -> npt.NDArray[np.int64]:
        """Every row's place among the ordered categories: (rows,)."""
        order = self.ordered()
        names = ordered_classes(self.numbers)[1] if self.known is None else {}
        place = {name: position for position, name in enumerate(order)}
        table = np.array([place[names.get(text, text)] for text in self.numbers], dtype=np.int64)
        return table[np.frombuffer(self.values, dtype=np.int64)]

    def features(self) -> npt.NDArray[np.float64]:
        """The column one-hot encoded: (rows, categories)."""
        return np.equal(self.positions()[:, None], np.arange(len(self.ordered()))).astype(float)

    def check_numbers(self) -> None:
        """Note NaN and infinities among labels that are numbers otherwise."""
        if all_numbers(self.lines):
            for text, line in self.lines.items():
                if not math.isfinite(number(text) or 0):
                    self.problems.add(line, self.name, f"'{text}' is not a finite number")

    def _complaint(self, text: str) -> str:
        if not text or self.known is None:
            return "the cell is blank"
        some = ", ".join(list(self.known)[:10]) + (", …" if len(self.known) > 10 else "")
        return f"'{text}' is none of the categories in training: {some}"
