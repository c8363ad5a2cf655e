"""Columns that float32 cannot hold: how far it moves them, and files that take float64."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.models.model import Model
from nnrun.models.onnx import onnx_bytes
from nnrun.models.rounding import rounding_of
from nnrun.nn import MeanSquared, Network, dense
from tests.models.random_models import option_step

SPREAD = np.random.default_rng(0).normal(size=(200, 2))


def model_of(x, features, *, y=SPREAD[:, :1], target="none", task="regression", dtype="float64"):
    """A model of columns `time` and `size`, and `y`."""
    last = dense(3, "softmax") if task == "classification" else dense(1)
    network = Network([dense(8, "tanh"), last], MeanSquared(), (2,), dtype)
    network.initialize(rng=np.random.default_rng(1))
    names = {"classes": ("a", "b", "c")} if task == "classification" else {"target_names": ("y",)}
    layout = Layout(task, (2,), Columns.numbers(("time", "size")), **names)
    return Model(network, Preprocessing(features, target, layout).fit(x, y), layout)


def widened_model(x, features):
    """A model like that, whose steps add columns."""
    layout = Layout("regression", (2,), Columns.numbers(("time", "size")), target_names=("y",))
    preprocessing = Preprocessing(features, "none", layout).fit(x, SPREAD[:, :1])
    network = Network([dense(1)], MeanSquared(), (2 + preprocessing.added,), "float64")
    network.initialize(rng=np.random.default_rng(1))
    return Model(network, preprocessing, layout)


def onnx_outputs(model, x, dtype):
    session = onnxruntime.InferenceSession(
        onnx_bytes(model, dtype), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x.astype(dtype)})


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_the_figure_bounds_what_float32_moves(scaling):
    """For all offsets and scales: no scaled number moves further, and many half as far."""
    for offset in (0, 1, 300, 2010, 1e6, -1.7e9, 1e15):
        for scale in (1e-3, 1, 1e4):
            x = offset + scale * SPREAD
            model = model_of(x, [scaling])
            rounded = x.astype(np.float32).astype(np.float64)
            prepared = model.preprocessing.transform_x
            moved = np.abs(prepared(rounded) - prepared(x))
            found = rounding_of(model).moved
            # Further out, numbers of float32 may lie further apart.
            inside = np.abs(SPREAD - SPREAD.mean(axis=0)) < SPREAD.std(axis=0)
            assert moved[inside].max(initial=0) <= found
            if abs(offset) > 10 * scale and found < 0.1:  # else all become one or two numbers
                assert moved.max() > found / 2


def test_the_worst_column_is_named():
    """Features as the first scaling takes them, or the target."""
    x = SPREAD * [1e4, 1] + [1.7e9, 0]
    assert ("time", 0.0064) == named(model_of(x, ["standard"]))
    assert ("time", 0.0064) == named(model_of(x, ["standard", "minmax"]), times=spread(x))
    y = 1e9 + SPREAD[:, :1]
    assert "y" == rounding_of(model_of(SPREAD, ["standard"], y=y, target="standard")).column


def named(model, times=1.0):
    rounding = rounding_of(model)
    scale = model.preprocessing.steps[0].scale[0] / 1e4
    return rounding.column, round(rounding.moved * scale * times, 4)


def spread(x):
    """The range of what `standard` makes of the first column, which `minmax` divides by."""
    return float(np.ptp(x[:, 0]) / x[:, 0].std())


@pytest.mark.parametrize("features", [[], ["l2"], [option_step("binarize", 1), "standard"]])
def test_without_a_scaling_of_raw_columns_there_is_no_figure(features):
    """Nothing is known then of how far apart a column's numbers are."""
    assert 0 == rounding_of(model_of(1.7e9 + SPREAD, features)).moved
    assert not rounding_of(model_of(1.7e9 + SPREAD, features)).needs_float64


@pytest.mark.parametrize(
    ("features", "offset", "needed"),
    [
        ([option_step("binarize", 8)], 0, False),
        ([option_step("binarize", 0.5)], 0, False),
        ([option_step("binarize", 0.7)], 0, True),
        ([option_step("binarize", 1.7e9)], 0, True),
        ([option_step("binarize", 2.0**24)], 0, True),
        ([option_step("binarize", 2.0**24 - 1)], 0, False),
        ([option_step("binarize", 1e50)], 0, True),
        (["minmax", option_step("binarize", 0.5)], 0, False),
        (["minmax", option_step("binarize", 0.7)], 0, True),
        (["minmax", option_step("binarize", 0.5)], 2**25, True),
        (["l2", option_step("binarize", 0.5)], 0, True),
        ([option_step("binarize", 8), "minmax", "l2"], 0, False),
    ],
)
def test_a_threshold_that_rounding_may_cross_needs_float64(features, offset, needed):
    """In the columns' own units, those that float32 does not hold, or from 2^24 on."""
    x = np.stack([np.arange(9.0), np.arange(9.0)], axis=1) + offset
    rounding = rounding_of(model_of(x, features, y=x[:, :1]))
    assert needed == rounding.needs_float64
    assert needed == (rounding.threshold is not None)


