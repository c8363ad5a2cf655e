"""nnrun's networks where scikit-learn's estimators are expected."""

from __future__ import annotations

import doctest
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

import nnrun
import nnrun.sklearn
from nnrun.config.load import load_config
from nnrun.data.inference.sources import UnknownCategoryWarning
from nnrun.errors import DataError, UsageError
from nnrun.models.load import load_model as load
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.store import Store
from nnrun.sklearn import NetworkClassifier, NetworkRegressor

QUICK = {"layers": (8,), "epochs": 30, "learning_rate": 0.01, "engine": "numpy", "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    return scale(x), np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.fixture(scope="module")
def sugar():
    x, y = load_diabetes(return_X_y=True)
    return scale(x), scale(y)


def test_labels_come_back(iris):
    """Sorted, with a probability each, in the order of the columns."""
    x, y = iris
    model = NetworkClassifier(**QUICK).fit(x, y)
    assert ["setosa", "versicolor", "virginica"] == model.classes_.tolist()
    assert model.score(x, y) > 0.9
    probabilities = model.predict_proba(x)
    assert model.classes_[probabilities.argmax(axis=1)].tolist() == model.predict(x).tolist()
    np.testing.assert_array_equal(np.log(probabilities), model.predict_log_proba(x))
    assert (30, 30, 4) == (model.n_iter_, len(model.loss_curve_), model.n_features_in_)
    # Of the batches of the last epoch, each before its update.
    assert log_loss(y, probabilities) == pytest.approx(model.loss_, rel=0.1)
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]


def test_the_example_of_the_module_is_true():
    """As it is printed there."""
    assert (0, 7) == tuple(doctest.testmod(nnrun.sklearn))


def test_a_number_is_one_hidden_layer(iris):
    """As scikit-learn's own networks take it; and so is one of NumPy's."""
    for layers in (8, np.int64(8), np.array([8])):
        model = NetworkClassifier(**{**QUICK, "layers": layers}).fit(*iris)
        assert [8, 3] == [layer.units for layer in model.network_.layers if layer.type == "matmul"]


def test_two_classes_have_one_output():
    """A sigmoid, as scikit-learn's own networks have it."""
    x, y = load_breast_cancer(return_X_y=True)
    model = NetworkClassifier(**QUICK).fit(scale(x), y)
    assert (1,) == model.network_.output_shape
    assert model.score(scale(x), y) > 0.9
    np.testing.assert_allclose(1, model.predict_proba(scale(x)).sum(axis=1))


