"""Lists of runs, from which runs can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.config.settings import choice_of, choice_words
from nnrun.reports.charts.svg import element, shortened
from nnrun.reports.html.blocks import StatusMark
from nnrun.reports.html.overview.found import Found
from nnrun.reports.numbers import MISSING, duration, number
from nnrun.reports.progress_words import share_words
from nnrun.reports.summary import metric_label
from nnrun.reports.tables import Cell, Grid
from nnrun.runs.catalog.summary import most_varied

_HEADER = ("", "run", "result", "status", "settings", "started", "seed", "training")


def table_of(shown: Sequence[Found], every: Sequence[Found], title: str) -> Grid:
    """A row for each of these runs, described by what differs among all."""
    keys = most_varied([run.overview for run in every])
    rows = [_row(run, keys.get(run.overview.name, ())) for run in shown]
    return Grid(title, _HEADER, rows, texts=6, heads=1, hidden=True)


def _row(found: Found, keys: Sequence[str]) -> list[Cell]:
    run, key = found.overview, found.overview.label
    words = choice_words(choice_of(dict(run.settings), keys)) if run.settings else []
    mark = StatusMark.of(run.status, run.warnings)
    result = run.result
    value = MISSING
    if result is not None:
        value = f"{result[0]} {metric_label(str(run.metric))} {number(result[1])}"
    box = element("input", type="checkbox", name="run", value=key, aria_label=f"Compare {key}")
    return [
        Cell("", drawing=box),
        Cell(key, link=f"/runs/{key}"),
        Cell(shortened(value, 60)),
        Cell(" ".join([mark.text, *share_words(run.progress)]), kind=f"status {mark.kind}"),
        Cell(shortened(" ".join(words)) or MISSING),
        Cell(MISSING if run.started is None else run.started[:19].replace("T", " ")),
        Cell(MISSING if run.seed is None else str(run.seed)),
        Cell(MISSING if run.seconds is None else duration(run.seconds)),
    ]
