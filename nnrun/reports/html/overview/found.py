"""The runs that a report is about, and how much of them it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nnrun.reports.charts.svg import shortened
from nnrun.reports.html.blocks import StatusMark
from nnrun.runs.catalog.summary import DAMAGED, QUEUED, RUNNING, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.names import REPORT
from nnrun.runs.storage.reading import damaged, read_run
from nnrun.sweeps.board.from_store.entry import RunEntry

ENDED = ("completed", "diverged", "stopped", "failed")
_WHY = {RUNNING: "it is in progress", QUEUED: "it waits in a sweep"}


@dataclass(frozen=True)
class Limits:
    """The largest content of one file.

    Args:
        rows: of each leaderboard.
        runs: in the list of all runs.
        in_full: runs with details.
        drawn: configs with learning curves, for each leaderboard.
        seeds: runs of each of these, whose curves are read.
    """

    rows: int = 1000
    runs: int = 2000
    in_full: int = 24
    drawn: int = 12
    seeds: int = 100


PRINTED = Limits(rows=60, runs=100, in_full=0, drawn=8, seeds=20)
"""For several runs on a few sheets of paper."""


@dataclass(frozen=True)
class Found:
    """A run's folder, as a path or as its text, and what is known of the run.

    `entry` is None if its report cannot be read.
    """

    place: Path | str
    overview: RunSummary
    entry: RunEntry | None

    @property
    def folder(self) -> Path:
        """Made when it is used: of most runs it is not."""
        return Path(self.place)

    @property
    def key(self) -> str:
        """`name/run id`."""
        return self.overview.label if self.entry is None else self.entry.key

    @property
    def status(self) -> str:
        """How it ended or stands; `damaged` if its report is not valid."""
        ended = self.entry is None and self.overview.status in ENDED
        return DAMAGED if ended else shortened(self.overview.status, 20)

    @property
    def mark(self) -> StatusMark:
        """The status with its number of warnings."""
        return StatusMark.of(self.status, self.overview.warnings)

    @property
    def reason(self) -> str:
        """Why there is no more to show of it."""
        if self.status == DAMAGED:
            return damaged(self.key, self.overview.error or f"{REPORT} is not what nnrun writes")
        return f"{self.key}: {self.overview.error or _WHY.get(self.status, self.status)}"

    def record(self) -> RunRecord | None:
        """Its report, read anew; None where it has changed since it was listed."""
        run, entry = read_run(self.folder), self.entry
        if run is None or run.problem or run.record is None or entry is None:
            return None
        own = run.record.run_id == entry.score.run_id
        return replace(run.record, name=entry.name, main_metric=entry.metric) if own else None


def kinds_of(runs: Iterable[Found]) -> Counter[str]:
    """How many runs there are with each kind of mark; most have the same status."""
    same: dict[tuple[object, ...], list[Found]] = {}
    for run in runs:
        status = run.entry is None, run.overview.status, run.overview.warnings
        same.setdefault(status, []).append(run)
    kinds: Counter[str] = Counter()
    for found in same.values():
        kinds[found[0].mark.kind] += len(found)
    return kinds
