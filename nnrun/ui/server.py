"""The server: a socket, its connections, the application behind it, and how all end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Any

import h11
import uvicorn
from platformdirs import user_state_path
from uvicorn.protocols.http.h11_impl import H11Protocol

from nnrun.compiler import cache as private_files
from nnrun.errors import InterruptionError, UsageError
from nnrun.systems import system
from nnrun.ui.access import HEADERS, is_loopback, make_app
from nnrun.ui.pages.pages import State
from nnrun.ui.watcher import rendered

# A local page that leads the browser to the server.
#
# Every user of a machine can read the command lines of all processes. The one that starts the
# browser has the path of this page, which only its user can open, in place of the secret address.


@contextmanager
def page_to(address: str, port: int) -> Iterator[Path]:
    """The page, which is removed in the end.

    Raises: OSError or NotPrivateError if no such page can be kept.
    """
    folder, name = user_state_path("nnrun", appauthor=False), f"ui-{port}.html"
    page = rendered("opening.html", title="Opening", text="", address=address)
    private_files.write(folder, name, page.encode())
    try:
        yield folder / name
    finally:
        with suppress(OSError):
            (folder / name).unlink()


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
        secret = token_hex(16)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.port}/{secret}/"
        # Of its path, and not of the folder that this process was started in, if that is replaced.
        self._app = make_app(Path(os.path.abspath(root)), secret, (host, bound[0]), self.port)

    def run(self, ready: Callable[[], None]) -> None:
        """Answer until a signal ends it.

        Raises: InterruptionError when it does.
        """
        config = uvicorn.Config(
            self._app, log_level="critical", access_log=False, ws="none", http=Connection,
            proxy_headers=False, server_header=False, backlog=STRANGERS,
            timeout_graceful_shutdown=1, timeout_keep_alive=60,
        )  # fmt: skip
        server = _Uvicorn(config, self._app.app.state.shared, ready)
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


STRANGERS = 200
"""This many connections may be open at a time without a request that was admitted."""
# A request has to arrive as a whole within this time, from its first byte on.
_SECONDS = 5.0


class Connection(H11Protocol):
    """A connection of the page.

    uvicorn itself waits for the rest of a request for ever, and counts all connections alike: one
    visitor who sends half requests would keep out all others.
    """

    _begun = 0.0
    _origin = ""
    _admitted = False
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "admit": self._admit}
        self._begun = self.loop.time()
        host = self.client[0] if self.client else ""
        self._origin = "" if is_loopback(host) else host  # this machine has many addresses
        self._wait()
        # In the next round of the loop what has arrived already is read, before one is closed.
        self.loop.call_soon(self.loop.call_soon, self._make_room)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_waiting()
        elif self._limit is None:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """An answer to what is no request, with the headers that every answer has."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is under way
            self.transport.abort()
            return
        headers = {**HEADERS, "content-type": "text/plain; charset=utf-8", "connection": "close"}
        response = h11.Response(status_code=400, headers=[*headers.items()], reason="Bad Request")
        for event in (response, h11.Data(data=f"{msg}\n".encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _admit(self) -> None:
        self._admitted = True

    def _make_room(self) -> None:
        """Close the oldest connection of the address with most, if strangers are too many."""
        strangers: dict[str, list[Connection]] = {}
        for other in self.connections:
            if isinstance(other, Connection) and other._is_stranger:
                strangers.setdefault(other._origin, []).append(other)
        if sum(map(len, strangers.values())) > STRANGERS:
            crowd = max(strangers.values(), key=len)
            min(crowd, key=lambda other: other._begun).transport.abort()

    @property
    def _is_stranger(self) -> bool:
        """Whether it has sent nothing that is answered."""
        answered = self.cycle is not None and not self.cycle.response_complete
        ends = self.transport.is_closing()
        return not (self._admitted or answered or ends)

    def _wait(self) -> None:
        self._limit = self.loop.call_later(_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
