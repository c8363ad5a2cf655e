"""Runs compared: the settings that differ, then the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.reports.comparison_words import letter, pair_words, result_rows, setting_rows
from nnrun.reports.numbers import count
from nnrun.reports.terminal.boards import leaderboard_tables
from nnrun.reports.terminal.fitting import MOST_NAMED, Column, FittedTable
from nnrun.runs.catalog.compare import Comparison
from nnrun.sweeps.board.comparison.pair import PairTest
from nnrun.sweeps.board.rows import Leaderboard

# Long texts, such as the numeric backend, are wrapped to leave room for other columns.
_WORDS = 24


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
    letters = [letter(index) for index in range(len(comparison.labels))]
    tables = {
        "setting": setting_rows(comparison),
        "result": [
            [name, *("\n".join(wrap(cell, _WORDS)) for cell in cells)]
            for name, *cells in result_rows(comparison)
        ],
    }
    shown = {corner: _table(corner, rows, letters) for corner, rows in tables.items() if rows}
    yield _Runs(comparison, [*shown.values()])
    for corner in tables:
        yield Text()
        yield shown.get(corner) or Text(f"Their {corner}s are the same.")
    if board is not None:
        yield Text()
        yield Text("Over all seeds that are stored", "bold")
        yield Text()
        yield leaderboard_tables(board, root, more="--wide or --json")
    if test is not None:
        yield Text()
        yield Text("The first less the second, as one test", "bold")
        yield Text()
        yield from _test(test)


def _test(test: PairTest) -> Iterator[RenderableType]:
    first, second, assumed = pair_words(test)
    yield Text(clean(first))
    yield Text(second)
    yield Text(assumed, "dim")


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


def _table(corner: str, rows: Sequence[Sequence[str]], letters: Sequence[str]) -> FittedTable:
    """A row for each key, a column for each run; the last runs are left out first."""
    names, *runs = zip(*rows, strict=True)
    is_left = corner == "setting"
    columns = [
        Column(run, cells, max(0, index - 1), left=is_left, wraps=is_left)
        for index, (run, cells) in enumerate(zip(letters, runs, strict=True))
    ]
    return FittedTable([Column(corner, names, left=True), *columns], more="--wide or --json")
