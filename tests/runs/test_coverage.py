"""Intervals and sets of trained runs: by which rows, how they are stored, written and shown."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

import nnrun
from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import load_model, make_model, pack, unpack
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.execution.members import _variance_if_new
from tests.lab import invoke, invoke_well, refused, write

BOSTON = """
name: boston
dataset: {name: boston, validation_size: 100, features: standard, target: standard}
network: {sizes: [6, 1], activations: [relu, linear]}
loss: mean_squared
training: {optimizer: adam, learning_rate: 0.01, epochs: 6, batch_size: 16, engine: numpy}
"""
IRIS = """
name: iris
dataset: {name: iris, validation_size: 0.3, features: standard}
network: {sizes: [5, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {optimizer: adam, learning_rate: 0.01, epochs: 6, batch_size: 16, engine: numpy}
"""
OWN = "members={number: 6, validation: own}"


def test_an_interval_is_the_prediction_and_a_quantile(prepared):
    """Of one network, the ends are the prediction ± the validation error of the right rank."""
    run = prepared(BOSTON)
    result = execute(run, None, Listener())
    model = make_model(result.weights, result.metadata, "")
    raw, y = run.split.held_out["validation"].raw, run.examples["validation"].y[:, 0]
    errors = np.sort(np.abs(y - model.decode(model.evaluate(raw))))
    half = errors[math.ceil(101 * 0.9) - 1]
    found = model.covered(*model.evaluate_each(run.split.held_out["test"].raw), model.promise(0.9))
    np.testing.assert_allclose(found.high - found.prediction, half, rtol=1e-9)
    np.testing.assert_allclose(found.prediction - found.low, half, rtol=1e-9)
    truth = run.examples["test"].y[:, 0]
    covered = float(np.mean((found.low <= truth) & (truth <= found.high)))
    level = result.record.coverage["levels"][1]
    assert (0.9, covered, len(truth)) == (level["promised"], level["covered"], level["rows"])
    assert level["size"] == pytest.approx(2 * half)
    assert level["low"] < covered < level["high"]


@pytest.mark.parametrize("config", [BOSTON, IRIS])
def test_rows_out_of_bag_judge_members_with_rows_of_their_own(prepared, config):
    """All rows that were held out from a member judge, not those of one validation split alone."""
    run = prepared(config, OWN)
    result = execute(run, None, Listener())
    shared = execute(prepared(config, "members=6"), None, Listener()).record
    record = result.record
    assert ("scale" in result.metadata["errors"]) == (config == BOSTON)
    assert ("out_of_bag", "validation") == (record.coverage["source"], shared.coverage["source"])
    assert record.coverage["rows"] == record.members["rows_judged"]
    assert shared.coverage["rows"] == len(run.split.validation)


def test_few_rows_that_members_share_say_nothing_of_their_variance():
    """Out-of-bag variances are not scaled by it, since too large ones make intervals narrow."""
    each = np.random.default_rng(0).standard_normal((5, 60, 1))
    held_out = np.arange(5)[:, np.newaxis] == np.arange(60) % 5
    held_out[[1, 2], [0, 1]] = True
    each[[1, 2], [0, 1]] += 100
    known = [each[~out, row].var(ddof=1) for row, out in enumerate(held_out.T)]
    np.testing.assert_allclose(_variance_if_new(each, held_out)[:, 0], known)


def test_sets_of_classes_are_counted_on_the_test_split(prepared):
    """The report's share of test rows and the mean size are those of the sets."""
    run = prepared(IRIS, OWN)
    result = execute(run, None, Listener())
    model = make_model(result.weights, result.metadata, "")
    found = model.covered(*model.evaluate_each(run.split.held_out["test"].raw), model.promise(0.95))
    names = model.classes[run.examples["test"].y]
    right = [name in labels for name, labels in zip(names, found.set, strict=True)]
    level = result.record.coverage["levels"][2]
    assert level["covered"] == pytest.approx(np.mean(right))
    assert level["size"] == pytest.approx(np.mean([*map(len, found.set)]))
    assert [labels[0] for labels in found.set] == found.prediction.tolist()


def test_a_run_without_held_out_rows_has_none(prepared):
    """Without validation rows the record has no coverage, and the error says what to set."""
    result = execute(prepared(IRIS.replace("validation_size: 0.3, ", "")), None, Listener())
    assert result.record.coverage is None
    model = make_model(result.weights, result.metadata, "")
    with pytest.raises(UsageError, match="train with members"):
        model.predict_covered(np.zeros((1, 4)), 0.9)


FLOWERS = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n"
ROWS = FLOWERS + "5.1,3.5,1.4,0.2\n6.3,2.8,5.1,1.5\n"


@pytest.fixture
def iris(tmp_path, monkeypatch):
    """A trained run in the current folder, with two rows to predict."""
    monkeypatch.chdir(tmp_path)
    write("iris.yaml", IRIS)
    write("new.csv", ROWS)
    invoke_well("train", "iris.yaml", OWN)
    return nnrun.load("iris")


def test_a_file_of_predictions_has_the_sets(iris):
    """CSV, JSON and npz hold the same sets, which are those of `run.predict`."""
    x = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 2.8, 5.1, 1.5]])
    expected = [*map(list, iris.predict(x, coverage=0.99).set)]
    answer = invoke_well("predict", "iris", "new.csv", "--coverage", 0.99)
    rows = [*csv.DictReader(io.StringIO(answer.out))]
    assert ["prediction", "set", "p_setosa"] == [*rows[0]][:3]
    assert expected == [row["set"].split("; ") for row in rows]
    found = invoke_well("predict", "iris", "new.csv", "--coverage", 0.99, "--json").json
    assert (0.99, expected) == (found["coverage"], [row["set"] for row in found["predictions"]])
    invoke_well("predict", "iris", "new.csv", "--coverage", 0.99, "-o", "out.npz")
    with np.load("out.npz") as arrays:
        assert [len(labels) for labels in expected] == arrays["set"].sum(axis=1).tolist()


