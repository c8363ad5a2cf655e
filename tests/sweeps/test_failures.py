"""Runs of sweeps that fail, and sweeps that are killed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from nnrun.errors import NnrunError
from nnrun.runs.storage import durable as files
from nnrun.runs.storage import group_commit
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import FOLDER
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.workers import base as inline
from nnrun.sweeps.workers.base import most_results
from tests.forked import Forked
from tests.sweeps.helpers import (
    BOSTON,
    LONG,
    Observed,
    instead_of_run,
    killing,
    lasting,
    make_store,
    run_inline,
    run_processes,
    weights_of,
)

# Runs that fail, and workers that are lost: the others go on.

GROUPED = """
dataset:
  path: ../visits.csv
  columns: {target: y}
  split: {by: group, column: patient}
  test_size: 0.5
network: {layers: [{type: dense, units: 3}, {type: batch_norm}, {type: dense, units: 1}]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 2, batch_size: 4}
"""
KNOWN = """
dataset:
  path: ../visits.csv
  columns: {target: y, categorical: [patient]}
  unknown: error
  test_size: 0.5
network: {sizes: [3, 1], activations: [relu, linear]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 2, batch_size: 4}
"""


@pytest.mark.parametrize(
    ("config", "patients"), [(GROUPED, 21 * "a" + 20 * "b"), (KNOWN, 20 * "ab" + "c")]
)
def test_a_seed_that_train_refuses_fails_with_its_message(wide, write, tmp_path, config, patients):
    """By the seed, one of two patients is trained on, with 21 rows, which leave a batch of one, or
    20; or the only row of a patient is in the test split. Failures are stored, as all others are.
    """
    rows = [f"{patient},{n % 7},{n % 5}" for n, patient in enumerate(patients)]
    (tmp_path / "visits.csv").write_text("\n".join(["patient,x,y", *rows]))
    file = str(write("grouped", config))
    alone = {seed: wide("train", file, f"seed={seed}", "--results", "alone") for seed in range(8)}
    refused = {seed: err for seed, (code, _, err) in alone.items() if code == 2}
    assert 0 < len(refused) < 8
    seeds = [*(alone.keys() - refused.keys()), *refused]  # the first is checked by the plan
    code, out, _ = wide("sweep", file, f"seed={','.join(map(str, seeds))}", "--json", "-j", 1)
    assert 1 == code
    failures = json.loads(out)["failures"]
    assert {f"grouped seed={seed}" for seed in refused} == {each["label"] for each in failures}
    reasons = {each["reason"] for each in failures}
    assert len(reasons) == 1
    reports = [json.loads(file.read_text()) for file in tmp_path.glob("results/*/*/report.json")]
    stored = {report["seed"]: report["error"] for report in reports if report["error"]}
    assert dict.fromkeys(refused, *reasons) == stored
    assert reasons.pop() in refused[seeds[-1]]


def test_a_run_that_loses_three_workers_fails(plan, sweep, write, store):
    """It is stored as failed with the reason, and tried again by the next sweep."""
    made = plan(write("iris", LONG))
    lost = sweep(made)
    progress = lost.run(Observed(1, killing(lambda count: count > 0, times=3)))
    reason = "tried 3 times, each time its worker ended by signal 9"
    assert [reason] == [failure.reason for failure in progress.failures]
    assert 2 == len(lost.listener.of("retried"))
    report = json.loads(next(store.root.glob("*/*/report.json")).read_text())
    assert ("failed", reason) == (report["status"], report["error"])
    assert store.run("iris", next(made.runs()).run_id).read().complete is False


def test_a_full_disk_ends_the_sweep(plan, sweep, write, store, monkeypatch):
    """No more runs are trained, which would be lost; the next sweep trains what is missing."""
    sync = os.fsync
    made = plan(write("iris"), seeds=100)
    stopped = sweep(made)

    def full(descriptor):
        if stopped.progress.trained:  # of those before, any number may be saved together
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(NnrunError, match="no more results can be written: No space left on device"):
        run_inline(stopped)
    progress = stopped.progress
    reasons = {failure.reason for failure in progress.failures}
    assert {"cannot be saved: No space left on device"} == reasons
    # Those that were saved before the sweep knew of one, and those that wait after it.
    assert progress.trained + len(progress.failures) <= 2 * most_results()
    assert [] == list(store.root.glob("**/.*"))
    monkeypatch.undo()
    assert [] == run_inline(sweep(made)).failures
    assert 100 == len(weights_of(store.root))


def test_few_files_may_be_open_and_the_disk_is_slow(plan, sweep, write, monkeypatch):
    """Results that wait for the disk hold files open: so few that there is room for others."""
    hurried, fsync, hurry = threading.Event(), os.fsync, Store.hurry

    def slow(descriptor):
        hurried.wait()
        fsync(descriptor)

    def hurrying(store):
        hurried.set()
        hurry(store)

    monkeypatch.setattr(files.os, "fsync", slow)
    monkeypatch.setattr(Store, "hurry", hurrying)
    made = plan(write("iris", lasting(3)), seeds=40)
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 128, most))
    try:
        progress = run_inline(sweep(made))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    assert (40, []) == (progress.trained, progress.failures)


def test_a_folder_that_becomes_a_link_while_it_is_written(
    plan, sweep, write, store, tmp_path, monkeypatch
):
    """Its run fails, nothing is written where the link leads, and the others go on."""
    made = plan(write("iris"), seeds=3)
    folder = store.folder("iris", next(made.runs()).run_id)
    outside = tmp_path / "outside"
    outside.mkdir()
    sync, lock = os.fsync, threading.Lock()

    def exchanged(descriptor):
        sync(descriptor)
        with lock:
            if not folder.is_symlink():
                folder.rename(tmp_path / "moved")
                folder.symlink_to(outside)

    monkeypatch.setattr(files.os, "fsync", exchanged)
    progress = run_inline(sweep(made))
    assert (2, 1) == (progress.trained, len(progress.failures))
    assert "cannot be saved: No such file or directory" == progress.failures[0].reason
    assert [] == list(outside.iterdir())


@pytest.mark.parametrize("order", [1, -1])
def test_failures_are_reported_in_one_order(order, plan, sweep, write, monkeypatch):
    """By variant and seed, whichever was the first to fail."""

    def work(job, channel, dataset):
        raise MemoryError("too much")

    monkeypatch.setattr(inline, "execute_job", work)
    made = plan(write("iris"), "training.batch_size=8,16", seeds=2)
    runs = list(made.runs())[::order]
    monkeypatch.setattr(Plan, "runs", lambda plan: iter(runs))
    expected = [run.key for variant in made.variants for run in variant.runs()]
    assert expected == [failure.key for failure in run_inline(sweep(made)).failures]


def test_a_run_that_ends_unasked_goes_on(plan, sweep, write, store, monkeypatch):
    """As on a worker that has lost sight of its client: from its checkpoint, to the same bits."""
    real, calls = inline.execute_job, []

    class Hasty:
        def stopped(self):
            calls.append(1)
            return len(calls) == 3

        def send(self, content):
            pass

    monkeypatch.setattr(inline, "execute_job", lambda job, _, dataset: real(job, Hasty(), dataset))
    made = plan(write("iris"))
    hasty = sweep(made)
    progress = run_inline(hasty)
    assert (1, 0, 0) == (progress.trained, progress.interrupted, progress.missing)
    assert ["its worker had lost the connection to this process"] == hasty.listener.of("retried")
    monkeypatch.undo()
    whole = weights_of(store.root)
    run_inline(sweep(made, force=True))
    assert whole == weights_of(store.root)


@pytest.mark.parametrize("kind", ["inline", "processes", "threads"])
def test_an_unforeseen_error_leaves_its_traceback(
    plan, sweep, write, store, worker_module, monkeypatch, kind
):
    """In the folder of its run; the other runs of the sweep complete."""
    made = plan(write("iris"), seeds=3)
    bad = next(run for run in made.runs() if run.seed == 4)
    real = inline.execute_job

    def work(job, channel, dataset):
        if job.replicate.seed == 4:
            raise ZeroDivisionError("by nothing")
        return real(job, channel, dataset)

    worker_module(instead_of_run(4, 'raise ZeroDivisionError("by nothing")'))
    monkeypatch.setattr(inline, "execute_job", work)
    if kind == "inline":
        progress = run_inline(sweep(made))
    elif kind == "processes":
        progress = run_processes(sweep(made))
    else:
        with ThreadPoolExecutor(2) as threads:
            progress = sweep(made).run(inline.ExecutorWorkers(threads, workers=2))
    assert 2 == progress.trained
    (failure,) = progress.failures
    text = (store.folder("iris", bad.run_id) / "traceback.txt").read_text()
    assert text.startswith("Traceback (most recent call last):")
    assert "ZeroDivisionError: by nothing" == failure.reason == text.splitlines()[-1]
    monkeypatch.undo()
    assert [] == run_inline(sweep(made)).failures
    assert not (store.folder("iris", bad.run_id) / "traceback.txt").exists()


def test_results_that_no_report_can_hold_are_a_failure(plan, sweep, write, store, monkeypatch):
    """An infinite number in what came back costs its own run."""
    real = inline.execute_job

    def work(job, channel, dataset):
        result = real(job, channel, dataset)
        if job.replicate.seed == 4:
            result.record.baseline["train"]["loss"] = float("inf")
        return result

    monkeypatch.setattr(inline, "execute_job", work)
    made = plan(write("iris"), seeds=3)
    progress = run_inline(sweep(made))
    assert (2, 1) == (progress.trained, len(progress.failures))
    assert "not JSON compliant" in progress.failures[0].reason
    reports = [json.loads(path.read_text()) for path in store.root.glob("*/*/report.json")]
    assert ["completed", "completed", "failed"] == sorted(report["status"] for report in reports)


def test_data_that_vanish_meanwhile_fail_their_runs(plan, sweep, write, store, tmp_path):
    """A file that is removed after the plan was made: its runs fail, the others complete."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.savetxt(tmp_path / "h.csv", rows, delimiter=",", header="a,b,price", comments="")
    block = f"{{path: {tmp_path / 'h.csv'}, columns: {{target: price}}, task: regression}}"
    made = plan(
        write("h", BOSTON.replace("{name: boston, features: standard}", block)), write("iris")
    )
    (tmp_path / "h.csv").unlink()
    progress = run_inline(sweep(made))
    assert (1, 1) == (progress.trained, len(progress.failures))
    assert "does not exist" in progress.failures[0].reason
    with ThreadPoolExecutor(2) as threads:
        again = sweep(made, make_store(tmp_path / "others"))
        progress = again.run(inline.ExecutorWorkers(threads, workers=2))
    assert (1, 1) == (progress.trained, len(progress.failures))


