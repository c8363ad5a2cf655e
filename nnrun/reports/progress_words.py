"""Runs in progress in words, for every output."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nnrun.reports.document import status_words
from nnrun.reports.numbers import count, remaining
from nnrun.runs.catalog.summary import RUNNING, RunSummary
from nnrun.runs.storage.progress import RunProgress

if TYPE_CHECKING:  # not imported for one run
    from nnrun.runs.storage.sweep_progress import SweepCounts


def status_of(run: RunSummary) -> str:
    """`running 43%`, `completed, 2 warnings`."""
    return " ".join([status_words(run.status, run.warnings), *share_words(run.progress)])


def names_of(sweeps: Iterable[SweepCounts]) -> set[str]:
    """The experiments of these sweeps."""
    return {name for sweep in sweeps for name in sweep.names}


def telling(runs: Iterable[RunSummary], sweeps: Iterable[SweepCounts]) -> list[RunSummary]:
    """The runs in progress but those that tell nothing of themselves and that a sweep counts.

    A sweep holds the next few of its short runs, which write no progress.
    """
    counted = names_of(sweeps)
    running = [run for run in runs if run.status == RUNNING]
    return [run for run in running if run.progress is not None or run.name not in counted]


def share_words(progress: RunProgress | None) -> list[str]:
    """`43%` alone; nothing where a run has no iterations to count."""
    share = None if progress is None else progress.share
    return [] if share is None else [f"{int(100 * share)}%"]


def iteration_words(progress: RunProgress) -> str:
    """`iteration 1,200 of 5,000`."""
    return f"iteration {count(progress.iteration)} of {count(progress.iterations)}"


def pace_words(rate: float | None, left: float | None) -> tuple[str, str]:
    """`400/s` and `10 s left`; empty where they are not known."""
    words = "" if rate is None else f"{count(round(rate))}/s"
    return words, "" if left is None else f"{remaining(left)} left"


def sweep_line(sweep: SweepCounts) -> str:
    """Its experiments, and how many of its runs are done, running and queued.

    Of a search by time it is not known how many there will be.
    """
    names = [*sweep.names]
    what = names[0] if len(names) == 1 else f"{count(len(names))} experiments"
    failed = f" ({count(sweep.failed)} failed)" if sweep.failed else ""
    if sweep.open:
        done, running = count(sweep.done), count(sweep.running)
        return f"search of {what}: {done} runs done{failed}, {running} running"
    done = f"{count(sweep.done)} of {count(sweep.total)} done{failed}"
    return f"sweep of {what}: {done}, {count(sweep.running)} running, {count(sweep.queued)} queued"
