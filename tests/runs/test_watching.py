"""Watched runs: the same bits as others, whatever happens on the way, and a record for each."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from nnrun.models.load import pack
from nnrun.runs.catalog import index
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lease import Outcome, begin
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.storage.contents import frames, read_watched
from nnrun.runs.storage.reading import REPORT, WATCHED
from nnrun.runs.storage.store import Store
from nnrun.runs.verify import verify
from nnrun.training.state import TrainingState
from nnrun.training.watch import MOST_LOOKS
from tests.forging import revise

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


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
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
