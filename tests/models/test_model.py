"""Models of trained runs: raw rows in, classes or values in their own units out."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nnrun
from nnrun.data.inference.new_rows import open_rows
from nnrun.errors import DataError, UsageError
from nnrun.models.load import load_model as load
from nnrun.models.task import Classification, Regression
from tests.models.conftest import CONFIGS


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_says_what_its_run_has_said(trained, name, dtype):
    """From raw rows, to the bit, in either precision."""
    run = trained(name, f"training.dtype={dtype}")
    model, test = load(run.folder), run.execution.prepared.split.test
    _, expected = run.execution.trainer.evaluate("test")
    outputs = model.outputs(test.x)
    assert expected.dtype == outputs.dtype == dtype
    np.testing.assert_array_equal(expected, outputs)
    decoded = run.execution.trainer.task.decode(expected)
    classes = run.execution.prepared.dataset.classes
    expected = [classes[number] for number in decoded] if classes else decoded[:, 0].tolist()
    found = model.predict(test.x)
    assert expected == (found.astype(str) if classes else found).tolist()


def test_classes_have_the_type_of_their_labels(trained):
    """Digits are numbers, species are text."""
    digits, iris = load(trained("digits").folder), load(trained("iris").folder)
    assert list(range(10)) == digits.classes.tolist()
    assert "i" == digits.predict(np.zeros((1, 64))).dtype.kind
    assert ["setosa", "versicolor", "virginica"] == iris.classes.tolist()
    assert iris.predict([[5.1, 3.5, 1.4, 0.2]])[0] in iris.classes


LABELS = {
    "text": (np.array(["7", "10", "x"]), ["10", "7", "x"]),
    "text like numbers": (np.array(["7", "10", "2"]), ["10", "2", "7"]),
    "codes": (np.array(["007", "7", "10"]), ["007", "10", "7"]),
    "spellings": (np.array(["7", "7.0", "10"]), ["10", "7", "7.0"]),
    "integers": (np.array([7, 10, 2]), [2, 7, 10]),
    "booleans": (np.array([True, False, True]), [False, True]),
    "fractions": (np.array([7.5, 10.0, 2.0]), [2.0, 7.5, 10.0]),
}


@pytest.mark.parametrize("labels", LABELS)
def test_labels_come_back_as_they_were(labels, tmp_path):
    """Strings as strings, even those that look like numbers; numbers as numbers; files too."""
    given, expected = LABELS[labels]
    x = np.repeat(np.eye(3), 5, axis=0)
    y = given[np.arange(15) // 5]
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    config = {
        "name": "labels",
        "dataset": {"path": str(tmp_path / "rows.npz"), "test_size": 0, "task": "classification"},
        "network": {"sizes": [len(expected)], "activations": ["softmax"]},
        "loss": "cross_entropy",
        "training": {"learning_rate": 1.0, "epochs": 60, "batch_size": 5, "engine": "numpy"},
    }
    run = nnrun.train(config, results=tmp_path / "results")
    model = nnrun.load(run.path)
    assert (y.dtype.kind, y.tolist()) == (model.predict(x).dtype.kind, model.predict(x).tolist())
    assert expected == model.classes.tolist()
    with open_rows(tmp_path / "rows.npz", model.model.layout, with_target=True) as rows:
        (batch,) = rows.batches(15)
    assert y.tolist() == model.classes[batch.y].tolist()


@pytest.mark.parametrize(("name", "classes"), [("iris", 3), ("tumours", 2), ("digits", 10)])
def test_probabilities_are_a_distribution_over_the_classes(trained, name, classes):
    """One column for each class, also where the network has a single output; the largest wins."""
    run = trained(name)
    model, x = load(run.folder), run.execution.prepared.split.test.x
    probabilities = model.predict_proba(x)
    assert (len(x), classes) == probabilities.shape
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_array_equal(model.classes[probabilities.argmax(axis=1)], model.predict(x))


@pytest.mark.parametrize("name", ["cars", "digits_without_probabilities"])
def test_what_is_no_probability_is_not_called_one(trained, name):
    """Values and unbounded outputs have none."""
    with pytest.raises(UsageError, match="there are no probabilities"):
        load(trained(name).folder).predict_proba(np.zeros((1, 64 if name != "cars" else 7)))


def test_threads_do_not_mix_their_rows(trained):
    """A model that several of them use gives each its own predictions."""
    run = trained("digits")
    model, rows = load(run.folder), run.execution.prepared.split.test.x
    parts = [np.roll(rows, turn, axis=0)[:100] for turn in range(40)]
    expected = [model.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as threads:
        for one, other in zip(expected, threads.map(model.predict_proba, parts), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_model_can_be_sent_to_another_process(trained):
    """Pickled, it is the same."""
    run = trained("cars")
    model, x = load(run.folder), run.execution.prepared.split.test.x
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict(x), again.predict(x))
    assert model.run_id == again.run_id


def test_images_may_be_flat_and_rows_may_be_none(trained):
    """Flat images are the same images; no rows give no predictions."""
    model = load(trained("digits").folder)
    x = np.random.default_rng(0).integers(17, size=(5, 1, 8, 8))
    np.testing.assert_array_equal(model.outputs(x), model.outputs(x.reshape(5, 64)))
    assert (0,) == model.predict(np.empty((0, 64))).shape
    assert (0, 10) == model.predict_proba(np.empty((0, 64))).shape


def test_rows_are_the_same_whatever_comes_with_them(trained):
    """Many rows are taken in portions, and come out as each of them alone."""
    run = trained("cars")
    model = load(run.folder)
    x = np.repeat(run.execution.prepared.split.test.x[:3], 4000, axis=0)
    expected = np.repeat(model.predict(x[::4000]), 4000)
    np.testing.assert_allclose(expected, model.predict(x), rtol=1e-13)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], r"an array of shape \(4,\) was given where \(rows, …\) is needed"),
        ([1.0, 2.0, 3.0, 4.0], r"is needed; for one row give \[row\]$"),
        ([1.0, 2.0], r"is needed$"),
        ("new.csv", "'new.csv' was given where rows are needed; read a file first, as with pandas"),
        ([[1.0, 2.0]], r"rows of shape \(2,\) were given where \(4,\) are needed"),
        ([["a", "b", "c", "d"]], "rows of <U1 were given where numbers are needed"),
        (
            [[1.0] * 4, [1.0, np.nan, 1.0, 1.0]],
            "row 1, column 'sepal width.*': nan is not a finite number",
        ),
        (1.0, r"an array of shape \(\) was given"),
    ],
)
def test_rows_that_do_not_fit_are_reported(trained, rows, expected):
    """Before anything is computed from them."""
    with pytest.raises(DataError, match=expected):
        load(trained("iris").folder).predict(rows)


def test_a_model_needs_no_training_code(trained):
    """Nor what is slow to import."""
    folder = trained("iris").folder
    code = f"""
