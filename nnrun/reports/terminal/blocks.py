"""Documents in a terminal: a run, a board, a comparison, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType, group
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
from nnrun.reports.terminal.fitting import Column, FittedTable, plain_table
from nnrun.reports.terminal.plot import Curve, Plot
from nnrun.runs.catalog.summary import COMPLETED, INTERRUPTED, QUEUED, RUNNING

_LABEL_WIDTH = 9
_LONGEST_LEAD = 20
_CELL_STYLES = {"strong": "bold", "soft": "dim", "warned": "yellow", "right": "green"}
_CELL_STYLES |= {"wrong": "bold red"}
_NOTE_STYLES = {"warning": "yellow", "bad": "bold red", "small": "dim"}
_STATUS_STYLES = {COMPLETED: "green", INTERRUPTED: "yellow", RUNNING: "cyan", QUEUED: "dim"}
_STATUS_STYLES |= {"warned": "yellow", "valid": "green"}
_MARKS = {"test": ("•", "cyan"), "validation": ("+", "yellow"), "train": ("·", "")}


@group()
def document(found: Document, level: int = AT_ONCE) -> Iterator[RenderableType]:
    """What is as important as this, the title and the verdict first."""
    title = Text(clean(found.title), "bold")
    if found.name:
        title.append(f"  {found.name}", "not bold dim")
    if found.status is not None and found.status.kind != COMPLETED:
        title.append(f"  {found.status.text}", f"not bold {mark_style(found.status)}")
    yield title
    if found.about:
        yield Text(clean(found.about), style="italic")
    if found.verdict is not None:
        yield verdict_text(found.verdict)
    yield sections(up_to(level, found.sections), titled=level > AT_ONCE)


@group()
def sections(
    found: Iterator[Section], *, titled: bool = True, first: bool = False
) -> Iterator[RenderableType]:
    """Each below a blank line and its title; the `first` one has one, too, where that is true."""
    for place, section in enumerate(found):
        # Plots have titles of their own, and a command its label.
        plain = all(isinstance(block, Curves | Code) for block in section.blocks)
        yield Text()
        if titled and (place or first) and not plain:
            yield Text(clean(section.title), "bold")
        yield from blocks(section.blocks)


def blocks(found: Sequence[Block]) -> Iterator[RenderableType]:
    """Blocks with blank lines around tables and plots."""
    before: Block | None = None
    for block in found:
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


def note(found: Note, *, is_next: bool = False) -> RenderableType:
    """A statement, beside its label where it has one that the line above does not have."""
    text = clean(found.short or found.text)
    style = _NOTE_STYLES.get(found.kind, "")
    if not found.label:
        return Text(text, style)
    text = sentence(text) if found.kind == "warning" and not found.short else text
    return labelled("" if is_next else found.label, text, style=style or "dim")


def plots(found: Curves) -> Iterator[RenderableType]:
    """A plot for each quantity that was evaluated more than once."""
    for place, curve in enumerate(found.curves if len(found.iterations) > 1 else ()):
        if place:
            yield Text()
        drawn = [
            Curve(split, found.iterations, curve.lines[split], *_MARKS[split])
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
                title,
                [row[place] for row in rows],
                need,
                left=place < grid.texts,
                wraps=0 < place < grid.texts,
            )
            for place, (title, need) in enumerate(zip(grid.header, grid.needs, strict=True))
        ]
        styles = ["red" if row[grid.heads].kind == "bad" else "" for row in grid.rows]
        return FittedTable(columns, styles, grid.more)
    table = plain_table(*grid.header, texts=grid.texts)
    for row in rows:
        table.add_row(*row)
    return table


def _text(text: str, style: str) -> Text:
    return Text("\n".join(map(clean, text.splitlines())), style)


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
