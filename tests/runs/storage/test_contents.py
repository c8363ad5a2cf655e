"""Contents of a run's files: strict JSON, progress, checkpoints, what was watched."""

from __future__ import annotations

import json
import os
import pickle
import random
from dataclasses import replace
from hashlib import sha256
from math import inf, nan
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.models.load import pack
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import select_run
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import Replicate
from nnrun.runs.storage import progress as module
from nnrun.runs.storage.contents import pack_checkpoint, parse_checkpoint, read_watched
from nnrun.runs.storage.progress import PROGRESS, ProgressNotes, read_progress
from nnrun.runs.storage.reading import WATCHED
from nnrun.runs.storage.sealed import sealed_json, strict_json
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# JSON as reports have it.

VALUES: list[Any] = [
    {},
    [],
    {"empty": {}, "none": [], "text": "", "nothing": None, "flags": [True, False]},
    {"deep": [{"a": [1, 2.5, [3]]}, [], [{}], ["x", None, 1e300, -0.0, 5e-324]]},
    {"quotes": 'a "b" \\ c', "lines": "a\n\tb", "letters": "naïve 日本", "steers": "\x00\x1b"},
    {"tuples": (1, ("a", {"b": 2})), "keys": {2: "two", None: 2, True: [3]}},
    [1, 2**70, -3, 1.0, 1e16, 0.1 + 0.2],
    "text",
    0.1,
    None,
]


REPORT = """\
{
  "status": "completed",
  "numbers": [1, 2.5],
  "metrics": {
    "train": {"loss": 0.5, "confusion": [[3, 0], [1, 2]]},
    "test": null
  },
  "warnings": [
    {"kind": "a", "places": [{"line": 1}]},
    {"kind": "b"}
  ],
  "files": {},
  "none": []
}
"""


@pytest.mark.parametrize("value", VALUES)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    """All values are written as Python's own encoder has them, but for where lines end."""
    expected = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text = strict_json(value)
    assert expected.replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert json.loads(expected) == json.loads(text)


def test_people_can_read_it() -> None:
    """Two levels, or as many as are asked for, have a line for each item, and what lies deeper
    stays on its line; so do lists of plain values.
    """
    assert REPORT == strict_json(json.loads(REPORT))
    assert '[\n  {\n    "a": 1\n  }\n]\n' == strict_json([{"a": 1}])
    assert '{\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}\n' == strict_json(
        {"a": {"b": {"c": 1}}}, levels=3
    )


@pytest.mark.parametrize("value", [nan, inf, [1, 2.0, -inf], {"a": {"b": [nan]}}, (inf,)])
def test_numbers_that_are_not_finite_are_refused(value: Any) -> None:
    """No other program could read them."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json(value)


# What a run in progress says of itself: when, what, and what is not believed of it.

ROWS = [{"iteration": 50, "train_loss": 0.5, "test_accuracy": 0.9, "validation_loss": float("inf")}]
ABOUT = (Replicate(3, None, 2), {"name": "tiny"}, "ab" * 32)


def at(iteration, seconds=1.0):
    return Progress(iteration, 1000, 0.5, seconds, ROWS)


@pytest.fixture
def clock(monkeypatch):
    """The time that notes are made by."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(module, "monotonic", lambda: now.seconds)
    return now


def test_once_a_second_and_not_for_short_runs(clock):
    """The first second passes in silence; then the newest state is written once a second."""
    written = []
    notes = ProgressNotes(written.append, lambda: ABOUT)
    for tenth in range(35):
        clock.seconds = 100 + tenth / 10
        notes.add(at(100 + 10 * tenth))
    assert [200, 300, 400] == [json.loads(content)["iteration"] for content in written]
    last = json.loads(written[-1])
    assert (100.0, 6.0) == (last["rate"], last["left"])


def test_a_run_that_is_known_to_be_long_says_that_it_has_begun(clock):
    """At once: until it does, it is taken for one that waits."""
    written = []
    ProgressNotes(written.append, lambda: ABOUT).add(at(0, seconds=0.0))
    assert [0] == [json.loads(content)["iteration"] for content in written]


def test_a_run_that_waits_again(clock):
    """Where its worker was lost: what it says next counts from there."""
    written = []
    notes = ProgressNotes(written.append, lambda: ABOUT)
    for progress in (at(0, seconds=0.0), None, at(500, seconds=0.0)):
        notes.wait() if progress is None else notes.add(progress)
    found = [json.loads(content) for content in written]
    assert [(0, False), (0, True), (500, False)] == [(f["iteration"], f["waits"]) for f in found]