import sys
from pathlib import Path
from nnrun.models.load import load_model
load_model(Path({str(folder)!r})).predict([[1.0, 2.0, 3.0, 4.0]])
print(*[n for n in ("nnrun.training", "nnrun.engines", "nnrun.runs", "sklearn", "scipy", "llvmlite",
    "rich", "click") if n in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "" == run.stdout.strip()


# What outputs mean.


def test_classes_are_encoded_as_rows_of_one_hot():
    """Three classes give three columns."""
    task = Classification(3, 3, probabilistic=True)
    assert [[0, 1, 0], [0, 0, 1], [1, 0, 0]] == task.encode(np.array([1, 2, 0])).tolist()


def test_two_classes_may_share_one_output():
    """One output above a half is the second class, and its probability is the output itself."""
    task = Classification(2, 1, probabilistic=True)
    outputs = np.array([[0.2], [0.7]])
    assert [[0.0], [1.0]] == task.encode(np.array([0, 1])).tolist()
    assert [0, 1] == task.decode(outputs).tolist()
    np.testing.assert_allclose(task.probabilities(outputs), [[0.8, 0.2], [0.3, 0.7]])
    assert {"accuracy": 0.5} == task.quick_metrics(outputs, np.array([1, 1]))


def test_outputs_that_are_no_probabilities_are_not_called_so():
    """Ten sigmoids with mean squared loss classify, but give no distribution."""
    assert Classification(10, 10, probabilistic=False).probabilities(np.ones((1, 10))) is None


def test_regression_metrics_are_in_the_targets_units():
    """An error of 0.5 in units scaled by 10 is an error of 5, and counts 25."""
    task = Regression(lambda y: y / 10, lambda y: y * 10)
    assert {"mse": 25.0} == task.quick_metrics(np.array([[1.5]]), np.array([[10.0]]))