class Step:
    """A step of a plugin."""

    name = "root"

    def apply(self, x):
        return np.sqrt(x)

    def state(self):
        return {}


class Jumping(Step):
    """Another, whose results jump."""

    jump = 0.7


@pytest.mark.parametrize(
    ("step", "features", "threshold"),
    [(Step(), [option_step("binarize", 8)], 8), (Jumping(), [], 0.7)],
)
def test_steps_of_plugins_count(step, features, threshold):
    """One before a threshold moves it to where float32 may not hold it; one may jump itself."""
    x = np.stack([np.arange(9.0), np.arange(9.0)], axis=1)
    model = model_of(x, features, y=x[:, :1])
    model.preprocessing.steps.insert(0, step)
    assert threshold == rounding_of(model).threshold


@pytest.mark.parametrize("threshold", [0.7, 1.7e9 + 1])
def test_float64_keeps_numbers_on_their_side_of_a_threshold(threshold):
    """Numbers at it and just below: the run's predictions, where float32 has others."""
    x = np.array([[threshold, 0], [np.nextafter(threshold, 0), 0], [threshold - 1, 0]])
    model = model_of(x, [option_step("binarize", threshold)], y=x[:, :1])
    assert rounding_of(model).needs_float64
    expected = model.predict(x)
    np.testing.assert_allclose(onnx_outputs(model, x, "float64")[0], expected, rtol=1e-6)
    assert np.abs(onnx_outputs(model, x, "float32")[0] - expected).max() > 1e-3


def test_what_float32_cannot_hold_at_all_needs_float64():
    """Numbers beyond its largest and below its smallest."""
    assert np.inf == rounding_of(model_of(1e50 * SPREAD, ["standard"])).moved
    assert rounding_of(model_of(1e-43 * SPREAD, ["standard"])).needs_float64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_float64_keeps_large_offsets(task, dtype):
    """A column of 1.7e9 ± 1e4: predictions and probabilities to 1e-5, where float32 loses them."""
    x = SPREAD * [1e4, 1] + [1.7e9, 0]
    y, target = (SPREAD[:, :1] * 1e4 + 1e9, "standard") if task == "regression" else (x, "none")
    model = model_of(x, ["standard"], y=y, target=target, task=task, dtype=dtype)
    assert rounding_of(model).needs_float64
    predict = model.predict_proba if model.probabilistic else model.predict
    scale = model.preprocessing.target.scale if target == "standard" else 1.0
    found = onnx_outputs(model, x, "float64")[-1]
    assert "float64" == found.dtype
    assert (np.abs(found - predict(x)) / scale).max() < 1e-5
    assert (np.abs(onnx_outputs(model, x, "float32")[-1] - predict(x)) / scale).max() > 1e-4


def test_numbers_beyond_float32_are_said_to_become_infinite():
    """In words: no message has an inf in it."""
    x = SPREAD * [1e45, 1]
    effect = rounding_of(model_of(x, ["standard"])).effect
    assert "would make 'time' infinite" == effect


def test_narrow_pieces_need_float64():
    """A piece of a millionth of the column's size moves, in the column's own units."""
    step = option_step("piecewise_linear", {"bins": 4})
    wide = widened_model(SPREAD, ["standard", step])
    assert not rounding_of(wide).needs_float64
    far = SPREAD * [1e-3, 1] + [1000, 0]
    for features in ([step], ["standard", step], ["robust", step]):
        found = rounding_of(widened_model(far, features))
        assert ("time", True) == (found.column, found.needs_float64)
    # Numbers near 0 lie closer together, and so may their pieces, also those of scaled numbers.
    for features in ([step], ["standard", step]):
        assert not rounding_of(widened_model(np.exp(3 * SPREAD), features)).needs_float64


def test_quantiles_that_float32_does_not_hold_need_float64():
    """Rounding would move numbers that are quantiles beside them."""
    tenths = np.round(SPREAD, 1)
    found = rounding_of(model_of(tenths, ["quantile"]))
    assert ("quantile", True) == (found.step, found.needs_float64)
    assert "of quantile" in found.effect
    assert not rounding_of(model_of(np.ones((3, 2)), ["quantile"], y=np.ones((3, 1)))).needs_float64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [["robust"], ["quantile"], ["quantile", "standard"]])
def test_encodings_in_onnx_are_those_of_the_run(features, dtype):
    """For rows that single precision holds, far outside of the training rows, too."""
    x = np.round(10 * SPREAD)
    model = model_of(x, features, dtype="float32")
    new = np.concatenate([x, x + 0.25, [[-1e30, 1e30], [1e30, -1e30]]])
    (found,) = onnx_outputs(model, new, dtype)
    np.testing.assert_allclose(model.predict(new), found, rtol=1e-5, atol=2e-6)
