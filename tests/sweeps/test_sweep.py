"""The loop: every run once, by any kind of worker; a failure concerns its run alone."""

from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.pool import WorkerLostError
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.runs.events import Listener
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import Identity
from nnrun.runs.storage.progress import read_progress
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.sweep import workers_for
from nnrun.sweeps.workers import base as inline
from nnrun.sweeps.workers import dask_tasks
from nnrun.sweeps.workers.base import InlineWorkers, ProcessWorkers
from nnrun.training.trainer import Progress
from tests.forging import said
from tests.sweeps.helpers import (
    BOSTON,
    IRIS,
    LONG,
    WILD,
    children_of,
    large,
    lasting,
    make_store,
    run_inline,
    run_processes,
    weights_of,
)


def files_of(root: Path) -> dict[str, bytes]:
    """What must be the same bytes for all kinds of workers: all but the report and its times."""
    names = ("config.yaml", "history.csv", "model.safetensors")
    return {str(p.relative_to(root)): p.read_bytes() for n in names for p in root.glob(f"*/*/{n}")}


def test_the_same_bits_by_all_workers(plan, sweep, write, tmp_path):
    """`nnrun train`, this process, two processes, and another order: the same files."""
    made = plan(write("iris"), write("boston", BOSTON), seeds=3)
    single = make_store(tmp_path / "single")
    for variant in made.variants:
        for seed in variant.seeds:
            train(prepare(load_config(Path(variant.file), [f"seed={seed}"])), single)
    expected = files_of(single.root)
    assert 18 == len(expected)

    run_inline(sweep(made, make_store(tmp_path / "inline")))
    assert expected == files_of(tmp_path / "inline")
    permuted = Plan([*made.variants][::-1])
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
    progress = run_inline(sweep(plan(file)))
    outcome = train(prepare(load_config(file)), make_store(tmp_path / "single"))
    ours, theirs = (
        said(next(root.glob("*/*/report.json"))) for root in (store.root, outcome.folder.parents[1])
    )
    assert ["timing", "started"] == [key for key in ours if ours[key] != theirs[key]] or (
        ["timing"] == [key for key in ours if ours[key] != theirs[key]]
    )
    assert list(theirs["config"]["published"]) == list(ours["config"]["published"])
    by_name = (ours["metrics"]["test"]["accuracy"], ours["metrics"]["train"]["accuracy"])
    assert by_name == progress.scores[0][0].ours


def test_complete_runs_are_found(plan, sweep, write, store):
    """The second sweep trains what is missing and touches nothing else."""
    run_inline(sweep(plan(write("iris"), seeds=2)))
    stamps = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    again = sweep(plan(write("iris"), seeds=3))
    progress = run_inline(again)
    assert (1, 2, 0) == (progress.trained, progress.found, progress.missing)
    assert 3 == len(progress.scores[0])
    kept = {path: path.stat().st_mtime_ns for path in stamps if path.name.startswith("s")}
    assert kept == {path: stamps[path] for path in kept}
    forced = run_inline(sweep(plan(write("iris"), seeds=2), force=True))
    assert (2, 0) == (forced.trained, forced.found)


def test_a_diverged_run_fails_and_the_others_go_on(plan, sweep, write):
    """It is reported immediately and at the end, and not trained again by the next sweep."""
    made = plan(write("iris"), write("wild", WILD), seeds=2)
    first = sweep(made)
    progress = run_inline(first)
    assert (4, 2) == (progress.trained, len(progress.failures))
    assert 2 == len(first.listener.of("failed"))
    assert "left the range of numbers at iteration" in progress.failures[0].reason
    assert ["diverged"] * 2 == [score.status for score in progress.scores[1]]
    second = run_inline(sweep(made))
    assert (0, 4, 2) == (second.trained, second.found, len(second.failures))


def test_fail_fast_stops_at_the_first(plan, sweep, write):
    """Nothing more is begun."""
    made = plan(write("wild", WILD), write("iris"), seeds=5)
    progress = run_inline(sweep(made, fail_fast=True))
    assert (1, 9) == (len(progress.failures), progress.missing)


def test_fail_fast_goes_on_past_old_failures(plan, sweep, write):
    """What has diverged before is reported again, but is no reason to stop."""
    made = plan(write("wild", WILD), write("iris"), seeds=2)
    first = run_inline(sweep(made, fail_fast=True))
    assert 1 == first.trained
    second = run_inline(sweep(made, fail_fast=True))
    third = run_inline(sweep(made, fail_fast=True))
    assert (1, 0) == (second.found, third.missing)


