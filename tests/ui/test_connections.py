"""Connections, and who may use them."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.server import ServerState

from nnrun.ui import server as module
from nnrun.ui import watcher as listeners
from nnrun.ui.access import HEADERS, Access, make_app
from nnrun.ui.server import STRANGERS, Connection
from tests.ui.asking import HOST, PORT, SECRET, cookie_of

# Half-sent requests keep nobody out, and end; what is no request is refused.


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


# Who may ask the server.

HERE = f"http://{HOST}:{PORT}"
NO_COOKIE = {"cookie": ""}
# How a browser follows a link on a page of another server, or a page opens itself again.
LINK = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", **NO_COOKIE}
AGAIN = {"sec_fetch_site": "same-origin", "sec_fetch_mode": "navigate"}
CLOSED = ["No page has this address", "This address is in use"]


@pytest.fixture
def fresh(ask_in):
    """An application that no browser has opened."""
    return ask_in(opened=False)


def test_the_address_gives_a_cookie(fresh):
    """A page that opens itself again brings it; with it, the page at the same place is shown."""
    answer = fresh.get("/runs?order=name", **LINK)
    assert (200, True) == (answer.status, 'content="0; url="' in answer.text)
    assert "run yet" not in answer.text
    cookie, *words = answer.headers["set-cookie"].split("; ")
    assert ["HttpOnly", "Max-Age=2592000", f"Path=/{SECRET}", "SameSite=strict"] == words
    assert SECRET not in cookie
    page = fresh.get("/runs?order=name", cookie=cookie, **AGAIN)
    assert (200, True) == (page.status, "There is no run yet" in page.text)


def test_the_address_is_for_one_browser(fresh):
    """The first that comes back with its cookie; cookies of others are of no use from then on."""
    first, second = (cookie_of(fresh.get("/", **LINK)) for _ in range(2))
    found = [fresh.get("/", cookie=one, **AGAIN).status for one in (first, second, first)]
    assert [200, 403, 200] == found
    later = fresh.get("/", **LINK)
    assert (200, None) == (later.status, later.headers.get("set-cookie"))
    assert 403 == fresh.get("/", **NO_COOKIE).status


def test_what_only_looks_at_the_address_does_not_use_it_up(fresh):
    """A program that keeps no cookie, or asks for anything but the page."""
    for _ in range(20):
        fresh.get("/", **NO_COOKIE)
    assert 403 == fresh.ask("HEAD", "/", NO_COOKIE).status
    cookie = cookie_of(fresh.get("/", **LINK))
    assert 200 == fresh.get("/", cookie=cookie, **AGAIN).status


def test_a_browser_that_keeps_no_cookie_is_told_once(fresh):
    """The page does not open itself again and again."""
    assert 200 == fresh.get("/", **LINK).status
    answer = fresh.get("/", **AGAIN, **NO_COOKIE)
    assert (403, True) == (answer.status, "has to accept cookies" in answer.text)


def test_secrets_are_new_at_each_start(ask_in):
    """A cookie of an earlier start opens nothing, whatever its name."""
    before, after = ask_in(), ask_in()
    assert before.cookie.partition("=")[0] != after.cookie.partition("=")[0]
    name = after.cookie.partition("=")[0]
    for cookie in (before.cookie, f"{name}={before.cookie.partition('=')[2]}"):
        assert 403 == after.get("/", cookie=cookie).status


@pytest.mark.parametrize(
    ("path", "cookie", "words"),
    [
        ("plain:/", None, 0), ("plain:/runs", None, 0), (f"plain:/{SECRET}x/", None, 0),
        (f"plain://{SECRET}/", None, 0), ("plain:/%C3%A4", None, 0), ("plain:*", None, 0),
        (f"plain:http://{HOST}:{PORT}/{SECRET}/", None, 0), (f"plain:/?token={SECRET}", None, 0),
        ("/", "", 1), ("/events", "", 1), ("/files/page.js", "", 1), ("/none", "", 1),
        ("/", "b", 1), ("/", "\u00e4", 1),
    ],
)  # fmt: skip
def test_without_path_and_cookie_there_is_nothing(asker, path, cookie, words):
    """One of both is not enough; the answer says which command prints an address."""
    name, _, value = asker.cookie.partition("=")
    answer = asker.get(path, cookie=f"{name}={value if cookie is None else cookie}")
    assert (403, True) == (answer.status, CLOSED[words] in answer.text)
    assert ("nnrun ui" in answer.text, value in answer.text) == (True, False)


def test_the_address_may_lack_its_last_slash(asker):
    """Then it leads to the one that has it."""
    answer = asker.get("")
    assert (307, f"{HERE}/{SECRET}/") == (answer.status, answer.headers["location"])


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}",
     f"192.168.1.7:{PORT}", f"localhost.evil:{PORT}", f"[::2]:{PORT}", f"127.0.0.2:{PORT}", HOST,
     "127.0.0.1:1", "localhost:9000", f"{HOST}:{PORT}:{PORT}", f"{HOST}:0{PORT}", f"{HOST}:",
     f"x@{HOST}:{PORT}", f"[{HOST}:{PORT}", f"[::1]x:{PORT}"],
)  # fmt: skip
def test_other_names_and_ports_of_the_server_are_refused(asker, host):
    """A name that a page makes lead here (DNS rebinding) does not open it, cookie or not."""
    assert 403 == asker.get("/", host=host).status


@pytest.mark.parametrize(
    "host", ["localhost:8620", "127.0.0.1:8620", "[::1]:8620", "LOCALHOST:8620"]
)
def test_names_of_this_machine_are_known(asker, host):
    """With the port that the server listens on."""
    assert 200 == asker.get("/", host=host).status


def test_the_usual_port_may_be_left_out():
    """Browsers do so with port 80."""
    access = Access(Starlette(), SECRET, [HOST], 80)
    found = [access._is_known(host) for host in (HOST, f"{HOST}:80", "[::1]", "[::1]:80", "a:80")]
    assert [True] * 4 + [False] == found


def test_a_host_that_was_asked_for_is_known(ask_in):
    """With an address for all of them, any address is, and no name."""
    assert 200 == ask_in(host="box.local").get("/", host="box.local:8620").status
    everywhere = ask_in(host="0.0.0.0")
    found = [
        everywhere.get("/", host=host).status for host in ("192.168.1.7:8620", "evil.example:8620")
    ]
    assert [200, 403] == found


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"},
        {"origin": f"https://{HOST}:{PORT}"}, {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
    ],
)  # fmt: skip
def test_pages_of_other_servers_are_refused(asker, headers):
    """Also those on another port of this machine."""
    assert 403 == asker.get("/", **headers).status


def test_a_link_on_another_page_opens_this_one(asker):
    """Its own origin and a link are no reason to refuse."""
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert 200 == asker.get("/", **link).status
    assert 200 == asker.get("/", origin=HERE, sec_fetch_site="same-origin").status


def test_what_is_posted_has_an_origin(asker):
    """Without one it is refused, before anything is read."""
    assert 403 == asker.ask("POST", "/runs/a/s1-0123456789/answer", {}, b"{}").status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_it_only_reads(asker, method):
    """No other method is answered."""
    assert 405 == asker.ask(method, "/", {}).status


@pytest.mark.parametrize(
    "headers",
    [
        {"transfer_encoding": "chunked"}, {"transfer_encoding": "chunked", "content_length": ""},
        {"content_length": "9" * 4301}, {"content_length": "-1"}, {"content_length": "\u00b3"},
        {"content_length": ""},
    ],
)  # fmt: skip
def test_what_has_no_length_is_refused(asker, headers):
    """A length beside chunks counts for nothing: what comes is as long as its sender likes."""
    assert 413 == asker.post("/runs/a/s1-00000000aa/answer", {"cells": []}, **headers).status


@pytest.mark.parametrize("name", ["cookie", "origin", "sec_fetch_site", "content_length", "host"])
@pytest.mark.parametrize("value", ["\u00ff", "\u0000", ";=;", "a" * 9999, '"\\377"', "[::1"])
def test_odd_headers_are_refused(asker, name, value):
    """None of them is an error of the server."""
    assert asker.get("/", **{name: value}).status in (403, 413)


def test_an_error_has_a_page(ask_in, monkeypatch):
    """It says what happened, without where, and is as strict as every answer."""
    asker = ask_in()
    monkeypatch.setattr(asker.watcher, "fresh", lambda *_: 1 / 0)
    answer = asker.get("/runs")
    assert (500, True) == (answer.status, "ZeroDivisionError" in answer.text)
    assert [] == [name for name in HEADERS if answer.headers.get(name) != HEADERS[name]]


@pytest.mark.parametrize("path", ["/", "/none", "/runs", "/files/page.js", "plain:/", "/events"])
def test_every_answer_is_strict(asker, path, monkeypatch):
    """Nothing but what this server sends may run or be loaded, and nothing is kept."""
    monkeypatch.setattr(listeners, "MOST", 0)  # so that the events end
    headers = asker.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= {*policy}
    assert [] == [part for part in policy if "unsafe" in part or "http" in part or "*" in part]
    assert ("no-store", "nosniff", "no-referrer") == tuple(
        headers[key] for key in ("cache-control", "x-content-type-options", "referrer-policy")
    )
