"""`nnrun ui` in a browser: its pages, who may see them, the playground."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import nnrun
from nnrun.ui.server import page_to
from tests.browser.check_report import AA
from tests.ui.conftest import run_of
from tests.waiting import PATIENCE_SECONDS, until

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
    page.locator("#board summary").first.click()
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
        expect(page.locator("table.sortable").first).to_be_visible()
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


# What a person with a browser does in the playground.


def opened(visit, address: str, path: str = "/playground", width: int = 1280, **options):
    """The playground, once its network is drawn."""
    page = visit[0](address, path, width, **options)
    expect(page.locator("#play-said")).to_contain_text("parameters")
    return page


def iteration(page) -> int:
    return int(page.locator("#play-iteration").text_content().replace(",", ""))


@contextmanager
def slow(page) -> Iterator[None]:
    """What the page asks for is not sent before the block ends, or `sent` has sent the first."""
    page.evaluate(
        """() => {
            const send = window.fetch;
            window.held = [];
            window.fetch = async (...words) => {
                await new Promise((done) => held.push(done));
                return send(...words);
            };
            window.end = () => {
                window.fetch = send;
                held.forEach((done) => done());
            };
        }"""
    )
    yield
    page.evaluate("end()")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_it_plays_accessibly_and_quietly(address, visit, scheme, width) -> None:
    """Losses fall while pictures change; axe-core finds no violation of WCAG 2.1 AA; nothing is
    said on the console or asked of others; nothing is wider than a telephone.
    """
    page = opened(visit, address, width=width, color_scheme=scheme)
    picture = "document.getElementById('play-large').toDataURL()"
    before, loss = page.evaluate(picture), float(page.locator("#play-train").text_content())
    page.locator("#play-pace").select_option("most")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-train")).to_have_text(re.compile(r"^0\.[0-2]"))
    page.get_by_role("button", name="Pause").click()
    assert before != page.evaluate(picture)
    assert float(page.locator("#play-train").text_content()) < loss
    page.get_by_text("All weights and ranges as tables").click()
    expect(page.locator(".tables table")).to_have_count(3)
    found = Axe().run(page, options=AA).response["violations"]
    assert [] == [(f["id"], [n["html"][:200] for n in f["nodes"][:3]]) for f in found]
    assert width == page.evaluate("document.documentElement.scrollWidth")
    assert [] == visit[1]


def test_it_works_by_keyboard(address, visit) -> None:
    """Steps, a unit's numbers as in the tables, another width; the focus stays."""
    page = opened(visit, address)
    page.get_by_role("button", name="Step").focus()
    for _ in range(2):
        page.keyboard.press("Enter")
    expect(page.locator("#play-iteration")).to_have_text("2")
    page.get_by_text("All weights and ranges as tables").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tables table")).to_have_count(3)
    page.get_by_role("button", name="layer 0, unit 1", exact=True).focus()
    card = page.locator("#play-unit td").all_text_contents()
    row = page.locator(".tables table").first.locator("tbody tr").nth(1)
    assert card == row.locator("td").all_text_contents()
    expect(page.locator("#play-shown")).to_have_text("Layer 0, unit 1")
    more = page.get_by_role("button", name="One unit more in layer 1")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#play-said")).to_have_text(
        "From iteration 2 on: widths 4, 4. There are fresh weights in layer 1 and the output layer."
    )
    expect(more).to_be_focused()
    assert 11 == page.locator(".unit").count()


def test_a_copied_config_trains_to_the_same_loss(address, visit) -> None:
    """Also from the page of a run; and what is wrong is said, with the value as it was."""
    page = opened(visit, address)
    rate = page.locator("[data-setting=rate]")
    rate.fill("-1")
    rate.press("Enter")
    expect(page.locator("#play-error")).to_contain_text("training.learning_rate: -1 is not")
    expect(rate).to_have_value("0.1")
    page.locator("[data-setting=rows]").fill("100")
    page.locator("[data-setting=rows]").press("Tab")
    expect(page.locator("#play-said")).to_have_text("Training begins with rows 100.")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-epoch")).to_have_text(re.compile(r"^[3-9]|^\d\d"))
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Copy as config").click()
    expect(page.locator("#play-config pre")).to_contain_text("engine: numpy")
    text = page.locator("#play-config pre").text_content()
    run = nnrun.train(yaml.safe_load(text), results=None)
    assert f"test loss {float(run.history['test_loss'][-1])!r}" in text
    last = run.history["iteration"][-1]
    expect(page.locator("#play-iteration")).to_have_text(f"{last:,}")


def test_what_is_wrong_stays_while_it_learns(address, visit) -> None:
    """A refused setting is said until another one is accepted, over all pictures between."""
    page = opened(visit, address)
    page.get_by_role("button", name="Play").click()
    rate = page.locator("[data-setting=rate]")
    rate.fill("-1")
    rate.press("Enter")
    expect(rate).to_have_value("0.1")
    for _ in range(3):
        expect(page.locator("#play-iteration")).not_to_have_text(f"{iteration(page):,}")
    expect(page.locator("#play-error")).to_contain_text("training.learning_rate: -1 is not")
    rate.fill("0.2")
    rate.press("Enter")
    expect(page.locator("#play-error")).to_be_hidden()


