"""Preprocessing: fitted on what it is given, the same for all rows, exact when stored."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.preprocessing import StandardScaler

from nnrun.data import rows as raw
from nnrun.data.columns.categories import OneHot
from nnrun.data.columns.column import Number
from nnrun.data.dataset import DatasetProblem
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.rows import RawRows
from nnrun.data.splits import load_dataset, make_split
from nnrun.data.steps import STEPS, Numbers, sums_of_squares
from nnrun.errors import DataError

X = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 10.0]])
Y = np.array([[2.0], [4.0], [9.0]])

tables = npst.arrays(
    np.float64, npst.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e6, 1e6)
)
OPTIONS = {
    "binarize": SimpleNamespace(binarize=0.25),
    "clip": SimpleNamespace(clip=SimpleNamespace(margin=0.25)),
    "piecewise_linear": SimpleNamespace(piecewise_linear=SimpleNamespace(bins=3)),
}
step_lists = st.lists(st.sampled_from([OPTIONS.get(name, name) for name in STEPS]), max_size=4)


def test_standard_has_mean_zero_and_deviation_one_by_column():
    """(x - mean) / population deviation; a constant column is 0."""
    z = Preprocessing(["standard"]).fit(X, Y).transform_x(X)
    step = np.sqrt(1.5)
    assert np.array([[-step, 0], [0, 0], [step, 0]]) == pytest.approx(z)


def test_constant_columns_stay_zero_despite_rounding():
    """The mean of ten times 0.1 is not 0.1 in floating point; a constant still becomes 0."""
    x = np.full((10, 2), 0.1)
    assert 0.1 != x.mean(axis=0)[0]
    fitted = Preprocessing(["standard"]).fit(x, x)
    assert 0 == np.abs(fitted.transform_x(x)).max()
    assert np.array([[0.5, 1.5]]) == pytest.approx(fitted.transform_x(np.array([[0.6, 1.6]])))


def test_rounding_noise_is_no_spread():
    """What differs in its last digits alone is centred and not divided, as in scikit-learn."""
    rng = np.random.default_rng(0)
    x = np.stack(
        [
            np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2),  # one rounding apart
            1e9 + rng.choice([0, 1e-7], 50),
            -7e-5 * (1 + rng.choice([0, 2e-16], 50)),
            1e9 + rng.choice([0, 1e-3], 50),  # 45 times the bound, 50 · 1e9 · ε
            1e-20 * rng.standard_normal(50),
        ],
        axis=1,
    )
    fitted = Preprocessing(["standard"]).fit(x, x)
    scaler = StandardScaler().fit(x)
    assert [True, True, True, False, False] == (scaler.scale_ == 1).tolist()
    np.testing.assert_allclose(fitted.transform_x(x), scaler.transform(x), rtol=1e-6, atol=1e-12)
    spread = fitted.transform_x(x).std(axis=0)
    assert (spread[:3] < 1e-6).all()
    assert np.ones(2) == pytest.approx(spread[3:])


def test_minmax_fills_the_unit_interval():
    """(x - min) / (max - min), of a constant column x - min; new rows may lie outside."""
    fitted = Preprocessing(["minmax"]).fit(X, Y)
    assert [[0, 0], [0.5, 0], [1, 0]] == fitted.transform_x(X).tolist()
    assert [[2, 0]] == fitted.transform_x(np.array([[9.0, 10.0]])).tolist()
    assert [[2, 7]] == fitted.transform_x(np.array([[9.0, 17.0]])).tolist()


@pytest.mark.parametrize("columns", [1, 7, 8, 13, 16, 21])
def test_sums_of_squares_have_one_order(columns):
    """Even and odd columns apart, four pairs at a time from the last, each operation rounded."""
    x = np.random.default_rng(columns).standard_normal((5, columns))
    fours = columns // 8 * 8
    order = [four + k for four in range(0, fours, 8) for k in (6, 4, 2, 0)]
    order += range(fours, columns, 2)
    for row, actual in zip(x.tolist(), sums_of_squares(x).tolist(), strict=True):
        even = odd = 0.0
        for k in order:
            even += row[k] * row[k]
            odd += row[k + 1] * row[k + 1] if k + 1 < columns else 0.0
        assert even + odd == actual


def test_l2_gives_every_row_length_one():
    """Rows are divided by their own length, zeros stay zeros, huge values do not overflow."""
    x = np.array([[3.0, 4.0], [0.0, 0.0], [3e200, -4e200], [3e-200, 4e-200]])
    z = Preprocessing(["l2"]).fit(x, x).transform_x(x)
    assert np.array([[0.6, 0.8], [0, 0], [0.6, -0.8], [0.6, 0.8]]) == pytest.approx(z)


def test_binarize_is_one_from_the_threshold_on():
    """≥, not >: a pixel of 8 is ink when the threshold is 8."""
    steps = [SimpleNamespace(binarize=8)]
    x = np.array([[7.0, 8.0, 9.0]])
    assert [[0, 1, 1]] == Preprocessing(steps).fit(x, x).transform_x(x).tolist()


def test_steps_act_in_order():
    """Each step is fitted on what the ones before it give: binarize after minmax sees 0…1."""
    half = SimpleNamespace(binarize=0.5)
    x = np.array([[10.0], [20.0], [30.0]])
    assert [[0], [1], [1]] == Preprocessing(["minmax", half]).fit(x, x).transform_x(x).tolist()
    assert [[0], [0], [0]] == Preprocessing([half, "minmax"]).fit(x, x).transform_x(x).tolist()


def test_images_keep_their_shape_and_have_statistics_per_pixel():
    """uint8 images become float64 of the same shape; pixels do not share a mean."""
    x = np.array([[[[0, 255], [7, 7]]], [[[2, 255], [7, 9]]]], dtype=np.uint8)
    z = Preprocessing(["none", "standard"]).fit(x, Y).transform_x(x)
    assert [[[[-1, 0], [0, -1]]], [[[1, 0], [0, 1]]]] == z.tolist()
    assert np.float64 == z.dtype


def test_input_arrays_are_left_alone():
    """Transforming gives new arrays."""
    x, y = X.copy(), Y.copy()
    fitted = Preprocessing(["standard", "l2"], "minmax").fit(x, y)
    fitted.transform_x(x)
    fitted.inverse_y(fitted.transform_y(y))
    assert np.array_equal(X, x)
    assert np.array_equal(Y, y)


def test_only_the_training_rows_decide(config):
    """An outlier planted in a test row changes nothing for the training rows."""
    options = config(name="boston", features=["standard"], target="standard")
    dataset = load_dataset(options)
    split = make_split(dataset, options, np.random.default_rng(5))
    fitted = Preprocessing.for_dataset(dataset, options).fit(split.train.x, split.train.y)
    dataset.x[split.test.rows[0]] = 1e9
    dataset.y[split.test.rows[0]] = 1e9
    again = make_split(dataset, options, np.random.default_rng(5))
    refitted = Preprocessing.for_dataset(dataset, options).fit(again.train.x, again.train.y)
    assert 1e9 == again.test.x.max()
    assert fitted == refitted
    assert np.allclose(0, refitted.transform_x(again.train.x).mean(axis=0), atol=1e-12)


def test_target_is_scaled_by_column():
    """Two outputs have statistics of their own."""
    y = np.array([[0.0, 100.0], [2.0, 300.0]])
    assert [[-1, -1], [1, 1]] == Preprocessing([], "standard").fit(y, y).transform_y(y).tolist()


@given(y=tables, target=st.sampled_from(["none", "standard", "minmax"]))
def test_inverse_of_the_target_is_exact_to_rounding(y, target):
    """What the network predicts comes back in the target's own units."""
    fitted = Preprocessing([], target).fit(y, y)
    size = np.abs(y).max()
    assert np.allclose(y, fitted.inverse_y(fitted.transform_y(y)), rtol=0, atol=1e-12 * (size + 1))


