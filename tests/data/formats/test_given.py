"""Data that are given in Python: tables and arrays in place of a file."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

import nnrun
from nnrun.data.readers.parquet import Frame, is_frame
from nnrun.errors import ConfigError, NnrunError, UsageError
from tests.data.formats.conftest import columns, frames

NUMBERS = {
    "name": "numbers",
    "dataset": {"features": "standard"},
    "network": {"sizes": [4, 1], "activations": ["tanh", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.01, "iterations": 20, "engine": "numpy"},
}


@pytest.fixture(scope="module")
def arrays():
    """Features and values."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 3)), rng.normal(size=50)


def test_training_is_the_same_from_every_library(config, expected):
    """As from a file, to the bit; and the run is the same for all of them, by its content."""
    runs = [nnrun.train(config(), data=frame, results=None) for frame in frames().values()]
    assert {expected.network.theta.tobytes()} == {run.network.theta.tobytes() for run in runs}
    assert 1 == len({run.run_id for run in runs})
    assert runs[0].run_id != expected.run_id  # a file is known by its bytes


def test_a_frame_may_stand_in_for_the_file_of_a_config(config, files, expected):
    """The path of the config is not looked at."""
    run = nnrun.train(config(path="nowhere.csv"), data=frames()["polars"], results=None)
    assert expected.network.theta.tobytes() == run.network.theta.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.rename({"price": "prize"}),
        lambda frame: frame.select(reversed(frame.columns)),
        lambda frame: frame.with_columns(pl.col("area").fill_null(0.0)),
        lambda frame: frame.with_columns(pl.col("number") + 2),
        lambda frame: frame.with_columns(pl.col("garden").cast(pl.Int64)),
        lambda frame: frame.with_columns(pl.col("code").cast(pl.String) + "x"),
        lambda frame: frame.reverse(),
    ],
)
def test_other_content_has_another_digest(change):
    """Other names, another order, another cell, another meaning."""
    frame = pl.DataFrame(columns())
    assert Frame(frame).sha256 != Frame(change(frame)).sha256


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.with_columns(pl.col("rooms").cast(pl.Int8)),
        lambda frame: frame.with_columns(pl.col("rooms").cast(pl.Float64)),
        lambda frame: frame.with_columns(pl.col("area").fill_null(float("nan"))),
        lambda frame: frame.with_columns(pl.col("town").cast(pl.Categorical)),
        lambda frame: frame.with_columns(pl.col("sold").cast(pl.Datetime("ms"))),
        lambda frame: frame.to_pandas().set_index(np.arange(len(frame)) * 7),
    ],
)
def test_the_same_content_has_the_same_digest(change):
    """Whatever the width of numbers, the codes of texts, and the labels of rows."""
    frame = pl.DataFrame(columns())
    assert Frame(frame).sha256 == Frame(change(frame)).sha256


def test_sweeps_send_data_to_their_workers(config, expected, tmp_path):
    """Processes have them without a file, and bits are those of one process."""
    frame = frames()["pandas"]
    board = nnrun.sweep(config(), data=frame, seeds=[42, 43], jobs=2, results=tmp_path)
    alone = nnrun.train(config(), data=frame, seed=43, results=None)
    weights = {run.run_id: run.network.theta.tobytes() for run in board.runs()}
    assert {expected.network.theta.tobytes(), alone.network.theta.tobytes()} == {*weights.values()}
    assert alone.network.theta.tobytes() == weights[alone.run_id]


def test_arrays_are_those_of_an_npz_file(arrays, tmp_path):
    """As a pair, or by name; lists do."""
    x, y = arrays
    np.savez(tmp_path / "a.npz", x=x, y=y)
    from_file = nnrun.train(NUMBERS, {"dataset.path": str(tmp_path / "a.npz")}, results=None)
    runs = [
        nnrun.train(NUMBERS, data=data, results=None)
        for data in (arrays, {"y": y, "x": x}, [x.tolist(), y.tolist()])
    ]
    assert {from_file.network.theta.tobytes()} == {run.network.theta.tobytes() for run in runs}
    assert 1 == len({run.run_id for run in runs})