def test_what_is_said_is_read(store):
    """Losses without other metrics; what is not finite is not known; nothing is left at the end."""
    with begin(store, "tiny", "s3-0123456789") as lease:
        lease.note(Progress(100, 1000, 0.5, 0.0, ROWS), lambda: ABOUT)
        folder = store.root / "tiny" / "s3-0123456789"
        found = read_progress(folder)
        assert (100, 1000, 0.1) == (found.iteration, found.iterations, found.share)
        assert {"train": 0.5} == found.losses
        assert [{"iteration": 50, "train_loss": 0.5, "validation_loss": None}] == found.history
        assert ABOUT == (Replicate(found.seed, found.split_seed, found.fold), found.config,
                         found.sha256)  # fmt: skip
    assert not store.root.exists()


def killed(store, run_id, *notes):
    """The folder of a run whose process was killed after it said this."""
    folder = store.root / "tiny" / run_id
    with begin(store, "tiny", run_id) as lease:
        for note in notes:
            lease.note(note, lambda: ABOUT)
        content = (folder / PROGRESS).read_bytes()
    folder.mkdir(parents=True)
    (folder / PROGRESS).write_bytes(content)
    return folder


def test_a_run_that_was_killed_before_its_first_checkpoint(store):
    """It is listed and found as interrupted, and starts over; one that had not begun is not."""
    begun = killed(store, "s3-0123456789", None, at(0, seconds=0.0))
    killed(store, "s4-0123456789", None)
    (found,) = look(store.root)
    assert ("s3-0123456789", "interrupted") == (found.run_id, found.status)
    assert "it has no checkpoint yet, and starts over" == found.error
    assert begun == select_run("tiny/s3", store.root)
    with begin(store, "tiny", "s3-0123456789") as lease:
        assert "running" == look(store.root)[0].status
        assert lease.checkpoint() is None
    assert [] == look(store.root)


@pytest.mark.parametrize("change", [lambda text: text[:-9], lambda text: text.replace(b"0", b"1")])
def test_a_run_that_was_killed_is_listed_whatever_became_of_what_it_said(store, change):
    """Numbers that were changed are not shown; the run is interrupted all the same."""
    folder = killed(store, "s3-0123456789", at(0, seconds=0.0))
    (expected,) = look(store.root)
    (folder / PROGRESS).write_bytes(change((folder / PROGRESS).read_bytes()))
    assert read_progress(folder) is None
    assert expected.error == look(store.root)[0].error


def test_a_run_that_has_ended_says_no_more(prepared, store):
    """A message that comes late leaves no file beside the report."""
    run = prepared()
    with begin(store, run.config.name, run.run_id) as lease:
        folder = store.root / run.config.name / run.run_id
        lease.note(at(0, seconds=0.0), lambda: ABOUT)
        assert (folder / PROGRESS).exists()
    outcome = train(run, store)
    lease = begin(store, run.config.name, run.run_id, force=True)
    with lease:
        lease.note(at(0, seconds=0.0), lambda: ABOUT)
        lease.conclude(train(run, None).result)
        lease.note(at(10), lambda: ABOUT)
    assert PROGRESS not in os.listdir(outcome.folder)


def test_many_evaluations_are_thinned():
    """Messages stay small; the last evaluation is among them."""
    rows = [{"iteration": n, "train_loss": 1 / n} for n in range(1, 12_346)]
    found = Progress(12_345, 20_000, 0.1, 1.0, rows).brief().history
    assert (100, 12_345) == (len(found), found[-1]["iteration"])


VALID = {
    "iteration": 5, "iterations": 10, "seconds": 1.0, "rate": None, "left": None,
    "history": [{"iteration": 5, "train_loss": 0.5}], "seed": 3, "split_seed": None, "fold": None,
    "config": {"name": "tiny"}, "sha256": "ab", "numerics": 2,
}  # fmt: skip
INVALID = {
    "further than its end": {"iteration": 11},
    "no whole number": {"iteration": 5.5},
    "no number": {"rate": "fast"},
    "negative": {"left": -1.0},
    "an unknown key": {"more": 1},
    "an unknown column": {"history": [{"iteration": 5, "\x1b[31m": 1.0}]},
    "a curve that is too long": {"history": [{"iteration": n} for n in range(201)]},
    "a seed that is text": {"seed": "3"},
    "a config that is a list": {"config": [1]},
    "too large": {"sha256": "a" * (1 << 18)},
}


@pytest.mark.parametrize("what", ["valid", *INVALID])
def test_what_is_not_sane_is_not_believed(tmp_path, what):
    """The run is then shown as one that has said nothing."""
    content = {**VALID, **INVALID.get(what, {})}
    (tmp_path / PROGRESS).write_bytes(sealed_json(content))
    assert (what == "valid") == (read_progress(tmp_path) is not None)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"iteration": NaN}', "[" * 100_000])
