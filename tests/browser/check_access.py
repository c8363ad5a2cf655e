"""What a browser that has opened the live page sends, and what others get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import expect

from nnrun.ui.server import page_to
from tests.browser.check_ui import SOURCE, served


@pytest.fixture
def address(results) -> Iterator[str]:
    """Address of a server that no browser has opened."""
    with served(results) as found:
        yield found


@contextmanager
def elsewhere(link: str) -> Iterator[tuple[int, list[str]]]:
    """The port of another server, whose page has a link, and the cookies that come to it."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(self.headers.get("cookie", ""))
            content = f'<!doctype html><title>x</title><a href="{link}">there</a>'.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], received
        finally:
            server.shutdown()
            thread.join()


def test_the_local_page_leads_to_the_live_one(address, browser) -> None:
    """It stays open on a reload, in other tabs and from a link of another page; no other browser
    gets it.
    """
    ours, other = browser.new_context(), browser.new_context()
    page = ours.new_page()
    with page_to(address, 1) as file:
        page.goto(file.as_uri())
        expect(page.locator("#state")).to_have_text("Live.")
    expect(page).to_have_url(address)
    page.reload()
    expect(page.locator("#state")).to_have_text("Live.")
    tab = ours.new_page()
    tab.goto(f"{address}runs?order=name")
    expect(tab.locator("select")).to_have_value("name")
    with elsewhere(f"{address}runs?order=result") as (port, _):
        for host in ("127.0.0.1", "localhost"):  # the second is another site
            tab.goto(f"http://{host}:{port}/")
            tab.get_by_role("link", name="there").click()
            expect(tab.locator("select")).to_have_value("result")
    stranger = other.new_page()
    stranger.goto(address)
    expect(stranger.locator("h1")).to_have_text("This address is in use")
    stranger.goto(re.sub(r"\w+/$", "", address))
    expect(stranger.locator("h1")).to_have_text("No page has this address")
    for context in (ours, other):
        context.close()


def test_other_servers_of_the_machine_get_nothing(address, browser) -> None:
    """No cookie, though they have the same host."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#state")).to_have_text("Live.")
    (cookie,) = context.cookies()
    assert (True, "Strict") == (cookie["httpOnly"], cookie["sameSite"])
    assert "" == page.evaluate("document.cookie")
    with elsewhere("x") as (port, received):
        for path in ("", "runs", "events"):
            page.goto(f"http://127.0.0.1:{port}/{path}")
    assert {""} == {*received}
    context.close()


def test_a_page_too_many_says_so(address, visit) -> None:
    """The words tell the reader to close some."""
    page = visit[0](address)
    page.add_init_script(SOURCE)
    page.reload()
    page.evaluate("source.dispatchEvent(new MessageEvent('full', { data: 'x' }))")
    expect(page.locator("#state")).to_contain_text("Too many pages are open")