def test_numbers_have_the_shape_of_the_target(sugar):
    """One dimension or two, one output or several."""
    x, y = sugar
    for target in (y, np.stack([y, -y, 2 * y], axis=1)):
        model = NetworkRegressor(**QUICK).fit(x, target)
        assert target.shape == model.predict(x).shape
        assert model.score(x, target) > 0.4
        mse = np.mean((model.predict(x) - target) ** 2)
        assert mse == pytest.approx(model.loss_, rel=0.1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_column_is_one_number_for_each_row(sugar):
    """With the warning of scikit-learn's own networks, from `partial_fit` too."""
    x, y = sugar
    for model in (NetworkRegressor(**QUICK), MLPRegressor(max_iter=1000)):
        for fit in (model.fit, model.partial_fit):
            with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
                fit(x, y[:, None])
            assert (len(x),) == model.predict(x).shape


def test_images_go_through_convolutions():
    """Layers as in a config, and rows in the shape that they need."""
    x, y = load_digits(return_X_y=True)
    convolution = {"type": "conv2d", "channels": 4, "kernel": 3, "activation": "relu"}
    layers = (convolution, {"type": "max_pool2d"}, {"type": "flatten"}, 16)
    model = NetworkClassifier(
        layers, "tanh", input_shape=(1, 8, 8), epochs=3, learning_rate=0.005, random_state=0,
        engine="numpy",
    )  # fmt: skip
    assert model.fit(x / 16, y).score(x / 16, y) > 0.8
    assert ["conv2d", "max_pool2d", "flatten", "dense"] == [
        layer["type"] if isinstance(layer, dict) else "dense" for layer in model.layers
    ]
    assert 10 == model.network_.output_shape[0]


def test_a_seed_decides_everything(iris):
    """The same again; another seed, another network; a generator goes on."""
    x, y = iris
    first = NetworkClassifier(**QUICK).fit(x, y)
    assert first.loss_curve_ == NetworkClassifier(**QUICK).fit(x, y).loss_curve_
    other = NetworkClassifier(**{**QUICK, "random_state": 1}).fit(x, y)
    assert first.loss_curve_ != other.loss_curve_
    stream = np.random.RandomState(0)
    several = [NetworkClassifier(**{**QUICK, "random_state": stream}).fit(x, y) for _ in "ab"]
    assert several[0].loss_curve_ != several[1].loss_curve_


def test_the_seed_is_that_of_a_config(iris, tmp_path):
    """The same rows, network and seed on the command line: the same weights."""
    x, y = iris
    np.savez(tmp_path / "iris.npz", x=x, y=y)
    config = tmp_path / "iris.yaml"
    config.write_text(
        "dataset: {path: iris.npz, test_size: 0}\n"
        "network: {sizes: [8, 3], activations: [relu, softmax]}\nloss: cross_entropy\nseed: 5\n"
        "training: {optimizer: adam, learning_rate: 0.01, epochs: 4, batch_size: 32,\n"
        "  engine: numpy, augment: {noise: 0.1}}"
    )
    run = train(prepare(load_config(config)), None)
    settings = {**QUICK, "epochs": 4, "random_state": 5, "augment": {"noise": 0.1}}
    model = NetworkClassifier(**settings).fit(x, y)
    for name, array in run.result.weights.items():
        np.testing.assert_array_equal(array, model.network_.parameters[name].value)


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_epochs_one_by_one_are_the_same_epochs(kind, iris, sugar):
    """partial_fit goes on with weights, momenta and order where it was, to the same bits."""
    x, y = iris if kind is NetworkClassifier else sugar
    settings = {**QUICK, "sampling": "in_order", "epochs": 5}
    whole, parts = kind(**settings).fit(x, y), kind(**settings)
    for _ in range(5):
        parts.partial_fit(x, y)
        parts = pickle.loads(pickle.dumps(parts))
    assert whole.loss_curve_ == parts.loss_curve_
    assert (5, 5) == (whole.n_iter_, parts.n_iter_)
    np.testing.assert_array_equal(whole.predict(x), parts.predict(x))


def test_partial_fit_sees_classes_come(iris):
    """The first call says which there will be; each batch may have but some."""
    x, y = iris
    model = NetworkClassifier(**QUICK)
    for _ in range(20):
        for label in np.unique(y):
            model.partial_fit(x[y == label], y[y == label], classes=np.unique(y))
    assert model.score(x, y) > 0.6
    with pytest.raises(ValueError, match="the label 'rose' is none of the classes"):
        model.partial_fit(x, np.full(len(x), "rose"))
    with pytest.raises(ValueError, match="are not those of the first call"):
        model.partial_fit(x, y, classes=["setosa", "rose"])


def test_it_stops_early_and_keeps_the_best(iris):
    """On rows that are held out."""
    x, y = iris
    model = NetworkClassifier(
        **{**QUICK, "epochs": 1000, "learning_rate": 0.1}, early_stopping=True,
        validation_fraction=0.3, n_iter_no_change=5, tol=0.02,
    ).fit(x, y)  # fmt: skip
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) == len(model.validation_loss_curve_) < 1000
    # No gain of 2% in the last six epochs, which is more than five.
    assert 6 == len(scores) - 1 - int(np.argmax(scores))
    held_out = model._prepare(model._dataset(x, y, None), 0).split.validation.rows
    assert max(scores) == model.best_validation_score_ == model.score(x[held_out], y[held_out])


