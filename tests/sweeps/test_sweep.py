"""The loop: every run once, whoever trains it, and failures that stay where they are."""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.runs import files
from nnrun.runs.prepare import prepare
from nnrun.runs.train import train
from nnrun.sweeps import cluster_worker, crew
from nnrun.sweeps.choose import workers_for
from nnrun.sweeps.crew import InlineCrew
from nnrun.sweeps.leaderboard import make_leaderboard
from nnrun.sweeps.local import LocalCrew
from nnrun.sweeps.plan import Plan
from nnrun.sweeps.watcher import Watcher
from tests.sweeps.helpers import (
    BOSTON,
    IRIS,
    LARGE,
    WILD,
    children_of,
    lasting,
    make_store,
    weights_of,
)

LONG = lasting(100_000_000)


def run_inline(sweep):
    return sweep.run(InlineCrew(sweep.hear, sweep.stopping))


def run_processes(sweep, workers=2):
    return sweep.run(LocalCrew(workers))


def files_of(root: Path) -> dict[str, bytes]:
    """What must be the same bytes whoever trained: all but the report and its times."""
    names = ("config.yaml", "history.csv", "model.safetensors")
    return {str(p.relative_to(root)): p.read_bytes() for n in names for p in root.glob(f"*/*/{n}")}


def test_the_same_bits_whoever_trains(plan, sweep, write, tmp_path):
    """`nnrun train`, this process, two processes, and another order: the same files."""
    made = plan(write("iris"), write("boston", BOSTON), seeds=3)
    single = make_store(tmp_path / "single")
    for point in made.points:
        for seed in point.seeds:
            train(prepare(load_config(Path(point.file), [f"seed={seed}"])), single)
    expected = files_of(single.root)
    assert 18 == len(expected)

    run_inline(sweep(made, make_store(tmp_path / "inline")))
    assert expected == files_of(tmp_path / "inline")
    permuted = Plan([*reversed(made.points)])
    run_processes(sweep(permuted, make_store(tmp_path / "processes")))
    assert expected == files_of(tmp_path / "processes")
    assert weights_of(single.root) == weights_of(tmp_path / "processes")


def test_a_report_is_that_of_train(plan, sweep, write, store, tmp_path):
    """Key for key, in the same order; published numbers too."""
    text = IRIS + "published: {train_accuracy: 0.9, test_accuracy: 0.8, source: a book}\n"
    file = write("iris", text)
    tally = run_inline(sweep(plan(file)))
    outcome = train(prepare(load_config(file)), make_store(tmp_path / "single"))
    ours, theirs = (
        json.loads(next(root.glob("*/*/report.json")).read_text())
        for root in (store.root, outcome.folder.parents[1])
    )
    assert ["timing", "started"] == [key for key in ours if ours[key] != theirs[key]] or (
        ["timing"] == [key for key in ours if ours[key] != theirs[key]]
    )
    assert list(theirs["config"]["published"]) == list(ours["config"]["published"])
    by_name = (ours["metrics"]["test"]["accuracy"], ours["metrics"]["train"]["accuracy"])
    assert by_name == tally.scores[0][0].published


def test_complete_runs_are_found(plan, sweep, write, store):
    """The second sweep trains what is missing and touches nothing else."""
    run_inline(sweep(plan(write("iris"), seeds=2)))
    stamps = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    again = sweep(plan(write("iris"), seeds=3))
    tally = run_inline(again)
    assert (1, 2, 0) == (tally.trained, tally.found, tally.missing)
    assert 3 == len(tally.scores[0])
    kept = {path: path.stat().st_mtime_ns for path in stamps if path.name.startswith("s")}
    assert kept == {path: stamps[path] for path in kept}
    forced = run_inline(sweep(plan(write("iris"), seeds=2), force=True))
    assert (2, 0) == (forced.trained, forced.found)


def test_a_diverged_run_fails_and_the_others_go_on(plan, sweep, write):
    """It is told at once and in the end, and not trained again by the next sweep."""
    made = plan(write("iris"), write("wild", WILD), seeds=2)
    first = sweep(made)
    tally = run_inline(first)
    assert (4, 2) == (tally.trained, len(tally.failures))
    assert 2 == len(first.watcher.of("failed"))
    assert "left the range of numbers at iteration" in tally.failures[0].reason
    assert ["diverged"] * 2 == [score.status for score in tally.scores[1]]
    second = run_inline(sweep(made))
    assert (0, 4, 2) == (second.trained, second.found, len(second.failures))


