"""Functions that run on the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock, Timer
from time import monotonic
from typing import Any

from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.pool import Channel, WorkerLostError
from nnrun.sweeps.workers.job import (
    Evaluations,
    Job,
    Versions,
    execute_job,
    limit_threads,
    pack_error,
    pack_message,
    pack_result,
    require_same,
    versions,
)
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# The sweep fetches messages every second. After so long without it, its runs stop.
_SILENCE_SECONDS = 60.0

_lock = Lock()
_stopped: set[str] = set()
_polled: dict[str, float] = {}
_messages: dict[str, dict[tuple[str, type], Any]] = {}


class _DaskChannel(Channel):
    """The channel of a run: keeps the last message of each kind until it is fetched."""

    def __init__(self, token: str, key: str) -> None:
        self.token = token
        self.key = key
        self.begun = monotonic()

    def stopped(self) -> bool:
        silence = monotonic() - max(_polled.get(self.token, self.begun), self.begun)
        return self.token in _stopped or silence > _SILENCE_SECONDS

    def send(self, content: Progress | TrainingState | Evaluations) -> None:
        if isinstance(content, Evaluations):  # all would have to be kept; the result has them
            return
        if not self.stopped():  # messages of stopped runs are not fetched
            with _lock:
                _messages.setdefault(self.token, {})[self.key, type(content)] = content

    def drop(self) -> None:
        """Remove the messages of a run that has ended."""
        with _lock:
            for key in [key for key in _messages.get(self.token, {}) if key[0] == self.key]:
                del _messages[self.token][key]


def execute_jobs_on_dask(
    token: str, number: int, jobs: Sequence[Job], expected: Versions, dataset: Dataset
) -> list[bytes]:
    """Train runs and return the packed result, or the packed error, of each.

    When a worker is lost, Dask calls this again on another one. That is an error here, since the
    sweep may have checkpoints of the runs by then.

    `number` is that of the submission, `expected` the versions that runs must be trained with.
    """
    limit_threads()
    try:
        worker = import_module("distributed").get_worker()
        require_same(worker.address, versions(), expected)
        with _once(f"nnrun {token} {number}"):
            return [_executed(token, job, dataset) for job in jobs]
    except Exception as error:  # the sweep reports it
        return [pack_error(error)] * len(jobs)


def _executed(token: str, job: Job, dataset: Dataset) -> bytes:
    channel = _DaskChannel(token, job.key)
    try:
        return pack_result(execute_job(job, channel, dataset))
    except Exception as error:  # the other runs go on
        return pack_error(error)
    finally:
        channel.drop()


def unpack_dataset(content: bytes) -> Dataset:
    """The data of runs, pickled by the sweep; the result stays on the workers."""
    dataset: Dataset = pickle.loads(content)
    return dataset


class _Connection:
    """A worker's own connection to the scheduler, in place of a client.

    By default, workers in one process share a client, which ends with the first of them.
    """

    def __init__(self, worker: Any) -> None:
        self.scheduler = worker.scheduler
        self._loop = worker.loop

    def sync(self, function: Callable[..., Any], **given: Any) -> Any:
        """Call a function of the scheduler, and wait for its answer."""
        return import_module("distributed.utils").sync(self._loop, function, **given)


@contextmanager
def _once(name: str) -> Iterator[None]:
    """Run the block at most once in the cluster.

    Raises:
        WorkerLostError: another worker began with it before, or this one has lost its connection.
    """
    try:
        distributed = import_module("distributed")
        begun = distributed.Event(name, client=_Connection(distributed.get_worker()))
        repeated = begun.is_set()
        if not repeated:
            begun.set()
    except Exception as error:  # Dask raises a dozen kinds, as this worker retires
        raise WorkerLostError("its worker was lost") from error
    try:
        if repeated:
            raise WorkerLostError("its worker was lost")
        yield
    finally:
        with suppress(Exception):  # likewise; the result is still right
            begun.clear()


def stop(token: str) -> None:
    """Stop all runs of a sweep."""
    _stopped.add(token)


def fetch_messages(token: str) -> list[tuple[str, Any]]:
    """The packed messages of a sweep's runs since the last call."""
    _polled[token] = monotonic()
    with _lock:
        messages = _messages.pop(token, {})
    return [(key, pack_message(content, key)) for (key, _), content in messages.items()]


