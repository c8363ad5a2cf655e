"""Who may ask the server."""

from __future__ import annotations

import os

import pytest

from nnrun.ui.access import token_for
from tests.ui.asking import HOST, PORT, TOKEN

HERE = f"http://{HOST}:{PORT}"
NO_COOKIE = {"cookie": ""}


def test_the_token_becomes_a_cookie(asker):
    """The address with the token leads to the page, at the same place, without it."""
    answer = asker.get(f"/runs?token={TOKEN}&order=name", **NO_COOKIE)
    assert (303, "/runs?order=name") == (answer.status, answer.headers["location"])
    cookie = answer.headers["set-cookie"]
    assert f"nnrun-{PORT}={TOKEN}; HttpOnly; Path=/; SameSite=lax" == cookie
    assert 200 == asker.get("/runs?order=name").status


@pytest.mark.parametrize("path", [f"//evil.example/?token={TOKEN}", f"/\\evil?token={TOKEN}"])
def test_the_token_leads_nowhere_else(asker, path):
    """However the path begins."""
    location = asker.get(path, **NO_COOKIE).headers["location"]
    assert location.startswith("/")
    assert location[1] not in "/\\"


@pytest.mark.parametrize(
    ("path", "cookie"),
    [
        ("/", ""), ("/", f"nnrun-{PORT}=b"), ("/?token=b", ""), ("/?token=", ""),
        ("/events", ""), ("/files/page.js", ""), ("/runs", f"nnrun-1={TOKEN}"), ("/none", ""),
        ("/?token=%C3%A4", ""), ("/", f"nnrun-{PORT}=\u00e4"),
    ],
)  # fmt: skip
def test_without_the_token_there_is_nothing(asker, path, cookie):
    """No page, no event, no file; the answer says what to do."""
    answer = asker.get(path, cookie=cookie)
    assert (403, True) == (answer.status, "address that nnrun ui has printed" in answer.text)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}", "192.168.1.7",
     f"localhost.evil:{PORT}", "[::2]", "127.0.0.2"],
)  # fmt: skip
def test_other_names_of_the_server_are_refused(asker, host):
    """A name that a page makes lead here (DNS rebinding) does not open it, token or not."""
    for path in ("/", f"/?token={TOKEN}"):
        assert 403 == asker.get(path, host=host).status


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8620", "LOCALHOST:1"])
def test_names_of_this_machine_are_known(asker, host):
    """With any port, as through a tunnel."""
    assert 200 == asker.get("/", host=host).status


def test_a_host_that_was_asked_for_is_known(ask_in):
    """With an address for all of them, any address is, and no name."""
    assert 200 == ask_in(host="box.local").get("/", host="box.local:8620").status
    everywhere = ask_in(host="0.0.0.0")
    found = [everywhere.get("/", host=host).status for host in ("192.168.1.7:8620", "evil.example")]
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


@pytest.mark.parametrize("path", ["/", "/none", "/runs", "/files/page.js", "/?token=b"])
def test_every_answer_is_strict(asker, path):
    """Nothing but what this server sends may run or be loaded, and nothing is kept."""
    headers = asker.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= {*policy}
    assert [] == [part for part in policy if "unsafe" in part or "http" in part or "*" in part]
    assert ("no-store", "nosniff", "no-referrer") == tuple(
        headers[key] for key in ("cache-control", "x-content-type-options", "referrer-policy")
    )


def test_the_token_is_kept_for_this_user(tmp_path, monkeypatch):
    """It is the same after a restart, and another for other folders and ports."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    first = token_for(tmp_path / "a", 1)
    assert first == token_for(tmp_path / "a", 1)
    assert 3 == len({first, token_for(tmp_path / "b", 1), token_for(tmp_path / "a", 2)})
    assert 0o600 == os.stat(tmp_path / "ui" / "secret").st_mode & 0o777


def test_a_secret_that_others_can_read_is_not_used(tmp_path, monkeypatch):
    """The token is new each time then; so it is where no secret can be kept."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    token_for(tmp_path, 1)
    (tmp_path / "ui" / "secret").chmod(0o644)
    assert token_for(tmp_path, 1) != token_for(tmp_path, 1)
    monkeypatch.setenv("NNRUN_CACHE", "/dev/null")
    assert token_for(tmp_path, 1) != token_for(tmp_path, 1)
