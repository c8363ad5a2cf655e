"""All commands train runs in one way and read them in one way."""

from __future__ import annotations

import ast
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import numpy as np
import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.runs.events import Listener
from nnrun.runs.lease import Outcome, begin
from nnrun.runs.lifecycle import train
from nnrun.runs.storage import store as run_folder
from nnrun.runs.storage.durable import acquire
from nnrun.runs.storage.reading import list_runs
from nnrun.runs.storage.store import RunFolder
from nnrun.runs.storage.sweep_progress import is_held
from tests.forging import revise

ROOT = Path(nnrun.__file__).parent


def nodes(text: str) -> Iterator[tuple[str, ast.AST]]:
    """All nodes of the modules of nnrun that have this text, each with the path of its module."""
    for path in ROOT.rglob("*.py"):
        if text in (source := path.read_text(encoding="utf-8")):
            for node in ast.walk(ast.parse(source)):
                yield str(path.relative_to(ROOT)), node


def uses(name: str) -> set[str]:
    """The modules of nnrun that use this attribute of a store."""
    found = set()
    for path, node in nodes(f".{name}"):
        if isinstance(node, ast.Attribute) and node.attr == name:
            owner = node.value
            name_of = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if name_of.lstrip("_") == "store":
                found.add(path)
    return found


def importers(module: str, name: str | None = None) -> set[str]:
    """The modules of nnrun that import this one, or this name from it."""
    found = set()
    for path, node in nodes(module):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            names = [alias.name for alias in node.names]
            if name in (None, *names):
                found.add(path)
    return found


def test_one_module_locks_and_saves_runs():
    """Train, sweeps and Python go through it; so do failures and checkpoints."""
    assert {"runs/lease.py"} == uses("save") | uses("save_soon")
    # An estimator has no run: it trains arrays, in as many steps as its owner likes.
    users = {"runs/lifecycle.py", "sklearn/parameters.py", "sweeps/workers/job.py"}
    # These train in memory and keep nothing: the range test of a learning rate, the grades of
    # exercises, films of surfaces, the playground.
    users |= {"runs/execution/rate_finder.py", "course/grading.py"}
    users |= {"explain/surfaces.py", "ui/playing/session.py"}
    assert users == importers("nnrun.runs.execution.execute")
    folders = ("nnrun.runs.storage.store", "RunFolder")
    assert {"runs/lease.py"} == importers(*folders)
    # A sweep says how far it is in a folder of its own.
    lockers = {"runs/storage/store.py", "runs/storage/sweep_progress.py"}
    assert lockers == importers("nnrun.runs.storage.durable", "acquire")


def test_one_module_reads_reports():
    """A record is made from what was read in one place only, and from what a cluster sends."""
    found = set()
    for path in ROOT.rglob("*.py"):
        if "RunRecord.from_dict" in path.read_text():
            found.add(str(path.relative_to(ROOT)))
    assert {"runs/storage/reading.py", "sweeps/workers/job.py"} == found


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("no model", "model.safetensors is missing"),
        ("no report", None),
        ("cut", "report.json is not the file that was written"),
        ("other version", "report.json is of another version of nnrun"),
        ("failed", None),
        ("interrupted", None),
    ],
)
def test_what_is_listed_as_complete_is_not_trained_again(prepared, store, damage, problem):
    """And the other way round: `ls` and `train` read a folder alike."""
    run = prepared()
    folder = train(run, store).folder
    (listed,) = list_runs(store.root)
    assert listed.complete
    assert not train(run, store).trained
    report = folder / "report.json"
    if damage == "no model":
        (folder / "model.safetensors").unlink()
    elif damage == "no report":
        report.unlink()
    elif damage == "cut":
        report.write_text(report.read_text()[:100])
    elif damage == "other version":
        revise(report, schema_version=9)
    else:
        revise(report, status=damage)
    listed = list(list_runs(store.root))
    assert [] == [found for found in listed if found.complete]
    if problem:
        assert problem == listed[0].problem
        with pytest.raises(UsageError, match=rf": {re.escape(problem)}; nnrun train .* --force"):
            train(run, store)
    assert train(run, store, force=problem is not None).trained


def test_without_a_store_everything_stays_in_memory(prepared, store, tmp_path, monkeypatch):
    """Same record, same weights, same history, and not a file."""
    kept = train(prepared(), store)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    outcome = train(prepared(), None)
    assert before == sorted(tmp_path.rglob("*"))
    assert (None, True, False) == (outcome.folder, outcome.trained, outcome.saved)
    assert kept.record.weights_sha256 == outcome.record.weights_sha256
    assert kept.result.history == outcome.result.history
    assert kept.result.weights.keys() == outcome.result.weights.keys()
    for name, array in kept.result.weights.items():
        np.testing.assert_array_equal(array, outcome.result.weights[name])


