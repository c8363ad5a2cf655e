"""The live view of a sweep fits its terminal, whatever it shows."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from nnrun.cli.output import Output
from nnrun.reports.live import runs as module
from nnrun.reports.live import work
from nnrun.reports.live.runs import Runs
from nnrun.reports.shown import shown
from nnrun.reports.terminal.live import Screen
from nnrun.runs.record import Replicate
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.training.trainer import Progress
from tests.reports.conftest import CLASSIFICATION
from tests.sweeps.board.boards import VARIANT, named, progress, score


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 by 24 characters."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def drawn(work):
    """The lines that a terminal is drawn."""
    terminal = work.display
    picture = work.picture(terminal.console.width)
    terminal.draw(lambda width: picture, at_once=True)
    lines = terminal.console.render_lines(Screen(picture, terminal._widest))
    return ["".join(part.text for part in line).rstrip() for line in lines]


def test_it_fits_80_by_24_and_shows_rows_forming(terminal):
    """With forty configs, ten runs in progress and long names: no line is broken, none is lost."""
    with shown(Runs(200), Output()) as view:
        for number in range(40):
            variant = replace(VARIANT, number=number, name=f"{'long_' * 20}{number}")
            run = PlannedRun(variant, Replicate(0), f"s0-{number}")
            view.ended(run, CLASSIFICATION, progress((variant, [])), trained=True)
            if number < 10:
                view.progressed(run, Progress(1, 100, 0.5, 1.0))
        console = view.display.console
        lines = drawn(view)
    assert (78, 24) == (console.width, console.height)
    assert len(lines) < 24
    assert max(map(len, lines)) <= 78
    assert 8 == sum("loss 0.5000" in line for line in lines)
    rows = [line for line in lines if "0.9000" in line]
    assert len(rows) >= 5
    assert all(line.endswith(f"1/{len(VARIANT.seeds)}") for line in rows)
    assert "… 2 more" in lines
    assert "… 30 more" == lines[-1]


def test_a_wide_screen_shows_more(terminal, monkeypatch):
    """All forty rows, where there is room."""
    monkeypatch.setenv("LINES", "60")
    with shown(Runs(200), Output()) as view:
        for number in range(40):
            variant = replace(VARIANT, number=number, name=f"config_{number}")
            run = PlannedRun(variant, Replicate(0), f"s0-{number}")
            view.ended(run, CLASSIFICATION, progress((variant, [])), trained=True)
        text = "\n".join(drawn(view))
    assert 40 == text.count("config_")


def test_the_time_that_is_left_goes_by_what_runs_are_expected_to_take(terminal, monkeypatch):
    """Long runs come first, and say little of the short ones; a slow start says nothing of any."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    long = named("long", seeds=range(2), estimate=replace(VARIANT.estimate, seconds=20.0))
    short = named("short", seeds=range(100), estimate=replace(VARIANT.estimate, seconds=0.1))

    def left(scores, at):
        for seed in range(2):
            if at < 100:
                view.progressed(
                    PlannedRun(long, Replicate(seed), f"s{seed}"), Progress(at, 100, 0.5, 1.0)
                )
        view.tick(progress((long, scores), (short, [])))
        return view.figures().partition(", ")[2]

    with shown(Runs(102), Output()) as view:
        now[0] += 1  # in which workers have begun, and no more than that: 50 s of work for two
        assert "33 s left" == left([], 1)
        now[0] += 10
        assert "17 s left" == left([], 50)
        for seed in range(2):
            run = PlannedRun(long, Replicate(seed), f"s{seed}")
            view.ended(run, CLASSIFICATION, progress((long, [])), trained=True)
            view.released(run)
        view.progressed(PlannedRun(short, Replicate(0), "s0"), Progress(1, 100, 0.5, 1.0))
        assert "3 s left" == left([score(0, 0.9), score(1, 0.9)], 100)


