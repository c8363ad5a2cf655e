"""Documents: what there is to say of a run, a board or a comparison, as plain values.

Each subject has one function that makes its document (`run.py`, `boards.py`, `comparison.py`), and
four renderers show any document: `terminal/fitting.py`, `markup.py` (Markdown), the templates of
`html` and `notebook.py`. Renderers know blocks and nothing of runs.

To add a statement, add one line to the document of its subject, such as

    yield Note("always the mean of the training split", label="baseline")

and every output has it. `level` says how important it is: `AT_ONCE` is shown when a run has ended,
`ASKED` by commands that show one thing, `WHOLE` by pages and files alone. To add a kind of block,
write its class here, and a case into each renderer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from markupsafe import Markup

from nnrun.reports.numbers import plural
from nnrun.runs.catalog.summary import COMPLETED, DAMAGED

if TYPE_CHECKING:  # slow to import
    from nnrun.reports.charts.chart import Chart
    from nnrun.reports.charts.pictures import Picture

AT_ONCE, ASKED, WHOLE = 1, 2, 3

NOW, BOARD, CURVES, SETTINGS, RUNS = "Now", "Board", "Curves", "Settings", "Runs"

PRUNED = "pruned"
"""The status of a run that a search ended early."""


def status_words(status: str, warnings: int) -> str:
    """The status of a run, with the number of warnings of a completed one."""
    warned = status == COMPLETED and warnings
    return f"{status}, {plural(warnings, 'warning')}" if warned else status


@dataclass(frozen=True)
class StatusMark:
    """The status of a run, in words, and the class that decides its colour and sign."""

    text: str
    kind: str

    @classmethod
    def of(cls, status: str, warnings: int = 0) -> StatusMark:
        """The mark of a run with this many warnings, which count for a completed one."""
        if status == COMPLETED and warnings:
            return cls(status_words(status, warnings), "warned")
        if status == PRUNED:
            return cls("ended early", PRUNED)
        return cls(status, status if status.isalpha() else DAMAGED)


@dataclass(frozen=True)
class Line:
    """A sentence without a full stop, and the word or two before it, such as `Undecided`."""

    lead: str
    text: str

    def __str__(self) -> str:
        return f"{self.lead}: {self.text}."


@dataclass(frozen=True)
class Verdict:
    """What there is to say first.

    Args:
        best: the best setting and its number, or why there is none.
        others: which settings may be as good, which can be dropped, and what would decide.
        wrong: what is wrong with runs.
        boards: as `best`, of further boards.
    """

    best: Line
    others: Line | None = None
    wrong: Line | None = None
    boards: Sequence[Line] = ()

    @property
    def lines(self) -> list[Line]:
        """Lines that the verdict has."""
        lines = (self.best, *self.boards, self.others, self.wrong)
        return [line for line in lines if line is not None]

    def to_dict(self) -> dict[str, str | None]:
        """The verdict as JSON data: sentences for each key, null where there is none."""
        return {
            "best": " ".join(map(str, (self.best, *self.boards))),
            "others": str(self.others) if self.others else None,
            "wrong": str(self.wrong) if self.wrong else None,
        }


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: shown.
        value: the number to sort by, if any.
        drawing: shown by pages and notebooks instead of the text.
        link: the id of a section of an HTML page, or the path of a page beside it.
        kind: `strong`, `soft`, another CSS class, or none; in a terminal, `bad` in the column with
            the names of rows is the colour of the row.
        short: shown by terminals instead of the text.
    """

    text: str
    value: float | None = None
    drawing: Markup | None = None
    link: str | None = None
    kind: str = ""
    short: str = ""


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
        marks: for pages, drawings below the names of columns, such as the scale of what is in them.
        needs: for terminals that are too narrow, a number for each column: those with the largest
            are left out first, those with 0 never. Without them no column is left out.
        more: what shows the columns that were left out.
        narrow: the columns that terminals show; by default all.
        level: how important it is.
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
    needs: Sequence[int] = ()
    more: str = "--wide"
    narrow: Sequence[int] = ()
    level: int = AT_ONCE

    @property
    def words(self) -> list[list[str]]:
        """The texts of the cells."""
        return [[cell.text for cell in row] for row in self.rows]

    def only(self, columns: Sequence[int]) -> Grid:
        """The table with these columns."""
        return replace(
            self,
            header=[self.header[column] for column in columns],
            rows=[[row[column] for column in columns] for row in self.rows],
            needs=[self.needs[column] for column in columns] if self.needs else (),
        )