@pytest.mark.parametrize("seed", range(50))
def test_rows_held_out_have_every_class(seed):
    """In their shares, whatever the seed, though one in twenty rows is positive."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 3)), np.arange(200) % 20 == 0
    model = NetworkClassifier(**{**QUICK, "random_state": seed}, early_stopping=True)
    held_out = model._prepare(model._dataset(x, y, None), seed).split.validation
    assert (20, 1) == (len(held_out), int(held_out.y.sum()))
    several = rng.permutation(np.repeat(["a", "b", "c"], [100, 60, 40]))
    held_out = model._prepare(model._dataset(x, several, None), seed).split.validation
    assert [10, 6, 4] == np.bincount(held_out.y).tolist()


def test_rows_are_held_out_where_classes_are_too_small_to_be_divided():
    """Then as they come: with a class of one row, with more classes than rows to hold out."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    for y in (np.r_[np.zeros(39), 1], np.arange(40) // 2, np.arange(40) == 0):
        model = NetworkClassifier(**QUICK, early_stopping=True).fit(x, y)
        assert len(model.validation_scores_) == model.n_iter_


def test_one_class_is_enough(iris):
    """It is always predicted, with certainty, as scikit-learn's own networks predict it."""
    x = iris[0]
    for y in (["rose"] * len(x), np.full(len(x), 7), np.zeros(len(x), bool)):
        for more in ({}, {"early_stopping": True}, {"loss": "cross_entropy"}):
            model = NetworkClassifier(**QUICK, **more).fit(x, y)
            assert [y[0]] == model.classes_.tolist()
            assert 1.0 == model.score(x, y)
            np.testing.assert_array_equal(np.ones((len(x), 1)), model.predict_proba(x))
            peer = MLPClassifier(tol=10, n_iter_no_change=1).fit(x, y)
            np.testing.assert_array_equal(model.predict(x), peer.predict(x))


def test_coefs_are_those_of_dense_layers(iris):
    """In their order; zeros where a layer has no bias, and nothing where layers are others."""
    layers = ({"type": "dense", "units": 6, "bias": False}, {"type": "dropout", "rate": 0.1}, 5)
    model = NetworkClassifier(layers, random_state=0, epochs=2, engine="numpy").fit(*iris)
    parameters = model.network_.parameters
    assert [(4, 6), (6, 5), (5, 3)] == [array.shape for array in model.coefs_]
    assert [(6,), (5,), (3,)] == [array.shape for array in model.intercepts_]
    np.testing.assert_array_equal(parameters["2.weight"].value, model.coefs_[1])
    np.testing.assert_array_equal(parameters["3.bias"].value, model.intercepts_[2])
    assert not model.intercepts_[0].any()
    normed = NetworkClassifier(
        (6, {"type": "batch_norm"}), random_state=0, epochs=2, engine="numpy"
    ).fit(*iris)
    assert not hasattr(normed, "coefs_")
    with pytest.raises(AttributeError, match="of dense layers alone"):
        normed.intercepts_  # noqa: B018


def test_a_warm_start_needs_the_same_network(iris):
    """The same features, classes and layers, and a fit to begin from."""
    x, y = iris
    model = NetworkClassifier(**QUICK, warm_start=True).fit(x, y)
    with pytest.raises(ValueError, match="warm_start needs the classes of the last fit"):
        model.fit(x[y != "setosa"], y[y != "setosa"])
    with pytest.raises(ValueError, match="is none of the classes"):
        model.fit(x, np.where(y == "setosa", "rose", y))
    with pytest.raises(ValueError, match="X has 3 features"):
        model.fit(x[:, 1:], y)
    with pytest.raises(ValueError, match="has other layers than the one that was fitted before"):
        model.set_params(layers=(9,)).fit(x, y)
    assert model.set_params(warm_start=False).fit(x, y).n_iter_ == len(model.loss_curve_)


def test_it_works_where_estimators_do(iris, sugar):
    """In pipelines, searches, cross-validation and calibration, also in processes of joblib."""
    x, y = iris
    model = make_pipeline(StandardScaler(), NetworkClassifier(**QUICK))
    assert cross_val_score(model, x, y, cv=3, n_jobs=2).mean() > 0.85
    grid = {"networkclassifier__layers": [(4,), (8, 4)], "networkclassifier__learning_rate": [0.01]}
    search = GridSearchCV(model, grid, cv=2, n_jobs=2, error_score="raise").fit(x, y)
    assert search.best_score_ > 0.7
    calibrated = CalibratedClassifierCV(search.best_estimator_, cv=2).fit(x, y)
    assert calibrated.score(x, y) > 0.85
    regressor = NetworkRegressor(**QUICK)
    assert cross_val_score(regressor, *sugar, cv=2).mean() > 0.2
    with joblib.parallel_config("threading", n_jobs=2):
        assert cross_val_score(model, x, y, cv=3).mean() > 0.85


