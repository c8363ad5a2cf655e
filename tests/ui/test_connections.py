"""Half-sent requests keep nobody out, and end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvicorn
from uvicorn.server import ServerState

from nnrun.ui import server as module
from nnrun.ui.server import CONNECTIONS, Connection

HALF, WHOLE = b"GET / HTTP/1.1\r\nHost: here\r\n", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf"


async def slowly(scope, receive, send):
    """An answer in two parts."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await asyncio.sleep(0.3)
    await send({"type": "http.response.body", "body": b"two"})


@asynccontextmanager
async def served():
    """Makes connections to a server, which are closed in the end."""
    config = uvicorn.Config(slowly, http=Connection, limit_concurrency=CONNECTIONS, log_config=None)
    config.load()
    state, writers = ServerState(), []
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    address = server.sockets[0].getsockname()

    async def connect(sent: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(*address)
        writers.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader

    try:
        yield connect
    finally:
        for writer in writers:
            writer.close()
        server.close()


async def answer_of(reader: asyncio.StreamReader) -> str:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
    return head.decode().strip()


def test_half_sent_requests_keep_nobody_out():
    """However many there are, the next whole request is answered; the oldest of them give way."""

    async def asked() -> str:
        async with served() as connect:
            for _ in range(300):
                await connect(HALF)
            return await answer_of(await connect(WHOLE))

    assert "HTTP/1.1 200 OK" == asyncio.run(asked())


@pytest.mark.parametrize("sent", [b"", HALF, BODY], ids=["nothing", "half a head", "half a body"])
def test_a_request_that_does_not_come_to_an_end_is_closed(monkeypatch, sent):
    """Soon after it has begun, whether or not an answer waits for the rest."""
    monkeypatch.setattr(module, "_SECONDS", 0.1)

    async def waited() -> bytes:
        async with served() as connect:
            reader = await connect(sent)
            try:
                return await asyncio.wait_for(reader.read(), 20)
            except ConnectionResetError:
                return b""

    assert b"two" not in asyncio.run(waited())


def test_what_is_answered_goes_on(monkeypatch):
    """An answer may last longer than requests may, and be one of many."""
    monkeypatch.setattr(module, "_SECONDS", 0.1)

    async def answered() -> bytes:
        async with served() as connect:
            reader = await connect(WHOLE)
            await answer_of(reader)
            for _ in range(150):
                await connect(HALF)
            return await asyncio.wait_for(reader.readuntil(b"two"), 20)

    assert b"one" in asyncio.run(answered())
