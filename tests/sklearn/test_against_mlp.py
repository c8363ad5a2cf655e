"""Estimators beside those of scikit-learn, and predictions wherever models are put to use."""

from __future__ import annotations

import csv
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor, _multilayer_perceptron
from sklearn.preprocessing import scale

import nnrun
from nnrun.config.load import load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.splits import make_split
from nnrun.runs.preparation.prepare import prepare
from nnrun.sklearn import NetworkClassifier, NetworkRegressor
from nnrun.training.state import Streams
from tests.benchmarks.processes import CONFIGS, NOTEBOOK
from tests.lab import invoke_well

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EPOCHS = 3
# Adam's ε is added at another place there; where it is next to nothing, both are the same.
OPTIMIZERS = {
    "sgd": ({"type": "sgd"}, {"solver": "sgd", "momentum": 0.0}),
    "momentum": (
        {"type": "sgd", "momentum": 0.9},
        {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    ),
    "nesterov": (
        {"type": "sgd", "momentum": 0.9, "nesterov": True},
        {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
    ),
    "adam": ({"type": "adam", "epsilon": 1e-30}, {"solver": "adam", "epsilon": 1e-30}),
}
ACTIVATIONS = {"tanh": "tanh", "sigmoid": "logistic", "relu": "relu"}
# Half the squared error, as there, while no error is as large as this.
HALF = {"type": "huber", "delta": 1e100}


class _Given:
    """Initial weights that are given, in place of random ones."""

    given: Any

    def _init_coef(self, fan_in, fan_out, dtype):
        weight, bias = next(self.given)
        return weight.copy(), bias.copy()


class Classifier(_Given, MLPClassifier):
    """With initial weights that are given."""


class Regressor(_Given, MLPRegressor):
    """Likewise."""


def classes():
    x, y = load_iris(return_X_y=True)
    return scale(x), y


def two_classes():
    x, y = load_breast_cancer(return_X_y=True)
    return scale(x)[:200], y[:200]


def one_class():
    x, _ = load_iris(return_X_y=True)
    return scale(x), np.full(len(x), 3)


def values():
    x, y = load_diabetes(return_X_y=True)
    return scale(x)[:150], scale(y)[:150]


DATA = pytest.mark.parametrize("data", [classes, two_classes, values])


@cache
def initial(data, activation: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The weights and biases that our network for these data begins with."""
    kind = NetworkRegressor if data is values else NetworkClassifier
    # The rate is so small that it moves biases alone, from zero.
    start = kind((7, 5), activation, learning_rate=1e-300, epochs=1, random_state=0, engine="numpy")
    start.fit(*data())
    biases = [np.zeros_like(bias) for bias in start.intercepts_]
    return list(zip(start.coefs_, biases, strict=True))


def twins(data, optimizer: str = "momentum", activation: str = "tanh", *, loss=HALF, **common):
    """Both estimators with the same weights to begin with, rows in order, and other settings.

    With the whole of the squared error as our loss, gradients are twice as large: our rate is half
    of theirs then, except for Adam, which does not see the size.
    """
    x, y = data()
    ours, theirs = OPTIMIZERS[optimizer]
    kind, peer_kind = (
        (NetworkRegressor, Regressor) if data is values else (NetworkClassifier, Classifier)
    )
    settings = {"optimizer": ours, "sampling": "in_order", "random_state": 0, "engine": "numpy"}
    settings |= {"loss": loss} if data is values else {}
    epochs, rate = common.pop("epochs"), common.pop("rate", 0.01)
    doubled = data is values and loss == "mean_squared" and optimizer != "adam"
    model = kind(
        (7, 5), activation, learning_rate=rate / (2 if doubled else 1), epochs=epochs, **settings,
        **common,
    )  # fmt: skip
    peer = peer_kind(
        hidden_layer_sizes=(7, 5), activation=ACTIVATIONS[activation], shuffle=False,
        learning_rate_init=rate, max_iter=epochs, random_state=0, **theirs,
        **{"alpha": 0, **common, "batch_size": min(common["batch_size"], len(x))},
    )  # fmt: skip
    peer.given = iter(initial(data, activation))
    return model, peer, x, y


def agree(model, peer) -> None:
    """What was followed is the same, and so is what was found."""
    assert peer.n_iter_ == model.n_iter_
    factor = 2 if model.loss == "mean_squared" else 1
    np.testing.assert_allclose(model.loss_curve_, factor * np.array(peer.loss_curve_), rtol=1e-9)
    assert factor * peer.loss_ == pytest.approx(model.loss_, rel=1e-9)
    for theirs, ours in zip(
        [*peer.coefs_, *peer.intercepts_], [*model.coefs_, *model.intercepts_], strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
        expected, actual = getattr(peer, name), getattr(model, name)
        assert (expected is None) == (actual is None)
        if expected is not None:
            scale = factor if name == "best_loss_" else 1
            np.testing.assert_allclose(actual, scale * np.array(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("batch_size", "engine"),
    [*((size, "numpy") for size in (1, 7, 64, 10_000)), (1, "compiled"), (7, "compiled")],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@DATA
def test_loss_curves(data, optimizer, batch_size, engine):
    """`loss_curve_` is `loss_curve_`: single rows, batches with a smaller last one, all at once."""
    settings = {"loss": "mean_squared", "epochs": EPOCHS, "batch_size": batch_size}
    model, peer, x, y = twins(data, optimizer, **settings)
    agree(model.set_params(engine=engine).fit(x, y), peer.fit(x, y))
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
    if data is values:
        np.testing.assert_allclose(model.predict(x), peer.predict(x), rtol=1e-8, atol=1e-10)
    else:
        np.testing.assert_allclose(model.predict_proba(x), peer.predict_proba(x), rtol=1e-8)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@DATA
def test_other_settings(data, activation, optimizer):
    """Every activation and kind of momentum that both have."""
    model, peer, x, y = twins(data, optimizer, activation, epochs=EPOCHS, batch_size=16)
    agree(model.fit(x, y), peer.fit(x, y))


def same_rows(monkeypatch, regression: bool, fraction: float) -> None:
    """Let scikit-learn's networks hold out the rows that ours hold out."""

    def split(x, y, *, random_state, test_size, stratify):
        assert fraction == test_size
        labels = y if y.shape[1] == 1 else y.argmax(axis=1)[:, None]
        task = "regression" if regression else "classification"
        numbers = y if regression else labels[:, 0].astype(int)
        names = () if regression else ("0", "1", "2")
        dataset = Dataset("rows", task, x, numbers, classes=names)
        config = DatasetConfig(
            path="a.npz", test_size=0, validation_size=fraction, stratify=not regression
        )
        found = make_split(dataset, config, Streams(0).split).in_file_order()
        train, held_out = found.train.rows, found.validation.rows
        return x[train], x[held_out], y[train], y[held_out]

    monkeypatch.setattr(_multilayer_perceptron, "train_test_split", split)


@DATA
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("batch_size", [1, 64])
def test_alpha(data, optimizer, engine, batch_size):
    """The penalty is in the loss and in the gradient, of a smaller last batch too."""
    model, peer, x, y = twins(data, optimizer, epochs=3, alpha=0.3, batch_size=batch_size,
                              rate=0.002)  # fmt: skip
    model.set_params(engine=engine)
    agree(model.fit(x, y), peer.fit(x, y))


@DATA
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(1e-2, 3), (1e-3, 1), (0.0, 2), (0.05, 10)])
def test_training_ends_with_the_loss(data, optimizer, tol, n_iter_no_change):
    """After as many epochs without a gain of `tol`."""
    model, peer, x, y = twins(
        data, optimizer, epochs=60, tol=tol, n_iter_no_change=n_iter_no_change, batch_size=20,
        rate=0.02,
    )  # fmt: skip
    agree(model.fit(x, y), peer.fit(x, y))
    if tol == 1e-2:
        assert model.n_iter_ < 60


@DATA
def test_training_need_not_end(data):
    """`n_iter_no_change` may be infinite: all epochs are trained."""
    model, peer, x, y = twins(data, epochs=30, tol=10.0, n_iter_no_change=np.inf, batch_size=50)
    agree(model.fit(x, y), peer.fit(x, y))
    assert 30 == model.n_iter_


@DATA
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(1e-4, 4), (0.0, 2), (0.02, 1)])
def test_training_ends_with_the_score(data, optimizer, tol, n_iter_no_change, monkeypatch):
    """Of rows held out, accuracy or R²; the weights are those of the best score."""
    same_rows(monkeypatch, data is values, 0.2)
    model, peer, x, y = twins(
        data, optimizer, epochs=60, tol=tol, n_iter_no_change=n_iter_no_change, batch_size=16,
        early_stopping=True, validation_fraction=0.2, rate=0.02,
    )  # fmt: skip
    agree(model.fit(x, y), peer.fit(x, y))
    assert model.n_iter_ == len(model.validation_scores_) == len(model.validation_loss_curve_)


