"""Rows of a list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.config.settings import choice_of, choice_words
from nnrun.reports.charts.svg import shortened
from nnrun.reports.html.blocks import StatusMark
from nnrun.reports.html.overview.found import Found
from nnrun.reports.numbers import MISSING, duration, number
from nnrun.reports.progress_words import share_words
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summary import varied


@dataclass(frozen=True)
class RunRow:
    """A run in a list.

    Args:
        key: its name and id, as in its address.
        status: in words.
        settings: those in which runs of its name differ.
        seed: of it.
        result: the main metric with its split.
        started: when.
        seconds: of training.
    """

    key: str
    status: StatusMark
    settings: str
    seed: str
    result: str
    started: str
    seconds: str


def rows_of(shown: Sequence[Found], every: Sequence[Found]) -> list[RunRow]:
    """The rows of these runs, described by what differs among all."""
    keys = varied(run.overview for run in every)
    return [_row(run, keys.get(run.overview.name, ())) for run in shown]


def _row(found: Found, keys: Sequence[str]) -> RunRow:
    run = found.overview
    words = choice_words(choice_of(dict(run.settings), keys)) if run.settings else []
    mark = StatusMark.of(run.status, run.warnings)
    if share := " ".join(share_words(run.progress)):
        mark = StatusMark(f"{mark.text} {share}", mark.kind)
    result = run.result
    value = MISSING
    if result is not None:
        value = f"{result[0]} {metric_label(str(run.metric))} {number(result[1])}"
    return RunRow(
        run.label,
        mark,
        shortened(" ".join(words)) or MISSING,
        MISSING if run.seed is None else str(run.seed),
        shortened(value, 60),
        MISSING if run.started is None else run.started[:19].replace("T", " "),
        MISSING if run.seconds is None else duration(run.seconds),
    )
