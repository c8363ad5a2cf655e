"""`nnrun ui` in a browser: its pages, and who may see them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import nnrun
from nnrun.ui.server import page_to
from tests.browser.check_report import AA
from tests.ui.conftest import run_of
from tests.waiting import PATIENCE_SECONDS

# What a person with a browser finds in the live page.

SWEEP = """
name: live
dataset: {name: iris, features: standard}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
training:
  {learning_rate: 0.1, iterations: 10000000, batch_size: 8, engine: numpy, evaluate_every: 1000}
sweep: {seeds: 2, grid: {training.learning_rate: [0.1, 0.01]}}
"""
NNRUN = [sys.executable, "-m", "nnrun"]


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command, which is ended with the block."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    started = subprocess.Popen(
        [*NNRUN, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=environment,
    )  # fmt: skip
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@contextmanager
def served(results: Path, port: str = "0") -> Iterator[str]:
    """The address of a server over a results folder."""
    with process("ui", "--port", port, "--results", str(results)) as server:
        yield server.stdout.readline().strip()


@pytest.fixture(scope="module")
def address(results) -> Iterator[str]:
    with served(results) as found:
        yield found


def pages_of(results: Path) -> list[str]:
    """One of each kind."""
    pictures, houses = (run_of(results, name) for name in ("pictures", "houses"))
    ids = sorted(place.name for place in (results / "flowers").iterdir())[:3]
    compared = "&".join(f"run=flowers/{one}" for one in ids)
    return ["/", "/runs", f"/runs/{pictures}", f"/runs/{houses}", f"/compare?{compared}", "/none"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page_is_accessible_and_quiet(results, address, visit, scheme, width) -> None:
    """axe-core finds no violation of WCAG 2.1 AA; nothing is said on the console or asked of
    others; nothing is wider than a telephone.
    """
    visited, said = visit
    for path in pages_of(results):
        page = visited(address, path, width, color_scheme=scheme)
        if path == "/":
            expect(page.locator("#state")).to_have_text("Live.")
            expect(page.locator("#settings")).to_be_visible()
        if "/runs/" in path:
            expect(page.locator("form.try")).to_be_visible()
        assert width == page.evaluate("document.documentElement.scrollWidth"), path
        # These have been looked at in the report; axe-core would spend its time on them.
        page.eval_on_selector_all(
            "section:not(#try) figure", "all => all.forEach(one => one.remove())"
        )
        found = Axe().run(page, options=AA)
        wrong = [
            (f["id"], [n["html"][:200] for n in f["nodes"][:3]])
            for f in found.response["violations"]
        ]
        assert [] == wrong, path
    assert [] == [text for text in said if "404" not in text]


def test_a_view_is_in_its_address(results, address, visit) -> None:
    """Chosen runs, with their bar in view, filters and sorted columns come back with it."""
    visited, said = visit
    page = visited(address)
    expect(page.locator("#settings")).to_be_visible()
    boxes, words = page.locator("input[name=run]"), page.locator("#board .tools input").first
    boxes.nth(0).check()
    boxes.nth(2).check()
    page.eval_on_selector_all("#board details", "all => all.forEach((one) => { one.open = true; })")
    words.press_sequentially("rate")
    page.locator("#board th button").nth(1).click()
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("form.chosen")).to_be_in_viewport()
    again = page.url
    page.goto("about:blank")
    page.goto(again)
    expect(page.locator("#board th[aria-sort]")).to_have_count(1)
    assert "rate" == words.input_value()
    page.get_by_role("button", name="Choose none").click()
    assert ("run=" in again, "run=" in page.url) == (True, False)
    assert [] == said


def test_a_drawing_is_answered(results, address, visit) -> None:
    """While the pen moves; a row of the data can be shown in its place, and cleared."""
    visited, said = visit
    page = visited(address, f"/runs/{run_of(results, 'pictures')}")
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 240, steps=8)
    page.mouse.up()
    expect(page.locator(".predicted")).to_have_text(re.compile(r"class \d"))
    expect(page.locator("#try .gallery img").first).to_be_visible()
    clear = page.get_by_role("button", name="Clear")
    clear.click()
    expect(page.locator(".predicted")).to_have_count(0)
    page.locator(".row-number").fill("5")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("meter")).to_have_count(10)
    clear.click()
    expect(page.locator(".predicted")).to_have_count(0)
    assert [] == said


def hold(page) -> None:
    """Rows and answers come when `release` is called."""
    page.evaluate(
        """() => {
            window.held = [];
            window.fetch = () => new Promise((done) => held.push(done));
        }"""
    )


def held(page) -> int:
    """How many requests there have been."""
    return page.evaluate("held.length")


def release(page, place: int, content: object) -> None:
    """Answer a request, and wait until the page has read it."""
    page.evaluate(
        """async ([place, content]) => {
            const answer = new Response(content);
            held[place](answer);
            await new Promise((done) => setTimeout(done));
            while (!answer.bodyUsed) await new Promise((done) => setTimeout(done));
            await new Response(content).text();
            await new Promise((done) => setTimeout(done));
        }""",
        [place, content if isinstance(content, str) else json.dumps(content)],
    )


def test_nothing_older_comes_after_clear(results, address, visit) -> None:
    """No answer that was under way, none to a drawing that waited, and no row."""
    page = visit[0](address, f"/runs/{run_of(results, 'pictures')}")
    canvas, answer = page.locator("canvas"), page.locator(".answer")
    clear, show = (page.get_by_role("button", name=name) for name in ("Clear", "Show"))
    empty = canvas.evaluate("one => one.toDataURL()")
    hold(page)
    for x in (100, 150):
        canvas.click(position={"x": x, "y": 100})
    clear.click()
    release(page, 0, "of a drawing")
    assert (1, "") == (held(page), answer.inner_text())
    show.click()
    clear.click()
    release(page, 1, {"values": [1] * 64})
    assert (2, empty) == (held(page), canvas.evaluate("one => one.toDataURL()"))
    show.click()
    clear.click()
    release(page, 2, {"error": "of a row"})
    assert "" == answer.inner_text()


def test_the_row_that_was_chosen_last_is_shown(results, address, visit) -> None:
    """Also if an earlier one comes later; a drawing or words that were begun meanwhile stay."""
    visited, _ = visit
    page = visited(address, f"/runs/{run_of(results, 'pictures')}")
    show, answer = page.get_by_role("button", name="Show"), page.locator(".answer")
    canvas = page.locator("canvas")
    hold(page)
    show.click()
    show.click()
    release(page, 1, {"values": [1] * 64})
    shown = canvas.evaluate("one => one.toDataURL()")
    release(page, 0, {"values": [0] * 64})
    assert (3, shown) == (held(page), canvas.evaluate("one => one.toDataURL()"))
    show.click()
    release(page, 2, "of the row before")
    assert "" == answer.inner_text()
    canvas.click(position={"x": 100, "y": 100})
    release(page, 3, {"values": [0] * 64})
    assert 5 == held(page)
    release(page, 4, "of the drawing")
    assert (5, "of the drawing") == (held(page), answer.inner_text())
    page = visited(address, f"/runs/{run_of(results, 'houses')}")
    cells = page.locator(".cells input")
    expect(cells.first).to_be_visible()
    hold(page)
    page.get_by_role("button", name="Fill in").click()
    cells.first.fill("7")
    release(page, 0, {"values": [1] * cells.count()})
    assert ("7", 1) == (cells.first.input_value(), held(page))


def test_a_row_is_answered(results, address, visit) -> None:
    """With what is wrong in words, and a value once it is right."""
    visited, _ = visit
    page = visited(address, f"/runs/{run_of(results, 'houses')}")
    first = page.locator(".cells input").first
    first.fill("much")
    first.press("Enter")
    expect(page.locator(".answer .bad")).to_contain_text("'much'")
    page.get_by_role("button", name="Fill in").click()
    expect(page.locator(".predicted")).to_be_visible()


SOURCE = """
window.EventSource = class extends EventTarget {
    constructor() { super(); window.source = this; }
    close() {}
};
"""


def test_a_press_outlasts_a_new_table(results, address, visit) -> None:
    """A run is chosen though its table is drawn again before the button of the mouse is up."""
    page = visit[0](address)
    page.add_init_script(SOURCE)
    page.reload()
    table = page.locator("#runs")
    box = table.locator("input[name=run]").first
    box.hover()
    page.mouse.down()
    part = {"id": "runs", "title": "Runs", "section": True, "digest": "new"}
    part["html"] = table.evaluate("one => one.outerHTML")
    page.evaluate(
        "data => source.dispatchEvent(new MessageEvent('parts', { data }))",
        json.dumps({"order": [["runs", "Runs"]], "parts": [part]}),
    )
    page.mouse.up()
    expect(table).to_have_attribute("data-digest", "new")
    expect(box).to_be_checked()


def test_a_sweep_is_followed_through_a_kill_and_a_restart(tmp_path, visit) -> None:
    """Runs, points and boards arrive in an open page, which keeps what its reader has done."""
    visited, said = visit
    results, config = tmp_path / "results", tmp_path / "live.yaml"
    config.write_text(SWEEP)
    sweep = ("sweep", str(config), "--results", str(results), "-j", "1", "-q")
    with served(results) as address:
        page = visited(address)
        page.evaluate("() => { window.stayed = true; }")
        with process(*sweep) as started:
            expect(page.locator("#now .plot").first).to_be_visible()
            expect(page.locator(".sweep")).to_contain_text("of 4 done")
            line = page.locator("#now .plot path.line").first
            expect(line).not_to_have_attribute("d", line.get_attribute("d"))
            page.locator("#runs input[type=checkbox]").first.check()
            started.send_signal(signal.SIGKILL)
            started.wait()
        expect(page.locator("#now")).to_contain_text("No run is in progress")
        expect(page.locator("#counts")).not_to_contain_text("running")
        with process(*sweep, "--iterations", "300") as started:
            assert 0 == started.wait(PATIENCE_SECONDS)
        expect(page.locator("#counts")).to_contain_text("4 completed")
        expect(page.locator("#board details")).not_to_have_count(0)
        assert 1 == page.locator("#runs input:checked").count()
        assert [] == said
        port = address.split(":")[2].partition("/")[0]
    expect(page.locator("#state")).to_contain_text("does not answer")
    with served(results, port):
        expect(page.locator("#state")).to_contain_text("open the address that it has printed")
    assert page.evaluate("window.stayed")


# What a browser that has opened the live page sends, and what others get.


@pytest.fixture
def fresh_address(results) -> Iterator[str]:
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


def test_the_local_page_leads_to_the_live_one(fresh_address, browser) -> None:
    """It stays open on a reload, in other tabs and from a link of another page; no other browser
    gets it.
    """
    ours, other = browser.new_context(), browser.new_context()
    page = ours.new_page()
    with page_to(fresh_address, 1) as file:
        page.goto(file.as_uri())
        expect(page.locator("#state")).to_have_text("Live.")
    expect(page).to_have_url(fresh_address)
    page.reload()
    expect(page.locator("#state")).to_have_text("Live.")
    tab = ours.new_page()
    tab.goto(f"{fresh_address}runs?order=name")
    expect(tab.locator("select")).to_have_value("name")
    with elsewhere(f"{fresh_address}runs?order=result") as (port, _):
        for host in ("127.0.0.1", "localhost"):  # the second is another site
            tab.goto(f"http://{host}:{port}/")
            tab.get_by_role("link", name="there").click()
            expect(tab.locator("select")).to_have_value("result")
    stranger = other.new_page()
    stranger.goto(fresh_address)
    expect(stranger.locator("h1")).to_have_text("This address is in use")
    stranger.goto(re.sub(r"\w+/$", "", fresh_address))
    expect(stranger.locator("h1")).to_have_text("No page has this address")
    for context in (ours, other):
        context.close()


def test_other_servers_of_the_machine_get_nothing(fresh_address, browser) -> None:
    """No cookie, though they have the same host."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(fresh_address)
    expect(page.locator("#state")).to_have_text("Live.")
    (cookie,) = context.cookies()
    assert (True, "Strict") == (cookie["httpOnly"], cookie["sameSite"])
    assert "" == page.evaluate("document.cookie")
    with elsewhere("x") as (port, received):
        for path in ("", "runs", "events"):
            page.goto(f"http://127.0.0.1:{port}/{path}")
    assert {""} == {*received}
    context.close()