def test_the_bar_keeps_its_length_between_runs(terminal, monkeypatch):
    """The time that is left stays where no run is in progress for a moment, and its room too.

    It goes where all that is left belongs to another sweep, whose progress is unknown.
    """
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    variant = named("short", seeds=range(60), estimate=replace(VARIANT.estimate, seconds=2.0))

    def place_and_time():
        words = view.figures()
        text = drawn(view)[0]
        return text.index(words), words.partition(", ")[2]

    def so_far():
        sweep = progress((variant, scores))
        sweep.trained = len(scores)
        return sweep

    scores = []
    with shown(Runs(60), Output()) as view:
        seen = []
        for seed in range(50):
            run = PlannedRun(variant, Replicate(seed), f"s{seed}")
            view.progressed(run, Progress(1, 100, 0.5, 1.0))
            view.tick(so_far())
            seen.append(place_and_time())
            now[0] += 0.2
            scores.append(score(seed, 0.5))
            view.ended(run, CLASSIFICATION, so_far(), trained=True)
            view.released(run)
            seen.append(place_and_time())
        view.waiting(10)
        assert "" == place_and_time()[1]
    assert {True} == {left.endswith(" s left") for _, left in seen}
    assert [seen[20][0]] * 80 == [place for place, _ in seen[20:]]


def test_runs_too_short_to_be_seen_in_progress_have_a_time_left(terminal, monkeypatch):
    """It goes by those that have ended."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    variant = named("tiny", seeds=range(100), estimate=replace(VARIANT.estimate, seconds=0.1))
    with shown(Runs(100), Output()) as view:
        assert "left" not in view.figures()
        for seed in range(50):
            now[0] += 0.2
            run = PlannedRun(variant, Replicate(seed), f"s{seed}")
            view.ended(run, CLASSIFICATION, progress((variant, [])), trained=True)
        # 11 s for the 5 expected and 1 that is believed: 9.2 for the other 5, rounded up.
        assert view.figures().endswith(", 10 s left")


def test_what_runs_take_counts_more_than_a_short_plan(terminal, monkeypatch):
    """Where runs take ten times as long as expected, half of them show it."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    variant = named("tiny", seeds=range(100), estimate=replace(VARIANT.estimate, seconds=0.02))
    with shown(Runs(100), Output()) as view:
        for seed in range(50):
            now[0] += 0.2
            run = PlannedRun(variant, Replicate(seed), f"s{seed}")
            view.ended(run, CLASSIFICATION, progress((variant, [])), trained=True)
        # 10.2 s for the 1 expected and 0.2 that are believed: 8.5 for the other 1; 10 are true.
        assert view.figures().endswith(", 9 s left")


def test_the_notice_of_a_stop_counts_the_runs(capsys):
    """One is no plural, and for none nothing is waited for; what gets saved is not known yet."""
    with shown(Runs(3), Output()) as lines:
        lines.stopping(0)
        lines.stopping(1)
        lines.stopping(2)
    err = capsys.readouterr().err
    assert 2 == err.count("stopping: ")
    assert "stopping: waiting for 1 run in progress\n" in err
    assert "stopping: waiting for 2 runs in progress\n" in err


def test_a_log_gets_a_line_for_each_of_a_few_runs_and_then_one_now_and_then(monkeypatch, capsys):
    """Twenty have theirs; of the rest there is one in ten seconds, and the last."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(work, "monotonic", lambda: now[0])
    scores = []
    with shown(Runs(100), Output()) as lines:
        variant = replace(VARIANT, seeds=range(100))
        for seed in range(100):
            now[0] += 0.5
            scores.append(score(seed, 0.5))
            sweep = progress((variant, scores))
            sweep.trained = len(scores)
            lines.ended(
                PlannedRun(variant, Replicate(seed), f"s{seed}"),
                CLASSIFICATION,
                sweep,
                trained=True,
            )
    counts = [line.partition("]")[0] for line in capsys.readouterr().err.splitlines()]
    expected = [*range(1, 21), 40, 60, 80, 100]
    assert [f"[{done:>3}/100" for done in expected] == counts


def test_a_log_shows_life_before_the_first_run_has_ended(monkeypatch, capsys):
    """After ten seconds, and every ten seconds from there on."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(work, "monotonic", lambda: now[0])
    with shown(Runs(3), Output()) as lines:
        for _ in range(250):
            lines.tick(progress((VARIANT, [])))
            now[0] += 0.1
    line = "[0/3] the first runs are not at their end yet"
    assert [line, line] == capsys.readouterr().err.splitlines()
