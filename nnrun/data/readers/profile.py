"""A survey of a table and its columns, from which a first config is made."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import compress, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnrun.data.columns.cell_errors import MISSING_LABELS, MISSING_NUMBERS, about_width, is_date
from nnrun.data.columns.date_formats import MOST_ODD, DateEvidence, OddCell
from nnrun.data.columns.number_formats import FEW, NumberEvidence, NumberFormat, Shown
from nnrun.data.columns.table import Table
from nnrun.data.encodings import UTF_8, NotInEncoding
from nnrun.data.labels import is_code, number
from nnrun.data.readers.excel import open_table
from nnrun.data.readers.parquet import Frame
from nnrun.data.readers.table import names_rows
from nnrun.data.readers.text_lines import SEPARATORS, CsvTable, NotUtf8
from nnrun.errors import DataError

Kind = Literal[
    "number",
    "category",
    "constant",
    "counter",
    "rising",
    "date",
    "undated",
    "mixed",
    "code",
    "text",
    "identifier",
    "key",
    "empty",
    "unnamed",
]

Reading = Literal["number", "category", "vector", "mean"]
"""What a column is for a network: a number, a feature for each category, a learned vector for each,
or the mean of the target for each."""

FEW_CATEGORIES = 20
"""Up to this many categories are never too many."""
ROWS_OF_EACH = 20
"""With more categories, each needs this many rows on average."""
_MOST_CLASSES, _ROWS_OF_CLASS = 10, 5
_COMPACT = len("20241231")
_MOST_KEPT = 1000
# Hashes of further texts, by which different ones are counted.
_MOST_SEEN = 200_000
# So many cells of a file are counted together.
_CELLS_AT_ONCE = 1 << 16
_CHARACTERS_AT_ONCE = 1 << 24
# A larger file is judged by its first rows: so many cells take some seconds.
_MOST_CELLS, _MOST_CHARACTERS = 1 << 22, 1 << 28
_CODE_OR_DATE = re.compile(r"\n(0\d+|\d{8})\n")
# A column whose numbers differ in so many of its rows names them, if its name says so, too.
_NEARLY_ALL = 0.95
MANY_KEYS = 100
"""Numbers with more different values, whose name says that they are keys, are no amounts."""
_MOST_WORDS, _FEWER, _LONGEST_WORD = 10, 50, 100
_DIGIT = re.compile(r"\d")
_USUAL = re.compile(
    r"#[^\s\d]\S*[!?A-Z]|[kns]\.? ?[abcdov]\.?|[-\u2013\u2014]+|unknown|unbekannt|inconnue?"
    r"|missing|k(eine)? angabe|none|fehlt|manquant|non renseigné",
    re.IGNORECASE,
)
"""Errors of Excel, and what stands for "not stated" in German, French and English."""
# From here on floats skip whole numbers.
_INEXACT = 2.0**53


# What a name says of whole numbers.

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_IDS = {"id", "ids", "uuid", "guid", "key", "nr", "no", "flight"}
_CODES = {"code", "zip", "zipcode", "postal", "postcode", "postalcode", "plz", "fips"}
# They name rows if these differ in nearly all, and are counts or measures where values repeat.
_NUMBERS = {"number", "index", "num", *_CODES}
_PEOPLE = {
    *("patient", "subject", "participant", "person", "respondent", "donor", "proband", "case"),
    *("user", "customer", "client", "member", "student", "pupil", "employee", "player"),
    *("household", "family", "speaker", "author", "animal"),
}
_KEYS = {"id", "ids", "no", "nr", "number", "code", "key", "name"}
# Before `id` without a sign between; `valid` and `grid` are no such words.
_THINGS = {
    *("study", "site", "school", "store", "shop", "item", "product", "order", "trip", "firm"),
    *("company", "account", "record", "row", "obs", "cust", "house", "sample", "event", "state"),
    *_PEOPLE,
}
_MEASURES = {"year", "years", "yr", "age"}


def words_of(name: str) -> list[str]:
    """The words of a name: `user`, `id` for `userId`, `user_id` and `User ID`."""
    return [word.lower() for word in _WORD.findall(name)]


def names_keys(name: str) -> bool:
    """Whether a name says that numbers name something: `id`, `storeID`, `tailnum`, `flight`."""
    words = words_of(name) or [""]
    numbered = words[-1].endswith("num") and words != ["num"]
    named = words[-1].endswith("id") and words[-1].removesuffix("id") in _THINGS
    return words[-1] in _IDS or numbered or named


def names_people(name: str) -> bool:
    """Whether a name says that a column names people: `patient`, `userId`, `customerid`."""
    words = words_of(name)
    first = words[0].removesuffix("id").removesuffix("s") if words else ""
    return first in _PEOPLE and len(words) <= 2 and set(words[1:]) <= _KEYS


def names_codes(name: str) -> bool:
    """Whether a name says that numbers are codes: `zip`, `Postal Code`."""
    return not _CODES.isdisjoint(words_of(name))


def names_measure(name: str) -> bool:
    """Whether a name says that numbers measure, however evenly they rise: `year`, `age`."""
    return not _MEASURES.isdisjoint(words_of(name))


@dataclass(eq=False)
class ColumnProfile:
    """Counts of a column's cells; `values` has the first different ones, with their numbers.

    `shown` is how its numbers are written, if not plainly; `is_unnamed` is that of a first column
    without a name.
    """

    name: str
    shown: Shown | None = None
    is_unnamed: bool = False
    values: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    missing: int = 0
    numbers: int = 0
    infinite: int = 0
    whole: int = 0
    codes: int = 0
    dates: int = 0
    different: int = 0
    low: float = math.inf
    high: float = -math.inf
    rises: bool = True
    """Whether cells are whole numbers that rise evenly in the order of rows."""
    _seen: set[int] = field(default_factory=set, repr=False)
    _last: int | None = None
    _step: int | None = None
    words: dict[str, OddCell] = field(default_factory=dict)
    """The first different cells that are neither numbers nor missing."""
    nulls: dict[str, OddCell] = field(default_factory=dict)
    """Words that are counted as missing values."""
    unclear: dict[str, OddCell] = field(default_factory=dict)
    """Those among them that are hardly such words, and those that keep it from being used."""
    evidence: DateEvidence = field(default_factory=DateEvidence)
    """What cells that may be dates show."""
    chosen: Reading | None = None
    """A reading in place of that by its kind."""
    results: str = ""
    """What was measured for that choice."""

    def add(self, texts: Sequence[str], lines: Sequence[int], decimal: str) -> None:
        """Count cells, and the lines that they are in."""
        self.rises = self.rises and all(map(self._follows, texts))
        if self._add_numbers(texts, decimal):
            return
        counts = [*Counter(texts).items()]
        if len(self._seen) < _MOST_SEEN <= len(self._seen) + len(counts):
            counts = [(text, 1) for text in texts]  # which ones are seen depends on their order
        dated = {text for text, times in counts if self._add(text, times, decimal)}
        if dated and not self.evidence.full:
            for text, line in zip(texts, lines, strict=True):
                if text in dated:
                    self.evidence.add(text, line)
        for text, word in self.words.items():
            if not word.line:
                word.line = lines[texts.index(text)]

    def _follows(self, text: str) -> bool:
        """Whether a cell is above the last one by the same step as all before."""
        if not (text.isascii() and text.isdecimal()):
            return False
        before, self._last = self._last, int(text[:20])
        if before is None:
            return True
        step = self._last - before
        self._step = self._step or step
        return step == self._step > 0

    def _add_numbers(self, texts: Sequence[str], decimal: str) -> bool:
        """Count plain numbers and blank cells at once, if as many values as are kept are known.

        Returns False, and counts none, if they are not, or if a cell is another one: a code, a
        date, a word.
        """
        if self.shown is not None or decimal != "." or len(self.values) < _MOST_KEPT:
            return False
        present = [*filter(None, texts)]
        together = "\n".join(("", *present, ""))
        if "_" in together or _CODE_OR_DATE.search(together):
            return False
        try:
            numbers = np.fromiter(map(float, present), np.float64, len(present))
        except ValueError:
            return False
        if not np.all(np.abs(numbers) < _INEXACT):  # NaN, too
            return False
        if len(present) < len(texts):
            self._add("", len(texts) - len(present), decimal)
        self.rows += len(present)
        self.numbers += len(present)
        self.whole += int(np.count_nonzero(numbers % 1 == 0))
        self.low = min(self.low, float(numbers.min(initial=math.inf)))
        self.high = max(self.high, float(numbers.max(initial=-math.inf)))
        self.different += len(present)
        for text in filter(self.values.__contains__, present):
            self.values[text] += 1
            self.different -= 1
        return True

    def _add(self, text: str, times: int, decimal: str) -> bool:
        """Count a cell that is there several times; returns whether it may be a date."""
        self.rows += times
        is_missing, may_be_date = text.lower() in MISSING_NUMBERS, False
        if is_missing:
            self.missing += times
        value = self.value(text, decimal)
        if value is not None and math.isfinite(value):
            self.numbers += times
            self.whole += times * (value % 1 == 0)
            self.codes += times * (self.shown is None and is_code(text))
            self.low, self.high = min(self.low, value), max(self.high, value)
            may_be_date = len(text) == _COMPACT and text.isdigit()
        elif not is_missing:
            if text in self.words:
                self.words[text].count += times
            elif len(self.words) < MOST_ODD:
                self.words[text] = OddCell(0, times)
            self.infinite += times * (value is not None)
            self.dates += times * is_date(text)
            may_be_date = True
        if text in self.values:
            self.values[text] += times
        elif len(self.values) < _MOST_KEPT:
            self.different += 1
            self.values[text] = times
        elif not (value is None or is_code(text)) or len(self._seen) >= _MOST_SEEN:
            self.different += times  # it is not known whether they were seen before
        else:
            before = len(self._seen)
            self._seen.add(hash(text))
            self.different += len(self._seen) - before
        return may_be_date

    def value(self, text: str, decimal: str) -> float | None:
        """The number in a cell, or None."""
        if self.shown is not None:
            return self.shown.format.read(text)
        return number(text.replace(",", ".") if decimal == "," and "." not in text else text)

    @property
    def odd_cells(self) -> Mapping[str, OddCell]:
        """The first different cells that are not what most are: dates or numbers."""
        return self.evidence.words if self.kind == "undated" else self.words

    @property
    def odd(self) -> tuple[str, int]:
        """The first of these, and its line; empty without one."""
        cells = self.odd_cells
        text = min(cells, key=lambda text: cells[text].line, default="")
        return text, cells[text].line if cells else 0

    def settle(self, last: int) -> None:
        """Count few words among numbers or dates as missing values, once all cells are there.

        These are at most ten without digits, or errors of Excel, in a tenth of the cells; and
        others, if there are ten in all, and these in a fiftieth. The word in the `last` line alone
        may be that of a total. Among few different values, words may be categories, unless they
        are usual ones for missing values.
        """
        kind, present, words = self.kind, self.rows - self.missing, self.odd_cells
        if kind not in ("mixed", "undated") or self.infinite or len(words) >= MOST_ODD:
            return
        usual = {text: word for text, word in words.items() if _USUAL.fullmatch(text)}
        total = {text for text, w in words.items() if w.line == last and w.count == 1} - {*usual}
        short = {t: w for t, w in words.items() if t not in total and len(t) <= _LONGEST_WORD}
        plain = usual | {t: w for t, w in short.items() if not _DIGIT.search(t)}
        if self.may_hold_categories:
            short = plain = usual
        if _in_few(plain, FEW, present):
            self._take(plain)
        rest = {text: word for text, word in short.items() if text not in self.nulls}
        self.unclear = rest if _in_few(rest, _FEWER, present, most=MOST_ODD) else {}
        if len(self.nulls) + len(rest) <= _MOST_WORDS and self.unclear and kind == "mixed":
            self._take(rest)

    def _take(self, words: Mapping[str, OddCell]) -> None:
        for text, word in words.items():
            self.missing += word.count
            self.different -= 1
            for known in (self.values, self.words, self.evidence.words):
                known.pop(text, None)
        self.nulls |= words

    @property
    def labels(self) -> dict[str, int]:
        """The values that may be categories, without those for missing values."""
        return {text: n for text, n in self.values.items() if text.lower() not in MISSING_LABELS}

    @property
    def has_few_values(self) -> bool:
        """Whether numbers have so few different values that they may be classes or categories."""
        return len(self.labels) <= min(_MOST_CLASSES, self.rows / _ROWS_OF_CLASS)

    @property
    def may_hold_categories(self) -> bool:
        """Whether it is a column of few different values that are numbers and other text."""
        only_numbers = self.numbers + self.infinite == self.rows - self.missing
        return self.kind == "mixed" and self.has_few_values and not only_numbers

    @property
    def holds_codes(self) -> bool:
        """Whether all look like numbers and some have leading zeros, as 007 has."""
        return self.codes > 0 and self.numbers == self.rows - self.missing

    @property
    def kind(self) -> Kind:
        """The kind of data that the column seems to hold."""
        present = self.rows - self.missing
        if not present:
            return "empty"
        if 2 * max(self.dates, self.evidence.count) > present and self._may_be_dates:
            return "date" if self.evidence.count == present else "undated"
        if self.holds_codes:
            return self._kind_of_words("code")
        if self.numbers == present:
            return self._kind_of_numbers(present)
        if self.numbers > present / 2 or self.numbers + self.infinite == present:
            return "mixed"
        return self._kind_of_words("text")

    @property
    def _may_be_dates(self) -> bool:
        """Whether no cell is a number, or all are as 20241231 and the name says what it is."""
        words = {*re.split(r"[\W_]+", self.name.lower())}
        dated = self.evidence.count == self.numbers and {"date", "day", "datum"} & words
        return not self.numbers or bool(dated)

    def _kind_of_words(self, many: Kind) -> Kind:
        """Kind of a column that is compared as text; `many` if it has too many categories."""
        if len(self.labels) == 1 and not self.missing:
            return "constant"
        if self.different <= max(FEW_CATEGORIES, self.rows / ROWS_OF_EACH):
            return "category"
        one_each = names_rows(self.different, self.rows - self.missing, FEW_CATEGORIES)
        return "identifier" if one_each else many

    def _kind_of_numbers(self, present: int) -> Kind:
        if self.is_unnamed:
            return "unnamed"
        if self.low == self.high and not self.missing:
            return "constant"
        return self._kind_of_whole_numbers(present)

    def _kind_of_whole_numbers(self, present: int) -> Kind:
        if self.whole < present or names_measure(self.name):
            return "number"
        if present > 2 and self.different == present == self.high - self.low + 1:
            return "counter"
        if present > 2 and self.rises and not self.missing:
            return "rising"
        if self._names_rows(present):
            return "key"
        # Codes that come again are categories, unless they are few, as other numbers may be.
        coded = names_codes(self.name) and self.different > FEW_CATEGORIES
        return self._kind_of_words("code") if coded else "number"

    def _names_rows(self, present: int) -> bool:
        """Whether whole numbers seem to be keys, by their name and how many differ."""
        keys, words = names_keys(self.name), words_of(self.name)
        nearly_all = self.different >= max(_NEARLY_ALL * present, FEW_CATEGORIES + 1)
        # `customers` may be how many there were.
        person = names_people(self.name) and not words[0].endswith("s")
        if nearly_all and (keys or person or (words and words[-1] in _NUMBERS)):
            return True
        return keys and (
            self.different > MANY_KEYS or names_rows(self.different, present, FEW_CATEGORIES)
        )


@dataclass(frozen=True)
class Survey:
    """A file and its columns, in order; `separator` is None if it is detected from the header.

    `sheets` are those of a workbook, of which the first was read. `is_part` says that there are
    more rows than were read; `frame` is the table if it is one in memory.
    """

    path: Path
    separator: str | None
    decimal: str
    encoding: str
    columns: list[ColumnProfile]
    rows: int
    sheets: Sequence[str] = ()
    is_part: bool = False
    frame: Any = None


def opened(
    found: Survey, separator: str | None = None, decimal: str | None = None
) -> AbstractContextManager[Table]:
    """The table of a survey, to be read once."""
    if found.frame is not None:
        return nullcontext(Frame(found.frame))
    at = separator or found.separator
    return open_table(found.path, at, decimal or found.decimal, found.encoding)


def survey(path: Path, frame: Any = None) -> Survey:
    """Read the table in a file, of a large one the first rows, and count its cells.

    A text that is not UTF-8 is read by the encoding that it may have.

    Args:
        path: of the file.
        frame: a table of pandas, polars or pyarrow in its place.

    Raises: DataError if it is not a table with a header and rows of equal length.
    """
    try:
        return _survey(path, UTF_8, frame)
    except NotUtf8 as error:
        if not error.guess:
            raise
        try:
            return _survey(path, error.guess, frame)
        except NotInEncoding:
            raise error from None


def _survey(path: Path, encoding: str, frame: Any) -> Survey:
    source = Survey(path, None, ".", encoding, [], 0, frame=frame)
    with opened(source) as table:
        separator = table.other_separator
    with opened(source, separator) as table:
        decimal, shown = _written(table)
    last = 0
    with opened(source, separator, decimal) as table:
        columns, rows = [*map(ColumnProfile, table.header, shown)], 0
        columns[0].is_unnamed = table.unnamed is not None
        level = _level(table)
        for lines, cells in _by_columns(table, level):
            rows += len(lines)
            last = lines[-1]
            for column, texts in zip(columns, cells, strict=True):
                column.add(texts, lines, decimal)
        is_part = rows > 0 and next(level, None) is not None
    if not rows:
        raise DataError(f"{path}: there are no rows below the header")
    for column in columns:
        column.settle(0 if is_part else last)
    return Survey(path, separator, decimal, encoding, columns, rows, table.sheets, is_part, frame)


def _in_few(words: Mapping[str, OddCell], few: int, cells: int, most: int = _MOST_WORDS) -> bool:
    """Whether there are few of these words, and one in so many cells holds one, at most."""
    return len(words) <= most and few * sum(word.count for word in words.values()) <= cells


def _level(table: Table) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with its line.

    Raises: DataError at one that has not as many cells as the header.
    """
    first, width = True, len(table.header)
    for line, cells in table.rows():
        if len(cells) != width:
            sign = table.delimiter if isinstance(table, CsvTable) else ""
            wrong = about_width(len(cells), width, sign, first=first)
            raise DataError(f"{table.path}:{line}: {wrong.text}{wrong.hint}")
        yield line, cells
        first = False


