"""The column that a list of runs is sorted by."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.settings import setting_words
from nnrun.reports.numbers import MISSING, number
from nnrun.reports.terminal.fitting import Column
from nnrun.runs.catalog.filter import RESULT, value_of
from nnrun.runs.catalog.summary import RunSummary

# Keys that the other columns of the list show.
_SHOWN = ("name", "status", "started", "seed")

Metrics = Sequence[tuple[str, float] | None]


def sort_column(runs: Sequence[RunSummary], key: str) -> Column | None:
    """A column for a key; None where each list has it."""
    if key == RESULT:
        return metric_column(runs, [run.ranking for run in runs])
    if key in SPLITS:
        values = [getattr(run, key) for run in runs]
        return metric_column(runs, [None if v is None else (key, v) for v in values])
    if key in _SHOWN:
        return None
    return Column(clean(key.removeprefix("training.")), [_cell(run, key) for run in runs])


def metric_column(runs: Sequence[RunSummary], values: Metrics) -> Column:
    """The main metric of runs on some split of each; its heading says which, or else each cell."""
    kinds = {f"{found[0]} {run.metric}" for run, found in zip(runs, values, strict=True) if found}
    title = kinds.pop() if len(kinds) == 1 else "result"
    cells = []
    for run, found in zip(runs, values, strict=True):
        what = "" if found is None or title != "result" else f"{found[0]} {run.metric} "
        cells.append(MISSING if found is None else clean(f"{what}{number(found[1])}"))
    return Column(title, cells)


def _cell(run: RunSummary, key: str) -> str:
    value = value_of(run, key)
    if value is None:
        return MISSING
    return number(value) if key == "seconds" else clean(setting_words(key, value))
