"""The interface between a sweep and its workers, and how many of these may be in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from nnrun.data.dataset import Dataset
from nnrun.pool.task import Message
from nnrun.runs.record import RunResult
from nnrun.runs.storage.durable.group_commit import MOST
from nnrun.sweeps.workers.job import Job
from nnrun.systems import system

# Seconds that runs have to stop. Those that need longer are given up, with their last checkpoint.
PATIENCE = 3.5


class Workers:
    """Workers of one kind; those that inherit from it do nothing where they define nothing.

    `lost` are the errors of futures whose worker was lost; `patience` is how many seconds runs have
    to stop before they are given up; `reports` is whether runs say how far they are; `at_a_time`
    how many are trained at the same time.
    """

    lost: tuple[type[BaseException], ...] = ()
    patience: float = PATIENCE
    reports: bool = True
    at_a_time: int = 1

    @property
    def capacity(self) -> int:
        """How many runs to submit at the same time: more than are trained, so none waits."""
        return self.at_a_time

    @property
    def slots(self) -> int:
        """How many runs can be trained now; 0 where no worker has joined."""
        return self.at_a_time

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        """Submit a run; `load` returns its data."""
        raise NotImplementedError

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Wait for the first of these futures, or for this many seconds."""
        wait(awaited, seconds, FIRST_COMPLETED)

    def messages(self) -> list[Message]:
        """The messages of runs since the last call."""
        return []

    def check(self) -> None:
        """Raise an error if no worker is left."""

    def renew(self) -> None:
        """Send data out again, since workers that had it may be lost."""

    def stop(self) -> None:
        """Ask all runs to stop; those that have not begun return None."""

    def close(self) -> None:
        """End all workers at once."""


# The most files that a result keeps open until it is on the disk.
_OF_A_RESULT = 8
# The standard streams, the index, and files opened briefly.
_OTHERS = 16


def most_results() -> int:
    """The most results being stored at a time: one group while the next one is collected.

    They use at most half of the files that may be opened.
    """
    return max(min(2 * MOST, system.files_allowed() // 2 // _OF_A_RESULT), 1)


def most_runs() -> int:
    """The most runs in progress; each holds a lock on its folder."""
    return max(2 * _left() // 3, 1)


def most_processes() -> int:
    """The most worker processes; each needs a socket."""
    return max(_left() // 3 - _OTHERS, 1)


def _left() -> int:
    return system.files_allowed() - _OF_A_RESULT * most_results()