def _by_columns(
    table: Table, rows: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
    """Some rows at a time: their lines, and the cells of each column without blanks around them.

    These are all rows, or the first ones of a large file.
    """
    at_once, most = (max(1, n // len(table.header)) for n in (_CELLS_AT_ONCE, _MOST_CELLS))
    size, read = 0, 0
    while size < _MOST_CHARACTERS and read < most:
        found = [*_some(rows, min(at_once, most - read))]
        if not found:
            return
        lines, cells = zip(*found, strict=True)
        read += len(lines)
        size += sum(sum(map(len, row)) for row in cells)
        yield lines, [[*map(str.strip, column)] for column in zip(*cells, strict=False)]


def _some(rows: Iterable[tuple[int, list[str]]], most: int) -> Iterator[tuple[int, list[str]]]:
    """Rows to look at: at most so many, fewer where they are long."""
    size = 0
    for row in islice(rows, most):
        yield row
        size += sum(map(len, row[1]))
        if size > _CHARACTERS_AT_ONCE:
            return


def _written(table: Table) -> tuple[str, list[Shown | None]]:
    """The decimal sign of a file, and how each column writes its numbers, if not plainly.

    The sign is a comma if more cells are numbers with a decimal comma only than with a point only;
    where none is either, if cells like 1,234 stand between semicolons. Between commas it is the
    point.
    """
    if not isinstance(table, CsvTable):
        return ".", [None] * len(table.header)
    columns = [NumberEvidence() for _ in table.header]
    for lines, cells in _by_columns(table, table.rows()):
        for evidence, texts in zip(columns, cells, strict=False):
            if MISSING_NUMBERS.isdisjoint(map(str.lower, texts)):
                evidence.add(texts, lines)
                continue
            there = [text.lower() not in MISSING_NUMBERS for text in texts]
            evidence.add([*compress(texts, there)], [*compress(lines, there)])
    signs = sum((evidence.decimals() for evidence in columns), Counter[str]())
    known, decimal = bool(signs["."] or signs[","]), "."
    if table.delimiter != SEPARATORS[","]:
        open_comma = not known and signs["?"] > 0 and table.delimiter == SEPARATORS[";"]
        decimal = "," if signs[","] > signs["."] or open_comma else "."
    shown = [evidence.shown(decimal, known=known) for evidence in columns]
    return decimal, [
        form if form and form.format != NumberFormat("", decimal) else None for form in shown
    ]
