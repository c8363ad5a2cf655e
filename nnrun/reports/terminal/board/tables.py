"""A leaderboard as terminal tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.console import group as grouped
from rich.text import Text

from nnrun.characters import clean
from nnrun.reports.numbers import plural
from nnrun.reports.terminal.blocks import verdict_text
from nnrun.reports.terminal.board.choice import taken_words
from nnrun.reports.terminal.board.columns import columns, heading, in_every_row
from nnrun.reports.terminal.board.notes import data_notes, notes, unfinished
from nnrun.reports.terminal.commands import command_line
from nnrun.reports.terminal.fitting import FittedTable
from nnrun.reports.verdict.board import board_verdict
from nnrun.sweeps.board.rows import Group, Leaderboard

MOST_ROWS = 100


@grouped()
def leaderboard_tables(
    board: Leaderboard,
    root: Path | None = None,
    more: str = "--wide or leaderboard.csv",
    most: int | None = MOST_ROWS,
) -> Iterator[RenderableType]:
    """A table for each data set, and how to read it.

    `root` is the results folder of its runs, `more` shows columns that do not fit, and this many of
    the first rows of each data set are shown at `most`.
    """
    if board.unfinished is not None:
        yield Text(unfinished(board.unfinished))
        yield Text()
    yield verdict_text(board_verdict(board))
    yield Text()
    # NAME/best is chosen from all of an experiment's boards: it is named once.
    last = {first: group for group in board.groups if (first := _first_completed(group))}
    for group in board.groups:
        yield Text(clean(heading(group)), "bold")
        if words := in_every_row(group):
            yield Text(words)
        yield Text()
        styles = ["" if row.rank is not None else "red" for row in group.rows[:most]]
        yield FittedTable(columns(group, most), styles, more=more)
        if left := len(group.rows[len(styles) :]):
            yield Text(clean(f"and {plural(left, 'row')} below; {_all_rows(board, root)}"))
        first = _first_completed(group)
        if root is not None and first and last[first] is group:
            yield Text()
            yield Text("\n".join(taken_words(group, root)), no_wrap=True, overflow="ignore")
        yield Text()
    for note in [*notes(board.groups), *data_notes(board.groups, brief=True)]:
        yield Text(note, "dim")


def _all_rows(board: Leaderboard, root: Path | None) -> str:
    if root is None or not board.key:
        return "--json has all"
    options = {"--leaderboard": True, "--all": True}
    return f"{command_line('ls', [board.key], root, options)} shows all"


def _first_completed(group: Group) -> str | None:
    """The experiment of the first network, if any of its runs has completed."""
    return None if group.first_network is None else group.first_network.name
