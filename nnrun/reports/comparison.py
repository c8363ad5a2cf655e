"""Compared runs: the settings and results that differ, and one test of two settings."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from textwrap import wrap
from typing import Any

from nnrun.config.settings import short_key, value_words
from nnrun.reports.document import Cell, Grid, Note, Section
from nnrun.reports.numbers import (
    MISSING,
    count,
    difference,
    durations,
    metric_number,
    plural,
    probability,
)
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.compare import Comparison
from nnrun.sweeps.board.verdicts import PairTest

_WORDS = 24


def letter(index: int) -> str:
    """A run among others: A to Z, then AA, AB and so on."""
    before, last = divmod(index, len(ascii_uppercase))
    return (letter(before - 1) if before else "") + ascii_uppercase[last]


def differences(comparison: Comparison) -> list[Section]:
    """The settings that differ, then the results; a column for each run, by its letter."""
    settings, results = _setting_rows(comparison), _result_rows(comparison)
    runs = len(comparison.labels)
    return [
        Section("Settings", [_table("setting", settings, runs, 1 + runs)]),
        Section("Results", [_table("result", results, runs, 1)]),
    ]


def _table(what: str, rows: Sequence[Sequence[str]], runs: int, texts: int) -> Grid | Note:
    if not rows:
        return Note(f"Their {what}s are the same.")
    # Long texts, such as the numeric backend, are wrapped to leave room for other columns.
    cells = [
        [
            Cell(name),
            *(Cell(v, short="" if texts > 1 else "\n".join(wrap(v, _WORDS))) for v in values),
        ]
        for name, *values in rows
    ]
    needs = [0, *(max(0, index - 1) for index in range(runs))]  # the last runs are left out first
    return Grid(
        f"{what.capitalize()}s", [what, *map(letter, range(runs))], cells, texts=texts, hidden=True,
        needs=needs, more="--wide or --json",
    )  # fmt: skip


def tested(test: PairTest) -> Section:
    """The two settings; difference, interval and p; what was assumed."""
    figures = difference(test.difference, test.low, test.high)
    p = "there is no noise to test with" if test.p is None else f"p = {probability(test.p)}"
    unpaired = f"{count(test.n)} and {count(test.n_second)} runs"
    n = plural(test.n, "pair") if test.paired else unpaired
    split, _, metric = test.metric.partition(" ")
    lines = [
        Note(f"{test.first} – {test.second}"),
        Note(f"{split} {metric_label(metric)}: {figures} at 95%, {p}, {n}"),
        Note(f"Assumed: {test.assumed}.", "small"),
    ]
    return Section("The first less the second, as one test", lines)


def _setting_rows(comparison: Comparison) -> list[list[str]]:
    """The settings that differ, each followed by its value for each run."""
    return [
        [
            # In different networks, layers of the same index may be of different types.
            key.removeprefix("network.")
            if key.startswith("network.layers.")
            else short_key(key, comparison.settings),
            *(MISSING if value is None else value_words(key, value) for value in values),
        ]
        for key, values in comparison.settings.items()
    ]


def _result_rows(comparison: Comparison) -> list[list[str]]:
    """The results that differ, each followed by its value for each run."""
    return [
        [
            _result_name(key),
            *(durations(values) if key == "seconds" else [_result(key, v) for v in values]),
        ]
        for key, values in comparison.results.items()
    ]


def _result_name(key: str) -> str:
    if key == "seconds":
        return "training time"
    split, _, metric = key.partition(" ")
    return f"{split} {metric_label(metric)}" if metric else key


def _result(key: str, value: Any) -> str:
    if value is None:
        return MISSING
    if key in ("iterations", "parameters"):
        return count(int(value))
    if not isinstance(value, int | float):
        return str(value)
    return metric_number(key.rpartition(" ")[2], value)
