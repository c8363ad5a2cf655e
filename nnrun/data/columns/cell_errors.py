"""Messages about wrong cells and rows of a table: what was found, and the key that helps.

A mistake has a kind and two texts. A mistake in one row of a column is usually in all rows, so
mistakes of one kind in one column are reported once, with their number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from nnrun.characters import escaped
from nnrun.data.columns.date_formats import formats_of
from nnrun.data.columns.number_formats import NumberFormat, SeveralNumbers
from nnrun.data.labels import number
from nnrun.errors import DataError, clipped

_WORDS = "na,n/a,nan,-nan,nat,null,?,<na>,#na,#n/a,#n/a n/a,1.#ind,-1.#ind,1.#qnan,-1.#qnan"
MISSING_LABELS = {"", *_WORDS.split(",")}
"""What stands in the place of a value that is not known, in lower case; pandas reads most so."""
MISSING_NUMBERS = MISSING_LABELS | {"none", "-", "."}
"""Likewise of a number; among categories and classes, none and - may be names."""

_DROP_HINT = "; `missing: drop_rows` leaves such rows out, `missing: {impute: median}` "
MISSING_HINT = _DROP_HINT + "fills them in"
CATEGORY_HINT = _DROP_HINT + "makes what is missing a category of its own"
TARGET_HINT = (
    "; `columns: {missing: {COLUMN: drop_rows}}` leaves such rows out, no target is filled in"
)
WEIGHT_HINT = (
    "; `columns: {missing: {COLUMN: drop_rows}}` leaves such rows out, no weight is filled in"
)
SPLIT_HINT = "; `columns: {missing: {COLUMN: drop_rows}}` leaves such rows out of all splits"
_TEXT_HINT = "; columns.categorical one-hot encodes a text column, columns.drop leaves it out"
_TEXT_HINTS = {
    "target": ", and the target of a regression has to be one; classes need a loss like "
    "cross_entropy",
    "weight": ", and the weight of a row has to be one",
}

_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
)
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
FORMATS = '`columns: {{formats: {{COLUMN: "{}"}}}}`'
"""The key that says how a column is written, by an example."""
DATE_HINT = (
    "; `dataset: {dates: {COLUMN: [month, weekday]}}` takes such parts of it, "
    "and `columns: {drop: [COLUMN]}` leaves it out"
)

_SEPARATORS = {";": ";", "\t": "tab", "|": "|"}
_COMMON = ("comma", "semicolon", "tab")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|", ":": "colon", " ": "space"}


@dataclass(frozen=True)
class Mistake:
    """A mistake in a cell; `hint`, which begins with its punctuation, says what to do."""

    kind: str
    text: str
    hint: str = ""


def is_date(text: str) -> bool:
    """Whether it looks like a date, with or without a time."""
    return _DATE.fullmatch(text) is not None


def about_number(text: str, role: str, decimal: str) -> Mistake:
    """Why the text of a cell is not a number.

    The role is `feature`, `category`, `target`, `weight`, `split` or `lag`, whose keys are named;
    or `input`, for rows to predict from, where nothing can be changed but the file.
    """
    if text.lower() in MISSING_NUMBERS:
        return about_missing(text, role)
    mistake = _about_form(text, decimal)
    if role == "input":
        return Mistake(mistake.kind, mistake.text, ", as it was in training")
    if role == "lag" and mistake.kind in ("text", "date"):
        return Mistake(mistake.kind, mistake.text, "; lags are of numbers")
    if mistake.kind == "text":
        return Mistake("text", mistake.text, _TEXT_HINTS.get(role, _TEXT_HINT))
    return mistake


def date_format_hint(text: str) -> str:
    """The key that reads dates as this text is written; empty if it is no date."""
    forms = formats_of(text)
    if len(forms) > 1:
        first, *others = (form.example() for form in forms)
        choice = " or ".join([FORMATS.format(first), *(f'"{other}"' for other in others)])
        return f"; {choice} says whether the day comes first"
    return f"; {FORMATS.format(text)} reads such dates" if forms else ""


def about_format(text: str, example: str) -> Mistake:
    """A cell that is not written as `columns.formats` says by an example."""
    return Mistake("format", f"'{text}' is not written as '{example}' is, the column's format")


def about_missing(text: str, role: str) -> Mistake:
    """A cell that is blank, or has a text for a missing value."""
    what = f"'{text}' stands for a missing value" if text else "the cell is blank"
    return Mistake("missing", what, _missing_hint(role))


def about_spelling(text: str, spellings: Sequence[str], known: Sequence[str]) -> Mistake:
    """A number in a table in memory, for a column that was text in training.

    `spellings` are the categories with this value, `known` all of them.
    """
    hint = "; read the column as text, as with pandas.read_csv(…, dtype={'COLUMN': str})"
    if len(spellings) > 1:
        several = " or ".join(f"'{spelling}'" for spelling in spellings[:3])
        return Mistake(text, f"the number {text} may be the category {several}", hint)
    return Mistake(text, about_unknown(text, known).text, hint)


def about_unknown(text: str, known: Sequence[str], what: str = "categories") -> Mistake:
    """A label that training has not seen, among its categories or classes."""
    names = [label or "a blank cell" for label in known[:10]]
    some = ", ".join(names) + (", …" if len(known) > 10 else "")
    cell = f"'{text}'" if text else "a blank cell"
    return Mistake(text, f"{cell} is none of the {what} in training: {some}")


def _missing_hint(role: str) -> str:
    if role == "input":
        return "; fill it in or leave the row out: training had no such rows"
    hints = {
        "target": TARGET_HINT,
        "category": CATEGORY_HINT,
        "split": SPLIT_HINT,
        "weight": WEIGHT_HINT,
    }
    return hints.get(role, MISSING_HINT)


def _about_form(text: str, decimal: str) -> Mistake:
    """The mistake by the form of the text."""
    for form in (_infinite, _underscore, _complex, _date, _separator, _format):
        found = form(text, decimal)
        if found is not None:
            return found
    return Mistake("text", f"'{clipped(text)}' is not a number")


def _infinite(text: str, decimal: str) -> Mistake | None:
    if decimal == "," or "_" in text or number(text) is None:
        return None
    return Mistake("infinite", f"'{text}' is not a finite number")


def _underscore(text: str, _: str) -> Mistake | None:
    plain = text.replace("_", "")
    if plain == text or number(plain) is None:
        return None
    return Mistake("underscore", f"'{text}' is not a number: write {plain}, without '_'")


def _complex(text: str, _: str) -> Mistake | None:
    if not text.rstrip(")").endswith("j") or not _is_complex(text):
        return None
    hint = "; write its real and its imaginary part as two columns"
    return Mistake("complex", f"'{text}' is a complex number", hint)


def _is_complex(text: str) -> bool:
    try:
        complex(text)
    except ValueError:
        return False
    return True


def _date(text: str, _: str) -> Mistake | None:
    if is_date(text):
        return Mistake("date", f"'{text}' is not a number but a date", DATE_HINT)
    if _TIME.fullmatch(text):
        hint = "; columns.drop leaves the column out, or write it as numbers"
        return Mistake("date", f"'{text}' is not a number but a time", hint)
    return None


def _format(text: str, decimal: str) -> Mistake | None:
    """A number in groups, with another decimal sign, or with a unit."""
    from nnrun.data.columns.number_formats import unit_of  # noqa: PLC0415  # slow to import

    if unit_of(text) is None:
        return None
    try:
        form = NumberFormat.from_example(text, decimal)
    except SeveralNumbers as error:
        what = f"'{text}' is no plain number: it may be {error.numbers}"
        first, *others = error.examples
        choice = " or ".join([FORMATS.format(first), *(f'"{other}"' for other in others)])
        return Mistake("format", what, f"; {choice} says which")
    except ValueError:
        return None
    everywhere = form.decimal == "," and decimal == "."
    file = ", `decimal: ','` beside `path` a file of them" if everywhere else ""
    hint = f"; {FORMATS.format(text)} reads such a column{file}"
    return Mistake("format", f"'{text}' is no plain number", hint)


def _separator(text: str, _: str) -> Mistake | None:
    """A separator next to a number; between words it is part of a text."""
    sign = next((sign for sign in _SEPARATORS if sign in text), None)
    if sign is None or all(number(part.strip()) is None for part in text.split(sign)):
        return None
    hint = f"; is `separator: '{_SEPARATORS[sign]}'` what separates the columns?"
    return Mistake("separator", f"'{text}' is not a number", hint)


def about_width(found: int, width: int, delimiter: str = "", *, first: bool = False) -> Mistake:
    """A row of this many cells below a header of this width.

    The header may be a title if no row stands before this one, or if its separator is a rare one.

    Args:
        found: the number of cells.
        width: that of the header.
        delimiter: of a CSV file.
        first: whether it is the first row.
    """
    text = f"has {found} cell{'s' * (found != 1)} where the header has {width}"
    sign = _NAMES.get(delimiter, "")
    if not first and sign in ("", *_COMMON):
        return Mistake(text, text)
    cut = f", cut at each {sign}," if sign else ""
    hint = f"; if line 1{cut} is a title or a comment, remove it: the names of columns come first"
    return Mistake(text, text, hint)


# Mistakes in the cells of a table, collected and reported together.

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
        """The categories as JSON data."""
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
        """Place of a mistake; without a column, a whole row."""
        row, cell = self.form
        known = {"path": self.path, "line": line, "column": column}
        return row.format(**known) + (cell.format(**known) if column else "")
