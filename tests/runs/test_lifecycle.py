"""The life of a run: its events, and watching it."""

from __future__ import annotations

import ast
import json
import os
import re
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import sleep

import numpy as np
import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.models.load import pack
from nnrun.runs.catalog import index
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lease import Outcome, begin
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.storage import store as run_folder
from nnrun.runs.storage.contents import frames, read_watched
from nnrun.runs.storage.durable import acquire
from nnrun.runs.storage.reading import REPORT, WATCHED, list_runs
from nnrun.runs.storage.store import RunFolder, Store
from nnrun.runs.storage.sweep_progress import is_held
from nnrun.runs.verify import verify
from nnrun.training.state import TrainingState
from nnrun.training.watch import MOST_LOOKS
from tests.forging import revise

# All commands train runs in one way and read them in one way.

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
    # exercises, readings of columns that are tried, films of surfaces.
    users |= {"runs/execution/rate_finder.py", "course/grading.py", "sweeps/tried.py"}
    users |= {"explain/surfaces.py"}
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


# Events of runs, and several listeners.

EVENTS = [name for name in vars(Listener) if callable(getattr(Listener, name)) and name[0] != "_"]


@pytest.mark.parametrize("event", EVENTS)
def test_each_listener_gets_each_event(event):
    """In their order, also after one of them has asked for a stop."""
    calls = []

    def called(name):
        return Listener(**{event: lambda *words: calls.append((name, *words)) or True})

    assert getattr(Listeners(called("first"), called("second")), event)("words") is True
    assert [("first", "words"), ("second", "words")] == calls


@pytest.mark.parametrize("switch", ["follows", "decides"])
def test_listeners_want_what_one_of_them_wants(switch):
    """Evaluations are sent, and waited for, where one listener needs them."""
    assert not getattr(Listeners(Listener(), Listener()), switch)
    assert getattr(Listeners(Listener(), Listener(**{switch: True})), switch)


def test_events_of_a_run_come_in_their_order(prepared):
    """Its start, an evaluation after the progress that it belongs to, and that it is saved."""
    calls = []
    names = ("started", "progressed", "evaluated", "saved")
    listener = Listener(
        decides=True, **{name: lambda *_, name=name: calls.append(name) for name in names}
    )
    train(prepared(), None, listener)
    assert ["started", "progressed"] == calls[:2]
    assert {"progressed"} == {calls[at - 1] for at, name in enumerate(calls) if name == "evaluated"}
    assert ["evaluated", "saved"] == calls[-2:]


def test_a_run_is_saved_each_time_that_it_is_asked_for(prepared, store):
    """A tracker hears of a run that was complete already, as of one that was trained."""
    outcomes = []
    listener = Listener(saved=lambda run, outcome: outcomes.append(outcome.trained))
    for _ in range(2):
        train(prepared(), store, listener)
    assert [True, False] == outcomes


# Watched runs: the same bits as others, whatever happens on the way, and a record for each.

IRIS = """
name: tiny
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: dense, units: 5, activation: relu}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8, evaluate_every: 20}
seed: 3
"""
DEEP = """
name: deep
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: dense, units: 6, activation: tanh}
    - {type: batch_norm}
    - {type: dropout, rate: 0.3}
    - {type: residual, layers: [{type: dense, units: 6, activation: elu}]}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 90, batch_size: 8, evaluate_every: 20}
"""
CNN = """
name: images
dataset: {name: digits, test_size: 0.2, features: [{binarize: 8}]}
network:
  layers:
    - {type: conv2d, channels: 4, kernel: 3, activation: relu}
    - {type: max_pool2d, size: 2}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 60, batch_size: 16, evaluate_every: 25}
"""
MOONS = """
name: moons
dataset: {name: moons, rows: 100, noise: 0.1, test_size: 0.3}
network:
  layers:
    - {type: dense, units: 8, activation: tanh}
    - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 100, batch_size: 16, watch: true}
"""
STOPPING = "training.early_stopping={patience: 2}"
PLATEAU = "training.learning_rate={schedule: reduce_on_plateau, initial: 0.1, patience: 1}"
RUNS = [
    (IRIS, "training.optimizer={type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.01}"),
    (IRIS, "training.optimizer=adam", "training.learning_rate=0.01", STOPPING),
    (IRIS, "training.clip_norm=0.1", PLATEAU),
    (IRIS, "training.learning_rate=1e5"),
    (DEEP, "training.optimizer=adam", "training.learning_rate=0.01"),
    (CNN, "training.augment={shift: 1}", "training.class_weight=balanced"),
    (CNN, "training.optimizer={type: sgd, momentum: 0.9}"),
]


def bits(result):
    return {name: array.tobytes() for name, array in (result.weights or {}).items()}


def written(watched):
    return pack(watched.arrays, watched.values)


@pytest.mark.parametrize(
    ("engine", "dtype"), [("numpy", "float64"), ("compiled", "float64"), ("compiled", "float32")]
)
@pytest.mark.parametrize("run", RUNS, ids=lambda run: " ".join(run[1:]))
def test_a_watched_run_has_the_same_bits(prepared, run, dtype, engine):
    """Weights, history and identity are those of the run that is not watched."""
    text, *overrides = run
    settings = [*overrides, f"training.dtype={dtype}", f"training.engine={engine}"]
    plain = prepared(text, *settings)
    watched = prepared(text, *settings, "training.watch=true")
    one, other = train(plain, None).result, train(watched, None).result
    assert one.history == other.history
    assert bits(one) == bits(other)
    assert (one.record.status, plain.run_id) == (other.record.status, watched.run_id)
    assert (None, True) == (one.watched, len(other.watched.iterations) > 1)


