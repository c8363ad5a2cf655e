"""Worker processes on this machine.

`concurrent.futures.ProcessPoolExecutor` counts all of its runs as lost when one worker is, and a
worker that is killed while it writes to the shared pipe may hang it. Here every worker has a socket
of its own, so that nothing but its own run goes with it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from nnrun import child
from nnrun.data.dataset import Dataset
from nnrun.runs.record import RunResult
from nnrun.sweeps.datasets import LruCache
from nnrun.sweeps.workers.base import PATIENCE, Mailbox, Message, WorkerLostError, error_of
from nnrun.sweeps.workers.job import Job, execute_job
from nnrun.sweeps.workers.process_main import STOP

# One thread each, or `-j` processes would fight over the cores; read when NumPy is loaded.
_THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
_MODULE = "nnrun.sweeps.workers.process_main"
_GRACE_SECONDS = 1.0

Load = Callable[[], Dataset]


class _Worker:
    """One process and the client's end of the socket to it."""

    def __init__(self) -> None:
        environment = {**os.environ, **_THREADS}
        self.process, self._connection = child.start(_MODULE, environment)
        self._sending = Lock()
        self._known: LruCache[bool] = LruCache()

    def send_job(self, job: Job, load: Load) -> None:
        """Send a job, and its data unless the worker has that still."""
        dataset = None if job.data in self._known else load()
        self.send((job, dataset))
        self._known.keep(job.data, True)

    def send(self, message: Any) -> None:
        with self._sending:
            self._connection.send(message)

    def receive(self) -> Any:
        return self._connection.recv()

    def terminate(self) -> str:
        """Make sure that it has ended, and say how it did."""
        self._connection.close()
        try:
            code = self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"


class ProcessExecutor(Executor):
    """Calls of `execute_job` in as many processes as threads here, each thread minding one.

    Args:
        workers: how many; a process is started when there is a first job for it.
        mailbox: takes what the runs tell.
    """

    def __init__(self, workers: int, mailbox: Mailbox) -> None:
        self._jobs: SimpleQueue[tuple[Job, Load, Future[RunResult | None]] | None] = SimpleQueue()
        self._mailbox = mailbox
        self._workers: dict[int, _Worker] = {}
        self._changing = Lock()
        self._stopping = False
        self._closed = False
        self._threads = [
            Thread(target=self._serve, args=(number,), daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a job with what loads its data.

        Raises:
            ValueError: the function is not `execute_job`, which is all that the processes can do.
        """
        if fn is not execute_job:
            raise ValueError("these processes can do nothing but `execute_job`")
        future: Future[Any] = Future()
        job, load = args
        self._jobs.put((job, load, future))
        return future

    def stop(self) -> None:
        """Ask all runs to end where they are."""
        with self._changing:
            self._stopping = True
            workers = list(self._workers.values())
        for worker in workers:
            with suppress(OSError):
                worker.send(STOP)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all workers at once; what they have in progress is lost."""
        with self._changing:
            self._closed = True
            for worker in self._workers.values():
                worker.process.kill()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self, number: int) -> None:
        """The life of a thread: take a job, see it through in a process, take the next one."""
        while (item := self._jobs.get()) is not None and not self._closed:
            job, load, future = item
            if not future.set_running_or_notify_cancel():
                continue
            if self._stopping and number not in self._workers:
                future.set_result(None)
                continue
            try:
                future.set_result(self._execute(job, load, self._worker(number)))
            except (EOFError, OSError) as error:
                future.set_exception(WorkerLostError(self._discard(number, error)))
            except BaseException as error:  # it belongs to the future
                future.set_exception(error)
        if number in self._workers:
            self._discard(number)

    def _execute(self, job: Job, load: Load, worker: _Worker) -> RunResult | None:
        worker.send_job(job, load)
        while True:
            kind, content = worker.receive()
            if kind == "result":
                result: RunResult | None = content
                return result
            if kind == "error":
                raise error_of(*content)
            self._mailbox.put(job.key, content)

    def _worker(self, number: int) -> _Worker:
        with self._changing:
            if self._closed:
                raise EOFError
            if number not in self._workers:
                self._workers[number] = _Worker()
                if self._stopping:
                    self._workers[number].send(STOP)
            return self._workers[number]

    def _discard(self, number: int, error: BaseException | None = None) -> str:
        with self._changing:
            worker = self._workers.pop(number, None)
        if worker is None:
            return f"no worker could be started: {error}"
        return f"its worker ended {worker.terminate()}"


class ProcessWorkers:
    """As many processes as wanted.

    Args:
        workers: how many.
    """

    lost: tuple[type[BaseException], ...] = (WorkerLostError,)
    patience = PATIENCE

    def __init__(self, workers: int) -> None:
        self.capacity = 2 * workers
        self._mailbox = Mailbox()
        self._executor = ProcessExecutor(workers, self._mailbox)

    def submit(self, job: Job, load: Load) -> Future[RunResult | None]:
        return self._executor.submit(execute_job, job, load)

    def messages(self) -> list[Message]:
        return self._mailbox.drain()

    def check(self) -> None:
        pass

    def renew(self) -> None:
        pass

    def stop(self) -> None:
        self._executor.stop()

    def close(self) -> None:
        self._executor.shutdown()
