"""Some rows of a table as columns of numbers or of texts, and what takes the cells of a column."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.cell_errors import MISSING_NUMBERS

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

    `of_numbers` says whether it is of use to it that cells come as numbers.
    """

    of_numbers: bool = False
    missing: ClassVar[Container[str]] = MISSING_NUMBERS
    """What stands for a missing value, in lower case."""
    name: str

    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing value."""
        return text.strip().lower() in self.missing

    @abstractmethod
    def add(self, text: str, line: int) -> None:
        """Read a cell; mistakes are collected with its line."""

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        """Read cells, each with its line."""
        assert isinstance(cells, Texts), "it asked for texts"
        for text, line in zip(cells, lines, strict=True):
            self.add(text, int(line))
