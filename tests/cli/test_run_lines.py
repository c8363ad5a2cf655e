"""What is drawn while runs train."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nnrun.cli import run_lines
from nnrun.cli.output import Output
from nnrun.cli.run_lines import DrawnRuns


@pytest.mark.parametrize(("takes", "expected"), [(0.001, 100), (0.5, 2)])
def test_drawings_that_take_long_are_rare(monkeypatch, takes, expected):
    """Ten in a second, or a tenth of the time: a board of many rows would take all of it."""
    clock, drawn = [0.0], []

    def refresh():
        clock[0] += takes
        drawn.append(clock[0])

    monkeypatch.setattr(run_lines, "monotonic", lambda: clock[0])
    view = DrawnRuns(Output())
    view.next_drawing, view.live = 0.0, SimpleNamespace(refresh=refresh)
    while clock[0] < 10:
        view._draw()
        clock[0] += 0.001
    assert expected == pytest.approx(len(drawn), rel=0.02)