@dataclass(frozen=True)
class Note:
    """A statement of kind `warning`, `bad`, `small` or none.

    Args:
        text: sentences; with a label, a sentence without a full stop.
        kind: how it is marked.
        label: the word before it, such as `baseline`.
        short: shown by terminals instead.
        level: how important it is.
    """

    block: ClassVar[str] = "note"
    text: str
    kind: str = ""
    label: str = ""
    short: str = ""
    level: int = AT_ONCE


@dataclass(frozen=True)
class Code:
    """Text that is shown as it is, such as a command or a path; terminals show its label."""

    block: ClassVar[str] = "code"
    text: str
    label: str = ""
    language: str = ""
    level: int = AT_ONCE


@dataclass(frozen=True)
class Curve:
    """A quantity over the iterations: a line for each split."""

    title: str
    key: str
    lines: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Curves:
    """Learning curves of a run, as numbers that each renderer draws.

    Args:
        iterations: of the evaluations.
        epochs: at the same places, where they are known.
        curves: in order.
        moment: an iteration that is marked, and in words what it is.
        level: how important they are.
    """

    block: ClassVar[str] = "curves"
    iterations: Sequence[float]
    epochs: Sequence[float]
    curves: Sequence[Curve]
    moment: tuple[int, str] | None = None
    level: int = ASKED


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
    level: int = WHOLE


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
    level: int = WHOLE

    @property
    def folded(self) -> str:
        """The title of the defaults."""
        return plural(len(self.default), "default")


@dataclass(frozen=True)
class Gallery:
    """Pictures with captions; `scale` is a drawing of what their colours mean."""

    block: ClassVar[str] = "gallery"
    title: str
    pictures: Sequence[tuple[Picture, str]]
    note: str = ""
    scale: Markup = field(default_factory=Markup)
    level: int = WHOLE


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
    level: int = WHOLE


@dataclass(frozen=True)
class Folded:
    """Blocks that are closed until a reader opens them."""

    block: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]
    level: int = WHOLE


Block = Grid | Curves | Figures | Note | Settings | Code | Gallery | Mistakes | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, of a `part` of the page such as `BOARD`; none in details of a run.

    One that is `folded` is closed until a reader opens it.
    """

    title: str
    blocks: Sequence[Block] = field(default_factory=list)
    part: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """What there is to say of a subject.

    Args:
        title: such as the name of a run.
        name: what tells it from others with its title, such as the id of a run.
        status: of a run that is no more and no less than completed, without words.
        verdict: what there is to say first, if anything is.
        sections: in order.
        about: what its author says of it.
    """

    title: str
    verdict: Verdict | None
    sections: Sequence[Section]
    name: str = ""
    status: StatusMark | None = None
    about: str = ""


def up_to(level: int, sections: Iterable[Section]) -> Iterator[Section]:
    """The sections with their blocks of this importance or more; none that would be empty."""
    for section in sections:
        blocks = [block for block in section.blocks if block.level <= level]
        if blocks:
            yield replace(section, blocks=blocks)


def charts_of(block: Block) -> list[Chart]:
    """All charts of a block."""
    if isinstance(block, Folded):
        return [chart for inner in block.blocks for chart in charts_of(inner)]
    charts = block.charts if isinstance(block, Figures) else []
    return [chart for linear in charts for chart in (linear, linear.log) if chart]
