"""Workers of a Dask cluster, which may join and leave at any time; they need no shared disk."""

from __future__ import annotations

import pickle
import secrets
from asyncio import run_coroutine_threadsafe
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from itertools import count
from math import inf
from threading import Event, Thread
from time import monotonic
from typing import Any, NoReturn

from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.pool import LostTogetherError, LruCache, Message, NoWorkersError, WorkerLostError
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers import dask_tasks
from nnrun.sweeps.workers.base import Workers, most_runs
from nnrun.sweeps.workers.dask_tasks import connect, noting
from nnrun.sweeps.workers.job import (
    Job,
    OtherVersionError,
    require_same,
    unpack_message,
    unpack_result,
    versions,
)

# Short runs that share a task of a cluster, each with a future of its own.


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


_POLL_SECONDS = 1.0
_STOP_SECONDS = 1.0
# Without workers, this many tasks wait: a cluster that grows with its work sees that there is some.
_LEAST_TASKS = 32
# Short runs share a task of about this many seconds, in which that of a task itself is small.
_BATCH_SECONDS = 0.15
_LARGEST_BATCH = 32
_NO_WORKERS_SECONDS = 1.0


class DaskWorkers(Workers):
    """The workers of the Dask scheduler of a client, which is closed at the end if it is `owned`.

    Raises: NnrunError if the scheduler has no nnrun, or workers another version of it or of NumPy.
    """

    lost = (WorkerLostError,)

    def __init__(self, client: Any, *, owned: bool = False) -> None:
        self._client = client
        self._owned = owned
        self._address = client.scheduler.address
        self._token = secrets.token_hex(8)
        self._numbers = count()
        self._mail: deque[Message] = deque()  # other threads add to it
        self._data: LruCache[Any] = LruCache()
        self._renewals = 0
        self._batch = Batch(None)
        self._sent: set[Future[list[bytes]]] = set()
        self._runs_per_task = 1
        self._idle_since: float | None = None
        self._refused = ""
        self._closing = Event()
        self._workers: dict[str, int] = {}
        try:
            client.run_on_scheduler(versions)
        except Exception as error:  # of any kind, as it is that of an import there
            raise NnrunError(
                f"the Dask scheduler at {self._address} cannot load nnrun, which must be installed "
                f"there, too: {error}"
            ) from error
        try:
            self._look_at_workers()
        except OtherVersionError as error:
            raise NnrunError(str(error)) from error
        except (OSError, RuntimeError) as error:  # the connection is lost, or closed by now
            raise NnrunError(f"the workers of {self._address} cannot be used: {error}") from error
        Thread(target=self._poll, daemon=True).start()

    @classmethod
    def at(cls, address: str, note: Callable[[str], None]) -> DaskWorkers:
        """Workers of the scheduler at an address; raises as `connect` does.

        `note` is called, in another thread, with what it waits for.
        """
        client = connect(address, note)
        try:
            with noting(f"waiting for the workers of {address}", note):
                return cls(client, owned=True)
        except BaseException:
            client.close(timeout=2)
            raise

    @property
    def capacity(self) -> int:
        return max(2 * self.at_a_time, _LEAST_TASKS) * self._runs_per_task

    @property
    def slots(self) -> int:
        return sum(self._workers.values())

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        self._runs_per_task = self._most_in_a_task(job)
        data = self._data_on_cluster(job.data, load)
        if self._batch.data is not data or self._runs_per_task == 1:
            self._send()
            self._batch = Batch(data)
        future = self._batch.add(job)
        if len(self._batch) >= self._runs_per_task:
            self._send()
        return future

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        self._send()
        super().wait(awaited, seconds)

    def messages(self) -> list[Message]:
        return [self._mail.popleft() for _ in range(len(self._mail))]

    def check(self) -> None:
        if self._client.status != "running":
            raise NoWorkersError(f"the Dask scheduler at {self._address} is gone")
        if self._refused:
            raise NoWorkersError(self._refused)

    def renew(self) -> None:
        for key, data in list(self._data.items()):
            if data.status in ("cancelled", "error", "lost"):
                del self._data[key]
                self._renewals += 1

    def stop(self) -> None:
        self._request_stop()

    def close(self) -> None:
        self._closing.set()
        if self._client.status == "running":
            self._request_stop()
            for packed in list(self._sent):
                packed.cancel()
        self._data.clear()
        if self._owned:
            with suppress(Exception):  # the scheduler may be gone
                self._client.close(timeout=2)

    def _most_in_a_task(self, job: Job) -> int:
        """How many runs like this one to send together."""
        if not job.is_short or job.alone:
            return 1
        wanted = min(int(_BATCH_SECONDS / max(job.seconds, 1e-3)), _LARGEST_BATCH)
        return max(1, min(wanted, most_runs() // (2 * self.at_a_time)))

    def _send(self) -> None:
        """Submit the runs that wait for others to share a task with."""
        batch, self._batch = self._batch, self._batch.emptied()
        if not len(batch):
            return
        number, jobs = next(self._numbers), batch.jobs
        function = dask_tasks.execute_jobs_on_dask
        try:
            # The scheduler keeps tasks whose group needs few others until a worker is free. Others
            # wait at a worker, and fail before they begin once four that they waited at were lost.
            group = f"nnrun-{self._token}-{batch.data.key[0]}"
            task = self._client.submit(
                function, self._token, number, jobs, versions(), batch.data, key=(group, number)
            )
        except Exception as error:  # Dask raises a dozen kinds
            self._raise_refused(error)
        packed = run_coroutine_threadsafe(_result_of(task), self._client.loop.asyncio_loop)
        self._sent.add(packed)
        packed.add_done_callback(lambda done: self._receive(batch, done))

    def _receive(self, batch: Batch, packed: Future[list[bytes]]) -> None:
        """Pass on the results of a task, in a thread of Dask's client."""
        self._sent.discard(packed)
        error = None if packed.cancelled() else packed.exception()
        if packed.cancelled() or error is not None:
            # `execute_jobs_on_dask` raises nothing: this is an error of Dask or of an import.
            if isinstance(error, ImportError):
                self._refuse(f"a worker of {self._address} cannot load nnrun: {error}")
            # Dask's own words for lost workers, and for all of them, are long and name the task.
            kinds = (import_module("distributed").KilledWorker, CancelledError)
            lost = error is None or isinstance(error, kinds)
            batch.fail(WorkerLostError(f"its worker was lost{'' if lost else f' ({error})'}"))
        else:
            batch.receive(packed.result())
        for _, future in batch:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, OtherVersionError):
                self._refuse(str(error))

    def _data_on_cluster(self, key: str, load: Callable[[], Dataset]) -> Any:
        """The data set with this key, as the result of a task that each worker fetches once.

        The scheduler keeps it, and sends it again if all workers that have it are lost.
        """
        data = self._data.get(key)
        if data is None:
            content = pickle.dumps(load(), pickle.HIGHEST_PROTOCOL)
            # Dask fails a task for good once four workers in all were lost while they had it.
            which = f"{versions()} {key} {self._renewals or ''}"
            name = f"nnrun-data-{sha256(which.encode()).hexdigest()}"
            quiet = {"distributed.admin.large-graph-warning-threshold": "1TB"}
            try:
                with import_module("dask").config.set(quiet):
                    # A group of its own, which the name in a pair is.
                    data = self._client.submit(dask_tasks.unpack_dataset, content, key=(name, 0))
            except Exception as error:
                self._raise_refused(error)
        return self._data.keep(key, data)

    def _raise_refused(self, error: Exception) -> NoReturn:
        self.check()
        message = f"the Dask cluster at {self._address} takes no work: {error}"
        raise NoWorkersError(message) from error

    def _refuse(self, reason: str) -> None:
        """Let the next `check` end the sweep."""
        self._refused = self._refused or reason

    def _request_stop(self) -> None:
        """Ask in a thread, so that a worker that does not answer delays nobody."""
        asking = Thread(target=self._call_all, args=(dask_tasks.stop, self._token), daemon=True)
        asking.start()
        asking.join(_STOP_SECONDS)

    def _poll(self) -> None:
        """Fetch messages, in a thread of its own, since a busy worker may be slow."""
        while not self._closing.wait(_POLL_SECONDS):
            self._update_workers()
            for messages in self._call_all(dask_tasks.fetch_messages, self._token):
                for key, packed in messages:
                    content = unpack_message(packed, key)
                    if content is not None:
                        self._mail.append(Message(key, content))

    def _update_workers(self) -> None:
        """Look again which workers there are."""
        try:
            self._look_at_workers()
        except OtherVersionError as error:
            self._refuse(str(error))
        except Exception:  # it may answer the next time
            return

    def _look_at_workers(self) -> None:
        """Look which workers there are, and check the versions of new ones."""
        found: dict[str, int] = dict(self._client.nthreads())  # runs at a time, by address
        new = [*found.keys() - self._workers.keys()]
        answers = self._client.run(versions, workers=new, on_error="return") if new else {}
        for worker, answer in answers.items():
            if isinstance(answer, dict):
                require_same(worker, answer, versions())
            elif not isinstance(answer, OSError):  # which says that it has left
                raise OtherVersionError(f"the worker {worker} cannot load nnrun: {answer}")
        gone = sorted(self._workers.keys() - found.keys())
        if gone:
            one = len(gone) == 1
            some = f"{len(gone):,} Dask workers, one at {gone[0]}, are gone"
            which = f"the Dask worker at {gone[0]} is gone" if one else some
            theirs = f"other workers train any runs {'it' if one else 'they'} had"
            then = theirs if found else "waiting for other workers"
            self._mail.append(Message("", f"{which}; {then}"))
        self._workers = found
        self.at_a_time = max(1, sum(found.values()))
        self._note_if_idle()

    def _note_if_idle(self) -> None:
        """Say once that a sweep waits for workers."""
        if self._workers:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = monotonic()
        elif monotonic() - self._idle_since > _NO_WORKERS_SECONDS:
            text = f"the Dask scheduler at {self._address} has no workers; waiting for some"
            self._mail.append(Message("", text))
            self._idle_since = inf

    def _call_all(self, function: Callable[[str], Any], token: str) -> Iterable[Any]:
        """The answers of the workers that answer."""
        try:
            answers = self._client.run(function, token, on_error="ignore")
        except Exception:  # `check` finds out if the scheduler is gone
            return []
        return [answer for answer in answers.values() if answer is not None]


async def _result_of(task: Any) -> list[bytes]:
    """The result of a task, or its error.

    Dask's own executor waits for ever if the worker that has the result is lost before it is
    fetched, and the task then fails elsewhere.
    """
    try:
        packed: list[bytes] = await task
        return packed
    finally:
        task.release()