@DATA
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("epochs", [3, 40])
def test_warm_starts(data, optimizer, early_stopping, epochs, monkeypatch):
    """The next fit goes on from weights, curves and counts, with an optimizer that begins anew."""
    same_rows(monkeypatch, data is values, 0.2)
    model, peer, x, y = twins(
        data, optimizer, epochs=epochs, tol=1e-3, n_iter_no_change=2, batch_size=16,
        early_stopping=early_stopping, validation_fraction=0.2, warm_start=True, rate=0.02,
    )  # fmt: skip
    for _ in range(3):
        agree(model.fit(x, y), peer.fit(x, y))
        # There the best weights are the very arrays that the next fit changes.
        peer._best_coefs = [array.copy() for array in peer.coefs_]
        peer._best_intercepts = [array.copy() for array in peer.intercepts_]
    assert len(model.loss_curve_) > model.n_iter_


def test_scores_of_several_outputs(monkeypatch):
    """R² is that of `r2_score`, the mean over outputs, a constant one included."""
    x, y = values()
    several = np.stack([y, -2 * y + x[:, 0], np.ones_like(y)], axis=1)
    model = NetworkRegressor((4,), epochs=3, early_stopping=True, validation_fraction=0.3,
                             batch_size=20, random_state=0, engine="numpy")  # fmt: skip
    model.fit(x, several)
    config = DatasetConfig(path="a.npz", test_size=0, validation_size=0.3)
    rows = make_split(
        Dataset("rows", "regression", x, several), config, Streams(0).split
    ).validation.rows
    best = int(np.argmax(model.validation_scores_))
    expected = r2_score(several[rows], model.predict(x[rows]))
    assert expected == pytest.approx(model.validation_scores_[best], rel=1e-12)
    assert max(model.validation_scores_) == model.best_validation_score_