def test_an_interruption_in_memory_is_reported(prepared):
    """There is nothing to save it in; its record says how far it came."""
    outcome = train(prepared(), None, Listener(stop=lambda: True))
    assert ("interrupted", False) == (outcome.record.status, outcome.saved)
    assert outcome.record.timing["iterations"] > 0


def test_a_run_that_another_has_is_waited_for_or_not(prepared, store):
    """`begin` says that it is held; `train` tells so, and finds it complete afterwards."""
    run = prepared()
    name, run_id = run.config.name, run.run_id
    claim = begin(store, name, run_id)
    assert begin(store, name, run_id) is None
    notes = []
    outcomes = []

    def second():
        outcomes.append(train(run, store, Listener(warn=notes.append)))

    waiting = threading.Thread(target=second)
    waiting.start()
    while not notes:
        sleep(0.01)
    other = train(run, None)
    claim.conclude(other.result)
    claim.release()
    waiting.join(20)
    assert ["another process is training this run; waiting for it"] == notes
    assert [False] == [outcome.trained for outcome in outcomes]
    assert isinstance(begin(store, name, run_id), Outcome)


def test_a_run_that_is_completed_before_it_is_locked_is_found(prepared, store, monkeypatch):
    """Another process may have been faster: the run is not trained again."""
    run, late_once = prepared(), [True]

    def late(folder, **arguments):
        if late_once.pop():
            late_once.extend([False] * 9)
            train(run, store)
        return acquire(folder, **arguments)

    monkeypatch.setattr(run_folder, "acquire", late)
    found = begin(store, run.config.name, run.run_id)
    assert isinstance(found, Outcome)
    assert not is_held(store.folder(run.config.name, run.run_id))


def test_a_claim_that_is_given_up_leaves_nothing(prepared, store):
    """No folder stays of a run that was begun and brought nothing, nor the results folder."""
    run = prepared()
    with begin(store, run.config.name, run.run_id):
        assert [run.run_id] == os.listdir(store.root / run.config.name)
    assert not store.root.exists()


def test_a_complete_run_is_tidied_when_it_is_found(prepared, store):
    """What a killed `train --force` has left beside it goes, for `train` as for a sweep."""
    folder = train(prepared(), store).folder
    (folder / "checkpoint.safetensors").write_bytes(b"of a forced run")
    (folder / ".report.json.0123abcd.partial").write_text("half")
    assert not train(prepared(), store).trained
    expected = {"config.yaml", "report.json", "report.md", "history.csv", "model.safetensors"}
    assert expected == set(os.listdir(folder))


@pytest.mark.parametrize("level", ["run", "name"])
def test_a_folder_that_becomes_a_link_loses_no_work(prepared, store, tmp_path, level):
    """What was trained is saved in a folder of its own, and nothing where the link leads."""
    run, outside, notes = prepared(), tmp_path / "outside", []
    outside.mkdir()

    def exchange(run_, progress):
        place = store.root / run.config.name / (run.run_id if level == "run" else "")
        if not place.is_symlink():
            place.rename(tmp_path / "moved")
            place.symlink_to(outside)

    outcome = train(run, store, Listener(progressed=exchange, warn=notes.append))
    assert ("completed", True) == (outcome.record.status, outcome.saved)
    assert outcome.record == store.run(run.config.name, run.run_id).read().record
    assert [] == os.listdir(outside)
    assert ["was removed"] == [line.rpartition(", and ")[2] for line in notes]


def test_a_folder_that_is_removed_loses_no_work(prepared, store):
    """It is made again when the run is saved."""
    run = prepared()
    gone = []

    def remove(run_, progress):
        if not gone:
            gone.append((store.root / run.config.name / run.run_id).rmdir())

    assert train(run, store, Listener(progressed=remove)).saved
    assert store.run(run.config.name, run.run_id).read().complete


def test_a_checkpoint_that_cannot_be_written_costs_no_run(prepared, store, monkeypatch):
    """A note says so, and training continues."""
    from nnrun.runs import events

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(events, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(RunFolder, "save_checkpoint", full)
    notes = []
    outcome = train(prepared(), store, Listener(warn=notes.append))
    assert "completed" == outcome.record.status
    assert {"no checkpoint: No space left on device"} == set(notes)
