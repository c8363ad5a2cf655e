"""What a person with a browser finds in the live page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.check_report import AA
from tests.ui.conftest import run_of
from tests.waiting import PATIENCE_SECONDS

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
        expect(page.locator("#now")).to_have_count(0)
        expect(page.locator("#counts")).not_to_contain_text("running")
        with process(*sweep, "--iterations", "300") as started:
            assert 0 == started.wait(PATIENCE_SECONDS)
        expect(page.locator("#counts")).to_contain_text("4 completed")
        expect(page.locator("table.sortable").first).to_be_visible()
        assert 1 == page.locator("#runs input:checked").count()
        assert [] == said
        port = address.split(":")[2].partition("/")[0]
    expect(page.locator("#state")).to_contain_text("does not answer")
    with served(results, port):
        expect(page.locator("#state")).to_contain_text("open the address that it has printed")
    assert page.evaluate("window.stayed")
