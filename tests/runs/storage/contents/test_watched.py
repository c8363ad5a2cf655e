"""Records of watched runs that others have written."""

from __future__ import annotations

import pickle
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.models.load import pack
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.contents import read_watched
from nnrun.runs.storage.reading import WATCHED

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
