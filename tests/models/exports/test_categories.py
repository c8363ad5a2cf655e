"""Rows with 0 in all one-hot columns of a category: every form of a model takes them alike."""

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
from tests.models.exports.test_code import run
from tests.models.exports.test_onnx import session

# size; colour: blue, red, missing; kind: a, b
ROWS = np.array([[3, 1, 0, 0, 0, 1], [np.nan, 0, 1, 0, 1, 0], [1, 0, 0, 1, 1, 0]])
MISSING = np.array([[3, 0, 0, 0, 0, 1], [np.nan, 0, 0, 0, 1, 0]])
AS_TRAINED = np.array([[3, 0, 0, 1, 0, 1], [np.nan, 0, 0, 1, 1, 0]])
UNKNOWN = np.array([[3, 1, 0, 0, 0, 1], [3, 1, 0, 0, 0, 0]])


@pytest.fixture
def model():
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


def test_no_category_is_the_missing_one(model):
    """Where training had a category for empty cells; the given rows stay as they are."""
    given = MISSING.copy()
    assert model.predict(AS_TRAINED).tolist() == model.predict(given).tolist()
    np.testing.assert_array_equal(MISSING, given)


def test_no_category_is_refused(model):
    """Where training had none missing, as an empty cell of a file is."""
    expected = (
        "row 1 has 0 in all one-hot columns of 'kind': "
        "a blank cell is none of the categories in training: a, b"
    )
    with pytest.raises(DataError) as error:
        model.predict(UNKNOWN)
    assert expected == str(error.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_scripts_agree(model, language):
    """In NumPy and in PyTorch; the given rows stay as they are."""
    predict, given = run(script(model, LANGUAGES[language]))["predict"], MISSING.copy()
    np.testing.assert_allclose(predict(given), model.predict(AS_TRAINED), rtol=1e-5)
    np.testing.assert_array_equal(MISSING, given)
    np.testing.assert_allclose(predict(ROWS), model.predict(ROWS), rtol=1e-5)
    with pytest.raises(ValueError, match="a row has 0 in all one-hot columns of 'kind'"):
        predict(UNKNOWN)


def test_onnx_agrees(model):
    """The missing category, or an error of the runtime that names the column."""
    runtime = session(model)
    for x, expected in ((MISSING, AS_TRAINED), (ROWS, ROWS)):
        found = runtime.run(None, {"x": x.astype(np.float32)})[0]
        np.testing.assert_allclose(found, model.predict(expected), rtol=1e-5)
    with pytest.raises(InvalidArgument, match="a row has 0 in all one-hot columns of 'kind'"):
        runtime.run(None, {"x": UNKNOWN.astype(np.float32)})


def test_the_order_of_columns_stands_in_the_file(model):
    """In ONNX's metadata, and in what a script says about itself."""
    names = ["size", "colour=blue", "colour=red", "colour=(missing)", "kind=a", "kind=b"]
    proto = onnx.load_from_string(onnx_bytes(model))
    found = {entry.key: entry.value for entry in proto.metadata_props}
    assert names == json.loads(found["features"])
    assert {"colour": ["blue", "red", ""], "kind": ["a", "b"]} == json.loads(found["categories"])
    assert ", ".join(names) in " ".join(script(model, LANGUAGES["numpy"]).split())
