"""What goes out while runs train: progress to a notebook or the terminal, runs to trackers."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

from nnrun.reports.notebook.session import session
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

    def error(self, text: str) -> None:
        """Write a line; also of what went wrong, since that is in the results."""
        self.note(text)


def stderr_for(progress: bool | None) -> Stderr:
    """Lines are written where progress is shown: by default in IPython, and not in programs."""
    return Stderr(quiet=session() == "none" if progress is None else not progress)


def sending(
    mlflow: str | None,
    tensorboard: str | os.PathLike[str] | None,
    results: Path | None,
    group: Group | None = None,
) -> Tracking:
    """What sends runs to trackers; a Python warning says what is wrong with one."""
    folder = None if tensorboard is None else Path(tensorboard)
    return Trackers(mlflow, folder).open(warnings.warn, results, group)
