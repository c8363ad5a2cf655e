"""How a terminal draws work while it goes on."""

from __future__ import annotations

import io
import sys

import pytest

from nnrun.cli.output import Output
from nnrun.reports.live.work import Picture, RunAt, Steps
from nnrun.reports.terminal import live
from nnrun.reports.terminal.live import Screen, Terminal


@pytest.mark.parametrize(("takes", "expected"), [(0.001, 100), (0.5, 2)])
def test_drawings_that_take_long_are_rare(monkeypatch, takes, expected):
    """Ten in a second, or a tenth of the time: a board of many rows would take all of it."""
    clock, drawn = [0.0], []

    def picture(width):
        clock[0] += takes
        drawn.append(clock[0])
        return Picture("")

    terminal = Terminal(Output())
    monkeypatch.setattr(live, "monotonic", lambda: clock[0])
    monkeypatch.setattr(terminal.live, "start", lambda: None)
    monkeypatch.setattr(terminal.live, "update", lambda *_, **__: None)
    terminal.next = 0.0
    while clock[0] < 10:
        terminal.draw(picture)
        clock[0] += 0.001
    assert expected == pytest.approx(len(drawn), rel=0.02)


@pytest.fixture
def terminal(monkeypatch):
    """A display on a terminal of 80 columns, and what was written to it."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    return Terminal(Output()), stream


def test_a_warning_stands_above_the_bar(terminal):
    """The bar is erased before it and drawn again below, so that both are whole."""
    display, stream = terminal
    work = Steps(2)
    work.display = display
    work("first")
    work.warn("the disk is slow")
    before, _, after = stream.getvalue().partition("the disk is slow")
    assert before.endswith("\x1b[2K")
    assert "1 of 2: first" in after
    display.close()


@pytest.mark.parametrize(("label", "has_bar"), [("iris seed=3", True), ("x" * 40, False)])
def test_a_run_has_a_bar_where_its_label_leaves_room(terminal, label, has_bar):
    """A label that says what differs is worth more than a bar."""
    display, _ = terminal
    run = RunAt(label, 0.5, 1e6, 10.0, {"train": 0.25, "validation": 0.5})
    lines = display.console.render_lines(Screen(Picture("1/2 runs", 0.5, running=[run])))
    text = "".join(part.text for part in lines[1])
    assert has_bar == ("━" in text)
    assert text.rstrip().endswith(" 50%  loss 0.2500  val 0.5000  10 s left")
