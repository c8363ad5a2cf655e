"""The server: a socket, the application behind it, and how both end."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import uvicorn

from nnrun.errors import InterruptionError, UsageError
from nnrun.systems import system
from nnrun.ui.access import is_loopback
from nnrun.ui.app import make_app
from nnrun.ui.connections import CONNECTIONS, Connection
from nnrun.ui.state import State
from nnrun.ui.tokens import token_for

FIRST_PORT = 8620
"""The port where none is asked for, if it is free."""


class Server:
    """A server that is bound to a port already; it answers once `run` is called.

    Args:
        root: the results folder.
        host: to listen on.
        port: of it; 0 for any that is free, None for `FIRST_PORT` if that is free.

    Raises: UsageError if the port is taken, or the host is not of this machine.
    """

    def __init__(self, root: Path, host: str, port: int | None) -> None:
        self._socket = _bound(host, port)
        bound: tuple[str, int] = self._socket.getsockname()[:2]
        self.port = bound[1]
        self.is_open = not is_loopback(bound[0])
        """Whether others on the network can try to connect."""
        token = token_for(root, self.port)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.port}/?token={token}"
        # Of its path, and not of the folder that this process was started in, if that is replaced.
        self._app = make_app(Path(os.path.abspath(root)), token, (host, bound[0]), self.port)

    def run(self, ready: Callable[[], None]) -> None:
        """Answer until a signal ends it.

        Raises: InterruptionError when it does.
        """
        config = uvicorn.Config(
            self._app, log_level="critical", access_log=False, ws="none", http=Connection,
            proxy_headers=False, server_header=False, limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=1, timeout_keep_alive=60,
        )  # fmt: skip
        server = _Uvicorn(config, self._app.state.shared, ready)
        try:
            server.run(sockets=[self._socket])
        finally:
            self._socket.close()
        raise InterruptionError("the page is closed; runs go on", server.received or signal.SIGINT)


class _Uvicorn(uvicorn.Server):
    """Ends at the first signal, also while pages are open, and keeps which signal it was."""

    def __init__(self, config: uvicorn.Config, state: State, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.received: int | None = None
        self._state = state
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals that were ignored from the start, as by nohup, stay so.
        heard = [n for n in system.SIGNALS if signal.getsignal(n) != signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + sig)
        self.received = sig
        self._state.listeners.close()
        self.should_exit = True


def _bound(host: str, port: int | None) -> socket.socket:
    if port is None:
        with suppress(OSError):
            return _listening(host, FIRST_PORT)
    try:
        return _listening(host, port or 0)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{host}, port {port or 0}: {why}; --port 0 takes one that is free"
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    if not host:
        raise UsageError("--host: it is empty, which would stand for every address")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()
    except BaseException:
        bound.close()
        raise
    return bound