def test_fail_fast_stops_at_the_first(plan, sweep, write):
    """Nothing more is begun."""
    made = plan(write("wild", WILD), write("iris"), seeds=5)
    tally = run_inline(sweep(made, fail_fast=True))
    assert (1, 9) == (len(tally.failures), tally.missing)


def test_stopped_runs_go_on_to_the_same_bits(plan, sweep, write, store, tmp_path):
    """Stopped half-way in two processes, resumed in one: as if nothing had been."""
    text = lasting(50_000)
    made = plan(write("iris", text), seeds=2)
    run_processes(sweep(made, make_store(tmp_path / "whole")))
    begun = []
    first = sweep(made, stopped=lambda: bool(begun))
    first.watcher.progress = lambda run, progress: begun.append(run)
    tally = run_processes(first)
    assert (0, 2, 2) == (tally.trained, tally.interrupted, tally.missing)
    assert 2 == len(list(store.root.glob("*/*/checkpoint.safetensors")))
    second = run_inline(sweep(made))
    assert (2, 0) == (second.trained, second.missing)
    assert weights_of(tmp_path / "whole") == weights_of(store.root)
    assert [] == list(store.root.glob("*/*/checkpoint.safetensors"))


def test_nothing_is_left_of_runs_that_had_not_begun(plan, sweep, write, store):
    """A stop before the first iteration leaves no folder."""
    seen = []

    def stopped():
        seen.append(1)
        return len(seen) > 1

    tally = run_inline(sweep(plan(write("iris", LONG), seeds=9), stopped=stopped))
    assert (0, 0, 9) == (tally.trained, tally.interrupted, tally.missing)
    assert [] == list(store.root.glob("*"))


def kill_workers(times, pause=0.0):
    """Kills a worker of this process as soon as there is one, so many times."""

    def run():
        killed = set()
        while len(killed) < times:
            for pid in set(children_of(os.getpid())) - killed:
                if b"nnrun.sweeps.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    time.sleep(pause)
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                    break
            time.sleep(0.02)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_the_run_of_a_killed_worker_is_given_out_again(plan, sweep, write, store, tmp_path):
    """The other worker's run is not disturbed, and the bits are the same."""
    made = plan(write("iris", lasting(5000)), seeds=6)
    run_inline(sweep(made, make_store(tmp_path / "whole")))
    killer = kill_workers(1, pause=0.1)
    killed = sweep(made)
    tally = run_processes(killed)
    killer.join()
    assert (6, 0) == (tally.trained, len(tally.failures))
    assert ["its worker ended by signal 9"] == killed.watcher.of("retried")
    assert weights_of(tmp_path / "whole") == weights_of(store.root)


def test_a_run_that_loses_three_workers_fails(plan, sweep, write, store):
    """It is stored as failed with the reason, and tried again by the next sweep."""
    made = plan(write("iris", LONG))
    kill_workers(3)
    lost = sweep(made)
    tally = run_processes(lost, workers=1)
    reason = "tried 3 times, each time its worker ended by signal 9"
    assert [reason] == [failure.reason for failure in tally.failures]
    assert 2 == len(lost.watcher.of("retried"))
    report = json.loads(next(store.root.glob("*/*/report.json")).read_text())
    assert ("failed", reason) == (report["status"], report["error"])
    short = plan(write("iris"))
    assert short.points[0].estimate.iterations == 60
    assert store.find("iris", next(made.runs()).run_id) is None


def test_a_full_disk_fails_what_it_must(plan, sweep, write, store, monkeypatch):
    """A run that cannot be saved is told; the others go on, and the next sweep makes it good."""
    sync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if 7 <= len(calls) <= 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    made = plan(write("iris"), seeds=3)
    tally = run_inline(sweep(made))
    reasons = {failure.reason for failure in tally.failures}
    assert {"cannot be saved: No space left on device"} == reasons
    assert 3 == tally.trained + len(tally.failures)
    assert [] == list(store.root.glob("**/.*"))
    monkeypatch.undo()
    assert [] == run_inline(sweep(made)).failures
    assert 3 == len(weights_of(store.root))


def test_an_error_in_a_run_is_that_runs_alone(plan, sweep, write, monkeypatch):
    """Whatever is raised, the sweep goes on; the run is stored as failed."""
    real = crew.work

    def work(job, channel, dataset):
        if job.seed == 4:
            raise MemoryError("too much")
        return real(job, channel, dataset)

    monkeypatch.setattr(crew, "work", work)
    tally = run_inline(sweep(plan(write("iris"), seeds=3)))
    assert 2 == tally.trained
    assert ["MemoryError: too much"] == [failure.reason for failure in tally.failures]


