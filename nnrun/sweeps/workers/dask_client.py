"""A connection to a Dask scheduler, with errors before its tracebacks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Timer
from typing import Any

from nnrun.errors import NnrunError, UsageError

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
