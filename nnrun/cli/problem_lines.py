"""Lines for what goes wrong in a sweep or a search, and for what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnrun.cli.output import Output
from nnrun.reports.numbers import plural
from nnrun.sweeps.listener import SweepListener

if TYPE_CHECKING:
    from nnrun.sweeps.planning.plan import PlannedRun


class ProblemLines(SweepListener):
    """Prints runs that are tried again, waited for or stopped, unless the output is quiet."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._waiting = False

    def retried(self, run: PlannedRun, reason: str) -> None:
        self.warn(f"{run.label}: {reason}; trying again")

    def waiting(self, runs: int) -> None:
        if not self._waiting:
            self._waiting = True
            self.warn(f"waiting for {plural(runs, 'run')} that another process is training")

    def stopping(self, runs: int) -> None:
        if runs:
            self.warn(f"stopping: {plural(runs, 'run')} in progress, saved half-way")

    def warn(self, text: str) -> None:
        if not self.output.quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        self.output.error(text)
