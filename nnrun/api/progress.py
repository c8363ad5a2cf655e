"""What goes out while runs train: progress to a notebook or the terminal, runs to trackers."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nnrun.reports.notebook.session import session
from nnrun.reports.terminal.live.progress import RunBar, watching, watching_all
from nnrun.runs.events import Listener
from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.sweeps.progress import SweepProgress
from nnrun.trackers.addresses import Group, Trackers
from nnrun.trackers.tracking import Tracking


@dataclass
class Stderr:
    """Lines for the user, unless `quiet`."""

    quiet: bool

    def note(self, text: str) -> None:
        """Write a line."""
        if not self.quiet:
            sys.stderr.write(f"{text}\n")


def stderr_for(progress: bool | None) -> Stderr:
    """Lines are written where progress is shown: by default in IPython, and not in programs."""
    return Stderr(quiet=session() == "none" if progress is None else not progress)


@contextmanager
def watching_run(label: str, output: Stderr) -> Iterator[Listener]:
    """Show the progress of a run."""
    if not output.quiet and session() == "notebook":
        from nnrun.reports.notebook.bars import NotebookBar  # noqa: PLC0415  # notebooks only

        with closing(NotebookBar()) as bar:
            yield RunBar(label, bar)
    else:
        with watching(label, output) as view:
            yield view


@contextmanager
def watching_sweep(runs: int, output: Stderr) -> Iterator[Listener]:
    """Show the progress of a sweep of this many runs."""
    if output.quiet:
        yield Listener()
    elif session() == "notebook":
        from nnrun.reports.notebook.bars import SweepBar  # noqa: PLC0415  # notebooks only

        with closing(SweepBar(runs)) as bar:
            yield bar
    else:
        with watching_all(runs, output) as advance:
            yield _Counting(advance, output)


class _Counting(Listener):
    """Counts the runs that have ended, and passes warnings on."""

    def __init__(self, advance: Callable[[str], None], output: Stderr) -> None:
        self._advance = advance
        self._output = output

    def ended(
        self, run: PlannedRun, record: RunRecord, progress: SweepProgress, *, trained: bool
    ) -> None:
        self._advance(run.label)

    def warn(self, text: str) -> None:
        self._output.note(text)


def sending(
    mlflow: str | None,
    tensorboard: str | os.PathLike[str] | None,
    results: Path | None,
    group: Group | None = None,
) -> Tracking:
    """What sends runs to trackers; a Python warning says what is wrong with one."""
    folder = None if tensorboard is None else Path(tensorboard)
    return Trackers(mlflow, folder).open(warnings.warn, results, group)
