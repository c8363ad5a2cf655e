"""Short runs that share a task of a cluster, each with a future of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from nnrun.pool.task import LostTogetherError, WorkerLostError
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers.job import Job
from nnrun.sweeps.workers.wire import unpack_result


class Batch:
    """Runs on the same data that are sent together; `data` stands for these data on the cluster."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self._members: list[tuple[Job, Future[RunResult | None]]] = []

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[tuple[Job, Future[RunResult | None]]]:
        return iter(self._members)

    @property
    def jobs(self) -> list[Job]:
        """The runs."""
        return [job for job, _ in self]

    def emptied(self) -> Batch:
        """An empty one for the same data."""
        return Batch(self.data)

    def add(self, job: Job) -> Future[RunResult | None]:
        """Add a run; returns the future of its result."""
        future: Future[RunResult | None] = Future()
        self._members.append((job, future))
        return future

    def receive(self, packed: Sequence[bytes]) -> None:
        """Unpack the results that a worker returned, one for each run."""
        for (job, future), content in zip(self, packed, strict=True):
            try:
                future.set_result(unpack_result(content, job.key))
            except Exception as error:  # passed on by the future
                future.set_exception(self._of_one(error))

    def fail(self, error: Exception) -> None:
        """End all runs with this error."""
        for _, future in self:
            future.set_exception(self._of_one(error))

    def _of_one(self, error: Exception) -> Exception:
        """The error of one run; it says if the worker was lost with others as well."""
        together = type(error) is WorkerLostError and len(self) > 1
        return LostTogetherError(str(error)) if together else error