def test_a_test_split_may_be_given(arrays):
    """As x_test and y_test."""
    x, y = arrays
    given = {"x": x[:40], "y": y[:40], "x_test": x[40:], "y_test": y[40:]}
    assert 10 == nnrun.train(NUMBERS, data=given, results=None).record.dataset["n_test"]


def test_stored_runs_ask_for_their_data(config, tmp_path):
    """They are verified and extended with the data given again; other data are found out."""
    frame = frames()["pandas"]
    run = nnrun.train(config(), data=frame, results=tmp_path)
    assert run is not None
    again = nnrun.train(config(), data=frame, results=tmp_path)
    assert "completed" == again.status
    assert nnrun.verify(run, data=frame, results=tmp_path).agrees
    changed = frame.assign(rooms=frame["rooms"] + 1)
    assert "its data have changed since it was trained" == nnrun.verify(run, data=changed).reason
    said = "its data were given in Python and have no file; pass them again as `data`"
    assert said in str(nnrun.verify(run, results=tmp_path).reason)
    with pytest.raises(NnrunError, match=said):
        nnrun.extend(run, 10, results=tmp_path)
    longer = nnrun.extend(run, 10, data=frame, results=tmp_path)
    whole = nnrun.train(config(), {"training.iterations": 30}, data=frame, results=None)
    assert whole.network.theta.tobytes() == longer.network.theta.tobytes()
    with pytest.raises(ConfigError, match=said):
        nnrun.train(run.path / "config.yaml", results=None)


def test_check_reads_what_is_given(config):
    """Without training."""
    found = nnrun.check(config(), data=frames()["pyarrow"])
    assert (48, 60) == (found.dataset["n_train"], sum(found.dataset[f"n_{s}"] for s in SPLITS))


SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (7, "data=int: expected a table of pandas, polars or pyarrow, or arrays as (x, y)"),
        ({"x": 1}, "data=dict: expected a table"),
        ({"x": [[1.0]], "y": [1], "x_test": [[1.0]]}, "of x_test and y_test one is missing"),
        (([[None]], [1]), "x holds objects of Python (NoneType), not numbers or text alone"),
        (([[1.0]], ["a", 2, None]), "y holds objects of Python (NoneType, int, str), not numbers"),
        (pl.DataFrame({"a": [1]}).lazy(), "the table is lazy: give data.collect()"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the table:a: 2 columns have this name"),
        (pd.DataFrame({"a": ["x"], "price": [1]}), "row 0, column 'a': 'x' is not a number"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(data, said):
    """With what is needed; cells of a table by row and column."""
    columns = {"target": "price"} if is_frame(data) else None
    with pytest.raises((UsageError, ConfigError)) as error:
        nnrun.train({**NUMBERS, "dataset": {"columns": columns}}, data=data, results=None)
    assert said in str(error.value)


@pytest.mark.parametrize("labels", [["a", "b"], [1, 2.5], [3, 4], [False, True]])
def test_objects_that_are_numbers_or_text_are_taken(labels, arrays):
    """An array of objects is what it holds, as pandas and scikit-learn have labels."""
    x, values = arrays
    y = np.array(labels)[(values > 0).astype(int)]
    config = NUMBERS | {"loss": "cross_entropy", "dataset": {"task": "classification"}}
    config |= {"network": {"sizes": [4, 2], "activations": ["tanh", "softmax"]}}
    plain, objects = (
        nnrun.train(config, data=data, results=None)
        for data in ((x, y), (x.astype(object), y.astype(object)))
    )
    assert plain.run_id == objects.run_id
    assert plain.network.theta.tobytes() == objects.network.theta.tobytes()
    assert plain.predict(x).tolist() == objects.predict(x.astype(object)).tolist()


def test_a_frame_predicts_as_its_file_does(expected, files):
    """Rows of a frame and of a file have the same predictions."""
    frame = frames()["pandas"].assign(garden=lambda frame: frame["garden"].astype(str))
    assert expected.predict(frame).shape == (60,)
    json.dumps(expected.config)