@given(x=tables, steps=step_lists, target=st.sampled_from(["none", "standard", "minmax"]))
def test_stored_preprocessing_is_identical(x, steps, target):
    """Through JSON and back: the same description and the same bits out."""
    fitted = Preprocessing(steps, target).fit(x, x)
    restored = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert fitted == restored
    assert np.array_equal(fitted.transform_x(x), restored.transform_x(x))
    assert np.array_equal(fitted.inverse_y(x), restored.inverse_y(x))


@given(x=tables, steps=step_lists)
def test_one_row_at_a_time_is_the_same(x, steps):
    """Rows do not influence each other once it is fitted."""
    fitted = Preprocessing(steps).fit(x, x)
    rows = [fitted.transform_x(row[None]) for row in x]
    assert np.array_equal(fitted.transform_x(x), np.concatenate(rows))


def test_layout_is_stored_too():
    """Prediction needs columns, categories, classes and shape from the run alone."""
    columns = Columns((Number("size"), OneHot("colour", ("blue", "red"))))
    layout = Layout("classification", (3,), columns, ("no", "yes"), ("sold",))
    fitted = Preprocessing([], layout=layout).fit(np.eye(3), np.arange(3))
    stored = json.loads(json.dumps(fitted.to_dict()))
    assert layout == Preprocessing.from_dict(stored).layout


def test_rows_of_another_shape_are_refused():
    """The message has both shapes."""
    layout = Layout("regression", (2,), Columns.numbers(("a", "b")))
    fitted = Preprocessing(["standard"], layout=layout).fit(X, Y)
    with pytest.raises(DataError, match=r"\(3,\) were given where \(2,\) are needed"):
        fitted.transform_x(np.eye(3))