def test_what_is_no_progress_is_not_believed(tmp_path, content):
    """Whatever stands in the file."""
    (tmp_path / PROGRESS).write_text(content)
    assert read_progress(tmp_path) is None


def test_links_and_files_of_other_users_are_not_read(tmp_path, monkeypatch):
    """Someone else may have put them there."""
    (tmp_path / "elsewhere").write_bytes(sealed_json(VALID))
    (tmp_path / PROGRESS).symlink_to("elsewhere")
    assert read_progress(tmp_path) is None
    (tmp_path / PROGRESS).unlink()
    (tmp_path / "elsewhere").rename(tmp_path / PROGRESS)
    assert read_progress(tmp_path) is not None
    mine = os.stat(tmp_path)
    other = os.stat_result([*mine[:4], mine.st_uid + 1, *mine[5:]])
    monkeypatch.setattr(module.system.Folder, "stat", lambda folder: other)
    assert read_progress(tmp_path) is None


# A checkpoint is what was written, or it is said not to be, and the run starts over.


@pytest.fixture
def half(prepared, store):
    """An interrupted run: the run, its checkpoint, and the weights to get."""
    run = prepared()
    whole = train(run, None).record.weights_sha256
    folder = train(run, store, Listener(stop=lambda: True)).folder
    return run, folder / "checkpoint.safetensors", whole


def test_a_checkpoint_is_read_as_it_was_written(half):
    """Arrays and values, to the last bit; and it is gone on from."""
    run, path, _ = half
    state = parse_checkpoint(path.read_bytes(), run.run_id, path)
    again = parse_checkpoint(path.read_bytes(), run.run_id, path)
    assert state.values == again.values
    assert 0 < state.iteration < run.iterations
    assert path.read_bytes() == pack_checkpoint(state, run.run_id)


def test_any_flipped_bit_is_seen(half):
    """At two hundred places, the first bytes and the last among them."""
    run, path, _ = half
    content = path.read_bytes()
    places = random.Random(0).sample(range(8 * len(content)), 180)
    for place in [*range(10), *range(8 * len(content) - 10, 8 * len(content)), *places]:
        spoilt = bytearray(content)
        spoilt[place // 8] ^= 1 << place % 8
        path.write_bytes(spoilt)
        with pytest.raises(NnrunError):
            parse_checkpoint(path.read_bytes(), run.run_id, path)


def signed(path, run_id, values, arrays):
    """A checkpoint whose digest fits, whatever is in it."""
    path.write_bytes(pack_checkpoint(TrainingState(arrays, values), run_id))


@pytest.mark.parametrize(
    "change",
    [
        {"iteration": 10**12},
        {"iteration": -1},
        {"iteration": None},
        {"iteration": True},
        {"optimizer_steps": "many"},
        {"train_seconds": None},
        {"rate": "nan"},
        {"history": None},
        {"history": [None]},
        {"history": [{"train_loss": "x"}]},
        {"environments": None},
        {"environments": ["x"]},
        {"environments": [{"packages": "x"}]},
        {"sampler": None},
        {"sampler": {"stream": {}, "used": 0}},
        {"dropout": 7},
        "null",
        "nested",
        "other run",
        "other shapes",
        "cut",
        "empty",
        "folder",
    ],
    ids=str,
)
def test_what_makes_no_sense_is_started_over(half, store, change):
    """It is said, and the run ends with the weights that it should."""
    run, path, whole = half
    state = parse_checkpoint(path.read_bytes(), run.run_id, path)
    if isinstance(change, dict):
        signed(path, run.run_id, {**state.values, **change}, state.arrays)
    elif change == "null":
        path.write_bytes(pack(state.arrays, None))
    elif change == "nested":
        nested = pack(state.arrays, 0).replace(b'"0"', b'"' + b"[" * 100_000 + b'"')
        path.write_bytes(nested)
    elif change == "other run":
        signed(path, "s3-0123456789", state.values, state.arrays)
    elif change == "other shapes":
        signed(path, run.run_id, state.values, {"theta": np.zeros(3)})
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif change == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        path.mkdir()
    notes, starts = [], []
    listener = Listener(warn=notes.append, started=lambda run, at: starts.append(at))
    if change == "folder":
        with pytest.raises(OSError, match="Is a directory"):
            train(run, store, listener)
    else:
        outcome = train(run, store, listener)
        assert whole == outcome.record.weights_sha256
        assert not path.exists()
    assert [0] == starts
    (line,) = notes
    assert "so it starts over" in line


# Records of watched runs that others have written.

CONFIG = {
    "name": "moons",
    "dataset": {"name": "moons", "rows": 40, "test_size": 0.2},
    "network": {
        "layers": [
            {"type": "dense", "units": 3, "activation": "relu"},
            {"type": "dense", "units": 2, "activation": "softmax"},
        ]
    },
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.1, "iterations": 20, "watch": True},
}


