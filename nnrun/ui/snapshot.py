"""What is known of a results folder at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.reports.html.overview.found import Found
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.ui.parts import Part


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Args:
        runs: all of them, by name and seed.
        sweeps: in progress, as far as they count their runs.
        now: the parts about runs in progress and about all runs.
        results: those about runs that have ended; of an earlier moment, if that takes long.
        drawn: whether there are such.
    """

    runs: Sequence[Found] = ()
    sweeps: Sequence[SweepCounts] = ()
    now: Sequence[Part] = ()
    results: Sequence[Part] = ()
    drawn: bool = False

    def find(self, key: str) -> Found | None:
        """The run with this name and id."""
        return next((run for run in self.runs if run.overview.label == key), None)