def test_one_class():
    """It is learned as there: the output falls towards it."""
    model, peer, x, y = twins(one_class, epochs=20, batch_size=20)
    agree(model.fit(x, y), peer.fit(x, y))
    assert peer.predict(x).tolist() == model.predict(x).tolist()


def test_the_last_epoch_is_no_warning():
    """scikit-learn warns where training ends with its epochs; here `n_iter_` says so."""
    model, peer, x, y = twins(classes, epochs=3, batch_size=20)
    with pytest.warns(ConvergenceWarning):
        peer.fit(x, y)
    assert 3 == model.fit(x, y).n_iter_


# The notebook's experiments predict alike wherever they are put to use.


@pytest.mark.parametrize("name", NOTEBOOK)
def test_predictions_agree(name, tmp_path, monkeypatch):
    """Command line, Python, estimator and script to the bit or the last one, ONNX as far as single
    precision goes; classes, values in their own units, and probabilities.
    """
    monkeypatch.chdir(tmp_path)
    file = CONFIGS / f"{name}.yaml"
    invoke_well("train", str(file), "--iterations", "300", "training.engine=numpy")
    x = prepare(load_config(file)).split.test.x
    np.savez("rows.npz", x=x)

    run = nnrun.load(name)
    values = run.predict(x)
    classes = run.record.task == "classification"
    probabilities = run.predict_proba(x) if run.model.probabilistic else None

    invoke_well("predict", name, "rows.npz", "-o", "out.npz")
    invoke_well("predict", name, "rows.npz", "-o", "out.csv")
    with np.load("out.npz") as out, Path("out.csv").open() as file:
        rows = list(csv.reader(file))[1:]
        np.testing.assert_array_equal(values, out["prediction"])
        np.testing.assert_array_equal(values.astype(str), [row[0] for row in rows])
        assert ("probability" in out) == (probabilities is not None)
        if probabilities is not None:
            np.testing.assert_array_equal(probabilities, out["probability"])
            np.testing.assert_array_equal(probabilities, [list(map(float, r[1:])) for r in rows])

    estimator = (NetworkClassifier if classes else NetworkRegressor).from_run(name)
    with warnings.catch_warnings(action="ignore"):  # rows without the names of their columns
        np.testing.assert_array_equal(values, estimator.predict(x.reshape(len(x), -1)))

    invoke_well("export", name, "-o", "model.py")
    script = {"__name__": "model"}
    exec(Path("model.py").read_text(), script)
    invoke_well("export", name, "-o", "model.onnx")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    single = session.run(None, {"x": x.astype(np.float32)})
    if not classes:
        np.testing.assert_allclose(script["predict"](x), values, rtol=1e-12)
        np.testing.assert_allclose(single[0], values, rtol=1e-5)
        return
    np.testing.assert_array_equal(values, script["predict"](x))
    # A row between two classes may fall to the other in single precision.
    outputs = np.sort(run.model.outputs(x), axis=1)
    sure = outputs[:, -1] - outputs[:, -2] > 1e-4
    assert sure.mean() > 0.95
    np.testing.assert_array_equal(values[sure], single[0][sure])
    if probabilities is not None:
        np.testing.assert_allclose(script["predict_proba"](x), probabilities, atol=1e-12)
        np.testing.assert_allclose(single[1], probabilities, atol=1e-5)
