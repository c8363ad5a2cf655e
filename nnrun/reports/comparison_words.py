"""What differs between runs in words, for every output."""

from __future__ import annotations

from typing import Any

from nnrun.reports.numbers import (
    MISSING,
    count,
    difference,
    duration,
    metric_number,
    plural,
    probability,
)
from nnrun.reports.summary import metric_label
from nnrun.sweeps.board.comparison.pair import PairTest


def result_words(key: str, value: Any) -> str:
    """A result of a comparison, such as `test accuracy` or `seconds`."""
    if value is None:
        return MISSING
    if key in ("iterations", "parameters"):
        return count(int(value))
    if key == "seconds":
        return duration(value)
    if not isinstance(value, int | float):
        return str(value)
    return metric_number(key.rpartition(" ")[2], value)


def pair_words(test: PairTest) -> tuple[str, str, str]:
    """The two settings; difference, interval and p; what was assumed."""
    figures = difference(test.difference, test.low, test.high)
    p = "there is no noise to test with" if test.p is None else f"p = {probability(test.p)}"
    unpaired = f"{count(test.n)} and {count(test.n_second)} runs"
    n = plural(test.n, "pair") if test.paired else unpaired
    return (
        f"{test.first} – {test.second}",
        f"{metric_label(test.metric)}: {figures} at 95%, {p}, {n}",
        f"Assumed: {test.assumed}.",
    )
