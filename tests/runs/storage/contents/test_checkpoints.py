"""A checkpoint is what was written, or it is said not to be, and the run starts over."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from nnrun.errors import NnrunError
from nnrun.models.load import pack, unpack
from nnrun.runs.events import Listener
from nnrun.runs.lifecycle import train
from nnrun.runs.storage import contents as checkpoints
from nnrun.runs.storage.contents import pack_checkpoint, parse_checkpoint
from nnrun.training.state import TrainingState


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


def test_arrays_of_another_network_are_started_over(half, store):
    """The digest fits, the shapes do not."""
    run, path, whole = half
    state = parse_checkpoint(path.read_bytes(), run.run_id, path)
    signed(path, run.run_id, state.values, {"theta": np.zeros(3)})
    notes = []
    outcome = train(run, store, Listener(warn=notes.append))
    assert whole == outcome.record.weights_sha256
    assert 1 == len(notes)


def test_the_digest_is_over_everything(half):
    """Written with other values, the file has another digest."""
    run, path, _ = half
    state = parse_checkpoint(path.read_bytes(), run.run_id, path)
    digest = unpack(path)[1]["sha256"]
    other = pack_checkpoint(TrainingState(state.arrays, {**state.values, "rate": 2.0}), run.run_id)
    path.write_bytes(other)
    assert digest != unpack(path)[1]["sha256"]
    assert json.dumps(checkpoints._BLANK) not in str(other)
