"""A leaderboard as a value, and what is made of stored runs: pages, packed files, importance."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnrun.api.values import Path_, Run, at_least_one, explained, folder_of, read
from nnrun.errors import UsageError
from nnrun.frames import to_frame
from nnrun.garbage import not_collected
from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.report import Report, render
from nnrun.reports.importance.measure import REPEATS, Importance, importance_of
from nnrun.reports.leaderboard_files import flat_row
from nnrun.reports.notebook import framed
from nnrun.reports.numbers import plural
from nnrun.runs.pack import pack as pack_run
from nnrun.runs.storage.durable import write_atomically
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.out_of_fold import OutOfFold
from nnrun.sweeps.out_of_fold import out_of_fold as collect
from nnrun.sweeps.picking import pick_run, setting_word
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.progress import Failure, SweepProgress


@explained
def pack(
    run: Run | Path_, file: Path_, *, results: Path_ = "results", with_data: bool = False
) -> Path:
    """Write a complete run as a zip file, which `load`, `verify` and others take in its place.

    The same run gives the same bytes; nothing in them names a folder or a user.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        file: to write, a .zip.
        results: the results folder, for looking up names.
        with_data: whether the data file is in it, too.

    Returns:
        The file.

    Raises:
        UsageError: there is no such run, or it is not complete, or its data are no file.
        OSError: the file cannot be written.
    """
    path = Path(os.fspath(file))
    pack_run(folder_of(run, results), path, with_data=with_data)
    return path


@explained
def importance(
    run: Run | Path_, *, repeats: int = REPEATS, results: Path_ = "results"
) -> Importance:
    """The permutation importance of each column on the test rows; for images, maps of pixels.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        repeats: how often each column is shuffled.
        results: the results folder, for looking up names.

    Returns:
        Its `columns`, the most important first, each with a 95% interval: over the stored runs of
        its setting, else over the repeats. `to_dict()` has all of it as plain values.

    Raises:
        UsageError: there is no such run, or no model is kept of it.
        NnrunError: its data are missing or have changed.
    """
    repeats = at_least_one("repeats", repeats) or REPEATS
    folder = folder_of(run, results)
    return importance_of(folder, read(folder).record, Datasets().load, repeats)


@explained
def out_of_fold(
    run: Run | Path_,
    *,
    results: Path_ = "results",
    threshold: float | None = None,
    ids: Sequence[str] = (),
) -> OutOfFold:
    """Predictions for every row of the data by the models that were not trained on it.

    Args:
        run: the name of an experiment whose runs are folds, for its best setting with all seeds;
            or one of its runs, for the setting and the seed of that run.
        results: the results folder, for looking up names.
        threshold: from which probability on the positive one of two classes is predicted; by
            default that of each run.
        ids: columns of the data file that the table has in front, unchanged.

    Returns:
        Row numbers, folds, targets, predictions and probabilities; `to_frame()` is a table.

    Raises:
        UsageError: there is no such run, or it has no folds, or is damaged.
        NnrunError: no seed has a completed run of each fold, or the data have changed.
    """
    if isinstance(run, Run):
        folder, all_seeds = folder_of(run, None), False
    else:
        word, all_seeds = setting_word(os.fspath(run), Path(results))
        folder = pick_run(word, Path(results), in_folds=True)
    return collect(folder, all_seeds=all_seeds, threshold=threshold, carried=ids)


# The leaderboard of a sweep as a value.


class Board:
    """The leaderboard of a sweep: groups of comparable rows, the best row first.

    `path` is the results folder; None where nothing was written.
    """

    def __init__(
        self, leaderboard: Leaderboard, progress: SweepProgress, path: Path | None
    ) -> None:
        self.leaderboard = leaderboard
        self.path = path
        self._progress = progress

    def __repr__(self) -> str:
        runs, rows = len(self._progress.plan), plural(len(self.rows()), "row")
        failed = f", {len(self.failures)} failed or diverged" if self.failures else ""
        stopped = f", {self._progress.stopped} stopped" if self._progress.stopped else ""
        return f"<Board of {plural(runs, 'run')} in {rows}{failed}{stopped}>"

    @property
    def groups(self) -> Sequence[Group]:
        """The rows with their statistics, by data set and metric."""
        return self.leaderboard.groups

    @property
    def best(self) -> Row:
        """The first network: the best mean by validation, or by test where there is none.

        Raises:
            UsageError: there are several groups, whose rows cannot be compared; or no run of the
                sweep has completed.
        """
        if len(self.groups) != 1:
            raise UsageError(
                f"the board has {plural(len(self.groups), 'group')} that cannot be compared; "
                "board.groups[0].rows[0] is the best row of the first"
            )
        row = self.groups[0].first_network
        if row is None:
            raise UsageError("no run of the sweep has completed")
        return row

    @property
    def failures(self) -> Sequence[Failure]:
        """Runs that diverged or failed, with the reason."""
        return self._progress.failures

    @property
    def trained(self) -> int:
        """How many runs this sweep trained; the others were complete before."""
        return self._progress.trained

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each row, with the columns of leaderboard.csv."""
        return [flat_row(group, row) for group in self.groups for row in group.rows]

    def runs(self) -> Iterator[Run]:
        """All saved runs, in the order of the plan.

        Raises:
            UsageError: nothing was saved.
        """
        if self.path is None:
            raise UsageError("no run was kept: the sweep had results=None")
        for variant in self._progress.plan.variants:
            for run in variant.runs():
                folder = self.path / variant.name / run.run_id
                if folder.is_dir():
                    yield read(folder)

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(self.rows())

    def _repr_html_(self) -> str:
        """The leaderboard with a strip for each row, and curves, for notebooks."""
        from nnrun.reports.notebook import board_html  # noqa: PLC0415  # imports charts

        return board_html(self.leaderboard, self._progress, self.path)


# The HTML report as a value, which notebooks show.

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