class _Mistaken(inline.InlineWorkers):
    """Workers that give the result of the first run for every run."""

    first: Future | None = None

    def submit(self, job, load):
        self.first = self.first or super().submit(job, load)
        return self.first


def test_the_result_of_another_run_is_not_taken(write, plan, sweep, tmp_path):
    """Whatever a worker returns, it is held against the name and the id of the run."""
    store = make_store(tmp_path / "results")
    running = sweep(plan(write("iris"), seeds=2), store)
    progress = running.run(_Mistaken(running.receive, running.stopping))
    assert 1 == progress.trained
    (failure,) = progress.failures
    assert failure.reason.startswith("its worker returned another run, iris/s3-")


# A sweep that is killed while a group of results is on its way to the disk.

RUNS = 7
GROUP = 3
FILES = 5
# Of the first group after a run was reported: the first and last file that reaches the disk, the
# first file that gets its name, a report that does, and the list of names when all are given.
MOMENTS = {
    "first file": ("fsync", 1),
    "last file": ("fsync", GROUP * FILES),
    "first name": ("replace", 1),
    "a report's name": ("replace", FILES),
    "names are given": ("fsync", GROUP * FILES + 1),
}
KILLED = """
import os, signal, sys
from pathlib import Path
from threading import Lock
from nnrun.runs.storage import group_commit
from nnrun.runs.storage.sweep_progress import FOLDER
from nnrun.sweeps.planning.variants import Datasets
from nnrun.runs.events import Listener
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.sweep import Sweep
from tests.sweeps.helpers import make_store, run_inline

config, root, operation = map(Path, sys.argv[1:4])
runs, group_commit.MOST, moment = map(int, sys.argv[4:])
group_commit._SECONDS = 60.0
real, calls, lock = getattr(os, operation.name), [], Lock()
keys = []

def call(*arguments, **more):
    with lock:
        calls.extend(keys[:1])
        if len(calls) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **more)

class Reports(Listener):
    def ended(self, run, record, progress, *, trained):
        print(run.key, flush=True)
        keys.append(run.key)

setattr(os, operation.name, call)
plan = make_plan({"iris": config}, Arguments.parse([], runs, None), Datasets())
run_inline(Sweep(plan, make_store(root), Datasets(), Reports()))
"""


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_the_same_command_goes_on(moment, plan, sweep, write, store, tmp_path):
    """Every report is whole, no reported run is lost; the bits are the same in the end."""
    operation, number = moment
    config = write("iris")
    words = [config, store.root, operation, RUNS, GROUP, number]
    script = ["-c", KILLED, *map(str, words)]
    killed = Forked(("tests.sweeps.helpers",), script, stdout=subprocess.PIPE, text=True)
    reported, _ = killed.communicate()
    assert -signal.SIGKILL == killed.returncode
    keys, reports = reported.split(), [*store.root.glob("*/*/report.json")]
    assert 1 <= len(keys) < RUNS
    assert {*keys} <= {str(report.parent.relative_to(store.root)) for report in reports}
    for report in reports:
        for name, digest in json.loads(report.read_text())["files"].items():
            content = (report.parent / name).read_bytes()
            assert digest == hashlib.sha256(content).hexdigest()
    made = plan(config, seeds=RUNS)
    progress = run_inline(sweep(made))
    assert (RUNS, RUNS - len(reports)) == (progress.ended, progress.trained)
    # What a killed sweep of over a second said of itself goes with the next one of over a second.
    found = (path for path in store.root.rglob(".*") if path.parent.parent.name != FOLDER)
    assert [] == [path for path in found if path.name.endswith(".partial")]
    found = weights_of(store.root)
    run_inline(sweep(made, force=True))
    assert found == weights_of(store.root)
    assert RUNS == len(found)


def test_a_sweep_does_not_wait_for_runs_that_will_not_come(plan, sweep, write, store, monkeypatch):
    """At its end, and after each run with `--fail-fast`, results are hurried on."""
    monkeypatch.setattr(group_commit, "_SECONDS", 60.0)
    assert 2 == run_inline(sweep(plan(write("iris"), seeds=2))).trained
    assert 2 == run_inline(sweep(plan(write("other"), seeds=2), fail_fast=True)).trained
