"""A sweep that is killed while a group of results is on its way to the disk."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess

import pytest

from nnrun.runs.storage import group_commit
from nnrun.runs.storage.sweep_progress import FOLDER
from tests.forked import Forked
from tests.sweeps.helpers import run_inline, weights_of

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
