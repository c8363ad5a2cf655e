"""Tables as values, which the terminal, Markdown, HTML and notebooks render."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: shown.
        value: the number to sort by, if any.
        drawing: shown in HTML instead of the text.
        link: the id of a section of an HTML page, or the path of a page beside it.
        kind: `strong`, `soft`, another CSS class, or none.
    """

    text: str
    value: float | None = None
    drawing: Markup | None = None
    link: str | None = None
    kind: str = ""


@dataclass(frozen=True)
class Grid:
    """A table.

    Args:
        title: of the table.
        header: a name for each column.
        rows: of cells.
        texts: the number of leading text columns; the others hold numbers.
        sortable: whether readers of HTML can sort and filter it.
        heads: the index of the column with the names of rows.
        hidden: whether only screen readers get its title, since a heading repeats it.
        marks: in HTML, drawings below the names of columns, such as the scale of what is in them.
    """

    block: ClassVar[str] = "grid"
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: int = 1
    sortable: bool = False
    heads: int = 0
    hidden: bool = False
    marks: Mapping[str, Markup] = field(default_factory=dict)

    @property
    def words(self) -> list[list[str]]:
        """The texts of the cells."""
        return [[cell.text for cell in row] for row in self.rows]

    def only(self, columns: Sequence[int]) -> Grid:
        """The table with these columns."""
        rows = [[row[column] for column in columns] for row in self.rows]
        return replace(self, header=[self.header[column] for column in columns], rows=rows)
