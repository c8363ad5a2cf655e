"""The progress of a run: a bar on a terminal, next to nothing elsewhere."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import sys
from contextlib import suppress

import pytest

from nnrun.cli.output import Output
from nnrun.reports.live import work as module
from nnrun.reports.live.work import Checks, OneRun, Steps
from nnrun.reports.shown import shown
from nnrun.reports.terminal import live
from nnrun.training.trainer import Progress
from tests.waiting import PATIENCE_SECONDS

# Half a second, in which a bar moves five times.
LONG = ("--iterations", "20000")


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
    begin = module.monotonic()
    with (folder / "log").open("w") as log:
        process = start("train", cars, *LONG, stderr=log, environment={variable: "1"})
        process.communicate()
    seconds = module.monotonic() - begin
    assert 0 == process.returncode
    lines = (folder / "log").read_text().splitlines()
    assert all(line.startswith(("cars: iteration ", "cars: training for ")) for line in lines)
    assert len(lines) <= 1 + seconds / module.LINE_SECONDS
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


def test_a_log_of_many_runs_has_a_line_for_the_first_and_then_now_and_then(monkeypatch, capsys):
    """Whatever they were, the table at the end tells all of them."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    with shown(Steps(100), Output()) as tell:
        for run in range(1, 101):
            tell(f"cars/s{run}")
            now[0] += 0.5
    counts = [int(line[1:4]) for line in capsys.readouterr().err.splitlines()]
    assert [*range(1, 21), 40, 60, 80, 100] == counts


@pytest.mark.parametrize(("is_terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_a_bar_tells_how_many_settings_are_checked(monkeypatch, is_terminal, quiet):
    """On a terminal, once it has taken a second, ten times a second, and gone at the end."""
    now, stream, output = [0.0], io.StringIO(), Output()
    stream.isatty, output.quiet = (lambda: is_terminal), quiet
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(live, "monotonic", lambda: now[0])
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


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    """Where there is no terminal: one when a run has begun, then at most one in ten seconds."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    with shown(OneRun("cars"), Output()) as watcher:
        for iteration in range(1000, 70_000, 1000):
            watcher.progressed(None, Progress(iteration, 100_000, 0.25, now[0]))
            now[0] += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert 7 == len(lines)
    assert "cars: iteration 2,000 of 100,000, 1,000/s, loss 0.2500, 1 min 38 s left" == lines[0]
    assert "cars: iteration 32,000 of 100,000, 1,000/s, loss 0.2500, 1 min 08 s left" == lines[3]


def test_time_left_counts_from_where_the_run_went_on(monkeypatch, capsys):
    """What an earlier process did says nothing about the speed of this one."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
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


def test_the_first_line_knows_no_speed_yet(monkeypatch, capsys):
    """As when the network had to be compiled first: it says how long the run is."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    with shown(OneRun("cars"), Output()) as watcher:
        now[0] = 2.0
        watcher.progressed(None, Progress(1, 100_000, 0.25, 0.1))
    assert "cars: training for 100,000 iterations\n" == capsys.readouterr().err
