"""Rows that miss what training filled in: the same prediction from every form of a model."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data.columns.column import Number
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.errors import DataError
from nnrun.models.code.script import LANGUAGES, script
from nnrun.models.model import Model
from nnrun.nn import MeanSquared, Network, dense
from tests.models.exports.test_code import run
from tests.models.exports.test_onnx import session


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
