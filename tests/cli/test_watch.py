"""`nnrun watch`: what it shows of runs in progress, and that it leaves them alone."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nnrun.cli.watch import Followed
from nnrun.config.load import load_config
from nnrun.reports.live.runs import FollowedRuns, FormingRows
from nnrun.reports.run import report_markdown
from nnrun.reports.terminal.live import Screen
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import Replicate
from nnrun.runs.storage import sweep_progress
from nnrun.runs.storage.progress import RunProgress
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import SweepCounts, SweepNotes
from nnrun.sweeps.sweep import Sweep
from nnrun.training.trainer import Progress
from tests import forked
from tests.waiting import PATIENCE_SECONDS

ROWS = [{"iteration": n, "train_loss": 1 / n, "test_loss": 2 / n} for n in (50, 100)]


@pytest.fixture
def running(cars):
    """A complete run, and one that this process is at, 40% done; the last is yielded."""
    store = Store(Path("results"), report_markdown)
    first, run = (prepare(load_config(Path(cars), [f"seed={seed}"])) for seed in (3, 4))
    train(first, store)
    about = Replicate(4), run.config_dict, run.dataset.sha256
    with begin(store, "cars", run.run_id) as lease:
        lease.note(Progress(120, 300, 0.5, 0.0, ROWS), lambda: about)
        yield run, lease
    if Path(f"results/cars/{run.run_id}").exists():
        assert (store.root / "cars" / run.run_id / "report.json").exists()


def test_a_snapshot(running, lab):
    """The run with its share, its loss and the rows of its experiment so far; data with --json."""
    run, _ = running
    shown = lab("watch", "--once").out
    assert "1 running\n" == shown.splitlines(keepends=True)[0]
    for words in ("s4", " 40% ", "loss 0.01000", "test mse", "1/1"):
        assert words in shown, words
    (data,) = lab.json("watch", "--once")
    assert (run.run_id, "running", 4) == (data["run_id"], data["status"], data["seed"])
    assert (120, 300, {"train": 0.01, "test": 0.02}) == tuple(
        data["progress"][key] for key in ("iteration", "iterations", "losses")
    )
    assert ROWS == data["progress"]["history"]


def test_lists_and_reports_say_how_far_it_is(running, lab):
    """In percent, with its seed, its settings and its curve."""
    assert "running 40%" in lab("ls").out
    shown = lab("show", "cars/s4").out
    for words in ("running 40%", "iteration 120 of 300", "0.01000 train, 0.02000 test", "mean_sq",
                  "seed       4", "learning_rate: 0.01", "• test"):  # fmt: skip
        assert words in shown, words
    lab.ok("report", "-o", "report.html")
    page = Path("report.html").read_text()
    for words in (">In progress<", "40%", f"loss of cars/{running[0].run_id}"):
        assert words in page, words


def test_lines_for_another_program(running):
    """One for each change of status, with --json one object; Ctrl-C ends it, and not the run."""
    run, lease = running
    process = forked.nnrun("watch", "--json", stdout=subprocess.PIPE, text=True)
    try:
        first = json.loads(process.stdout.readline())
        lease.conclude(train(run, None).result)
        lease.release()
        second = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.stdout.close()
    assert ["running", "completed"] == [first["status"], second["status"]]
    assert second["test"] is not None


def test_a_key_ends_the_view(running):
    """`q`, without Enter; the terminal is as it was, and the run goes on."""
    run, _ = running
    ours, theirs = pty.openpty()
    process = forked.nnrun(
        "watch", stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"the runs go on" not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, b"q")
    assert 0 == process.wait(PATIENCE_SECONDS)
    os.close(ours)
    assert b"1 running" in shown
    assert Path(f"results/cars/{run.run_id}").is_dir()


def test_looks_tell_what_became_of_runs(cars):
    """One waits, runs, and is completed; one leaves nothing; those of before have not ended since.

    A run that begins and ends between two looks has ended; an empty folder is no run.
    """
    store = Store(Path("results"), report_markdown)
    runs = [prepare(load_config(Path(cars), [f"seed={seed}"])) for seed in (3, 8, 9, 10)]
    train(runs[0], store)
    followed = Followed(store.root, ("cars",))

    def look():
        return {run.run_id.partition("-")[0]: status for run, status in followed.look()}

    assert {} == look()
    first, second = (begin(store, "cars", run.run_id) for run in runs[1:3])
    about = Replicate(8), runs[1].config_dict, runs[1].dataset.sha256
    first.note(None, lambda: about)
    assert {"s8": "queued", "s9": "running"} == look()
    first.note(Progress(0, 300, None, 0.0), lambda: about)
    second.release()
    assert {"s8": "running", "s9": "gone"} == look()
    with first:
        first.conclude(train(runs[1], None).result)
    (store.root / "cars" / "s3-0123456789").mkdir()
    train(runs[3], store)
    assert {"s8": "completed", "s10": "completed"} == look()
    assert {} == look()
    assert 2 == followed.ended


def test_a_continued_run_has_no_error(cars, lab):
    """Once it runs again, how it ended before is no error; it is one until then."""
    store, run = Store(Path("results"), report_markdown), prepare(load_config(Path(cars)))
    train(run, store, Listener(stop=lambda: True))
    (listed,) = lab.json("ls")
    assert "interrupted" == listed["status"]
    assert listed["error"].startswith("stopped before its end")
    about = Replicate(3), run.config_dict, run.dataset.sha256
    with begin(store, "cars", run.run_id) as lease:
        lease.note(Progress(120, 300, None, 0.0), lambda: about)
        (watched,) = lab.json("watch", "--once")
    assert ("running", None) == (watched["status"], watched["error"])


def test_nothing_in_progress(lab):
    """It says so, also of an experiment that has not begun, and without a results folder."""
    for _ in range(2):
        shown = lab("watch", "--once")
        assert (0, "no run is in progress\n", "") == (shown.code, shown.out, shown.err)
        assert [] == lab.json("watch", "iris", "--once")
        Path("results").mkdir(exist_ok=True)


def test_it_waits_for_the_first_run(cars):
    """Begun before there is a results folder, it shows the runs that come."""
    process = forked.nnrun(
        "watch", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert "waiting for the first run" in process.stderr.readline()
        with begin(Store(Path("results"), report_markdown), "cars", "s4-0123456789"):
            assert "running" == json.loads(process.stdout.readline())["status"]
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.communicate()


def test_only_the_next_runs_of_a_sweep_are_counted():
    """The line says so, since later runs have no folder yet."""
    runs = [RunSummary("q", f"s{n}-0123456789", "queued" if n else "running") for n in range(3)]
    console = Console(width=80, force_terminal=True)
    (first, *_) = console.render_lines(Screen(FollowedRuns(runs, {}, FormingRows(), 0).picture()))
    assert "1 running, next 2 queued" == "".join(part.text for part in first).rstrip()


def test_short_runs_of_a_sweep_are_counted_by_its_line():
    """They write no progress, and a sweep holds several of them before they begin."""
    held = [RunSummary("q", f"s{n}-0123456789", "running") for n in range(8)]
    told = RunSummary("q", "s9-0123456789", "running", progress=progress(5))
    alone = RunSummary("other", "s1-0123456789", "running")
    sweep = SweepCounts(["q"], total=20, done=9, failed=0, running=2)
    view = FollowedRuns([*held, told, alone], {}, FormingRows(), 0, sweeps=[sweep])
    lines = Console(width=80, force_terminal=True).render_lines(Screen(view.picture()))
    texts = ["".join(part.text for part in line).split() for line in lines]
    assert ["3", "running"] == texts[0]
    assert [["q", "s9"], ["other", "s1"]] == [text[:2] for text in texts[2:4]]


def test_running_rows_show_in_what_their_blocks_differ():
    """The parts that all have are left out, as they would be before what differs is cut."""
    key = "training.optimizer"
    blocks = [{"type": "adam", "beta1": 0.5, "beta2": beta} for beta in (0.8, 0.9)]
    runs = [
        RunSummary("q", f"s{number}-0123456789", "running", settings={key: block})
        for number, block in enumerate(blocks)
    ]
    view = FollowedRuns(runs, {"q": [key]}, FormingRows(), 0)
    assert ["s0 beta2=0.8", "s1 beta2=0.9"] == [view.label(run) for run in runs]


def test_runs_of_a_search_are_named_by_what_it_chose():
    """In its words, not by all keys in which their configs differ."""
    settings = {"dataset.hide_test": True, "training.learning_rate.initial": 0.1}
    one = RunSummary("q", "s1-0123456789", "running", settings=settings)
    other = RunSummary("q", "s2-0123456789", "running", settings=settings)
    chosen = {(one.name, one.run_id): {"training.learning_rate.initial": 0.1}}
    view = FollowedRuns([one, other], {"q": [*settings]}, FormingRows(), 0, chosen=chosen)
    labels = ["s1 learning_rate=0.1", "s2 learning_rate=0.1 hide_test=true"]
    assert labels == [view.label(run) for run in view.runs]


def test_a_sweep_says_how_many_runs_it_has(cars, lab, monkeypatch):
    """Done, running and queued of all, also of short runs, which write nothing of their own.

    A run that is being saved is done, and not queued again.
    """
    shown = []

    def close(notes, unfinished):
        notes.add(lambda: replace(counts[0], running=1))
        shown.append(lab("watch", "--once").out)
        shown.append(lab("watch", "other", "--once").out)
        closed(notes, unfinished)

    def count(sweep):
        counts.append(counted(sweep))
        started = sweep.progress.ended + len(sweep._ends.active)
        waiting.append((3 - started, counts[-1].queued))
        return counts[-1]

    counts, waiting, closed, counted = [], [], SweepNotes.close, Sweep._counts
    monkeypatch.setattr(Sweep, "_counts", count)
    monkeypatch.setattr(SweepNotes, "close", close)
    monkeypatch.setattr(sweep_progress, "_SECONDS", 0.0)
    lab("sweep", cars, "--seeds", "3", "-j", "1", "-q")
    assert 3 == counts[0].total
    assert [] == [(expected, queued) for expected, queued in waiting if expected != queued]
    done = counts[0].done
    line = f"sweep of cars: {done} of 3 done, 1 running, {2 - done} queued"
    assert [line, "no run is in progress"] == [shown[0].splitlines()[1], shown[1].strip()]
    assert not Path("results/.sweeps").exists()


def progress(number):
    """Of a run with long numbers."""
    row = {"iteration": 5, "train_loss": 0.123456, "validation_loss": 1.23456e-5}
    return RunProgress(number, 1000, 9.0, 1e6, 1e5, [row], number, None, None, None, "ab", 2)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_its_terminal(width):
    """Many runs, long names and settings: no line is broken, and there are at most 24."""
    runs = [
        RunSummary(
            f"{'long_' * 10}{n % 2}", f"s{n}-0123456789", "running", seed=n,
            settings={"training.learning_rate": n / 1e6}, progress=progress(n),
        )
        for n in range(40)
    ]  # fmt: skip
    keys = {run.name: ["training.learning_rate"] for run in runs}
    console = Console(width=width, height=24, force_terminal=True)
    lines = console.render_lines(
        Screen(FollowedRuns(runs, keys, FormingRows(), 7, "q ends it").picture())
    )
    texts = ["".join(part.text for part in line).rstrip() for line in lines]
    assert len(texts) <= 24
    assert max(map(len, texts)) <= width
    assert "40 running, 7 runs ended since" == texts[0]
    assert "… 32 more" in texts
