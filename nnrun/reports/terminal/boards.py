"""A leaderboard in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.reports.boards import board_document
from nnrun.reports.commands import command_line
from nnrun.reports.document import AT_ONCE, up_to
from nnrun.reports.terminal.blocks import sections, verdict_text
from nnrun.sweeps.board.rows import Leaderboard

MOST_ROWS = 100


@group()
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
    found = board_document(board, root, most, _all_rows(board, root), more)
    if found.about:
        yield Text(found.about)
        yield Text()
    if found.verdict is not None:
        yield verdict_text(found.verdict)
    yield sections(up_to(AT_ONCE, found.sections), first=True)


def _all_rows(board: Leaderboard, root: Path | None) -> str:
    if root is None or not board.key:
        return "--json has all"
    options = {"--leaderboard": True, "--all": True}
    return f"{command_line('ls', [board.key], root, options)} shows all"
