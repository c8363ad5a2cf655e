"""Some rows of a table as columns of numbers or of texts, and what takes the cells of a column."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nnrun.characters import csv_line
from nnrun.data.columns.cell_errors import MISSING_NUMBERS, Problems, UnseenCategories
from nnrun.data.columns.missing_words import NO_WORDS, MissingValues, MissingWords
from nnrun.data.labels import number

Lines = Sequence[int] | npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Cells that are finite numbers, but for the `odd` ones, by row the text that stands there.

    A reader keeps the array, and puts in what the odd ones are.
    """

    values: npt.NDArray[np.float64]
    odd: Mapping[int, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        texts = map(repr, self.values.tolist())
        return (self.odd.get(row, text) for row, text in enumerate(texts))

    def where(self, holds: Callable[[str], bool]) -> Rows:
        """The rows whose text is of some sort, which no finite number is."""
        found = np.zeros(len(self.values), np.bool_)
        found[[row for row, text in self.odd.items() if holds(text)]] = True
        return found

    def marked(self, words: MissingWords) -> Numbers:
        """The same, where numbers that stand for missing values are odd."""
        odd = {
            row: word
            for value, word in words.numbers.items()
            for row in np.flatnonzero(self.values == value).tolist()
        }
        return Numbers(self.values, {**self.odd, **odd}) if odd else self

    def taken(self, kept: Rows) -> Numbers:
        """Some of the rows."""
        place = np.cumsum(kept) - 1
        odd = {int(place[row]): text for row, text in self.odd.items() if kept[row]}
        return Numbers(self.values[kept], odd)


@dataclass(frozen=True, eq=False)
class Texts:
    """Cells as texts: `texts[codes[row]]`, each different one once."""

    codes: npt.NDArray[np.int64]
    texts: Sequence[str]

    @classmethod
    def of(cls, cells: Iterable[Any], text: Callable[[Any], str] = str) -> Texts:
        """The texts of these cells."""
        numbers = _Numbering()
        codes = np.fromiter(map(numbers.__getitem__, cells), np.int64)
        return cls(codes, [text(cell) for cell in numbers])

    def __iter__(self) -> Iterator[str]:
        return map(self.texts.__getitem__, self.codes.tolist())

    def marked(self, _: MissingWords) -> Texts:
        """The same: a text shows what it is."""
        return self

    def where(self, holds: Callable[[str], bool]) -> Rows:
        """The rows whose text is of some sort."""
        found: Rows = np.array([holds(text) for text in self.texts], np.bool_)
        return found[self.codes]

    def taken(self, kept: Rows) -> Texts:
        """Some of the rows."""
        return Texts(self.codes[kept], self.texts)


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive rows of a table.

    Args:
        lines: where each row is in the file, as messages say it.
        columns: by name, those that were asked for.
    """

    lines: Lines
    columns: Mapping[str, Numbers | Texts]

    def __len__(self) -> int:
        return len(self.lines)

    def marked(self, words: Mapping[str, MissingWords]) -> Part:
        """These columns alone, where numbers that stand for missing values are odd."""
        # Columns of tables in memory are made when they are asked for by name.
        marked = {name: self.columns[name].marked(each) for name, each in words.items()}
        return Part(self.lines, marked)

    @property
    def size(self) -> int:
        """The bytes that its cells take when they are kept, each different text once."""
        texts = (cells.texts for cells in self.columns.values() if isinstance(cells, Texts))
        return 8 * len(self.lines) * len(self.columns) + sum(sum(map(len, some)) for some in texts)


class _Numbering(dict[Any, int]):
    """A number for each different key, in the order of their first use."""

    def __missing__(self, key: Any) -> int:
        self[key] = number = len(self)
        return number


class Cells(ABC):
    """Takes the cells of one column of a table, one after the other or many at once.

    `of_numbers` says whether it is of use to it that cells come as numbers; `words` are those that
    stand for missing values, too.
    """

    of_numbers: bool = False
    missing: ClassVar[Container[str]] = MISSING_NUMBERS
    """What stands for a missing value, in lower case."""
    name: str
    decimal: str = "."
    words: MissingWords = NO_WORDS

    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing value."""
        text = text.strip()
        if text.lower() in self.missing:
            return True
        return bool(self.words) and self.words.hold(text, self._value)

    def _value(self, text: str) -> float | None:
        """The number that a text plainly is."""
        return number(text, self.decimal)

    @abstractmethod
    def add(self, text: str, line: int) -> None:
        """Read a cell; mistakes are collected with its line."""

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        """Read cells, each with its line."""
        assert isinstance(cells, Texts), "it asked for texts"
        for text, line in zip(cells, lines, strict=True):
            self.add(text, int(line))


# A table with a header.


class Table(ABC):
    """An open table, which is read once.

    `header` has the names of its columns; `unnamed` is that of a first one which the file does not
    name, and `other_separator` one found in its only name, which may be the true one. `sha256` is
    the digest of the file, or of what a table in memory holds, once all rows have been read.
    `rows_known` is the number of rows where it is known before they are read.
    `sheets` has the names of all sheets of a workbook, of which the first is the table.
    `missing_values` are those of a config.
    """

    path: Path
    header: tuple[str, ...]
    separator: str | None = None
    decimal = "."
    other_separator: str | None = None
    delimiter = ","
    unnamed: str | None = None
    rows_known: int | None = None
    sheets: Sequence[str] = ()
    missing_values: MissingValues = {}  # noqa: RUF012  # nobody changes it
    _last: Sequence[str] | None = None

    @property
    @abstractmethod
    def sha256(self) -> str: ...

    @property
    def title(self) -> str:
        """The table in descriptions."""
        return self.path.name

    def tell(self, columns: Iterable[Cells]) -> dict[str, MissingWords]:
        """Tell columns of cells the words for missing values; returns those that have some."""
        if not self.missing_values:
            return {}
        found = {}
        for column in columns:
            words = MissingWords.of(column.name, self.missing_values, self.decimal)
            column.words = found[column.name] = words
        return found

    def problems(self, unseen: dict[str, UnseenCategories] | None = None) -> Problems:
        """An empty collection of mistakes, which says where in the table they are."""
        return Problems(self.path, unseen)

    @abstractmethod
    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        """The rows, part by part.

        Args:
            wanted: the names of columns, and whether they are of use as numbers.
            problems: collects mistakes in whole rows, which are left out.

        Raises: DataError where the rest cannot be read.
        """

    def rows(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str]]]:
        """Each row with its line; columns among `numbers` have texts of numbers where they can.

        Raises: as `parts` does.
        """
        problems = self.problems()
        for part in self.parts({name: name in numbers for name in self.header}, problems):
            columns = [iter(part.columns[name]) for name in self.header]
            for line, cells in zip(part.lines, zip(*columns, strict=True), strict=True):
                self._last = cells
                yield int(line), list(cells)
            problems.raise_if_any()
        problems.raise_if_any()

    def rows_or_faults(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str] | str]]:
        """Likewise, or what is wrong with a line that is no row."""
        return self.rows(numbers)

    def timed(self, names: Sequence[str]) -> set[str]:
        """Columns among these that hold dates, some with a time of day.

        In text there are none: each cell is as it is written.
        """
        return set()

    @property
    def record(self) -> str:
        """The row that was read last, or the header, as text of a CSV file."""
        return csv_line(self._last or self.header)
