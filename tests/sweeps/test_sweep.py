"""The loop: every run once, whoever trains it, and failures that stay where they are."""

from __future__ import annotations

import gc
import json
import os
import time
import tracemalloc
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.runs.prepare import prepare
from nnrun.runs.train import train
from nnrun.sweeps import cluster_worker, crew
from nnrun.sweeps.choose import workers_for
from nnrun.sweeps.crew import InlineCrew, WorkerLostError
from nnrun.sweeps.leaderboard import make_leaderboard
from nnrun.sweeps.local import LocalCrew
from nnrun.sweeps.plan import Plan
from nnrun.sweeps.watcher import Watcher
from tests.sweeps.helpers import (
    BOSTON,
    IRIS,
    LARGE,
    LONG,
    WILD,
    children_of,
    lasting,
    make_store,
    run_inline,
    run_processes,
    weights_of,
)


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


def test_two_readings_of_one_file_are_two_data_sets(plan, sweep, write, tmp_path):
    """Other columns of the same file: a worker that has the one does not train the other on it."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.savetxt(tmp_path / "h.csv", rows, delimiter=",", header="a,b,price", comments="")
    block = f"{{path: {tmp_path / 'h.csv'}, columns: {{target: price}}, task: regression}}"
    file = write("h", BOSTON.replace("{name: boston, features: standard}", block))
    made = plan(file, "dataset.columns.drop=[a],[b]", seeds=2)
    run_inline(sweep(made, make_store(tmp_path / "inline")))
    run_processes(sweep(made, make_store(tmp_path / "processes")), workers=1)
    assert weights_of(tmp_path / "inline") == weights_of(tmp_path / "processes")


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


def test_fail_fast_goes_on_past_old_failures(plan, sweep, write):
    """What has diverged before is told again, but it is no news to stop at."""
    made = plan(write("wild", WILD), write("iris"), seeds=2)
    first = run_inline(sweep(made, fail_fast=True))
    assert 1 == first.trained
    second = run_inline(sweep(made, fail_fast=True))
    third = run_inline(sweep(made, fail_fast=True))
    assert (1, 0) == (second.found, third.missing)


def test_a_forced_run_that_is_interrupted_keeps_the_old_result(plan, sweep, write, store):
    """Half of a run never takes the place of a whole one."""
    made = plan(write("iris", lasting(60_000)), seeds=2)
    run_inline(sweep(made))
    before = weights_of(store.root)
    begun = set()
    again = sweep(made, stopped=lambda: bool(begun), force=True)
    again.watcher.progress = lambda run, progress: begun.add(run.key)
    tally = run_processes(again)
    assert 1 <= tally.missing
    assert before == weights_of(store.root)


def test_a_result_that_nobody_asked_to_leave_out_is_fetched_again(plan, sweep, write, monkeypatch):
    """As from a worker that took the sweep for stopped: the run is given out once more."""
    real, calls = crew.work, []

    def work(job, channel, dataset):
        calls.append(job.seed)
        return None if len(calls) == 2 else real(job, channel, dataset)

    monkeypatch.setattr(crew, "work", work)
    made = sweep(plan(write("iris"), seeds=3))
    tally = run_inline(made)
    assert (3, 0) == (tally.trained, tally.missing)
    assert [3, 4, 4, 5] == calls
    assert ["its worker had lost sight of this process"] == made.watcher.of("retried")


def test_a_forced_run_that_fails_keeps_the_old_result(plan, sweep, write, store, monkeypatch):
    """The failure is told, and what was whole stays so."""
    made = plan(write("iris"))
    run_inline(sweep(made))
    before = weights_of(store.root)

    def fail(*_):
        raise MemoryError("too much")

    monkeypatch.setattr(crew, "work", fail)
    tally = run_inline(sweep(made, force=True))
    assert ["MemoryError: too much"] == [failure.reason for failure in tally.failures]
    assert before == weights_of(store.root)


@pytest.mark.parametrize("damage", ["[" * 100_000, "null", "metrics", "timing", "published"])
def test_a_damaged_report_is_trained_again(plan, sweep, write, store, damage):
    """Whatever stands in it, it costs its own run and no other."""
    made = plan(write("iris"), seeds=2)
    run_inline(sweep(made))
    before = weights_of(store.root)
    report = min(store.root.glob("*/*/report.json"))
    content = json.loads(report.read_text())
    report.write_text(json.dumps({**content, damage: None}) if damage in content else damage)
    tally = run_inline(sweep(made))
    assert (1, 1) == (tally.trained, tally.found)
    assert before == weights_of(store.root)


def test_results_are_saved_before_the_sweep_breaks_off(plan, sweep, write, store):
    """A crew that takes no more work ends the sweep, not what it has brought."""

    class Spent(InlineCrew):
        lost = (WorkerLostError,)
        capacity = 4

        def submit(self, job, load):
            if job.seed == 3 and self.spent:
                raise NnrunError("no more work")
            future = super().submit(job, load)
            if job.seed == 3:
                self.spent = True
                future = Future()
                future.set_exception(WorkerLostError("gone"))
            return future

        spent = False

    made = sweep(plan(write("iris"), seeds=4))
    with pytest.raises(NnrunError, match="no more work"):
        made.run(Spent(made.hear, made.stopping))
    assert 3 == len(weights_of(store.root))


def test_stopped_runs_go_on_to_the_same_bits(plan, sweep, write, store, tmp_path):
    """Stopped half-way in two processes, resumed in one: as if nothing had been."""
    text = lasting(50_000)
    made = plan(write("iris", text), seeds=2)
    run_processes(sweep(made, make_store(tmp_path / "whole")))
    begun = set()
    first = sweep(made, stopped=lambda: len(begun) == 2)
    first.watcher.progress = lambda run, progress: begun.add(run.key)
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
