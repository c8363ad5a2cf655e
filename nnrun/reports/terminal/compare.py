"""Runs compared: the settings that differ, then the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.settings import setting_words, short_key
from nnrun.reports.comparison_words import pair_words, result_words
from nnrun.reports.numbers import MISSING
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.board.tables import leaderboard_tables
from nnrun.reports.terminal.fitting import Column, FittedTable
from nnrun.runs.catalog.compare import Comparison
from nnrun.sweeps.board.comparison.pair import PairTest
from nnrun.sweeps.board.rows import Leaderboard

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
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
    letters = [_letter(index) for index in range(len(comparison.labels))]
    for letter, label, status in zip(letters, comparison.labels, comparison.statuses, strict=True):
        ended = "" if status == "completed" else f"  {status}"
        yield Text.assemble((letter, "bold"), f"  {label}", (ended, "bold red"))
    yield Text()
    if comparison.settings:
        yield _table("setting", comparison.settings, letters, _setting)
    else:
        yield Text("Their settings are the same.")
    yield Text()
    if comparison.results:
        yield _table("result", comparison.results, letters, _result)
    else:
        yield Text("Their results are the same.")
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
    """Difference, interval and p, then what was assumed."""
    first, second, assumed = pair_words(test)
    yield Text(clean(first))
    yield Text(second)
    yield Text(assumed, "dim")


def _letter(index: int) -> str:
    """A to Z, then AA, AB and so on."""
    before, last = divmod(index, len(_LETTERS))
    return (_letter(before - 1) if before else "") + _LETTERS[last]


def _table(
    corner: str, rows: dict[str, list[Any]], letters: Sequence[str], show: Any
) -> RenderableType:
    """A row for each key, a column for each run; the last runs are left out first."""
    names = [_words(key, rows) if corner == "setting" else _metric(key) for key in rows]
    columns = [Column(corner, names, left=True)]
    for index, letter in enumerate(letters):
        cells = [show(key, values[index]) for key, values in rows.items()]
        need = max(0, index - 1)
        columns.append(
            Column(letter, cells, need, left=corner == "setting", wraps=corner == "setting")
        )
    return FittedTable(columns, more="--wide or --json")


def _words(key: str, keys: dict[str, Any]) -> str:
    # In different networks, layers of the same index may be of different types.
    within = key.startswith("network.layers.")
    return key.removeprefix("network.") if within else short_key(key, keys)


def _metric(key: str) -> str:
    split, _, metric = key.partition(" ")
    return f"{split} {metric_label(metric)}" if metric else key


def _setting(key: str, value: Any) -> str:
    return MISSING if value is None else setting_words(key, value)


def _result(key: str, value: Any) -> str:
    return "\n".join(wrap(result_words(key, value), _WORDS))