@pytest.mark.parametrize("run", [RUNS[1], RUNS[3], RUNS[4], (MOONS,)], ids=lambda run: run[0][6:10])
def test_a_run_that_was_left_has_the_record_of_a_whole_one(prepared, run):
    """Looks, frames and updates are the same, wherever the run was left, to the last byte."""
    new = lambda: prepared(run[0], *run[1:], "training.watch=true")  # noqa: E731
    whole = train(new(), None).result
    left = 0
    while True:
        calls = iter(range(left + 1))
        first = Execution(new())
        stopped = first.train(Listener(stop=lambda calls=calls: next(calls, None) is None))
        if not stopped:
            break
        state = first.trainer.checkpoint()
        state = TrainingState(state.arrays, json.loads(json.dumps(state.values)))
        again = Execution(new(), state, checked=True)
        again.train(Listener())
        assert written(whole.watched) == written(again.trainer.watch.watched)
        left += 1
    assert left > 0


def test_looks_are_evenly_spread_and_bounded(prepared):
    """Of 700 evaluations every eighth is looked at, and the last one; the first look is before."""
    run = prepared(
        IRIS, "training.watch=true", "training.iterations=701", "training.evaluate_every=1"
    )
    watched = train(run, None).result.watched
    assert [*range(0, 701, 8), 701] == watched.iterations
    assert len(watched.iterations) <= MOST_LOOKS + 2


def test_a_complete_run_gets_a_record_when_it_is_asked_for(prepared, store):
    """It is trained again, to the same bits; a run that has a record serves either way."""
    plain = train(prepared(IRIS), store)
    watched = train(prepared(IRIS, "training.watch=true"), store)
    assert (True, plain.folder) == (watched.trained, watched.folder)
    assert plain.record.weights_sha256 == watched.record.weights_sha256
    assert read_watched(watched.folder, watched.record).iterations[-1] == 200
    assert not train(prepared(IRIS, "training.watch=true"), store).trained
    assert not train(prepared(IRIS), store).trained
    forced = train(prepared(IRIS), store, force=True)
    assert not (forced.folder / WATCHED).exists()


def test_a_watched_run_is_found_where_there_is_an_index(prepared, store, monkeypatch):
    """The index does not hold the names of files, so that the report itself is read."""
    monkeypatch.setattr(index, "WORTH", 1)
    plain, watched = prepared(IRIS), prepared(IRIS, "training.watch=true")
    train(plain, store)
    indexed = Store(store.root, store.render, index.RunIndex(store.root))
    indexed.index.refresh(["tiny"])
    assert indexed.index.find("tiny", plain.run_id) is not None
    with begin(indexed, "tiny", plain.run_id, brief=True, watched=True) as lease:
        assert lease.checkpoint() is None
    train(watched, store)
    indexed.index.refresh(["tiny"])
    for asked in (False, True):
        found = begin(indexed, "tiny", plain.run_id, brief=True, watched=asked)
        assert isinstance(found, Outcome)
    indexed.index.close()


def test_a_checkpoint_without_a_record_is_not_continued(prepared, store):
    """An interrupted run that was not watched starts over to be watched."""
    assert train(prepared(IRIS), store, until=100).record.status == "interrupted"
    notes = []
    outcome = train(prepared(IRIS, "training.watch=true"), store, Listener(warn=notes.append))
    assert ["its checkpoint does not fit the run, so it starts over"] == notes
    assert read_watched(outcome.folder, outcome.record).iterations[0] == 0


def test_an_extended_run_has_the_record_of_a_whole_one(prepared, store):
    """The look at the end of the shorter run stays only if a whole run has it, too."""
    for iterations in (60, 70):
        run = prepared(MOONS, f"training.iterations={iterations}", "training.evaluate_every=20")
        shorter = train(run, store)
        extension = extend(shorter.folder, 70)
        longer = train(extension.prepared, None, extension=extension).result
        whole = train(extension.prepared, None).result
        assert written(whole.watched) == written(longer.watched)


def test_the_record_is_verified(prepared, store):
    """A record with other numbers is found, though digests agree."""
    outcome = train(prepared(MOONS), store)
    assert verify(outcome.folder).finding == "same_bits"
    file = outcome.folder / WATCHED
    watched = outcome.result.watched
    watched.arrays["units.dead"][1, 0] += 0.5
    file.write_bytes(written(watched))
    known = {**outcome.record.files, WATCHED: sha256(file.read_bytes()).hexdigest()}
    revise(outcome.folder / REPORT, files=known)
    verdict = verify(outcome.folder)
    assert ["watched units.dead[1, 0]"] == [found.place for found in verdict.differences]


def test_weights_are_kept_where_they_can_be_drawn(prepared, store):
    """Networks of one or two features have at most 12 frames on the way; the last is the end's."""
    outcome = train(prepared(MOONS), store)
    found = frames(outcome.folder, outcome.record)
    assert [*range(0, 101, 10)] == [iteration for iteration, _ in found]
    last = found[-1][1]
    assert bits(outcome.result) == {name: array.tobytes() for name, array in last.items()}
    other = train(prepared(IRIS, "training.watch=true"), None).result
    assert [] == other.watched.frames


def test_a_run_that_diverges_is_looked_at_on_the_way_there(prepared):
    """Its last looks are within the updates after the last good evaluation."""
    run = prepared(IRIS, "training.watch=true", "training.learning_rate=1e150")
    result = train(run, None).result
    diverged = result.record.divergence["iteration"]
    assert result.record.status == "diverged"
    assert diverged - 1 == result.watched.iterations[-1]