# A connection to a Dask scheduler, with errors before its tracebacks.

_CONNECT_SECONDS = 10
_NOTE_SECONDS = 1.0
_CERTIFICATES = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
_WITH_PORT = ("tcp", "tls")
_LAST_PORT = 65_535
_LOGGERS = ("distributed", "tornado", "asyncio")


def connect(address: str, note: Callable[[str], None] = lambda text: None) -> Any:
    """A client of the scheduler at this address, such as `tcp://127.0.0.1:8786`.

    `note` is called, in another thread, if that takes longer than a moment.

    Raises: UsageError if Dask is not installed, or the address is invalid; NnrunError if the
    scheduler does not answer, or something else does.
    """
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
        _require_kind(address, comm.registry, protocol)
        if protocol in _WITH_PORT:
            _require_port(address, comm, place)
        if protocol == "tls":
            _require_certificates(address)
        with noting(f"waiting for the Dask scheduler at {address}", note):
            if protocol in _WITH_PORT:
                _require_scheduler(address)
            return distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except NnrunError:
        raise
    except ValueError as error:
        raise UsageError(f"--dask {address}: {error}") from None
    except OSError as error:
        raise NnrunError(f"no Dask scheduler answers at {address}") from error
    except Exception as error:  # Dask raises a dozen kinds, as where it has no package for ucx://
        raise NnrunError(f"no Dask scheduler can be reached at {address}: {error}") from error


@contextmanager
def noting(text: str, note: Callable[[str], None]) -> Iterator[None]:
    """Call `note` with the text, in another thread, if what is done within takes that long."""
    timer = Timer(_NOTE_SECONDS, note, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _require_kind(address: str, registry: Any, protocol: str) -> None:
    """Check the kind of address: Dask shows those that it has as a list of Python."""
    try:
        registry.get_backend(protocol)
    except ValueError:
        kinds = ", ".join(f"{kind}://" for kind in sorted(registry.backends))
        raise UsageError(
            f"--dask {address}: '{protocol}://' is not a kind of address of Dask (one of {kinds})"
        ) from None


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


def _require_scheduler(address: str) -> None:
    """Ask first what answers: Dask's client waits for ever for the greeting of something else.

    Raises: OSError if nothing answers in time; NnrunError if it is no scheduler.
    """
    core, security = import_module("distributed.core"), import_module("distributed").Security()

    async def is_scheduler() -> bool:
        async with core.rpc(
            address,
            timeout=_CONNECT_SECONDS,
            connection_args=security.get_connection_args("client"),
        ) as server:
            return "workers" in await server.identity(n_workers=0)

    try:
        found = asyncio.run(asyncio.wait_for(is_scheduler(), _CONNECT_SECONDS))
    except (NnrunError, OSError):
        raise
    except Exception:  # of many kinds, as Dask reads any bytes as a message of its own
        found = False
    if not found:
        raise NnrunError(f"what answers at {address} is no Dask scheduler")


def _require_port(address: str, comm: Any, place: str) -> None:
    """Check the port first: Dask finds out after twenty seconds, and shows a traceback."""
    example = "tcp://127.0.0.1:8786"
    try:
        host, port = comm.parse_host_port(place)
    except ValueError:
        raise UsageError(f"--dask {address}: it ends in no port, as {example} does") from None
    if not host:
        raise UsageError(f"--dask {address}: it names no host, as {example} does")
    if not 0 < port <= _LAST_PORT:
        raise UsageError(f"--dask {address}: ports are from 1 to {_LAST_PORT}")
