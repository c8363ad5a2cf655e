"""Blocks of a document and tables, fitted to the width of the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import TextWrapper, wrap

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult, group
from rich.table import Table
from rich.text import Text

from nnrun.characters import clean
from nnrun.reports.document import (
    AT_ONCE,
    Block,
    Code,
    Curves,
    Document,
    Folded,
    Grid,
    Note,
    Section,
    StatusMark,
    Verdict,
    up_to,
)
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import first_of
from nnrun.runs.catalog.summary import COMPLETED, INTERRUPTED, QUEUED, RUNNING

_BETWEEN = 3
# All cells shorter, cells that are cut narrower, and at last names of runs in two lines.
_STEPS = 3
# Columns with a larger need are left out before any cell is broken, so that names can be copied.
_SPARED = 2
_LEAST = 8
_LEAST_OF_CUT = (32, 32, 16, 16)  # by the steps of shortening
# Cells that wrap are as wide as two or three words before others are left out.
_LEAST_OF_WORDS = 18
# Cells that wrap take about this many lines at most before columns are left out.
_TALLEST = 4
# As many as all columns of a leaderboard; a comparison has one for each run.
MOST_NAMED = 12
# Headings are not broken after ±.
_MORE = "…"
_MORE_SETTINGS = f"{_MORE}: more settings, which nnrun show RUN and --wide show"
_GLUED = "±\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: its heading.
        cells: from top to bottom.
        need: columns with the largest number are left out first; a column with 0 never is.
        left: whether its cells are left-aligned.
        wraps: whether cells may wrap between words.
        short: shorter forms of the cells, and still shorter ones, for narrow terminals.
        legend: how to read these; a line below the table where they are shown.
        lines: of a cell that wraps, at most; words that do not fit are left out. None for any.
        steps: of shortening that were made.
    """

    title: str
    cells: Sequence[str | Text]
    need: int = 0
    left: bool = False
    wraps: bool = False
    short: Sequence[Sequence[str | Text]] = ()
    legend: str = ""
    lines: int | None = None
    steps: int = 0

    def shortened(self, steps: int) -> Column:
        """The column after some steps of shortening, its heading wrapped to the cells' width."""
        cells = (self.cells, *self.short)[min(steps, len(self.short))]
        column = replace(
            self, title="", cells=cells, short=self.short[steps:], legend="", steps=steps
        )
        if not steps:
            return replace(column, title=self.title)
        words = self.title.replace("± ", _GLUED)
        longest = max(map(cell_len, words.split(" ")))
        lines = wrap(words, max(column.least, longest))
        title = "\n".join(lines).replace(_GLUED, "± ")
        return replace(column, title=title, legend=self.legend)

    def within(self, width: int) -> Column:
        """The column in this width, its cells cut to their number of lines."""
        if self.lines is None:
            return self
        cut = TextWrapper(
            width, max_lines=self.lines, placeholder=f" {_MORE}", break_on_hyphens=False
        )
        cells = [cut.fill(_with_short_words(text, width)) for text in self.texts]
        is_cut = any(_MORE in cell for cell in cells)
        if is_cut and self.short:
            return replace(self, cells=self.short[0], short=self.short[1:]).within(width)
        return replace(self, cells=cells, legend=_MORE_SETTINGS if is_cut else self.legend)

    @property
    def texts(self) -> list[str]:
        """The cells without styles."""
        return [cell.plain if isinstance(cell, Text) else cell for cell in self.cells]

    @cached_property
    def least(self) -> int:
        """The smallest width that breaks no word or number and makes no cell too tall."""
        least = max(map(self._width, (self.title, *self.texts)), default=1)
        if not self.wraps:
            return least
        longest = max(map(cell_len, self.texts), default=0)
        if self.lines is None:
            return max(least, longest // _TALLEST, min(longest, _LEAST_OF_WORDS))
        if self.short:  # before cells are cut, they are short
            return max(least, longest // self.lines)
        return min(least, _LEAST_OF_CUT[self.steps])

    def _width(self, text: str) -> int:
        words = text.split() if self.wraps else text.splitlines()
        return max(map(cell_len, words), default=1)


def _with_short_words(text: str, width: int) -> str:
    """A text whose words are cut, since numbers that go on in the next line are misread."""
    words = text.split(" ")
    return " ".join(w if len(w) <= width else f"{w[: width - 1]}{_MORE}" for w in words)


class FittedTable:
    """A table in the width of the terminal.

    Args:
        columns: in order.
        styles: one for each row; empty for none.
        more: the option or command that shows all columns.
    """

    def __init__(
        self, columns: Sequence[Column], styles: Sequence[str] = (), more: str = "--wide"
    ) -> None:
        self.columns = columns
        self.styles = styles
        self.more = more

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = self.fitting(options.max_width)
        spare = options.max_width - _room(columns)
        columns = [column.within(max(column.least, column.least + spare)) for column in columns]
        yield self._table(columns, options.max_width)
        yield from (Text(column.legend, "dim") for column in columns if column.legend)
        titles = {column.title.replace("\n", " ") for column in columns}
        left_out = [column.title for column in self.columns if column.title not in titles]
        if left_out:
            names = first_of(left_out, MOST_NAMED)
            yield Text(f"left out: {names} ({self.more} shows all)", "dim")

    def fitting(self, width: int) -> list[Column]:
        """The first of ever narrower selections of columns, starting with all, that fits.

        A comparison has a column for each run: a step shortens each once, whatever is left out.
        """
        left = dict(enumerate(self.columns))
        shortened: list[dict[int, Column]] = []
        rooms: list[int] = []  # of the columns kept, by steps
        for last in sorted(left, key=lambda place: -self.columns[place].need):
            need = self.columns[last].need
            for steps in range(2 if need > _SPARED else _STEPS + 1):
                if steps == len(shortened):
                    shortened.append({place: c.shortened(steps) for place, c in left.items()})
                    rooms.append(_room([*shortened[steps].values()]))
                if rooms[steps] <= width:
                    return [shortened[steps][place] for place in left]
            if need == 0:
                break
            del left[last]
            gone = (columns[last].least + _BETWEEN for columns in shortened)
            rooms = [room - less for room, less in zip(rooms, gone, strict=True)]
        return [column.shortened(_STEPS) for column in left.values()]

    def _table(self, columns: Sequence[Column], width: int) -> Table:
        table = plain_table(*(column.title for column in columns))
        for column, shown, wide in zip(
            columns, table.columns, _widths(columns, width), strict=True
        ):
            shown.justify = "left" if column.left else "right"
            shown.no_wrap = not column.wraps
            shown.width = shown.min_width = wide
        excess = _room(columns) - width
        if excess > 0:  # fold the widest text column rather than a number
            widest = max((c.left, c.least, index) for index, c in enumerate(columns))[-1]
            folded = table.columns[widest]
            folded.width = folded.min_width = max(_LEAST, columns[widest].least - excess)
            folded.no_wrap = False
        rows = list(zip(*(map(_text, column.cells) for column in columns), strict=True))
        for style, cells in zip(self.styles or [""] * len(rows), rows, strict=True):
            table.add_row(*cells, style=style)
        return table


def plain_table(*columns: str, texts: int = 1) -> Table:
    """A table without borders: the first columns left-aligned, the others right-aligned."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < texts else "right", overflow="fold")
    return table


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The width of each column: its least one; columns that wrap share the rest of the line."""
    widths = [column.least for column in columns]
    spare = width - _room(columns)
    wanted = sorted(
        (max(map(cell_len, column.texts), default=0) - column.least, place)
        for place, column in enumerate(columns)
        if column.wraps
    )
    for number, (want, place) in enumerate(wanted):
        more = max(0, min(want, spare // (len(wanted) - number)))
        widths[place] += more
        spare -= more
    return widths


def _room(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + _BETWEEN * (len(columns) - 1)


# Documents in a terminal: a run, a board, a comparison, block by block.

_LABEL_WIDTH = 9
_LONGEST_LEAD = 20
_CELL_STYLES = {"strong": "bold", "soft": "dim", "warned": "yellow", "right": "green"}
_CELL_STYLES |= {"wrong": "bold red"}
_NOTE_STYLES = {"warning": "yellow", "bad": "bold red", "small": "dim"}
_STATUS_STYLES = {COMPLETED: "green", INTERRUPTED: "yellow", RUNNING: "cyan", QUEUED: "dim"}
_STATUS_STYLES |= {"warned": "yellow", "valid": "green"}
_MARKS = {"test": ("•", "cyan"), "validation": ("+", "yellow"), "train": ("·", "")}


@group()
def document(content: Document, level: int = AT_ONCE) -> Iterator[RenderableType]:
    """What is as important as this, the title and the verdict first."""
    title = Text(clean(content.title), "bold")
    if content.name:
        title.append(f"  {content.name}", "not bold dim")
    if content.status is not None and content.status.kind != COMPLETED:
        title.append(f"  {content.status.text}", f"not bold {mark_style(content.status)}")
    yield title
    if content.about:
        yield Text(clean(content.about), style="italic")
    if content.verdict is not None:
        yield verdict_text(content.verdict)
    yield sections(up_to(level, content.sections), titled=level > AT_ONCE)


@group()
def sections(
    content: Iterator[Section], *, titled: bool = True, first: bool = False
) -> Iterator[RenderableType]:
    """Each below a blank line and its title; the `first` one has one, too, where that is true."""
    for place, section in enumerate(content):
        # Plots have titles of their own, and a command its label.
        plain = all(isinstance(block, Curves | Code) for block in section.blocks)
        yield Text()
        if titled and (place or first) and not plain:
            yield Text(clean(section.title), "bold")
        yield from blocks(section.blocks)


def blocks(content: Sequence[Block]) -> Iterator[RenderableType]:
    """Blocks with blank lines around tables and plots."""
    before: Block | None = None
    for block in content:
        if before is not None and not (_is_line(before) and _is_line(block)):
            yield Text()
        if isinstance(block, Note):
            is_next = isinstance(before, Note) and before.label == block.label
            yield note(block, is_next=is_next)
        elif isinstance(block, Code):
            yield unbroken(block.label, clean(block.text)) if block.label else copied(block.text)
        elif isinstance(block, Grid):
            yield table_of(block)
        elif isinstance(block, Curves):
            yield from plots(block)
        elif isinstance(block, Folded):
            yield Text(clean(block.title), "bold")
            yield from blocks(block.blocks)
        before = block


def _is_line(block: Block) -> bool:
    """Whether no blank line is between it and another one."""
    return isinstance(block, Note) or (isinstance(block, Code) and bool(block.label))


def note(content: Note, *, is_next: bool = False) -> RenderableType:
    """A statement, beside its label where it has one that the line above does not have."""
    text = clean(content.short or content.text)
    style = _NOTE_STYLES.get(content.kind, "")
    if not content.label:
        return Text(text, style)
    text = sentence(text) if content.kind == "warning" and not content.short else text
    return labelled("" if is_next else content.label, text, style=style or "dim")


def plots(block: Curves) -> Iterator[RenderableType]:
    """A plot for each quantity that was evaluated more than once."""
    from nnrun.reports.terminal.plot import Curve, Plot  # noqa: PLC0415  # runs with curves only

    for place, curve in enumerate(block.curves if len(block.iterations) > 1 else ()):
        if place:
            yield Text()
        drawn = [
            Curve(split, block.iterations, curve.lines[split], *_MARKS[split])
            for split in reversed([*curve.lines])
        ]
        yield Plot(curve.title, drawn)


def verdict_text(verdict: Verdict) -> Table:
    """A paragraph for each line, beside its lead in bold."""
    leads = [f"{clean(line.lead)}:" for line in verdict.lines]
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=min(max(map(len, leads)), _LONGEST_LEAD), style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for lead, line in zip(leads, verdict.lines, strict=True):
        table.add_row(lead, f"{clean(line.text)}.")
    return table


def mark_style(mark: StatusMark) -> str:
    """The colour of a status."""
    return _STATUS_STYLES.get(mark.kind, "bold red")


def table_of(grid: Grid) -> RenderableType:
    """A table, fitted to the terminal where it says which columns can be left out."""
    grid = grid.only(grid.narrow) if grid.narrow else grid
    rows = [
        [_text(c.short or c.text, _CELL_STYLES.get(c.kind, "")) for c in row] for row in grid.rows
    ]
    if grid.needs:
        columns = [
            Column(
                title, [row[place] for row in rows], need,
                left=place < grid.texts, wraps=0 < place < grid.texts,
            )
            for place, (title, need) in enumerate(zip(grid.header, grid.needs, strict=True))
        ]  # fmt: skip
        styles = ["red" if row[grid.heads].kind == "bad" else "" for row in grid.rows]
        return FittedTable(columns, styles, grid.more)
    # Of these, headings wrap before cells.
    table = plain_table(*grid.header, texts=grid.texts)
    for row in rows:
        table.add_row(*row)
    return table


def _text(cell: str | Text, style: str = "") -> Text:
    return Text("\n".join(map(clean, cell.splitlines())), style) if isinstance(cell, str) else cell


def labelled(label: str, text: str, width: int = _LABEL_WIDTH, style: str = "dim") -> Table:
    """A label and a text that wraps beside it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True, style=style)
    table.add_column(overflow="fold")
    table.add_row(label, text)
    return table


def unbroken(label: str, text: str) -> Text:
    """A label and a path or command on one line of any length, so that it can be copied."""
    parts = (f"{label:<{_LABEL_WIDTH}}  ", "dim"), text
    return Text.assemble(*parts, no_wrap=True, overflow="ignore")


def copied(text: str) -> RenderableType:
    """Lines of any length, so that they can be copied."""
    return Group(*(Text(clean(x), no_wrap=True, overflow="ignore") for x in text.splitlines()))


def as_text(shown: RenderableType, width: int = 100) -> str:
    """What a terminal of this width without colours shows."""
    console = Console(width=width, color_system=None, highlight=False, force_jupyter=False)
    with console.capture() as text:
        console.print(shown)
    return text.get().rstrip()