def test_a_run_that_ends_unasked_goes_on(plan, sweep, write, store, monkeypatch):
    """As on a worker that has lost sight of its client: from its checkpoint, to the same bits."""
    real, calls = crew.work, []

    class Hasty:
        def stopped(self):
            calls.append(1)
            return len(calls) == 3

        def progress(self, progress):
            pass

    monkeypatch.setattr(crew, "work", lambda job, _, dataset: real(job, Hasty(), dataset))
    made = plan(write("iris"))
    hasty = sweep(made)
    tally = run_inline(hasty)
    assert (1, 0, 0) == (tally.trained, tally.interrupted, tally.missing)
    assert ["its worker had lost sight of this process"] == hasty.watcher.of("retried")
    monkeypatch.undo()
    whole = weights_of(store.root)
    run_inline(sweep(made, force=True))
    assert whole == weights_of(store.root)


def test_a_run_on_a_cluster_ends_when_nobody_asks_for_it(monkeypatch):
    """A client that was killed cannot say so; its runs do not keep the workers for ever."""
    now = [100.0]
    monkeypatch.setattr(cluster_worker, "monotonic", lambda: now[0])
    notes = cluster_worker._Notes("token", "iris/s3")
    now[0] = 150.0
    assert not notes.stopped()
    notes.progress("here")
    assert [("iris/s3", "here")] == cluster_worker.take_messages("token")
    assert [] == cluster_worker.take_messages("token")
    now[0] = 209.0
    assert not notes.stopped()
    now[0] = 211.0
    assert notes.stopped()


def test_a_run_in_other_hands_is_waited_for(plan, sweep, write, store):
    """Its lock is another process's: the sweep takes the others first, then waits."""
    made = plan(write("iris"), seeds=3)
    first = next(made.runs())
    lock = store.try_lock("iris", first.run_id)
    patient = sweep(made)
    held = [lock]

    def waiting(runs):
        assert 1 == runs
        if held:
            held.pop().release()

    patient.watcher.waiting = waiting
    tally = run_inline(patient)
    assert 3 == tally.trained
    assert first.key == patient.watcher.of("trained")[-1]


def test_a_worker_with_another_nnrun_is_refused(plan, sweep, write):
    """Its results would pass for those of this version."""
    made = plan(write("iris"))
    other = Plan([made.points[0].__class__(**{**made.points[0].__dict__, "sha256": "0" * 64})])
    tally = run_inline(sweep(other))
    assert "versions differ" in tally.failures[0].reason


def test_small_plans_start_no_processes(plan, write, monkeypatch):
    """Unless they are asked for; large ones start one for each core."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    small, large = plan(write("iris")), plan(write("long", LONG), seeds=8)
    assert 1 == workers_for(small, None)
    assert 4 == workers_for(large, None)
    assert 2 == workers_for(large, 2)
    assert 1 == workers_for(large, 1)
    assert 2 == workers_for(plan(write("two"), seeds=2), 4)


def test_memory_does_not_grow_with_the_runs(plan, sweep, write):
    """Of each run, a few numbers stay; and the leaderboard is there within a second."""
    runs = 5000 if LARGE else 60
    held = []

    class Scales(Watcher):
        def ended(self, run, record, tally, *, trained):
            if tally.ended in (20, runs):
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        weighed = sweep(plan(write("iris", IRIS.replace("60", "2")), seeds=runs))
        weighed.watcher = Scales()
        tally = run_inline(weighed)
    finally:
        tracemalloc.stop()
    assert (held[1] - held[0]) / (runs - 20) < 2000
    start = time.monotonic()
    board = make_leaderboard(tally, "")
    assert 3 == len(leaderboard_files(board))
    assert runs == board.groups[0].rows[0].completed
    assert time.monotonic() - start < 1


def test_no_worker_is_left(plan, sweep, write):
    """After a sweep, and after one that was broken off by an error."""
    run_processes(sweep(plan(write("iris"), seeds=4)))
    assert [] == workers()
    pair = LocalCrew(2)
    pair.check = broken
    with pytest.raises(NnrunError, match="gone"):
        sweep(plan(write("long", LONG), seeds=4)).run(pair)
    assert [] == workers()


def broken():
    if workers():
        raise NnrunError("gone")


def workers():
    found = []
    for pid in children_of(os.getpid()):
        try:
            if b"nnrun.sweeps.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found
