"""Who may ask the server."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from nnrun.ui import watcher as listeners
from nnrun.ui.access import HEADERS, Access
from tests.ui.asking import HOST, PORT, SECRET, cookie_of

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
    assert 413 == asker.post("/playground/start", {"data": "moons"}, **headers).status


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
