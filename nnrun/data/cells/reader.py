"""What the readers of cells have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from nnrun.data.cells.part import Lines, Numbers, Texts


class Cells(ABC):
    """Takes the cells of one column of a table, one after the other or many at once.

    `of_numbers` says whether it is of use to it that cells come as numbers.
    """

    of_numbers: bool = False
    name: str

    @abstractmethod
    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing value."""

    @abstractmethod
    def add(self, text: str, line: int) -> None:
        """Read a cell; mistakes are collected with its line."""

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        """Read cells, each with its line."""
        assert isinstance(cells, Texts), "it asked for texts"
        for text, line in zip(cells, lines, strict=True):
            self.add(text, int(line))
