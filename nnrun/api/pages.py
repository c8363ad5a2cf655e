"""The HTML report as a value, which notebooks show."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from nnrun.api.given import Path_, explained, folder_of
from nnrun.api.values.board import Board
from nnrun.api.values.run import Run
from nnrun.errors import UsageError
from nnrun.garbage import not_collected
from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.page import render
from nnrun.reports.html.report import Report
from nnrun.reports.notebook.parts import framed
from nnrun.reports.numbers import plural
from nnrun.runs.storage.durable.files import write_atomically
from nnrun.sweeps.planning.datasets import Datasets

Runs = Path_ | Run | Board


class Page:
    """A report: one HTML page that needs nothing else; a notebook shows it in a frame.

    Args:
        html: the page.
        runs: how many runs it is about.
    """

    def __init__(self, html: str, runs: int) -> None:
        self.html = html
        self._runs = runs

    def __repr__(self) -> str:
        return f"<Report on {plural(self._runs, 'run')}>"

    def save(self, file: Path_) -> Path:
        """Write the page, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        path = Path(file)
        write_atomically(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        return framed(self.html, f"Report on {plural(self._runs, 'run')}")


@explained
def report(
    runs: Runs | Sequence[Runs] = (),
    *,
    results: Path_ = "results",
    order_by: str | None = None,
    margin: float | None = None,
    importance: bool = False,
) -> Page:
    """The report on runs, as `nnrun report` writes it.

    Args:
        runs: a run, a sweep's board, a folder or a name as for `load`, or several of them; by
            default all runs in the results folder.
        results: the results folder, for looking up names.
        order_by: the metric that leaderboards are ordered by.
        margin: a difference that does not matter, in the units of the metric.
        importance: whether to compute which columns or pixels count, for a run of each setting.

    Raises:
        UsageError: there is no such run, or it was kept in memory only.
    """
    several = [runs] if isinstance(runs, str | os.PathLike | Run | Board) else list(runs)
    words = tuple(word for one in several for word in _words(one))
    if several and not words:
        raise UsageError("the board has no saved run")
    with not_collected():
        found = find_runs(words, Path(results), order_by)
        content = Report(found, Datasets().load, margin=margin, importance=importance)
        return Page(render(content), len(found))


def _words(one: Runs) -> Iterator[str]:
    if isinstance(one, Board):
        yield from (str(run.path) for run in one.runs())
    elif isinstance(one, Run):
        yield str(folder_of(one, None))
    else:
        yield os.fspath(one)