def test_scaled_classes_are_a_mistake(config):
    """`target` scales numbers; with classes it is an error at its key."""
    with pytest.raises(DatasetProblem, match=r"dataset\.target: 'standard' scales") as error:
        load_dataset(config(name="iris", target="standard"))
    assert ("dataset", "target") == error.value.key
    iris = load_dataset(config(name="iris"))
    with pytest.raises(DatasetProblem, match=r"dataset\.target"):
        Preprocessing.for_dataset(iris, config(name="iris", target="minmax"))


def test_use_before_fitting_is_an_error():
    """Preprocessing that is not fitted raises an error."""
    with pytest.raises(RuntimeError, match="before it is fitted"):
        Preprocessing(["standard"]).transform_x(X)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"features": [{"step": "pickle"}], "target": None, "layout": None},
        {"features": [{"step": "standard", "loc": 1}], "target": None, "layout": None},
        {"features": None, "target": None, "layout": None},
    ],
)
def test_damaged_descriptions_are_refused(stored):
    """A stored run may have been edited by hand."""
    with pytest.raises(DataError, match="stored preprocessing is damaged"):
        Preprocessing.from_dict(stored)


# The step `per_channel`: one mean and one deviation for all pixels of a channel.


def test_channels_have_mean_zero_and_deviation_one():
    """Over all rows and pixels of each channel; differences between pixels stay as they are."""
    rng = np.random.default_rng(0)
    x = rng.normal([[[1.0]], [[200.0]]], [[[2.0]], [[30.0]]], (50, 2, 4, 3)) + np.arange(3)
    z = Preprocessing(["per_channel"]).fit(x, x).transform_x(x)
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), 0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(z.std(axis=(0, 2, 3)), 1, rtol=1e-13)
    scale = x.std(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(np.diff(z) * scale, np.diff(x), rtol=0, atol=1e-10)


def test_a_constant_channel_becomes_zero():
    """It is centred and not divided, also where its mean is rounded."""
    x = np.random.default_rng(1).random((10, 2, 3, 3))
    x[:, 0] = 0.1
    fitted = Preprocessing(["per_channel"]).fit(x, x)
    np.testing.assert_allclose(fitted.transform_x(x)[:, 0], 0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(fitted.transform_x(x + 1)[:, 0], 1, rtol=0, atol=1e-15)


def test_it_is_stored_and_applied_with_the_same_bits():
    """A mean and a deviation for each channel, whatever the size of the images."""
    x = np.random.default_rng(2).random((10, 3, 6, 5))
    fitted = Preprocessing(["per_channel"]).fit(x, x)
    (stored,) = fitted.to_dict()["features"]
    assert [3, 3] == [np.size(stored[key]) for key in ("shift", "scale")]
    again = Preprocessing.from_dict(fitted.to_dict())
    assert fitted.transform_x(x).tobytes() == again.transform_x(x).tobytes()


# Statistics over blocks of rows against NumPy's on whole arrays.

ROWS = 5003


class Chosen:
    """All features but the last."""

    features = 3

    def __call__(self, x, rows):
        return x[:, np.arange(x.shape[1]) < 3]


def numbers(*shape):
    """Numbers of very different size, whose sums show every change of order."""
    rng = np.random.default_rng(0)
    sizes = (ROWS, *shape)
    return (rng.normal(size=sizes) * 10.0 ** rng.integers(-6, 6, sizes)).astype(np.float32)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(raw, "_BLOCK", 700)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (2, 3, 4)], ids=str)
def test_statistics_of_blocks_have_numpys_bits(shape):
    """Means, variances and extremes of rows in an order of their own."""
    x, order = numbers(*shape), np.random.default_rng(1).permutation(ROWS)[:4001]
    rows, whole = Numbers(RawRows((x,), order)), np.array(x[order], np.float64)
    assert whole.mean(axis=0).tolist() == rows.mean().tolist()
    assert whole.var(axis=0).tolist() == rows.variance(rows.mean()).tolist()
    low, high = rows.extremes()
    assert (whole.min(axis=0).tolist(), whole.max(axis=0).tolist()) == (low.tolist(), high.tolist())


@pytest.mark.usefixtures("small_blocks")
def test_statistics_of_chosen_features_have_numpys_bits():
    """Choosing columns changes the order of memory, and so that of NumPy's sums."""
    x, order = numbers(4), np.random.default_rng(1).permutation(ROWS)
    rows = Numbers(RawRows((x,), order, Chosen()))
    whole = np.array(x[order][:, np.arange(4) < 3], np.float64)
    assert whole.mean(axis=0).tolist() == rows.mean().tolist()
    assert whole.var(axis=0).tolist() == rows.variance(rows.mean()).tolist()
    assert whole[:, 2].tolist() == rows.column(2).tolist()