@pytest.mark.parametrize("there", [False, True])
def test_a_sweep_without_results_leaves_nothing(plan, sweep, write, tmp_path, there):
    """Neither the folder of results nor its parents; what was there before stays."""
    parent, made = tmp_path / "all", plan(write("iris", LONG))
    if there:
        (parent / "results").mkdir(parents=True)
    store = make_store(parent / "results")
    progress = run_inline(sweep(made, store, stopped=(store.root / "iris").exists))
    assert (0, 1) == (progress.trained, progress.missing)
    assert there == parent.exists()
    assert there is False or [] == os.listdir(store.root)


def test_a_result_that_nobody_asked_to_leave_out_is_fetched_again(plan, sweep, write, monkeypatch):
    """As from a worker that took the sweep for stopped: the run is submitted once more."""
    real, calls = inline.execute_job, []

    def work(job, channel, dataset):
        calls.append(job.replicate.seed)
        return None if len(calls) == 2 else real(job, channel, dataset)

    monkeypatch.setattr(inline, "execute_job", work)
    made = sweep(plan(write("iris"), seeds=3))
    progress = run_inline(made)
    assert (3, 0) == (progress.trained, progress.missing)
    assert [3, 4, 4, 5] == calls
    assert ["its worker had lost the connection to this process"] == made.listener.of("retried")


def test_a_forced_run_that_fails_keeps_the_old_result(plan, sweep, write, store, monkeypatch):
    """The failure is reported; complete runs stay complete."""
    made = plan(write("iris"))
    run_inline(sweep(made))
    before = weights_of(store.root)

    def fail(*_):
        raise MemoryError("too much")

    monkeypatch.setattr(inline, "execute_job", fail)
    progress = run_inline(sweep(made, force=True))
    assert ["there is not enough memory"] == [failure.reason for failure in progress.failures]
    assert before == weights_of(store.root)


def test_results_are_saved_before_the_sweep_breaks_off(plan, sweep, write, store):
    """Workers that take no more jobs end the sweep, not what they have brought."""

    class Spent(InlineWorkers):
        lost = (WorkerLostError,)
        capacity = 4

        def submit(self, job, load):
            if job.replicate.seed == 3 and self.spent:
                raise NnrunError("no more work")
            future = super().submit(job, load)
            if job.replicate.seed == 3:
                self.spent = True
                future = Future()
                future.set_exception(WorkerLostError("gone"))
            return future

        spent = False

    made = sweep(plan(write("iris"), seeds=4))
    with pytest.raises(NnrunError, match="no more work"):
        made.run(Spent(made.receive, made.stopping))
    assert 3 == len(weights_of(store.root))


def test_a_run_trains_while_the_one_before_is_written(plan, sweep, write, monkeypatch):
    """The disk is waited for only once there is nothing else to do."""
    real, begun, waited = inline.execute_job, threading.Event(), []

    def work(job, channel, dataset):
        if job.replicate.seed == 4:
            begun.set()
        return real(job, channel, dataset)

    sync = os.fsync

    def slow(descriptor):
        waited.append(begun.wait(20))
        sync(descriptor)

    monkeypatch.setattr(inline, "execute_job", work)
    monkeypatch.setattr(os, "fsync", slow)
    progress = run_inline(sweep(plan(write("iris"), seeds=2)))
    assert 2 == progress.trained
    assert {True} == set(waited)


def test_a_run_counts_once_it_is_on_the_disk(plan, sweep, write, store):
    """When a listener hears that a run has ended, its files are complete and its lock is free."""
    made, found = sweep(plan(write("iris"), seeds=4)), []

    def ended(wide, record, progress, *, trained):
        found.append(store.run(wide.variant.name, wide.run_id).read().record == record)

    made.listener.ended = ended
    run_inline(made)
    assert [True] * 4 == found


# A worker whose runs wait, once they have said how far they are, until they are stopped.
WAITING = """
import time
from nnrun.pool import _SocketChannel
from nnrun.sweeps.workers import job
from nnrun.sweeps.workers.base import main

job._PROGRESS_SECONDS = 0.0
real = _SocketChannel.send

def send(channel, content):
    real(channel, content)
    while getattr(content, "iteration", 0) and not channel.stopped():
        time.sleep(0.01)

_SocketChannel.send = send
"""


