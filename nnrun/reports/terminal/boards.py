"""Leaderboards in a terminal, and runs compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult, group
from rich.text import Text

from nnrun.reports.boards import board_document
from nnrun.reports.commands import command_line
from nnrun.reports.comparison import differences, letter, tested
from nnrun.reports.document import AT_ONCE, up_to
from nnrun.reports.numbers import count
from nnrun.reports.terminal.fitting import MOST_NAMED, FittedTable, blocks, sections, verdict_text
from nnrun.runs.catalog.compare import Comparison
from nnrun.sweeps.board.rows import Leaderboard
from nnrun.sweeps.board.verdicts import PairTest

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


@group()
def comparison_tables(
    comparison: Comparison,
    board: Leaderboard | None,
    root: Path | None,
    test: PairTest | None = None,
) -> Iterator[RenderableType]:
    """The runs, their differing settings and results, and the leaderboard of their configs.

    Args:
        comparison: of the runs.
        board: of their configs over all stored seeds; None to show none.
        root: the results folder of all runs; None if they are in several.
        test: of two configs over their seeds; None for more, or too few seeds.
    """
    shown = [table for section in differences(comparison) for table in blocks(section.blocks)]
    yield _Runs(comparison, [table for table in shown if isinstance(table, FittedTable)])
    for table in shown:
        yield Text()
        yield table
    if board is not None:
        yield Text()
        yield Text("Over all seeds that are stored", "bold")
        yield Text()
        yield leaderboard_tables(board, root, more="--wide or --json")
    if test is not None:
        yield sections(iter([tested(test)]), first=True)


class _Runs:
    """A line for each run whose letter stands in the tables below it."""

    def __init__(self, comparison: Comparison, tables: Sequence[FittedTable]) -> None:
        self._runs = [*zip(comparison.labels, comparison.statuses, strict=True)]
        self._tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = (len(table.fitting(options.max_width)) for table in self._tables)
        most = max(columns, default=1) - 1 + MOST_NAMED
        for index, (label, status) in enumerate(self._runs[:most]):
            ended = "" if status == "completed" else f"  {status}"
            yield Text.assemble((letter(index), "bold"), f"  {label}", (ended, "bold red"))
        if left := len(self._runs[most:]):
            yield Text(f"and {count(left)} more (--json shows all)", "dim")