def test_a_page_too_many_says_so(fresh_address, visit) -> None:
    """The words tell the reader to close some."""
    page = visit[0](fresh_address)
    page.add_init_script(SOURCE)
    page.reload()
    page.evaluate("source.dispatchEvent(new MessageEvent('full', { data: 'x' }))")
    expect(page.locator("#state")).to_contain_text("Too many pages are open")


def test_a_run_can_be_trained_in_the_playground(tmp_path, visit) -> None:
    """By a link with its settings, to its losses; the server is asked for nothing more."""
    config = {
        "name": "again", "dataset": {"name": "moons", "rows": 90}, "loss": "binary_cross_entropy",
        "network": {"sizes": [3, 1], "activations": ["silu", "sigmoid"]},
        "training": {"learning_rate": 0.3, "iterations": 7, "batch_size": 8, "engine": "numpy"},
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path)
    with served(tmp_path) as address:
        page = visit[0](address, f"/runs/again/{run.path.name}")
        page.get_by_role("link", name="Train it in the playground").click()
        expect(page.locator("#play-said")).to_contain_text("moons: 72 rows to train on, 18")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for _ in range(7):
            page.get_by_role("button", name="Step").click()
        loss = float(page.locator("#play-held").text_content())
        assert loss == pytest.approx(run.history["test_loss"][-1], rel=1e-3)  # as it is shown
        assert ([], []) == (asked, visit[1])