def test_names_of_columns_are_kept(iris):
    """Those of a data frame; with others, scikit-learn refuses."""
    frame = pd.DataFrame(iris[0], columns=["a", "b", "c", "d"])
    model = NetworkClassifier(**QUICK).fit(frame, iris[1])
    assert ["a", "b", "c", "d"] == model.feature_names_in_.tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "e"}))


def test_outputs_that_are_no_probabilities_are_not_called_so(iris):
    """There is no predict_proba then."""
    x, y = iris
    model = NetworkClassifier(**QUICK, loss="mean_squared", output_activation="tanh")
    assert not hasattr(model, "predict_proba")
    assert model.fit(x, y).score(x, y) > 0.8
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"activations": "rleu"}, "'rleu' is not an activation; did you mean 'relu'?"),
        ({"layers": (0,)}, "units: 0 is not a whole number greater than 0"),
        ({"activations": ["relu", "tanh"]}, "not 2 for 1 layers"),
        ({"loss": "hinge"}, "'hinge' is not a loss"),
        ({"optimizer": "lbfgs"}, "'lbfgs' is not an optimizer"),
        ({"learning_rate": -1}, "learning_rate: -1 is not a number greater than 0"),
        ({"batch_size": 0}, "batch_size: 0 is not a whole number greater than 0"),
        ({"input_shape": (1, 3, 3)}, r"rows of 4 features do not fit \(1, 3, 3\)"),
        ({"layers": "many"}, "units: 'many' is not a whole number greater than 0"),
        ({"layers": (object(),)}, "a value of type object cannot stand in a config"),
        ({"early_stopping": True, "validation_fraction": "some"}, "fraction: 'some' is not a"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "0.001 of 150 rows holds out too"),
        ({"early_stopping": True, "validation_fraction": 0}, "0 of 150 rows holds out too few"),
        ({"n_iter_no_change": 0}, "n_iter_no_change: 0 is neither a whole number greater than 0"),
        ({"n_iter_no_change": 2.5}, "n_iter_no_change: 2.5 is neither a whole number"),
        ({"tol": -1}, "tol: -1 is not a number of at least 0"),
        ({"tol": float("nan")}, "tol: nan is not a number of at least 0"),
        ({"alpha": -1}, "alpha: -1 is not a number of at least 0"),
        ({"alpha": "some"}, "alpha: 'some' is not a number of at least 0"),
        ({"sampling": "random"}, "sampling: 'random' is not 'shuffle'"),
        ({"engine": "gpu"}, "engine: 'gpu' is not 'auto'"),
        ({"optimizer": "sgd", "learning_rate": 1e9, "loss": "mean_squared",
          "output_activation": "linear"}, "diverged: "),
        # Named by the parameter, and not by the key of a config, which nobody wrote.
        ({"early_stopping": True, "validation_fraction": 0.999}, "^validation_fraction: 0.999 "),
        ({"random_state": -1}, "^random_state: -1 is not"),
        ({"output_activation": "x"}, "^output_activation: 'x' is not an activation"),
        ({"optimizer": {"type": "sgd", "momentum": 2}}, "^optimizer.momentum: 2 is not"),
        ({"layers": (0,)}, r"^layers\[0\].units: 0 is not"),
        ({"initializer": "x"}, "^initializer: 'x' is not"),
        ({"augment": {"shift": 1}}, "^augment.shift: shift is for images"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_are_reported(iris, parameters, expected):
    """As a config's are, by a ValueError of `fit`."""
    with pytest.raises(ValueError, match=expected):
        NetworkClassifier(**{**QUICK, **parameters}).fit(*iris)


@pytest.fixture
def results(tmp_path):
    """Trains a config and returns the results folder."""

    def run(text: str) -> Path:
        (tmp_path / "run.yaml").write_text(text)
        train(
            prepare(load_config(tmp_path / "run.yaml")), Store(tmp_path / "results", lambda _: "")
        )
        return tmp_path / "results"

    return run


DIGITS = """
dataset: {name: digits, features: [{binarize: 8}]}
network:
  layers:
    - {type: conv2d, channels: 2, activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  optimizer: {type: sgd, momentum: 0.5}
  learning_rate: 0.05
  iterations: 200
  engine: numpy
"""
CARS = """
dataset: {name: autompg, features: standard, target: standard}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 2, engine: numpy}
"""


def test_a_run_is_an_estimator(results):
    """With its preprocessing, raw rows in, and parameters that train such a network again."""
    root = results(DIGITS)
    x, y = load_digits(return_X_y=True)
    model = NetworkClassifier.from_run("run", root)
    folder = next(root.glob("run/*"))
    expected = load(folder)
    frame = pd.DataFrame(x, columns=model.feature_names_in_)
    assert expected.predict(x).tolist() == model.predict(frame).tolist()
    np.testing.assert_array_equal(expected.predict_proba(x), model.predict_proba(frame))
    assert 0.5 < model.score(frame, y)
    assert model.score(frame, y) == pickle.loads(pickle.dumps(model)).score(frame, y)
    calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(frame, y)
    assert 0.5 < calibrated.score(frame, y)
    again = clone(NetworkClassifier.from_run(folder)).fit((x >= 8) * 1.0, y)
    assert (200, np.inf) == (again.iterations, again.n_iter_no_change)
    assert [layer.type for layer in model.network_.layers] == [
        layer.type for layer in again.network_.layers
    ]


def test_a_run_keeps_its_task(results):
    """Values in the target's own units; and no regression is taken for a classifier."""
    root = results(CARS)
    model = NetworkRegressor.from_run("latest", results=root)
    x = [[8, 307, 130, 3504, 12, 70, 1]]
    frame = pd.DataFrame(x, columns=model.feature_names_in_)
    assert load(next(root.glob("run/*"))).predict(x)[0] == model.predict(frame)[0]
    with pytest.raises(UsageError, match="is a regression; use NetworkRegressor"):
        NetworkClassifier.from_run("latest", root)
    with pytest.raises(ValueError, match="partial_fit cannot continue a run"):
        model.partial_fit(frame, [18])
    with pytest.raises(ValueError, match="warm_start cannot continue a run"):
        model.set_params(warm_start=True).fit(frame, [18])
    with pytest.raises(UsageError, match="did you mean 'run'"):
        NetworkRegressor.from_run("runn", root)


def test_categories_of_a_run_are_encoded(results, tmp_path):
    """Data frames come as the file did, in any order of columns."""
    (tmp_path / "houses.csv").write_text(
        "size,colour,price\n" + "".join(f"{n},{'red' if n % 3 else 'blue'},{n}\n" for n in range(9))
    )
    root = results(
        CARS.replace("name: autompg,", "path: houses.csv, task: regression, columns: "
                     "{target: price, categorical: [colour]},")
    )  # fmt: skip
    model = NetworkRegressor.from_run("latest", root)
    assert ["size", "colour=blue", "colour=red"] == model.feature_names_in_.tolist()
    frame = pd.DataFrame({"colour": ["red", "blue"], "size": [3, 4]})
    encoded = pd.DataFrame([[3, 0, 1], [4, 1, 0]], columns=model.feature_names_in_)
    assert model.predict(encoded).tolist() == model.predict(frame).tolist()
    with pytest.warns(UnknownCategoryWarning, match="has not seen \\('green'\\)"):
        values = model.predict(frame.replace("red", "green"))
    assert np.isfinite(values[0])
    assert model.predict(frame)[1] == values[1]


def test_what_a_run_fills_in_may_be_missing(results, tmp_path):
    """NaN where training had blanks; nowhere else."""
    (tmp_path / "houses.csv").write_text(
        "size,rooms,price\n" + "".join(f"{'' if n == 4 else n},{n % 3},{n}\n" for n in range(9))
    )
    root = results(
        CARS.replace("name: autompg,", "path: houses.csv, task: regression, columns: "
                     "{target: price, missing: {size: {impute: median}}},")
    )  # fmt: skip
    model = NetworkRegressor.from_run("latest", root)
    frame = pd.DataFrame({"size": [np.nan, 3.0], "rooms": [1.0, 2.0]})
    expected = load(next(root.glob("run/*"))).predict(frame.to_numpy())
    assert np.isfinite(expected).all()
    assert expected.tolist() == model.predict(frame).tolist()
    with pytest.raises(DataError, match="row 0, column 'rooms': nan is not a finite number"):
        model.predict(pd.DataFrame({"size": [1.0], "rooms": [np.nan]}))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        clone(model).fit(frame, [1, 2])


@pytest.mark.parametrize("form", ["csr_matrix", "coo_array", "csc_array"])
def test_sparse_rows_are_the_same_rows(form):
    """Of any format: the same network, and the same predictions in blocks."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((90, 6)) < 0.7, 0.0, rng.normal(size=(90, 6)))
    y, sparse = x[:, 0] > 0, getattr(scipy.sparse, form)(x)
    settings = {"layers": (3,), "epochs": 2, "random_state": 0}
    dense, other = (NetworkClassifier(**settings).fit(rows, y) for rows in (x, sparse))
    assert dense.predict_proba(x).tolist() == other.predict_proba(sparse).tolist()
    assert dense.predict_proba(x).tolist() == other.predict_proba(x).tolist()


def test_sparse_rows_that_memory_does_not_hold_are_refused(monkeypatch):
    """With what their zeros would take, before any is written."""
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 1_000_000)
    rows = scipy.sparse.csr_array((1000, 1000))
    with pytest.raises(ValueError, match=r"with its zeros, needs 8\.0 MB of memory; 1\.0 MB are"):
        NetworkRegressor().fit(rows, np.arange(1000.0))


# scikit-learn's own checks of estimators, all of them.


@parametrize_with_checks([NetworkClassifier(), NetworkRegressor()])
def test_scikit_learn_has_nothing_against_it(estimator, check, monkeypatch):
    """None of its checks is expected to fail, and none left out."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # one of them is only made with this
    check(estimator)


# Weights of rows and classes in estimators.

ROWS = 40
WEIGHTS = np.random.default_rng(0).integers(0, 4, ROWS)
FULL = {"epochs": 8, "batch_size": 1000, "sampling": "in_order", "random_state": 0}


@pytest.fixture(scope="module")
def tumours():
    x, y = load_breast_cancer(return_X_y=True)
    return scale(x)[:ROWS], np.array(["malignant", "benign"])[y[:ROWS]]


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_a_weight_of_two_is_the_row_twice(engine: str, alpha: float, tumours) -> None:
    """Losses and weights of a classifier and a regressor, the L2 penalty included, to 1e-12."""
    settings = {**FULL, "engine": engine, "alpha": alpha, "layers": (5,)}
    x, values = load_diabetes(return_X_y=True)
    for kind, (rows, y) in (
        (NetworkClassifier, tumours),
        (NetworkRegressor, (scale(x)[:ROWS], scale(values)[:ROWS])),
    ):
        weighted = kind(**settings).fit(rows, y, sample_weight=WEIGHTS)
        repeated = kind(**settings).fit(np.repeat(rows, WEIGHTS, axis=0), np.repeat(y, WEIGHTS))
        np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-12)
        np.testing.assert_allclose(
            weighted.network_.theta, repeated.network_.theta, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("class_weight", ["balanced", {"malignant": 3.0}])
def test_class_weight_is_the_sample_weight_of_its_rows(class_weight, tumours) -> None:
    """As scikit-learn computes it, also beside weights of rows."""
    x, y = tumours
    for given in (None, np.arange(ROWS) % 2 + 1.0):
        by_class = NetworkClassifier((5,), class_weight=class_weight, **FULL)
        if class_weight == "balanced" and given is not None:
            continue  # scikit-learn's own estimators count rows, and not their weights
        factors = compute_sample_weight(class_weight, y) * (1 if given is None else given)
        by_row = NetworkClassifier((5,), **FULL).fit(x, y, sample_weight=factors)
        found = by_class.fit(x, y, sample_weight=given).network_.theta
        np.testing.assert_allclose(found, by_row.network_.theta, rtol=0, atol=1e-12)


def test_weights_that_cannot_be_meant_are_refused(tumours) -> None:
    """Unknown labels, negative weights, and class weights of a regression."""
    x, y = tumours
    with pytest.raises(ValueError, match="class_weight: 'other' is none of the classes"):
        NetworkClassifier(class_weight={"other": 1.0}, **FULL).fit(x, y)
    with pytest.raises(ValueError, match="Negative values"):
        NetworkClassifier(**FULL).fit(x, y, sample_weight=-np.ones(ROWS))
    with pytest.raises(ValueError, match="class_weight: there are no classes"):
        NetworkRegressor(class_weight="balanced", **FULL).fit(x, x[:, 0])


def test_a_run_gives_its_class_weights_to_the_estimator(tmp_path: Path, tumours) -> None:
    """By the labels that its model predicts, so that a clone can be fitted."""
    run = nnrun.train(
        {
            "name": "weighted",
            "dataset": {"name": "iris", "features": "standard"},
            "network": {"sizes": [3], "activations": ["softmax"]},
            "loss": "cross_entropy",
            "training": {
                "learning_rate": 0.1,
                "iterations": 5,
                "class_weight": {"setosa": 2, "virginica": 0.5},
            },
        },
        results=tmp_path,
    )
    estimator = NetworkClassifier.from_run(run.path)
    assert {"setosa": 2.0, "virginica": 0.5} == estimator.class_weight
    x, y = tumours
    labels = np.where(y == "benign", "setosa", "virginica")
    assert {"setosa", "virginica"} == {*clone(estimator).fit(x, labels).classes_}


# Estimators whose weights are averaged predict with the average.

SETTINGS = {
    "layers": (5,), "optimizer": "sgd", "learning_rate": 0.1, "epochs": 3, "random_state": 0,
    "n_iter_no_change": np.inf, "engine": "numpy",
}  # fmt: skip


def theta(model: NetworkClassifier) -> np.ndarray:
    return model.network_.theta


def test_the_average_of_a_fit_is_that_of_its_updates():
    """It lies between the initial weights and the last ones, by the shares of its updates."""
    x, y = load_iris(return_X_y=True)
    steps = [
        theta(NetworkClassifier(**{**SETTINGS, "epochs": None, "iterations": n}).fit(x, y))
        for n in range(1, 5)
    ]
    start = NetworkClassifier(**{**SETTINGS, "learning_rate": 1e-300, "epochs": 1}).fit(x, y)
    expected = theta(start)
    for t, weights in enumerate(steps):
        d = min(0.3, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * weights
    settings = {**SETTINGS, "epochs": None, "iterations": 4, "average": {"ema": 0.3}}
    model = NetworkClassifier(**settings).fit(x, y)
    np.testing.assert_allclose(theta(model), expected, 1e-12, 1e-12)


def test_a_warm_start_averages_from_the_weights_of_the_last_fit():
    """Where nothing is learned, they stay."""
    x, y = load_iris(return_X_y=True)
    model = NetworkClassifier(**SETTINGS, average={"ema": 0.9}, warm_start=True).fit(x, y)
    first = theta(model).copy()
    model.set_params(learning_rate=1e-300).fit(x, y)
    np.testing.assert_allclose(theta(model), first, 1e-12)


def test_partial_fits_have_none():
    """An epoch cannot go on from weights that were replaced by their average."""
    x, y = load_iris(return_X_y=True)
    model = NetworkClassifier(**SETTINGS, average={"ema": 0.9})
    with pytest.raises(ValueError, match="partial_fit does not go with average"):
        model.partial_fit(x, y, classes=[0, 1, 2])


def test_an_estimator_of_a_run_has_its_average(tmp_path):
    """Its parameters have the block of the config."""
    config = {
        "dataset": {"name": "iris"},
        "network": {"sizes": [3, 3], "activations": ["tanh", "softmax"]},
        "loss": "cross_entropy",
        "training": {"learning_rate": 0.1, "iterations": 5, "average": {"ema": 0.9}},
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path)
    assert {"ema": 0.9} == NetworkClassifier.from_run(run.path).average