def test_changes_of_layers_add_up(address, visit) -> None:
    """Also those that are made before the first one is answered."""
    page = opened(visit, address, "/playground?layers=3,2")
    more = page.get_by_role("button", name="Add a hidden layer")
    wider = page.get_by_role("button", name="One unit more in layer 0")
    with slow(page):
        for button in (more, more, wider, wider):
            button.click()
    expect(page).to_have_url(re.compile(r"\blayers=5(,|%2C)2(,|%2C)2(,|%2C)2$"))
    expect(page.locator("#play-depth")).to_have_text("4")


def test_an_answer_leaves_what_is_typed(address, visit) -> None:
    """Answers to two settings come while a third one is typed; the focus stays there."""
    page = opened(visit, address)
    rate, batch = (page.locator(f"[data-setting={name}]") for name in ("rate", "batch_size"))
    with slow(page):
        page.get_by_role("button", name="One unit more in layer 0").click()
        rate.fill("0.2")
        rate.press("Tab")
        expect(batch).to_be_focused()
        batch.press_sequentially("3")
    expect(page.locator("#play-said")).to_contain_text("learning rate 0.2")
    batch.press_sequentially("2")
    batch.press("Enter")
    expect(page).to_have_url(re.compile("&rate=0.2&batch_size=32$"))


def test_what_is_pressed_last_counts(address, visit) -> None:
    """Settings of the data before do not come along, and Play is not undone."""
    page = opened(visit, address)
    with slow(page):
        page.locator("[data-setting=noise]").fill("0.25")
        page.locator("[data-setting=noise]").press("Enter")
        page.locator("#play-data").select_option("xor")
        page.get_by_role("button", name="Play").click()
    expect(page).to_have_url(re.compile("data=xor$"))
    expect(page.locator("#play-iteration")).not_to_have_text("0")
    page.get_by_role("button", name="Pause").click()


def test_play_after_a_pause_is_as_fast_as_before(address, visit) -> None:
    """Though the pause has ended before the update that was under way."""
    page = opened(visit, address)
    page.locator("#play-pace").select_option("1")
    with slow(page):
        for name in ("Play", "Pause", "Play"):
            page.get_by_role("button", name=name).click()
        page.evaluate("held[0]()")
        expect(page.locator("#play-iteration")).to_have_text("1")
        # After what was set to come sooner.
        page.evaluate("new Promise((done) => setTimeout(done, 100))")
        page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Copy as config").click()
    expect(page.locator("#play-config pre")).to_contain_text("engine: numpy")
    assert 2 == iteration(page)


def test_settings_are_in_the_address(address, visit) -> None:
    """It begins with them, also after a reload; those that cannot be used are said and left out."""
    page = opened(visit, address, "/playground?data=xor&layers=2,3,2&rate=0.5&noise=0.25")
    expect(page.locator("#play-data")).to_have_value("xor")
    expect(page.locator("[data-setting=noise]")).to_have_value("0.25")
    expect(page.locator("#play-depth")).to_have_text("3")
    page.locator("[data-setting=batch_size]").fill("5")
    page.locator("[data-setting=batch_size]").press("Enter")
    expect(page).to_have_url(re.compile("&batch_size=5$"))
    page.reload()
    expect(page.locator("[data-setting=batch_size]")).to_have_value("5")
    page = opened(visit, address, "/playground?data=moons&layers=a&rate=x")
    expect(page.locator("#play-said")).to_contain_text("needs 1 to 16 units")
    assert 9 == page.locator(".unit").count() - 1


def test_a_run_goes_on_as_a_session_of_its_own(address, results, visit) -> None:
    """From the link on its page; it is given back when the page is left."""
    page = visit[0](address, f"/runs/{run_of(results, 'moons')}")
    with page.expect_response("**/playground/start") as started:
        page.get_by_role("link", name="Train it in the playground").click()
    session = started.value.json()["session"]
    expect(page.locator("#play-said")).to_contain_text(run_of(results, "moons"))
    rows = page.locator("[data-setting=rows]")
    expect(rows).to_be_disabled()
    assert "varies" != rows.get_attribute("placeholder")
    origin = "/".join(address.split("/")[:3])
    options = {"data": {"session": session, "updates": 0}, "headers": {"origin": origin}}
    ask = partial(page.request.post, f"{address}playground/advance", **options)
    assert 200 == ask().status
    page.get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{address}runs")
    until(lambda: 410 == ask().status)


def test_a_network_that_diverges_pauses(address, visit) -> None:
    """With what has happened in words; who wants less motion sees fewer pictures."""
    page = opened(visit, address, reduced_motion="reduce")
    page.locator("#play-data").select_option("sine")
    expect(page.locator("#play-said")).to_contain_text("sine: 200 rows")
    page.evaluate(
        "window.drawn = []; new MutationObserver(() => { drawn.push(performance.now()); }).observe("
        "document.getElementById('play-iteration'), { childList: true })"
    )
    page.get_by_role("button", name="Play").click()
    until(lambda: page.evaluate("drawn.length > 2"))
    assert 1000 < page.evaluate("drawn[2] - drawn[0]")  # twice as long, but for drawing itself
    page.locator("[data-setting=activation]").select_option("relu")
    expect(page.locator("#play-said")).to_contain_text("All weights stay.")
    page.locator("[data-setting=rate]").fill("1000000")
    page.locator("[data-setting=rate]").press("Enter")
    expect(page.locator("#play-error")).to_have_text(re.compile("diverged", re.IGNORECASE))
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    axis, highest = page.locator("#play-curve"), page.locator("#play-curve text").first
    assert axis.bounding_box()["x"] <= highest.bounding_box()["x"]