def test_stopped_runs_go_on_to_the_same_bits(plan, sweep, write, store, tmp_path, worker_module):
    """Stopped half-way in two processes, resumed in one: as if nothing had been."""
    worker_module(WAITING)
    made = plan(write("iris", lasting(10_000)), seeds=2)
    assert 0.05 < next(made.runs()).variant.estimate.seconds  # each worker is sent one
    run_inline(sweep(made, make_store(tmp_path / "whole")))
    begun = set()
    first = sweep(made, stopped=lambda: len(begun) == 2)
    first.listener.progressed = lambda run, progress: progress.iteration and begun.add(run.key)
    progress = run_processes(first)
    assert (0, 2, 2) == (progress.trained, progress.interrupted, progress.missing)
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

    progress = run_inline(sweep(plan(write("iris", LONG), seeds=9), stopped=stopped))
    assert (0, 0, 9) == (progress.trained, progress.interrupted, progress.missing)
    assert [] == list(store.root.glob("*"))


def test_a_run_on_a_cluster_ends_when_nobody_asks_for_it(monkeypatch):
    """A client that was killed cannot say so; its runs do not keep the workers for ever."""
    now = [100.0]
    monkeypatch.setattr(dask_tasks, "monotonic", lambda: now[0])
    notes = dask_tasks._DaskChannel("token", "iris/s3")
    now[0] = 150.0
    assert not notes.stopped()
    notes.send(Progress(3, 10, 0.5, 0.1))
    assert [("iris/s3", [3, 10, 0.5, 0.1, []])] == dask_tasks.fetch_messages("token")
    assert [] == dask_tasks.fetch_messages("token")
    now[0] = 209.0
    assert not notes.stopped()
    now[0] = 211.0
    assert notes.stopped()


def test_a_run_in_other_hands_is_waited_for(plan, sweep, write, store):
    """Its lock is another process's: the sweep takes the others first, then waits."""
    made = plan(write("iris"), seeds=3)
    first = next(made.runs())
    folder = store.run("iris", first.run_id)
    assert folder.lock()
    patient = sweep(made)
    held = [folder]

    def waiting(runs):
        assert 1 == runs
        if held:
            held.pop().release()

    patient.listener.waiting = waiting
    progress = run_inline(patient)
    assert 3 == progress.trained
    assert first.key == patient.listener.of("trained")[-1]


def test_a_worker_with_another_nnrun_is_refused(plan, sweep, write):
    """Its results would pass for those of this version."""
    made = plan(write("iris"))
    other = Plan([replace(next(iter(made.variants)), identities={None: Identity("another")})])
    progress = run_inline(sweep(other))
    assert "versions differ" in progress.failures[0].reason


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
    # Some tens of results of 5 kB wait to be saved at either moment: of few runs, they would count.
    runs = 5000 if large() else 300
    held = []

    class Scales(Listener):
        def ended(self, wide, record, progress, *, trained):
            if progress.ended in (20, runs):
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        made = plan(write("iris", IRIS.replace("60", "2")), seeds=runs)
        progress = run_inline(sweep(made, listener=Scales()))
    finally:
        tracemalloc.stop()
    assert (held[1] - held[0]) / (runs - 20) < 2000
    start = time.process_time()
    board = make_leaderboard(progress, "")
    assert 4 == len(leaderboard_files(board))
    assert runs == board.groups[0].rows[0].completed
    assert time.process_time() - start < 1


def test_no_worker_is_left(plan, sweep, write, slow_workers):
    """After a sweep, and after one that was broken off by an error."""
    run_processes(sweep(plan(write("iris"), seeds=4)))
    assert [] == workers()
    pair = ProcessWorkers(2)
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
            if b"nnrun.sweeps.workers.base" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("iterations", [10_000, 1_000_000])
def test_long_runs_say_that_they_wait(iterations, plan, sweep, write, store):
    """Until their worker begins with them, also those that are estimated at a part of a second."""
    made, seen = plan(write("long", lasting(iterations))), []
    assert 0.05 < next(made.runs()).variant.estimate.seconds

    class Busy(InlineWorkers):
        def submit(self, job, load):
            seen.append(read_progress(store.root / job.key).waits)
            future = Future()
            future.set_result(None)
            return future

    busy = sweep(made, stopped=lambda: bool(seen))
    assert 0 == busy.run(Busy(busy.receive, busy.stopping)).trained
    assert [True] == seen
    assert not store.root.exists()


def test_a_worker_says_that_it_begins_with_a_run_that_waits(plan, sweep, write, store):
    """The run is then shown as running."""
    made, seen = plan(write("long", lasting(10_000))), []

    def receive(message):
        trained.receive(message)
        seen.append((message.content.iteration, read_progress(store.root / message.key).waits))

    trained = sweep(made)
    assert 1 == trained.run(InlineWorkers(receive, trained.stopping)).trained
    assert (0, False) == seen[0]
