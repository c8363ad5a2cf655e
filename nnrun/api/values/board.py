"""The leaderboard of a sweep as a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnrun.api.values.run import Run, read
from nnrun.errors import UsageError
from nnrun.frames import to_frame
from nnrun.reports.markdown.leaderboard_files import flat_row
from nnrun.reports.numbers import plural
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.progress import Failure, SweepProgress


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
        from nnrun.reports.notebook.parts import board_html  # noqa: PLC0415  # imports charts

        return board_html(self.leaderboard, self._progress, self.path)
