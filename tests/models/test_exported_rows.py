"""Rows that miss a number or a category: every form of a model takes them alike."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from nnrun.data.columns.categories import OneHot
from nnrun.data.columns.column import Number
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.errors import DataError
from nnrun.models.code.script import LANGUAGES, script
from nnrun.models.model import Model
from nnrun.models.onnx import onnx_bytes
from nnrun.nn import MeanSquared, Network, dense
from tests.models.test_code import run
from tests.models.test_onnx import session


@pytest.fixture
def model():
    """A model of three features; the last two may be missing."""
    network = Network([dense(4, "tanh"), dense(1)], MeanSquared(), (3,), "float32")
    network.initialize(rng=np.random.default_rng(0))
    columns = Columns((Number("a"), Number("b", "median"), Number("c", "mean")))
    layout = Layout("regression", (3,), columns, target_names=("y",))
    x = np.random.default_rng(1).normal(3, 2, (50, 3))
    x[::7, 1] = x[::5, 2] = np.nan
    preprocessing = Preprocessing(["standard"], "none", layout).fit(x, np.zeros((50, 1)))
    return Model(network, preprocessing, layout)


@pytest.fixture
def filled(model):
    """Rows with holes, and the same rows with what training fills in."""
    x = np.random.default_rng(2).normal(3, 2, (6, 3)).astype(np.float32).astype(np.float64)
    holes = x.copy()
    holes[0, 1] = holes[1, 2] = holes[2, 1] = holes[2, 2] = np.nan
    return holes, np.where(np.isnan(holes), model.preprocessing.steps[0].fill, holes)


def test_the_model_fills_in(model, filled):
    """And refuses a hole where training had none."""
    holes, whole = filled
    assert model.predict(whole).tolist() == model.predict(holes).tolist()
    holes[4, 0] = np.nan
    with pytest.raises(DataError, match=r"row 4, column .*: nan is not a finite number"):
        model.predict(holes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_scripts_fill_in(model, filled, language):
    """In NumPy and in PyTorch."""
    holes, whole = filled
    found = run(script(model, LANGUAGES[language]))["predict"](holes)
    np.testing.assert_allclose(model.predict(whole), found, rtol=1e-5)


def test_onnx_fills_in(model, filled):
    """With the operators of the standard."""
    holes, whole = filled
    found = session(model).run(None, {"x": holes.astype(np.float32)})[0]
    np.testing.assert_allclose(model.predict(whole), found, rtol=1e-5)


# Rows with 0 in all one-hot columns of a category: every form of a model takes them alike.

# size; colour: blue, red, missing; kind: a, b
ROWS = np.array([[3, 1, 0, 0, 0, 1], [np.nan, 0, 1, 0, 1, 0], [1, 0, 0, 1, 1, 0]])
MISSING = np.array([[3, 0, 0, 0, 0, 1], [np.nan, 0, 0, 0, 1, 0]])
AS_TRAINED = np.array([[3, 0, 0, 1, 0, 1], [np.nan, 0, 0, 1, 1, 0]])
UNKNOWN = np.array([[3, 1, 0, 0, 0, 1], [3, 1, 0, 0, 0, 0]])


@pytest.fixture
def categorical():
    """A regression on a number and two categories; the number and one category may be missing."""
    network = Network([dense(4, "tanh"), dense(1)], MeanSquared(), (6,), "float32")
    network.initialize(rng=np.random.default_rng(0))
    columns = Columns(
        (
            Number("size", "median"),
            OneHot("colour", ("blue", "red", "")),
            OneHot("kind", ("a", "b")),
        )
    )
    layout = Layout("regression", (6,), columns, target_names=("y",))
    preprocessing = Preprocessing(["standard"], "none", layout).fit(ROWS, np.zeros((3, 1)))
    return Model(network, preprocessing, layout)


def test_no_category_is_the_missing_one(categorical):
    """Where training had a category for empty cells; the given rows stay as they are."""
    given = MISSING.copy()
    assert categorical.predict(AS_TRAINED).tolist() == categorical.predict(given).tolist()
    np.testing.assert_array_equal(MISSING, given)


def test_no_category_is_refused(categorical):
    """Where training had none missing, as an empty cell of a file is."""
    expected = (
        "row 1 has 0 in all one-hot columns of 'kind': "
        "a blank cell is none of the categories in training: a, b"
    )
    with pytest.raises(DataError) as error:
        categorical.predict(UNKNOWN)
    assert expected == str(error.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_scripts_agree(categorical, language):
    """In NumPy and in PyTorch; the given rows stay as they are."""
    predict, given = run(script(categorical, LANGUAGES[language]))["predict"], MISSING.copy()
    np.testing.assert_allclose(predict(given), categorical.predict(AS_TRAINED), rtol=1e-5)
    np.testing.assert_array_equal(MISSING, given)
    np.testing.assert_allclose(predict(ROWS), categorical.predict(ROWS), rtol=1e-5)
    with pytest.raises(ValueError, match="a row has 0 in all one-hot columns of 'kind'"):
        predict(UNKNOWN)


def test_onnx_agrees(categorical):
    """The missing category, or an error of the runtime that names the column."""
    runtime = session(categorical)
    for x, expected in ((MISSING, AS_TRAINED), (ROWS, ROWS)):
        found = runtime.run(None, {"x": x.astype(np.float32)})[0]
        np.testing.assert_allclose(found, categorical.predict(expected), rtol=1e-5)
    with pytest.raises(InvalidArgument, match="a row has 0 in all one-hot columns of 'kind'"):
        runtime.run(None, {"x": UNKNOWN.astype(np.float32)})


def test_the_order_of_columns_stands_in_the_file(categorical):
    """In ONNX's metadata, and in what a script says about itself."""
    names = ["size", "colour=blue", "colour=red", "colour=(missing)", "kind=a", "kind=b"]
    proto = onnx.load_from_string(onnx_bytes(categorical))
    found = {entry.key: entry.value for entry in proto.metadata_props}
    assert names == json.loads(found["features"])
    assert {"colour": ["blue", "red", ""], "kind": ["a", "b"]} == json.loads(found["categories"])
    assert ", ".join(names) in " ".join(script(categorical, LANGUAGES["numpy"]).split())
