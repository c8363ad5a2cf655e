"""How a terminal draws work while it goes on."""

from __future__ import annotations

import pytest

from nnrun.cli.output import Output
from nnrun.reports.live.work import Picture
from nnrun.reports.terminal import live
from nnrun.reports.terminal.live import Terminal


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
