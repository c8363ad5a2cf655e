"""Half-sent requests keep nobody out, and end; what is no request is refused."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from uvicorn.server import ServerState

from nnrun.ui import server as module
from nnrun.ui.access import HEADERS, make_app
from nnrun.ui.server import STRANGERS, Connection
from tests.ui.asking import SECRET


def request_of(path: str, *lines: str, body: str = "") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *lines, "", body]).encode()


STRANGE, QUICK, SLOW = map(request_of, ("/strange", "/quick", "/slow"))
HALF = STRANGE[:-2]
BODY = request_of("/slow", "Content-Length: 9", body="half")


class Answers:
    """Admits all but `/strange`; to `/slow` the second part comes once `go` is set."""

    def __init__(self):
        self.go = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["path"] != "/strange":
            scope["state"]["admit"]()
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        if scope["path"] == "/slow":
            await self.go.wait()
        await send({"type": "http.response.body", "body": b"two"})


class Client:
    """A connection to a server."""

    def __init__(self, reader, writer):
        self._reader, self.writer = reader, writer

    async def ask(self, sent: bytes) -> bytes:
        """The first line of the answer."""
        self.writer.write(sent)
        return (await self.until(b"\r\n\r\n")).partition(b"\r\n")[0]

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(end), 20)

    async def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        try:
            return await asyncio.wait_for(self._reader.read(), 20)
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def served(app):
    """Makes connections to a server, which are closed in the end."""
    config = uvicorn.Config(app, http=Connection, log_config=None, lifespan="off")
    config.load()
    state, clients = ServerState(), []
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}),
        "127.0.0.1", 0, backlog=STRANGERS,
    )  # fmt: skip
    host, port = server.sockets[0].getsockname()

    async def connect_all(sent: list[bytes], source: str = host) -> list[Client]:
        sockets = [socket.create_connection((host, port), 20, (source, 0)) for _ in sent]
        for one, content in zip(sockets, sent, strict=True):
            one.sendall(content)
        # The server has not run in between: it finds all of them at once.
        opened = [Client(*await asyncio.open_connection(sock=one)) for one in sockets]
        clients.extend(opened)
        return opened

    async def connect(sent: bytes = b"", source: str = host) -> Client:
        return (await connect_all([sent], source))[0]

    connect.all = connect_all
    try:
        yield connect
    finally:
        for client in clients:
            client.writer.close()
        server.close()


def test_half_sent_requests_keep_nobody_out(monkeypatch):
    """Answers under way, connections that rest and new ones go on, however many of them come."""
    monkeypatch.setattr(module, "STRANGERS", 50)

    async def asked() -> list[bytes]:
        app = Answers()
        async with served(app) as connect:
            slow, resting = await connect(), await connect()
            heads = [await slow.ask(SLOW), await resting.ask(QUICK)]
            await resting.until(b"0\r\n\r\n")
            for _ in range(3):
                new, *_ = await connect.all([QUICK, *[HALF] * (STRANGERS - 1)])
                heads.append((await new.until(b"\r\n\r\n")).partition(b"\r\n")[0])
            heads.append(await resting.ask(QUICK))
            app.go.set()
            await slow.until(b"two")
            return heads

    assert [b"HTTP/1.1 200 OK"] * 6 == asyncio.run(asked())


def test_the_address_with_most_connections_gives_way(monkeypatch):
    """A visitor of another address is not closed for it, though its connection is the oldest."""
    monkeypatch.setattr(module, "is_loopback", lambda _: False)

    async def asked() -> bytes:
        async with served(Answers()) as connect:
            other = await connect(HALF, "127.0.0.2")
            crowd = await connect.all([HALF] * STRANGERS)
            await crowd[0].rest()
            return await other.ask(b"\r\n")

    assert b"HTTP/1.1 200 OK" == asyncio.run(asked())


@pytest.mark.parametrize("sent", [b"", HALF, BODY], ids=["nothing", "half a head", "half a body"])
def test_a_request_that_does_not_come_to_an_end_is_closed(monkeypatch, sent):
    """Soon after it has begun, whether or not an answer waits for the rest."""
    monkeypatch.setattr(module, "_SECONDS", 0.1)

    async def waited() -> bytes:
        async with served(Answers()) as connect:
            return await (await connect(sent)).rest()

    assert b"two" not in asyncio.run(waited())


def test_what_is_answered_goes_on(monkeypatch):
    """An answer may last longer than requests may."""
    monkeypatch.setattr(module, "_SECONDS", 0.1)

    async def answered() -> bytes:
        app = Answers()
        async with served(app) as connect:
            client = await connect()
            await client.ask(SLOW)
            await (await connect(HALF)).rest()  # which ends after the time for a request
            app.go.set()
            return await client.until(b"two")

    assert b"one" in asyncio.run(answered())


NONSENSE = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": request_of("/", "Host: here"),
    "two lengths": request_of("/", "Content-Length: 3", "Content-Length: 4", body="abcd"),
    "a length in words": request_of("/", "Content-Length: three"),
    "a negative length": request_of("/", "Content-Length: -1"),
    "a long length": request_of("/", "Content-Length: " + "9" * 5000),
    "a coding of its own": request_of("/", "Transfer-Encoding: cow, chunked"),
    "a blank before a colon": request_of("/", "Content-Length : 3"),
    "a line that goes on": request_of("/", "X: a", "\x00b"),
}
NONSENSE = {
    **{name: sent + QUICK for name, sent in NONSENSE.items()},
    "a long head": request_of("/", "X: " + "a" * 20_000)[:-4],
    "a long path": b"GET /" + b"a" * 20_000,
}


@pytest.mark.parametrize("sent", NONSENSE.values(), ids=NONSENSE)
def test_what_is_no_request_is_refused(sent):
    """The answer has the usual headers; the connection ends, and what follows is not read."""

    async def asked() -> bytes:
        async with served(Answers()) as connect:
            return await (await connect(sent)).rest()

    answer = asyncio.run(asked()).decode()
    assert (1, "HTTP/1.1 400 Bad Request") == (answer.count("HTTP/1.1"), answer.splitlines()[0])
    assert [] == [line for line in HEADERS.items() if ": ".join(line) not in answer]


FOLLOWED = {
    "two ends": ["Content-Length: 9", "Transfer-Encoding: chunked"],
    "one end twice": ["Content-Length: 5", "Content-Length: 5"],
    "chunks": ["Transfer-Encoding: chunked"],
    "no end": [],
}
FOLLOWED = {
    **{name: request_of("/", *lines, body="0\r\n\r\n") for name, lines in FOLLOWED.items()},
    "bare line feeds": b"GET / HTTP/1.1\nHost: here\nContent-Length: 0\n\n",
}


@pytest.mark.parametrize("sent", FOLLOWED.values(), ids=FOLLOWED)
def test_what_follows_a_refused_request_is_not_read(tmp_path, sent):
    """No other request hides in one, however its end is told."""

    async def asked() -> str:
        async with served(make_app(tmp_path, SECRET, ["here"], 80)) as connect:
            return (await (await connect(sent + QUICK)).rest()).decode()

    answer = asyncio.run(asked())
    assert (1, True) == (answer.count("HTTP/1.1 4"), "connection: close" in answer)
    assert [] == [line for line in HEADERS.items() if ": ".join(line) not in answer]


def test_nonsense_during_an_answer_ends_it(caplog):
    """It is no error of the server."""

    async def asked() -> bytes:
        async with served(Answers()) as connect:
            client = await connect()
            await client.ask(request_of("/slow", "Transfer-Encoding: chunked", body="1\r\na\r\n"))
            client.writer.write(b"this is no chunk\r\n\r\n")
            return await client.rest()

    with caplog.at_level(logging.ERROR, "asyncio"):
        assert b"two" not in asyncio.run(asked())
    assert [] == [record for record in caplog.records if record.name == "asyncio"]
