"""Lines of progress of runs and sweeps."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import sys
from contextlib import suppress
from dataclasses import replace

import pytest

from nnrun.cli.output import Output
from nnrun.reports.live import runs, work
from nnrun.reports.live.runs import Runs
from nnrun.reports.live.work import Checks, OneRun, Steps
from nnrun.reports.shown import shown
from nnrun.reports.terminal import live
from nnrun.reports.terminal.live import Screen
from nnrun.runs.record import Replicate
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.training.trainer import Progress
from tests.reports.conftest import CLASSIFICATION
from tests.sweeps.board.boards import VARIANT, named, progress, score
from tests.waiting import PATIENCE_SECONDS

# The progress of a run: a bar on a terminal, next to nothing elsewhere.

# Half a second, in which a bar moves five times.
LONG = ("--iterations", "20000")


@pytest.fixture
def now(monkeypatch):
    """The time that displays go by, which a test moves on: `now[0] += 1`."""
    now = [0.0]
    for module in (live, runs, work):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def on_terminal(start):
    """Runs a command whose stderr is a terminal, and returns stdout and what the terminal got."""

    def run(*arguments: str, **environment: str):
        ours, theirs = pty.openpty()
        process = start(*arguments, stderr=theirs, environment={"TERM": "xterm", **environment})
        os.close(theirs)
        shown = bytearray()
        with suppress(OSError):  # how a terminal says that its other end is closed
            while select.select([ours], [], [], PATIENCE_SECONDS)[0] and (
                part := os.read(ours, 4096)
            ):
                shown += part
        os.close(ours)
        return process.communicate()[0], shown.decode()

    return run


def test_a_terminal_sees_a_bar_with_speed_loss_and_time_left(on_terminal, cars):
    """The bar tells the name, iterations per second, loss and time left, and is gone at the end."""
    out, shown = on_terminal("train", cars, *LONG)
    assert re.search(r"cars.*━.*\d+%.* [\d,]+/s.*loss [\d.]+.*\d s left", shown)
    assert shown.rstrip("\r\n").endswith("\x1b[2K")
    assert out.startswith("cars  s3-")
    assert "\x1b" not in out


def test_a_bar_leaves_room_for_the_ctrl_c_that_a_terminal_prints(on_terminal, cars):
    """A ^C at the end of a full line begins another line, and the bar could not be removed."""
    _, shown = on_terminal("train", cars, *LONG, COLUMNS="80")
    drawn = re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown))
    assert 78 == max(map(len, drawn))


def test_messages_on_a_terminal_end_their_lines_between_words(on_terminal, folder):
    """What is indented, such as a line of a config, stays as it is; a log has one long line."""
    rest = "network: {sizes: [3], activations: [softmax]}\nloss: cross_entropy\n"
    training = "training: {learning_rate: 0.1, epochs: 1}\n"
    (folder / "bad.yaml").write_text(f"dataset: iris\n{rest}{training}")
    _, shown = on_terminal("check", "bad.yaml", COLUMNS="60")
    words, _, source = shown.replace("\r\n", "\n").partition("\n    dataset: iris\n")
    assert max(map(len, words.splitlines())) <= 60
    assert "mapping of name, path, columns, images, channel_axis," in words.replace("\n", " ")
    assert "             ^~~~\n" == source


def test_no_color_is_honoured(on_terminal, cars):
    """With NO_COLOR the bar moves but has no colours."""
    _, shown = on_terminal("train", cars, *LONG, NO_COLOR="1")
    assert "━" in shown
    assert not re.search(r"\x1b\[[\d;]*3[0-9]", shown)


def test_quiet_shows_no_bar_on_a_terminal(on_terminal, cars):
    """--quiet is quiet on a terminal too."""
    assert ("", "") == on_terminal("train", cars, "--quiet")


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_bar_ever_goes_to_a_file(start, cars, variable, folder):
    """Not even where colours are forced, as continuous integration does; a line now and then."""
    begin = work.monotonic()
    with (folder / "log").open("w") as log:
        process = start("train", cars, *LONG, stderr=log, environment={variable: "1"})
        process.communicate()
    seconds = work.monotonic() - begin
    assert 0 == process.returncode
    lines = (folder / "log").read_text().splitlines()
    assert all(line.startswith(("cars: iteration ", "cars: training for ")) for line in lines)
    assert len(lines) <= 1 + seconds / work.LINE_SECONDS
    assert "━" not in "".join(lines)


def test_runs_that_are_verified_move_a_bar(on_terminal, cars, lab):
    """One that is gone at the end, since the table tells all of them; a log has a line for each."""
    for seed in (1, 2):
        lab.ok("train", cars, f"seed={seed}")
    out, shown = on_terminal("verify")
    assert re.search(r"━.*100% 2 of 2: cars/s\d-\w{10}: same bits", shown)
    assert shown.rstrip("\r\n").endswith("\x1b[2K")
    assert 2 == out.count("   the same bits\n")
    lines = lab("verify").err.splitlines()
    assert ["[1/2] cars/s1", "[2/2] cars/s2"] == [line.partition("-")[0] for line in lines]


def test_a_log_of_many_runs_has_a_line_for_the_first_and_then_now_and_then(now, capsys):
    """Whatever they were, the table at the end tells all of them."""
    with shown(Steps(100), Output()) as tell:
        for run in range(1, 101):
            tell(f"cars/s{run}")
            now[0] += 0.5
    counts = [int(line[1:4]) for line in capsys.readouterr().err.splitlines()]
    assert [*range(1, 21), 40, 60, 80, 100] == counts


@pytest.mark.parametrize(("is_terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_a_bar_tells_how_many_settings_are_checked(monkeypatch, is_terminal, quiet, now):
    """On a terminal, once it has taken a second, ten times a second, and gone at the end."""
    stream, output = io.StringIO(), Output()
    stream.isatty, output.quiet = (lambda: is_terminal), quiet
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with shown(Checks(), output) as checked:
        for now[0] in (0.75, 1.5, 1.55, 1.75):
            checked(2_000)
    drawn = stream.getvalue()
    if quiet or not is_terminal:
        assert not drawn
        return
    assert ["2", "4"] == [*dict.fromkeys(re.findall(r"(\d) of 2,000 settings", drawn))]
    assert drawn.endswith("\x1b[2K")


def test_a_dumb_terminal_gets_lines(on_terminal, cars):
    """As a log file does: what cannot be drawn over is not drawn on."""
    _, shown = on_terminal("train", cars, *LONG, TERM="dumb")
    assert "━" not in shown
    assert "\x1b" not in shown


def test_a_log_gets_a_line_now_and_then(now, capsys):
    """Where there is no terminal: one when a run has begun, then at most one in ten seconds."""
    with shown(OneRun("cars"), Output()) as watcher:
        for iteration in range(1000, 70_000, 1000):
            watcher.progressed(None, Progress(iteration, 100_000, 0.25, now[0]))
            now[0] += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert 7 == len(lines)
    assert "cars: iteration 2,000 of 100,000, 1,000/s, loss 0.2500, 1 min 38 s left" == lines[0]
    assert "cars: iteration 32,000 of 100,000, 1,000/s, loss 0.2500, 1 min 08 s left" == lines[3]


def test_time_left_counts_from_where_the_run_went_on(now, capsys):
    """What an earlier process did says nothing about the speed of this one."""
    with shown(OneRun("cars"), Output()) as watcher:
        watcher.progressed(None, Progress(90_000, 100_000, None, 500.0))
        now[0] = 40.0
        watcher.progressed(None, Progress(94_000, 100_000, None, 540.0))
    assert "100/s, 1 min 00 s left" in capsys.readouterr().err


def test_a_wide_terminal_sees_the_curve_of_the_loss(on_terminal, cars):
    """From 80 columns on, and only where its characters are known."""
    curve = re.compile(r"loss [\d.]+ [▁▂▃▄▅▆▇█]+, ")
    assert curve.search(on_terminal("train", cars, *LONG, COLUMNS="80")[1])
    assert not curve.search(on_terminal("train", cars, *LONG, "seed=4", COLUMNS="79")[1])
    plain = {"COLUMNS": "80", "PYTHONIOENCODING": "ascii:replace", "PYTHONUTF8": "0"}
    assert "?" not in on_terminal("train", cars, *LONG, "seed=5", **plain)[1].split("loss")[1]


def test_the_first_line_knows_no_speed_yet(now, capsys):
    """As when the network had to be compiled first: it says how long the run is."""
    with shown(OneRun("cars"), Output()) as watcher:
        now[0] = 2.0
        watcher.progressed(None, Progress(1, 100_000, 0.25, 0.1))
    assert "cars: training for 100,000 iterations\n" == capsys.readouterr().err


# The live view of a sweep fits its terminal, whatever it shows.


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


def test_the_time_that_is_left_goes_by_what_runs_are_expected_to_take(terminal, now):
    """Long runs come first, and say little of the short ones; a slow start says nothing of any."""
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


def test_the_bar_keeps_its_length_between_runs(terminal, now):
    """The time that is left stays where no run is in progress for a moment, and its room too.

    It goes where all that is left belongs to another sweep, whose progress is unknown.
    """
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


def test_runs_too_short_to_be_seen_in_progress_have_a_time_left(terminal, now):
    """It goes by those that have ended."""
    variant = named("tiny", seeds=range(100), estimate=replace(VARIANT.estimate, seconds=0.1))
    with shown(Runs(100), Output()) as view:
        assert "left" not in view.figures()
        for seed in range(50):
            now[0] += 0.2
            run = PlannedRun(variant, Replicate(seed), f"s{seed}")
            view.ended(run, CLASSIFICATION, progress((variant, [])), trained=True)
        # 11 s for the 5 expected and 1 that is believed: 9.2 for the other 5, rounded up.
        assert view.figures().endswith(", 10 s left")


def test_what_runs_take_counts_more_than_a_short_plan(terminal, now):
    """Where runs take ten times as long as expected, half of them show it."""
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


def test_a_log_gets_a_line_for_each_of_a_few_runs_and_then_one_now_and_then(now, capsys):
    """Twenty have theirs; of the rest there is one in ten seconds, and the last."""
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


def test_a_log_shows_life_before_the_first_run_has_ended(now, capsys):
    """After ten seconds, and every ten seconds from there on."""
    with shown(Runs(3), Output()) as lines:
        for _ in range(250):
            lines.tick(progress((VARIANT, [])))
            now[0] += 0.1
    line = "[0/3] the first runs are not at their end yet"
    assert [line, line] == capsys.readouterr().err.splitlines()
