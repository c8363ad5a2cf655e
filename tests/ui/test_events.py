"""What arrives by itself."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from nnrun.reports.run import report_markdown
from nnrun.runs.lease import begin
from nnrun.runs.record import Replicate
from nnrun.runs.storage.store import Store
from nnrun.training.trainer import Progress
from nnrun.ui import watcher as listeners
from nnrun.ui import watcher as module
from nnrun.ui.access import make_app
from nnrun.ui.watcher import Part
from tests.ui.asking import HOST, PORT, SECRET, Asker
from tests.ui.conftest import run_of

ROWS = [{"iteration": n, "train_loss": 1 / n, "test_loss": 2 / n} for n in (50, 100)]
ABOUT = Replicate(4), {"dataset": {"name": "iris"}}, "ab" * 32


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.05)


def titles(events):
    """Of the sections of the page now."""
    return [title for _, title in events[-1]["order"] if title]


def part(events, name):
    """The newest HTML of a part; empty before there is one."""
    found = [p["html"] for event in events for p in event["parts"] if p["id"] == name]
    return found[-1] if found else ""


def test_runs_and_points_arrive(results, ask_in, tmp_path):
    """A run that begins, its progress and its end change the page; only what changed is sent."""
    root = tmp_path / "results"
    store = Store(root, report_markdown)

    def begun(events):
        lease = begin(store, "houses", "s4-0123456789")
        lease.note(Progress(0, 300, None, 0.0), lambda: ABOUT)
        leases.append(lease)
        return len(events)

    def advanced(events):
        leases[0]._notes._next = 0.0
        leases[0].note(Progress(120, 300, 0.5, 0.1, ROWS), lambda: ABOUT)
        return len(events)

    def ended(events):
        leases[0].release()
        shutil.copytree(results / "flowers", root / "flowers")
        return len(events)

    leases, marks, key = [], [], run_of(results, "flowers")
    steps = [
        (
            lambda events: (
                titles(events) == ["Best", "Now", "Runs"] and "wait" not in str(events[-1])
            ),
            begun,
        ),
        (lambda events: "houses/s4-0123456789" in part(events, "now"), advanced),
        (lambda events: "40%" in part(events, "now"), ended),
        (lambda events: "Board" in titles(events) and key in part(events, "runs"), len),
    ]

    def done(events):
        if steps and steps[0][0](events):
            marks.append(steps.pop(0)[1](events))
        return not steps

    events = ask_in(root).events("/events", done)
    assert "No run is in progress" in part(events, "now")
    advancing = [event["parts"] for event in events[marks[1] : marks[2]]]
    assert {"now", "runs"} == {p["id"] for parts in advancing for p in parts}


def test_the_page_of_a_run_ends_with_it(ask_in, tmp_path):
    """Its progress arrives; when it has ended there is nothing more, and the page loads again."""
    store = Store(tmp_path / "results", report_markdown)
    lease = begin(store, "houses", "s4-0123456789")
    lease.note(Progress(0, 300, None, 0.0), lambda: ABOUT)
    asker = ask_in()
    path = "/runs/houses/s4-0123456789"
    page = asker.get(path).text
    assert f'data-events="/{SECRET}{path}/events"' in page

    def done(events):
        if len(events) == 1:
            lease.release()
        return len(events) == 2

    events = asker.events(f"{path}/events", done)
    assert [["Now"], []] == [titles([event]) for event in events]


def test_one_look_serves_all_pages(results, monkeypatch):
    """With three pages open as with one; with none, and no request, nobody looks."""
    asker = Asker(results)
    looks = []
    look = asker.watcher._live.look
    monkeypatch.setattr(asker.watcher._live, "look", lambda: looks.append(1) or look())
    asker.watcher.fresh(drawn_within=20)

    async def open_pages(number):
        state = asker.state
        state.listeners.attach()
        streams = [state.listeners.stream(asker.watcher, lambda s: s.now) for _ in range(number)]
        for stream in streams:
            for _ in range(2):
                await anext(stream)
        begun, before = time.monotonic(), len(looks)
        while len(looks) < before + 5:
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - begun
        for stream in streams:
            await stream.aclose()
        return seconds

    monkeypatch.setattr(module, "_LOOKING", 1.0)
    assert asyncio.run(open_pages(3)) >= 4 * module._SECONDS
    assert 0 == asker.watcher._listeners
    before = len(looks)
    time.sleep(0.2)
    assert len(looks) - before <= 1  # which may have begun before
    asker.close()


def test_a_page_too_many_is_answered(ask_in, monkeypatch):
    """It gets one event, which says so, while the others go on; later there is room again."""
    monkeypatch.setattr(listeners, "MOST", 1)
    asker = ask_in()

    def done(events):
        if len(events) == 1:
            answers.append(asker.get("/events").text)
        return True

    answers: list[str] = []
    for _ in range(2):
        asker.events("/events", done)
    assert ["event: full\ndata: too many pages are open\n\n"] * 2 == answers


def test_only_the_head_of_events_is_an_answer_of_its_own(asker):
    """It ends, and counts as no page."""
    answer = asker.ask("HEAD", "/events", {})
    assert (200, "") == (answer.status, answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_nothing_is_fetched(tmp_path):
    """While the server runs, no data set is; before and after, Python can."""
    app = make_app(tmp_path, SECRET, [HOST], PORT)

    async def lived() -> str:
        async with app.app.router.lifespan_context(app):
            with pytest.raises(URLError) as caught:
                urlopen("http://127.0.0.1:9/")
            return str(caught.value.reason)

    assert "nnrun ui sends no requests" == asyncio.run(lived())
    with pytest.raises(URLError) as caught:
        urlopen("http://127.0.0.1:9/")
    assert "nnrun ui" not in str(caught.value.reason)


def test_an_error_is_shown_and_passes(results, ask_in, monkeypatch):
    """Pages stay open; once results can be drawn again, they are."""
    asker = ask_in(results)
    asker.watcher.fresh(drawn_within=20)
    draw = asker.watcher._draw
    monkeypatch.setattr(asker.watcher, "_draw", lambda *_: 1 / 0)
    asker.watcher._outdated = True

    def done(events):
        if "division by zero" in part(events, "problem"):
            monkeypatch.setattr(asker.watcher, "_draw", draw)
        return len(events) > 1 and "Problem" not in titles(events)

    events = asker.events("/events", done)
    assert "ZeroDivisionError: division by zero" in part(events, "problem")
    assert "Settings" in titles(events)


def test_pages_do_not_wait_for_what_is_drawn(results, ask_in, monkeypatch):
    """While results take long, other pages are answered with what is known."""
    asker = ask_in(results)
    asker.watcher.fresh(drawn_within=20)
    begun, end = threading.Event(), threading.Event()
    monkeypatch.setattr(asker.watcher, "_draw", lambda *_: begun.set() or (end.wait(20) and []))
    asker.watcher._outdated = True
    asker.watcher._next_drawing = 0.0
    time.sleep(0.1)  # the last look is of the past
    asking = threading.Thread(target=asker.watcher.fresh)
    asking.start()
    assert begun.wait(20)
    assert 17 == len(asker.watcher.fresh().runs)
    assert not end.is_set()
    end.set()
    asking.join()


def test_results_are_waited_for_until_they_are_shown(results, ask_in, monkeypatch):
    """They are drawn a moment before."""
    asker = ask_in(results)
    asker.watcher.fresh(drawn_within=20)
    show, drawn = asker.watcher._show, [Part.of("new", "")]
    monkeypatch.setattr(asker.watcher, "_show", lambda now: time.sleep(0.2) or show(now))
    monkeypatch.setattr(asker.watcher, "_draw", lambda *_: drawn)
    time.sleep(0.1)  # the last look is of the past
    asker.watcher._outdated = True
    asker.watcher._next_drawing = 0.0
    assert drawn == asker.watcher.fresh(drawn_within=20).results


def test_a_look_that_began_long_ago_is_of_the_past(results, ask_in, tmp_path, monkeypatch):
    """What came while it lasted may be missing in it, so that a page waits for the next one."""
    asker = ask_in(tmp_path)
    asker.watcher.fresh(drawn_within=20)
    look, begun, end = asker.watcher._live.look, threading.Event(), threading.Event()

    def slow():
        time.sleep(0.1)
        found = look()
        begun.set()
        end.wait(20)
        return found

    monkeypatch.setattr(asker.watcher._live, "look", slow)
    time.sleep(0.1)  # the last look is of the past
    asking = threading.Thread(target=asker.watcher.fresh)
    asking.start()
    assert begun.wait(20)
    shutil.copytree(results / "houses", tmp_path / "houses")
    time.sleep(0.1)  # and so is this one
    threading.Timer(0.1, end.set).start()
    assert ["houses"] == [run.overview.name for run in asker.watcher.fresh().runs]
    asking.join()


def test_a_page_that_is_opened_later_has_what_ended_meanwhile(results, ask_in, tmp_path):
    """Nobody looked since, so that the results that were drawn before are old."""
    root = tmp_path / "results"
    shutil.copytree(results / "flowers", root / "flowers")
    asker = ask_in(root)
    before = asker.watcher.fresh(drawn_within=20).results
    shutil.copytree(results / "houses", tmp_path / "houses")
    (tmp_path / "houses").rename(root / "houses")  # no look finds a part of them
    asker.watcher._next_drawing = 0.0
    time.sleep(0.1)  # the last look is of the past
    after = asker.watcher.fresh(drawn_within=20).results
    assert (False, True) == tuple("boston" in parts[0].html for parts in (before, after))