@pytest.fixture(scope="module")
def trained():
    """A watched run, in memory."""
    return train(prepare(load_config(CONFIG)), None).result


def forged(folder, trained, content):
    """The run's record, with the digest of this content of its file."""
    (folder / WATCHED).write_bytes(content)
    return replace(trained.record, files={WATCHED: sha256(content).hexdigest()})


def test_a_record_that_was_written_is_read(trained, tmp_path):
    """Arrays and values come back; a run without a record has none."""
    watched = trained.watched
    record = forged(tmp_path, trained, pack(watched.arrays, watched.values))
    found = read_watched(tmp_path, record)
    assert dict(found.values) == watched.values
    for name, array in watched.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert read_watched(tmp_path, replace(record, files={})) is None


def without(name):
    return lambda arrays, values: arrays.pop(name)


def array(name, change):
    return lambda arrays, values: arrays.update({name: change(arrays[name])})


def value(name, given):
    return lambda arrays, values: values.update({name: given})


WRONG = {
    "no iterations": without("iterations"),
    "no norms": without("weights.norm"),
    "a frame that lacks": without("frame.0.0.weight"),
    "a look too many": array("losses", lambda losses: np.append(losses, 0.0)),
    "a parameter too many": array("gradients.norm", lambda norms: np.ones((len(norms), 9))),
    "iterations that descend": array("iterations", lambda found: found[::-1]),
    "iterations that are no numbers": array("iterations", lambda found: found * np.nan),
    "negative iterations": array("iterations", lambda found: found - 1),
    "counts as floats": array("weights.histogram", lambda counts: counts.astype(np.float64)),
    "other bins": array("outputs.histogram", lambda counts: counts[..., :-1]),
    "a single number": array("iterations", lambda found: np.int64(3)),
    "a frame of another shape": array("frame.0.0.weight", lambda weight: weight.T),
    "a frame with a hole": array("frame.0.0.weight", lambda weight: weight * np.nan),
    "a frame of integers": array("frame.0.0.weight", lambda weight: weight.astype(np.int64)),
    "ranges upside down": array("weights.range", lambda ends: -1 - np.abs(ends).cumsum(axis=-1)),
    "a range without an end": array("outputs.range", lambda ends: ends + np.inf),
    "no rows": value("rows", 0),
    "rows in words": value("rows", "many"),
    "a name that is a number": value("units", [{"layer": 0, "activation": "relu", "units": 3}]),
    "markup": value("units", [{"layer": "0", "activation": "<b>relu</b>", "units": 3}]),
    "a size below zero": value("layers", [{"layer": "0", "type": "relu", "size": -3}] * 2),
    "layers in words": value("layers", "two"),
    "frames in words": value("frames", ["0"]),
    "frames without end": value("frames", list(range(10**4))),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_record_of_another_form_is_refused(trained, tmp_path, change):
    """Whatever its digest says: a sentence names the file, and nothing else happens."""
    arrays, values = dict(trained.watched.arrays), dict(trained.watched.values)
    change(arrays, values)
    record = forged(tmp_path, trained, pack(arrays, values))
    with pytest.raises(NnrunError) as caught:
        read_watched(tmp_path, record)
    assert f"{tmp_path / WATCHED}: not what nnrun writes" == str(caught.value)


@pytest.mark.parametrize("content", [b"", pickle.dumps(print), b"\xff" * 99, pack({}, [1])])
def test_a_file_of_another_kind_is_refused(trained, tmp_path, content):
    """Nothing is unpickled."""
    with pytest.raises(NnrunError, match=r"damaged or no file of nnrun's|not what nnrun writes"):
        read_watched(tmp_path, forged(tmp_path, trained, content))


def test_a_changed_or_missing_file_is_refused(trained, tmp_path):
    """The digest in the report is that of the file that was written."""
    record = forged(tmp_path, trained, b"something")
    (tmp_path / WATCHED).write_bytes(b"something else")
    with pytest.raises(NnrunError, match="not the file that was written"):
        read_watched(tmp_path, record)
    (tmp_path / WATCHED).unlink()
    with pytest.raises(NnrunError, match="cannot be read"):
        read_watched(tmp_path, record)
    (tmp_path / WATCHED).symlink_to(tmp_path)
    with pytest.raises(NnrunError, match="cannot be read"):
        read_watched(tmp_path, record)
