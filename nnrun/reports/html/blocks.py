"""The blocks of a section, as values that templates render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup

from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.pictures import Picture
from nnrun.reports.numbers import plural
from nnrun.reports.summary import status_words
from nnrun.reports.tables import Grid
from nnrun.runs.catalog.summary import COMPLETED, DAMAGED

NOW, BOARD, CURVES, SETTINGS, RUNS = "Now", "Board", "Curves", "Settings", "Runs"

PRUNED = "pruned"
"""The status of a run that a search ended early."""


@dataclass(frozen=True)
class StatusMark:
    """The status of a run, in words, and the class that decides its colour and sign."""

    text: str
    kind: str

    @classmethod
    def of(cls, status: str, warnings: int = 0) -> StatusMark:
        """Of a run with this many warnings, which count for a completed one."""
        if status == COMPLETED and warnings:
            return cls(status_words(status, warnings), "warned")
        if status == PRUNED:
            return cls("ended early", PRUNED)
        return cls(status, status if status.isalpha() else DAMAGED)


@dataclass(frozen=True)
class Figures:
    """Charts side by side, in so many columns of a wide page, with one legend.

    Readers can switch series of the `legend`, (index, name), off and on; the `others` are grey
    until readers point at them.
    """

    block: ClassVar[str] = "figures"
    charts: Sequence[Chart]
    legend: Sequence[tuple[int, str]] = ()
    others: Sequence[tuple[int, str]] = ()
    columns: int = 2


@dataclass(frozen=True)
class Note:
    """A paragraph of kind `warning`, `bad`, `small` or none."""

    block: ClassVar[str] = "note"
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Setting:
    """A key of the config: dimmed if it has its default, marked if runs differ in it."""

    key: str
    value: str
    default: bool
    differs: bool


@dataclass(frozen=True)
class Settings:
    """A config, key by key; what is `default` is closed until a reader opens it."""

    block: ClassVar[str] = "settings"
    chosen: Sequence[Setting]
    default: Sequence[Setting]

    @property
    def folded(self) -> str:
        """The title of the defaults."""
        return plural(len(self.default), "default")


@dataclass(frozen=True)
class Code:
    """Preformatted text, such as a command."""

    block: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Gallery:
    """Pictures with captions; `scale` is a drawing of what their colours mean."""

    block: ClassVar[str] = "gallery"
    title: str
    pictures: Sequence[tuple[Picture, str]]
    note: str = ""
    scale: Markup = field(default_factory=Markup)


@dataclass(frozen=True)
class MistakenCell:
    """The rows of one class that were predicted as another; `place` has the numbers of both.

    A cell of the matrix links to the `id`.
    """

    id: str
    place: tuple[int, int]
    title: str
    content: Gallery | Grid

    @property
    def rows(self) -> int:
        """The number of rows shown."""
        content = self.content
        return len(content.pictures) if isinstance(content, Gallery) else len(content.rows)


@dataclass(frozen=True)
class Mistakes:
    """The cells of a confusion matrix off its diagonal."""

    block: ClassVar[str] = "mistakes"
    cells: Sequence[MistakenCell]


@dataclass(frozen=True)
class Folded:
    """Blocks that are closed until a reader opens them."""

    block: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]


Block = Grid | Figures | Note | Settings | Code | Gallery | Mistakes | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, of a `part` of the page such as `BOARD`; none in details of a run."""

    title: str
    blocks: Sequence[Block] = field(default_factory=list)
    part: str = ""


def charts_of(block: Block) -> list[Chart]:
    """All charts of a block."""
    if isinstance(block, Folded):
        return [chart for inner in block.blocks for chart in charts_of(inner)]
    charts = block.charts if isinstance(block, Figures) else []
    return [chart for linear in charts for chart in (linear, linear.log) if chart]
