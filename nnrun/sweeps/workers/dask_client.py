"""A connection to a Dask scheduler, with errors before its tracebacks."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import Any

from nnrun.errors import NnrunError, UsageError

_CONNECT_SECONDS = 10
_CERTIFICATES = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
_WITH_PORT = ("tcp", "tls")
_LAST_PORT = 65_535
_LOGGERS = ("distributed", "tornado", "asyncio")


def connect(address: str) -> Any:
    """A client of the scheduler at this address, such as `tcp://127.0.0.1:8786`.

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
        comm.registry.get_backend(protocol)
        if protocol in _WITH_PORT:
            _require_port(address, comm, place)
        if protocol == "tls":
            _require_certificates(address)
        if protocol in _WITH_PORT:
            _require_scheduler(address)
        return distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except NnrunError:  # an interruption, too
        raise
    except ValueError as error:
        raise UsageError(f"--dask {address}: {error}") from None
    except OSError as error:
        raise NnrunError(f"no Dask scheduler answers at {address}") from error
    except Exception as error:  # Dask raises a dozen kinds, as where it has no package for ucx://
        raise NnrunError(f"no Dask scheduler can be reached at {address}: {error}") from error


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
