"""Compared runs in words, for every output."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

from nnrun.config.setting_words import short_key, value_words
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
from nnrun.sweeps.board.comparison.pair import PairTest


def letter(index: int) -> str:
    """A run among others: A to Z, then AA, AB and so on."""
    before, last = divmod(index, len(ascii_uppercase))
    return (letter(before - 1) if before else "") + ascii_uppercase[last]


def setting_rows(comparison: Comparison) -> list[list[str]]:
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


def result_rows(comparison: Comparison) -> list[list[str]]:
    """The results that differ, likewise."""
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


def pair_words(test: PairTest) -> tuple[str, str, str]:
    """The two settings; difference, interval and p; what was assumed."""
    figures = difference(test.difference, test.low, test.high)
    p = "there is no noise to test with" if test.p is None else f"p = {probability(test.p)}"
    unpaired = f"{count(test.n)} and {count(test.n_second)} runs"
    n = plural(test.n, "pair") if test.paired else unpaired
    split, _, metric = test.metric.partition(" ")
    return (
        f"{test.first} – {test.second}",
        f"{split} {metric_label(metric)}: {figures} at 95%, {p}, {n}",
        f"Assumed: {test.assumed}.",
    )
