"""What sections are made of, before any of it is markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup

from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.pictures import Picture
from nnrun.reports.charts.svg import shortened

# Of texts that come from configs and files, so many characters are shown.
LONGEST = 160


def text_of(value: str, longest: int = LONGEST) -> str:
    """A text from a config or a file as it may stand in a page."""
    return shortened(value, longest)


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: what it says.
        value: what it is sorted by, where that is a number.
        drawing: shown instead of the text.
        link: the id of a section of the page.
        kind: a class of the style sheet.
    """

    text: str
    value: float | None = None
    drawing: Markup | None = None
    link: str | None = None
    kind: str = ""


@dataclass(frozen=True)
class Grid:
    """A table for people.

    Args:
        title: of the table.
        header: a name for each column.
        rows: of cells.
        texts: the first columns that hold text; the others hold numbers.
        sortable: whether readers can sort and filter it.
        heads: the column that names a row.
        hidden: whether its title is for screen readers only, since a heading says the same.
    """

    block: ClassVar[str] = "grid"
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: int = 1
    sortable: bool = False
    heads: int = 0
    hidden: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart, and the same on a logarithmic scale where that shows more."""

    block: ClassVar[str] = "figure"
    chart: Chart
    log: Chart | None = None


@dataclass(frozen=True)
class Figures:
    """Charts side by side, with one legend.

    Args:
        figures: the charts.
        legend: (index, name) of each series, where readers can switch these on and off.
    """

    block: ClassVar[str] = "figures"
    figures: Sequence[Figure]
    legend: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Note:
    """A paragraph; `warning`, `bad`, `small` or nothing for its kind."""

    block: ClassVar[str] = "note"
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Setting:
    """A key of the config: dimmed where it is at its default, marked where other runs differ."""

    key: str
    value: str
    default: bool
    differs: bool


@dataclass(frozen=True)
class Settings:
    """A config, key by key."""

    block: ClassVar[str] = "settings"
    settings: Sequence[Setting]


@dataclass(frozen=True)
class Code:
    """A command, or a line of it each."""

    block: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Gallery:
    """Pictures with a caption each."""

    block: ClassVar[str] = "gallery"
    title: str
    pictures: Sequence[tuple[Picture, str]]
    note: str = ""


@dataclass(frozen=True)
class MistakenCell:
    """The rows of one class that were taken for another.

    Args:
        id: of the cell that leads here.
        title: which cell.
        content: their pictures, or a table of their values.
    """

    id: str
    title: str
    content: Gallery | Grid

    @property
    def rows(self) -> int:
        """How many rows are shown."""
        content = self.content
        return len(content.pictures) if isinstance(content, Gallery) else len(content.rows)


@dataclass(frozen=True)
class Mistakes:
    """The cells of a confusion matrix that are not on its diagonal."""

    block: ClassVar[str] = "mistakes"
    cells: Sequence[MistakenCell]


Block = Grid | Figure | Figures | Note | Settings | Code | Gallery | Mistakes


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block] = field(default_factory=list)


def charts_of(block: Block) -> list[Chart]:
    """All charts of a block."""
    figures = [block] if isinstance(block, Figure) else []
    if isinstance(block, Figures):
        figures = list(block.figures)
    return [chart for figure in figures for chart in (figure.chart, figure.log) if chart]
