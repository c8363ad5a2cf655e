"""Workers of a Dask cluster; they need no shared disk."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from importlib import import_module
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any

from nnrun import NUMERICS_VERSION, __version__
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.pool.task import LruCache, Message, WorkerLostError
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers import dask_tasks
from nnrun.sweeps.workers.base import PATIENCE, wait_for_first
from nnrun.sweeps.workers.job import Job
from nnrun.sweeps.workers.wire import unpack_message, unpack_result
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

_CONNECT_SECONDS = 10
_POLL_SECONDS = 1.0
_STOP_SECONDS = 1.0
_CERTIFICATES = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
_WITH_PORT = ("tcp", "tls")
_LOGGERS = ("distributed", "tornado", "asyncio")
_PATIENCE_SECONDS = 60.0  # with no worker at all


class DaskWorkers:
    """The workers of a Dask scheduler.

    Args:
        address: of the scheduler, such as `tcp://127.0.0.1:8786`.

    Raises:
        UsageError: Dask is not installed, or the address is invalid.
        NnrunError: the scheduler does not answer, or the workers have another version of nnrun.
    """

    lost: tuple[type[BaseException], ...] = (WorkerLostError,)
    patience = PATIENCE

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = _connect(address)
        self._executor: Executor = self._client.get_executor(pure=False)
        self._token = secrets.token_hex(8)
        self._numbers = count()
        self._mailbox = _Mailbox()
        self._scattered: LruCache[Any] = LruCache()
        self._idle_since: float | None = None
        self._closing = Event()
        self._require_same_version()
        self._workers: dict[str, int] = {}
        self._update_workers()
        Thread(target=self._poll, daemon=True).start()

    @property
    def at_a_time(self) -> int:
        return max(1, sum(self._workers.values()))

    @property
    def capacity(self) -> int:
        return 2 * self.at_a_time

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        dataset = load()
        try:
            data = self._scattered.get(job.data)
            if data is None:
                data = self._client.scatter(dataset, broadcast=True, hash=False)
            self._scattered.keep(job.data, data)
            number = next(self._numbers)
            packed = self._executor.submit(
                dask_tasks.execute_job_on_dask, self._token, number, job, data
            )
            return _unpacked(packed, job.key)
        except Exception as error:  # Dask raises a dozen kinds
            self.check()
            raise NnrunError(
                f"the Dask cluster at {self._address} takes no work: {error}"
            ) from error

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        wait_for_first(awaited, seconds)

    def messages(self) -> list[Message]:
        return self._mailbox.drain()

    def check(self) -> None:
        if self._client.status != "running":
            raise NnrunError(f"the Dask scheduler at {self._address} is gone")
        if self._workers:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = monotonic()
        elif monotonic() - self._idle_since > _PATIENCE_SECONDS:
            raise NnrunError(f"the Dask scheduler at {self._address} has no workers left")

    def renew(self) -> None:
        self._scattered.clear()

    def stop(self) -> None:
        self._request_stop()

    def close(self) -> None:
        self._closing.set()
        if self._client.status == "running":
            self._request_stop()
            self._executor.shutdown(wait=False)
        self._scattered.clear()
        with suppress(Exception):  # the scheduler may be gone
            self._client.close(timeout=2)

    def _request_stop(self) -> None:
        """Ask in a thread, so that a worker that does not answer delays nobody."""
        asking = Thread(target=self._call_all, args=(dask_tasks.stop, self._token), daemon=True)
        asking.start()
        asking.join(_STOP_SECONDS)

    def _require_same_version(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
            found = self._client.run(dask_tasks.versions)
        except TimeoutError:
            raise NnrunError(f"the Dask scheduler at {self._address} has no workers") from None
        except Exception as error:  # the errors of imports on workers
            raise NnrunError(
                f"the workers of {self._address} cannot load nnrun {__version__}: {error}"
            ) from error
        for worker, version in found.items():
            if version != (__version__, NUMERICS_VERSION):
                raise NnrunError(
                    f"the worker {worker} has nnrun {version[0]}, and this is {__version__}"
                )

    def _poll(self) -> None:
        """Fetch messages, in a thread of its own, since a busy worker may be slow."""
        while not self._closing.wait(_POLL_SECONDS):
            self._update_workers()
            for messages in self._call_all(dask_tasks.fetch_messages, self._token):
                for key, packed in messages:
                    content = unpack_message(packed, key)
                    if content is not None:
                        self._mailbox.put(key, content)

    def _update_workers(self) -> None:
        try:
            before, self._workers = self._workers, self._find_workers()
        except Exception:  # it may answer the next time
            return
        for address in before.keys() - self._workers.keys():
            gone = f"the Dask worker at {address} is gone; other workers train its runs"
            self._mailbox.put("", gone)

    def _find_workers(self) -> dict[str, int]:
        """How many runs each worker trains at the same time, by address."""
        return dict(self._client.nthreads())

    def _call_all(self, function: Callable[[str], Any], token: str) -> Iterable[Any]:
        """The answers of the workers that answer."""
        try:
            answers = self._client.run(function, token, on_error="ignore")
        except Exception:  # `check` finds out if the scheduler is gone
            return []
        return [answer for answer in answers.values() if answer is not None]


class _Mailbox:
    """Messages for the sweep's thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message] = SimpleQueue()

    def put(self, key: str, content: Progress | TrainingState | str) -> None:
        """Add a message, from any thread."""
        self._queue.put(Message(key, content))

    def drain(self) -> list[Message]:
        """Take all messages, oldest first."""
        taken = []
        try:
            while True:
                taken.append(self._queue.get_nowait())
        except Empty:
            return taken


def _unpacked(packed: Future[bytes], key: str) -> Future[RunResult | None]:
    """A future of the unpacked result."""
    future: Future[RunResult | None] = Future()

    def unpack(done: Future[bytes]) -> None:
        if done.cancelled():
            future.cancel()
            future.set_running_or_notify_cancel()
            return
        try:
            future.set_result(unpack_result(done.result(), key))
        except Exception as error:  # passed on by the future
            future.set_exception(error)

    packed.add_done_callback(unpack)
    return future


def _require_certificates(address: str) -> None:
    """Check certificates first: Dask finds out when it connects, and shows a traceback."""
    security = import_module("distributed").Security
    try:
        context = security().get_connection_args("client").get("ssl_context")
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: the certificates cannot be used: {error}") from None
    if context is None:
        names = ", ".join(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in _CERTIFICATES)
        raise UsageError(f"--dask {address}: no certificates are configured; set {names}")


def _require_port(address: str, comm: Any, place: str) -> None:
    """Check the port first: Dask finds out after twenty seconds, and shows a traceback."""
    try:
        comm.parse_host_port(place)
    except ValueError:
        example = "tcp://127.0.0.1:8786"
        raise UsageError(f"--dask {address}: it ends in no port, as {example} does") from None


def _connect(address: str) -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise UsageError(
            "--dask needs the package 'distributed', which pip install 'nnrun[dask]' brings"
        ) from None
    # Their logs repeat the errors below, with tracebacks.
    for name in (*_LOGGERS, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
    comm = import_module("distributed.comm")
    try:
        # A client with an unknown kind of address would wait for ever.
        protocol, place = comm.parse_address(address)
        comm.registry.get_backend(protocol)
        if protocol in _WITH_PORT:
            _require_port(address, comm, place)
        if protocol == "tls":
            _require_certificates(address)
        return distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except ValueError as error:
        raise UsageError(f"--dask {address}: {error}") from None
    except OSError as error:
        raise NnrunError(f"no Dask scheduler answers at {address}") from error
