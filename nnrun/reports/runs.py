"""The runs in a results folder, as data and as a terminal table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nnrun.config.names import SPLITS
from nnrun.reports.numbers import MISSING, count, number
from nnrun.reports.terminal import FirstThatFits, clean, plain_table
from nnrun.runs.reading import StoredRun

UNREADABLE, UNFINISHED, DAMAGED = "unreadable", "unfinished", "damaged"
_STYLES = {"completed": "green", "interrupted": "yellow", UNFINISHED: "yellow"}
_MIN_WIDTH = 24


def listed_data(run: StoredRun) -> dict[str, Any]:
    """A run in a few plain values; None for what is not known."""
    status = UNFINISHED if run.unfinished else UNREADABLE
    data: dict[str, Any] = {"name": run.name, "run_id": run.run_id, "status": status}
    data |= dict.fromkeys(("error", "seed", "metric", *SPLITS, "started"))
    if run.record is None:
        return data | {"error": run.trouble}
    record = run.record
    try:
        numbers = {s: (record.metrics.get(s) or {}).get(record.main_metric) for s in SPLITS}
    except (AttributeError, TypeError):
        return data | {"error": "its report is damaged"}
    return data | {
        "status": DAMAGED if run.trouble else record.status,
        "error": run.trouble or record.error,
        "seed": record.seed,
        "metric": record.main_metric,
        **numbers,
        "started": record.started,
    }


def runs_table(runs: Sequence[dict[str, Any]], total: int) -> RenderableType:
    """A line for each of some runs, of a total of so many."""
    return Group(*_parts(runs, total))


def _parts(runs: Sequence[dict[str, Any]], total: int) -> Iterator[RenderableType]:
    yield FirstThatFits([_table(runs, kept) for kept in (4, 3, 2)])
    yield Text()
    shown = "" if len(runs) == total else f", the last {count(len(runs))} of them shown"
    yield Text(f"{count(total)} {'run' if total == 1 else 'runs'}{shown}")


def _table(runs: Sequence[dict[str, Any]], kept: int) -> Table:
    table = plain_table(*("run", "status", "result", "started")[:kept])
    table.columns[0].min_width = _MIN_WIDTH
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "left", True
    for run in runs:
        status = str(run["status"])
        cells = (
            clean(f"{run['name']}/{run['run_id']}"),
            Text(clean(status), style=_STYLES.get(status, "bold red")),
            _result(run),
            _moment(run["started"]),
        )
        table.add_row(*cells[:kept])
    return table


def _moment(started: Any) -> str:
    """Month, day and time: the year would cost the column that the run's name needs."""
    return clean(str(started))[5:16].replace("T", " ") if started else MISSING


def _result(run: dict[str, Any]) -> str:
    """The main metric on the most telling split that there is."""
    for split in reversed(SPLITS):
        if isinstance(run[split], int | float):
            return clean(f"{split} {run['metric']} {number(run[split])}")
    return MISSING
