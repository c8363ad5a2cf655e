"""What comes back from a cluster is data, and believed only as far as it can be checked."""

from __future__ import annotations

import pickle
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError, NnrunError, Problem
from nnrun.models.load import pack, unpack
from nnrun.pool import CrashError, WorkerLostError
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.workers import dask_tasks
from nnrun.sweeps.workers.dask import Batch
from nnrun.sweeps.workers.job import (
    Job,
    OtherVersionError,
    pack_error,
    pack_message,
    pack_result,
    unpack_message,
    unpack_result,
    versions,
)
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress
from tests.sweeps.helpers import BOSTON, IRIS, WILD


@pytest.fixture
def result(write):
    """What training a config gives, and the key of its run."""

    def train(text=IRIS, **control):
        prepared = prepare(load_config(write("config", text)))
        found = execute(prepared, None, Listener(**control))
        return found, f"{prepared.config.name}/{prepared.run_id}"

    return train


ADAM = BOSTON.replace("iterations: 60", "iterations: 60, optimizer: adam")


WATCHED = IRIS.replace("iterations: 60", "iterations: 60, watch: true")


@pytest.mark.parametrize("text", [IRIS, ADAM, WILD, WATCHED, "interrupted"])
def test_a_result_is_the_same_after_the_way(result, text):
    """Record, history and arrays, to the last bit."""
    if text == "interrupted":
        sent, key = result(IRIS.replace("60", "60000"), stop=lambda: True)
        assert sent.checkpoint is not None
    else:
        sent, key = result(text)
    got = unpack_result(pack_result(sent), key)
    for name in ("record", "history", "metadata"):
        assert getattr(sent, name) == getattr(got, name)
    for name in ("checkpoint", "ending"):
        ours, theirs = getattr(sent, name), getattr(got, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.values == theirs.values
            same_arrays(ours.arrays, theirs.arrays)
    same_arrays(sent.weights or {}, got.weights or {})
    assert (text == WATCHED) == (got.watched is not None)
    if got.watched is not None:
        assert sent.watched.values == got.watched.values
        same_arrays(sent.watched.arrays, got.watched.arrays)
    assert (sent.weights is None) == (got.weights is None)
    assert unpack_result(pack_result(None), key) is None


def same_arrays(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
        assert array.dtype == theirs[name].dtype


class Evil:
    """Would leave a file if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize(
    "damage", ["pickle", "cut", "other", "record", "weights", "text", "list", "looks"]
)
def test_what_is_no_result_of_the_run_is_refused(result, tmp_path, damage, write):
    """And nothing in it is executed."""
    sent, key = result(WATCHED)
    content = pack_result(sent)
    arrays, values = unpack(tmp_path, content)
    if damage == "pickle":
        content = pickle.dumps(Evil(tmp_path / "executed"))
    elif damage == "cut":
        content = content[:-9]
    elif damage == "other":
        content = pack_result(replace(sent, record=replace(sent.record, run_id="s3-0123456789")))
    elif damage == "record":
        content = pack(arrays, {**values, "record": {**values["record"], "dataset": {}}})
    elif damage == "weights":
        arrays["weights/0.weight"] = arrays["weights/0.weight"] + 1
        content = pack(arrays, values)
    elif damage == "text":
        content = pack(arrays, "a text")
    elif damage == "looks":
        arrays["watched/losses"] = arrays["watched/losses"][1:]
        content = pack(arrays, values)
    else:
        content = pack(arrays, {**values, "history": None})
    with pytest.raises(NnrunError):
        unpack_result(content, key)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ConfigError([Problem("is wrong", "seed")]), NnrunError, "seed: is wrong"),
        (MemoryError(), NnrunError, "there is not enough memory"),
        (ZeroDivisionError("by 0"), CrashError, "ZeroDivisionError: by 0"),
        (WorkerLostError("its worker was lost"), WorkerLostError, "its worker was lost"),
        (OtherVersionError("it has NumPy 1.0"), OtherVersionError, "it has NumPy 1.0"),
    ],
)
def test_errors_come_back_as_texts(error, kind, message):
    """Whatever was raised: with its sentence, and the traceback of what nobody foresaw."""
    with pytest.raises(NnrunError) as caught:
        unpack_result(pack_error(error), "iris/s3-1")
    assert (kind, message) == (type(caught.value), str(caught.value))
    assert b"pickle" not in pack_error(error)
    if kind is CrashError:
        assert caught.value.traceback.endswith(f"{message}\n")


def test_an_error_on_a_worker_is_packed(monkeypatch, result):
    """The function that Dask calls gives bytes, and raises nothing that it would pickle."""
    monkeypatch.setattr(dask_tasks, "_once", lambda name: nullcontext())
    here = SimpleNamespace(get_worker=lambda: SimpleNamespace(address="here"))
    monkeypatch.setattr(dask_tasks, "import_module", lambda _: here)
    monkeypatch.setattr(dask_tasks, "execute_job", lambda *_: 1 / 0)
    jobs = [Job(f"iris/s{seed}-1", "{}", seed, f"s{seed}-1", "data") for seed in (3, 4)]
    for packed in dask_tasks.execute_jobs_on_dask("token", 0, jobs, versions(), None):
        with pytest.raises(CrashError, match="ZeroDivisionError: division by zero"):
            unpack_result(packed, "iris/s3-1")


def test_messages_are_the_same_after_the_way_or_left_out():
    """Progress and checkpoints; nonsense is not shown to anyone."""
    rows = [{"iteration": 2, "train_loss": 0.5, "test_loss": None}]
    progress = Progress(3, 10, None, 0.5, rows)
    assert progress == unpack_message(pack_message(progress, "iris/s3-1"), "iris/s3-1")
    values = {
        "iteration": 3, "optimizer_steps": 3, "train_seconds": 0.1, "evaluation_seconds": 0.1,
        "rate": 0.1, "history": [], "environments": [],
    }  # fmt: skip
    state = TrainingState({"theta": np.arange(3.0)}, values)
    packed = pack_message(state, "iris/s3-1")
    assert values == unpack_message(packed, "iris/s3-1").values
    assert unpack_message(packed, "iris/s3-2") is None
    for nonsense in (b"", b"x", None, [1], [1, 0, 0.1, 0.1], [-1, 2, 0.1, 0.1], ["a", 2, 3, 4],
                     [1, 2, float("nan"), 0.1], {"iteration": 1}):  # fmt: skip
        assert unpack_message(nonsense, "iris/s3-1") is None


def test_a_future_of_a_task_gives_what_was_checked(result):
    """The result; or the error of one that is none."""
    sent, key = result()
    runs = Batch(None)
    futures = [runs.add(Job(key, "{}", 3, "s3-1", "data")) for _ in range(2)]
    runs.receive([pack_result(sent), b"nonsense"])
    assert sent.record == futures[0].result(1).record
    with pytest.raises(NnrunError, match="what the worker gave back"):
        futures[1].result(1)
