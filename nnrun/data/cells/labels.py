"""Columns of categories or classes while a table is read."""

from __future__ import annotations

import math
from array import array
from collections.abc import Container, Iterable
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.cell_errors import MISSING_LABELS, Mistake, about_missing, about_unknown
from nnrun.data.cells.part import Cells, Lines, Numbers, Texts
from nnrun.data.cells.problems import Problems
from nnrun.data.labels import all_numbers, canonical, number, ordered_classes

MISSING = ""
"""The category for missing values."""
OTHER = "\udfff"
"""What stands for every category that is not among the known ones; no text in UTF-8 holds it."""


class LabelCells(Cells):
    """A column of categories.

    Args:
        known: the categories, if they are fixed.
        role: `category`, `target`, or `input`; see `about_number`.
        fills: whether missing values are a category of their own.
        by_value: whether the known categories are numbers, which may be spelled in other ways.
        decimal: the decimal sign of such numbers.
        what: the word for the known ones in messages.
        others: categories that are none of the known ones, as they were rare in training.
        stand_in: what is read in place of a category that is neither; None if it is a mistake.
    """

    missing = MISSING_LABELS

    def __init__(
        self,
        name: str,
        problems: Problems,
        known: Iterable[str] | None = None,
        role: str = "category",
        *,
        fills: bool = False,
        by_value: bool = False,
        decimal: str = ".",
        what: str = "categories",
        others: Container[str] = (),
        stand_in: str | None = None,
    ) -> None:
        self.name, self.problems, self.role, self.fills = name, problems, role, fills
        self.known = None if known is None else dict.fromkeys(known)
        self.by_value, self.decimal, self.what = by_value, decimal, what
        self.others, self.stand_in = others, stand_in
        self.lines: dict[str, int] = {}  # each text with the line where it is first seen
        self.numbers: dict[str, int] = {}
        self.values = array("q")

    def add(self, text: str, line: int) -> None:
        self.values.append(self._number(text, line))

    def _number(self, text: str, line: int) -> int:
        """The number of a cell's text among those that were read."""
        text = text.strip()
        if self.is_missing(text) and text not in (self.known or ()):
            if not self.fills:
                self.problems.add(line, self.name, about_missing(text, self.role))
            text = MISSING
        elif self.known is not None:
            text = canonical(text, self.decimal) if self.by_value else text
            if text not in self.known and text not in self.others:
                text = self._unseen(text, line)
        self.lines.setdefault(text, line)
        return self.numbers.setdefault(text, len(self.numbers))

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        """Each different text is looked at once, unless it is a mistake."""
        assert isinstance(cells, Texts), "it asked for texts"
        if self.known is not None:  # unseen categories are counted
            super().extend(cells, lines)
            return
        present, first = np.unique(cells.codes, return_index=True)
        numbers = np.zeros(len(cells.texts), np.int64)
        for code, row in sorted(
            zip(present.tolist(), first.tolist(), strict=True), key=itemgetter(1)
        ):
            text, found = cells.texts[code], len(self.problems)
            numbers[code] = self._number(text, int(lines[row]))
            if len(self.problems) > found:
                for again in np.flatnonzero(cells.codes == code)[1:]:
                    self._number(text, int(lines[again]))
        self.values.frombytes(numbers[cells.codes].tobytes())

    def _unseen(self, text: str, line: int) -> str:
        if self.stand_in is None:
            mistake = about_unknown(text, list(self.known or ()), self.what)
            self.problems.add(line, self.name, mistake)
            return text
        self.problems.add_unseen(self.name, text)
        return self.stand_in

    @property
    def holds_numbers(self) -> bool:
        """Whether all that was read is a number, so that it is compared and sorted by value."""
        return all_numbers(self._texts(), self.decimal)

    def ordered(self) -> tuple[str, ...]:
        """The categories in order, with the one for missing values last; or `known`, if given."""
        if self.known is not None:
            return tuple(self.known)
        last = (MISSING,) * (MISSING in self.numbers)
        return (*ordered_classes(self._texts(), self.decimal)[0], *last)

    def positions(self) -> npt.NDArray[np.int64]:
        """The index of each row's category among the ordered ones: (rows,).

        Of known categories, the index after the last one is that of all others.
        """
        order = self.ordered()
        names = {} if self.known is not None else ordered_classes(self._texts(), self.decimal)[1]
        place = {name: position for position, name in enumerate(order)}
        found = (place.get(names.get(text, text), len(order)) for text in self.numbers)
        table = np.fromiter(found, np.int64, len(self.numbers))
        return table[np.frombuffer(self.values, dtype=np.int64)]

    def check_numbers(self) -> None:
        """Report NaN and infinities if all labels are numbers."""
        if self.holds_numbers:
            for text in self._texts():
                if not math.isfinite(number(text, self.decimal) or 0):
                    mistake = Mistake("infinite", f"'{text}' is not a finite number")
                    self.problems.add(self.lines[text], self.name, mistake)

    def _texts(self) -> list[str]:
        return [text for text in self.numbers if text != MISSING]