def test_the_report_says_what_is_covered(iris):
    """`nnrun show` has the table of the test split, and by which rows."""
    shown = invoke_well("show", "iris").out
    assert "classes in a set" in shown
    assert "each held out from some of the networks" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new.csv", "--coverage", "1"], "--coverage"),
        (["new.csv", "--coverage", "nine"], "--coverage"),
        (["new.csv", "--coverage", "0.999"], "needs 999 rows"),
        (["new.csv", "--by-class"], "--by-class goes with --coverage"),
        (["--out-of-fold", "--coverage", "0.9"], "--coverage is for new rows"),
    ],
)
def test_what_cannot_be_promised_is_refused(iris, words, said):
    """A wrong share, one for too few rows, and options that do not go together."""
    assert said in refused("predict", "iris", *words, "-o", "out.csv")


FORGED = {
    "more scores than rows": lambda errors: errors | {"rows": [3, 3, 3]},
    "scores of another number of classes": lambda errors: errors | {"scores": errors["scores"][:2]},
    "scores out of order": lambda errors: errors | {"scores": [s[::-1] for s in errors["scores"]]},
    "a score below 0": lambda errors: errors | {"scores": [[-1.0], [], []], "rows": [1, 0, 0]},
    "a score that is text": lambda errors: errors | {"scores": [["1"], [], []], "rows": [1, 0, 0]},
    "a scale for classes": lambda errors: errors | {"scale": [[1.0, 1.0]]},
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=[*FORGED])
def test_forged_errors_are_refused(iris, forge):
    """A model whose errors are not those of its outputs is damaged."""
    path = iris.path / "model.safetensors"
    arrays, values = unpack(path)
    assert load_model(iris.path).errors is not None
    path.write_bytes(pack(arrays, values | {"errors": forge(values["errors"])}))
    with pytest.raises(NnrunError, match="damaged"):
        load_model(iris.path)


def test_a_damaged_model_is_no_traceback(iris):
    """`predict` refuses it with exit code 1 or 2, and says which file."""
    path = iris.path / "model.safetensors"
    arrays, values = unpack(path)
    path.write_bytes(pack(arrays, values | {"errors": {"source": 3}}))
    answer = invoke("predict", "iris", "new.csv", "--coverage", 0.9)
    assert answer.code in (1, 2)
    assert path.name in answer.err


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("members", ["members=1", OWN])
def test_rows_split_by_group_are_counted_by_group(prepared, tmp_path, members, task):
    """Each held-out group counts once, by the members' own rows too, and each group of the test."""
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=300)
    x = rng.standard_normal((300, 2))
    y = x[:, 0] + groups / 20
    classes = task == "classification"
    y = (y > 1).astype(int) if classes else y
    rows = [f"{a},{b},{site},{value}\n" for (a, b), site, value in zip(x, groups, y, strict=True)]
    (tmp_path / "sites.csv").write_text("a,b,site,y\n" + "".join(rows))
    text = BOSTON.replace("{name: boston", "{path: sites.csv")
    text = text.replace("100, features", "0.3, columns: {target: y, drop: [site]}, "
                        "split: {by: group, column: site}, features")  # fmt: skip
    if classes:
        text = text.replace(", target: standard", "").replace("[6, 1]", "[6, 2]")
        text = text.replace("linear", "softmax").replace("mean_squared", "cross_entropy")
    run = prepared(text, members)
    result = execute(run, None, Listener())
    found, values = result.record.coverage, run.dataset.split_values
    held_out = values[run.split.validation.rows]
    if members == OWN:
        held_out = values[np.concatenate([run.split.train.rows, run.split.validation.rows])]
        assert found["rows"] > len(run.split.validation)
    assert len(set(held_out)) >= found["groups"] >= 0.8 * len(set(held_out))
    model = make_model(result.weights, json.loads(json.dumps(result.metadata)), "")
    test = run.split.held_out["test"]
    covered = model.covered(*model.evaluate_each(test.raw), model.promise(0.8))
    truth = run.dataset.pooled_y[test.rows]
    if classes:
        right = [name in s for name, s in zip(model.classes[truth], covered.set, strict=True)]
    else:
        right = (covered.low <= truth[:, 0]) & (truth[:, 0] <= covered.high)
    sites = values[test.rows]
    shares = [np.mean(np.array(right)[sites == site]) for site in np.unique(sites)]
    assert found["levels"][0]["covered"] == pytest.approx(np.mean(shares))
    if classes:
        with pytest.raises(UsageError, match="counted by group"):
            model.promise(0.8, by_class=True)
