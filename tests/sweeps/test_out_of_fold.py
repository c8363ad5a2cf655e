"""Out-of-fold predictions, compared with a loop over the models of the runs."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

import nnrun
from nnrun.config.load import config_from_dict
from nnrun.data.splits import load_dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.training.state import Streams
from tests.lab import invoke, refused

IRIS = {
    "name": "flowers",
    "dataset": {"name": "iris", "folds": 3, "features": "standard"},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.05, "iterations": 100, "batch_size": 8, "engine": "numpy"},
    "seed": 3,
}
SALES = {
    "name": "sales",
    "dataset": {
        "path": "sales.csv",
        "columns": {"target": "price", "categorical": ["kind"]},
        "folds": 3,
        "missing": "drop_rows",
        "features": "standard",
        "target": "standard",
    },
    "network": {"sizes": [2, 1], "activations": ["tanh", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.05, "iterations": 60, "batch_size": 4, "engine": "numpy"},
    "seed": 3,
}


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """All folds of two seeds of a setting, and one run of another setting."""
    results = tmp_path_factory.mktemp("flowers")
    runs = {
        seed: [
            nnrun.train(IRIS, {"dataset.fold": fold}, seed=seed, results=results)
            for fold in (1, 2, 3)
        ]
        for seed in (3, 4)
    }
    worse = {"dataset.fold": 1, "training.learning_rate": 1e-6}
    nnrun.train(IRIS, worse, results=results)
    return results, runs


@pytest.fixture
def flowers(trained):
    """A copy of these results in the current folder."""
    results, runs = trained
    shutil.copytree(results, "results")
    return runs


@pytest.fixture
def sales():
    """A table with dates and a kind that one row alone has; two rows lack a number."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=30).astype(str)})
    frame["size"] = rng.normal(size=30).round(3)
    frame["kind"] = [*["flat", "house"] * 14, "villa", "flat"]
    frame["price"] = (frame["size"] * 3 + rng.normal(size=30)).round(3)
    frame.loc[[0, 11], "size"] = np.nan
    frame.to_csv("sales.csv", index=False)
    return frame


def by_hand(runs, seed):
    """For each row the fold that tests it and its probabilities, by scikit-learn's splitter."""
    data = load_dataset(config_from_dict(runs[0].config).dataset)
    state = int(Streams(seed).split.integers(2**32))
    parts = StratifiedKFold(3, shuffle=True, random_state=state).split(data.x, data.y)
    fold, probability = np.zeros(150, int), np.zeros((150, 3))
    for number, (fitted, (_, test)) in enumerate(zip(runs, parts, strict=True), 1):
        fold[test], probability[test] = number, fitted.predict_proba(data.x[test])
    return data, fold, probability


def test_one_seed_is_a_loop_over_its_models(flowers):
    """Each row has the prediction of the run that tested it, exactly."""
    data, fold, probability = by_hand(flowers[3], 3)
    found = nnrun.out_of_fold(flowers[3][1], results="results")
    assert ([3], 3, 0, ()) == (found.seeds, found.folds, found.untested, found.incomplete)
    assert list(range(1, 151)) == found.rows.tolist()
    assert fold.tolist() == found.fold[:, 0].tolist()
    assert np.array_equal(probability, found.probability)
    names = np.array(data.classes)
    assert names[data.y].tolist() == found.target.tolist()
    assert names[probability.argmax(axis=1)].tolist() == found.prediction.tolist()
    right = (probability.argmax(axis=1) == data.y).mean()
    assert right == found.score["accuracy"]
    of_folds = [run.metrics["test"]["accuracy"] for run in flowers[3]]
    assert np.mean(of_folds) == pytest.approx(right, abs=1e-12)


def test_several_seeds_are_averaged(flowers):
    """Probabilities are; the class with the largest mean is predicted."""
    (data, *one), (_, *other) = (by_hand(flowers[seed], seed) for seed in (3, 4))
    for word in ("flowers", "flowers/best"):
        found = nnrun.out_of_fold(word)
        assert [3, 4] == found.seeds
        assert np.array_equal(np.stack([one[0], other[0]], axis=1), found.fold)
        mean = (one[1] + other[1]) / 2
        np.testing.assert_allclose(mean, found.probability, rtol=1e-15)
        assert np.array(data.classes)[mean.argmax(axis=1)].tolist() == found.prediction.tolist()


def test_the_table_of_predictions(flowers):
    """Row, fold, target, prediction and probabilities, the same from Python and as files."""
    frame = nnrun.out_of_fold("flowers").to_frame()
    code, out, err = invoke("predict", "flowers", "--out-of-fold", "-o", "a.csv", "--score")
    assert (0, True) == (code, "out of fold: 150 rows in 3 folds, each the mean of 2 runs" in err)
    assert "the score is of these means: as a rule better than that of a single run" in err
    assert "accuracy" in out
    written = pd.read_csv("a.csv")
    assert ["row", "fold", "target", "prediction"] == list(written)[:4]
    assert ["p_setosa", "p_versicolor", "p_virginica"] == list(written)[4:]
    pd.testing.assert_frame_equal(frame, written, rtol=1e-14, atol=0, check_dtype=False)
    assert {"3 1", "1 1"} & {*written["fold"]}
    code, out, _ = invoke("predict", "flowers", "--out-of-fold")
    assert (0, Path("a.csv").read_text()) == (code, out)
    assert 0 == invoke("predict", "flowers", "--out-of-fold", "-o", "a.npz")[0]
    with np.load("a.npz") as arrays:
        assert ["fold", "prediction", "probability", "row", "target"] == sorted(arrays)
        assert written["prediction"].tolist() == arrays["prediction"].tolist()


def test_json_has_the_score_and_what_it_is_of(flowers):
    """The predictions themselves go into a file."""
    code, out, _ = invoke("predict", "flowers", "--out-of-fold", "--json", "--score")
    data = json.loads(out)
    assert (0, [3, 4], 150, 3) == (code, data["seeds"], data["rows"], data["folds"])
    assert nnrun.out_of_fold("flowers").score["accuracy"] == data["score"]["accuracy"]


def test_a_seed_without_all_folds_is_left_out_and_told(flowers):
    """Where no seed has all, there are no predictions, and the exit code is 1."""
    shutil.rmtree(Path("results/flowers", flowers[4][1].path.name))
    found = nnrun.out_of_fold("flowers")
    assert ([3], ("seed 4 lacks fold 2 (not trained)",)) == (found.seeds, found.incomplete)
    err = invoke("predict", "flowers", "--out-of-fold", "-q")[2]
    assert "" == err
    assert "left out: seed 4 lacks fold 2" in invoke("predict", "flowers", "--out-of-fold")[2]
    shutil.rmtree(Path("results/flowers", flowers[3][2].path.name))
    code, out, err = invoke("predict", "flowers", "--out-of-fold", "-o", "a.csv")
    assert (1, "", False) == (code, out, Path("a.csv").exists())
    told = "seed 3 lacks fold 3 (not trained); seed 4 lacks fold 2 (not trained); `nnrun sweep`"
    assert told in err


def test_a_diverged_fold_is_told(sales):
    """It has no model."""
    given = {"training.learning_rate": 1e6, "dataset.columns.drop": ["day"]}
    run = nnrun.train(SALES, {**given, "dataset.fold": 1})
    assert "diverged" == run.status
    told = r"lacks fold 1 \(diverged\), fold 2 \(not trained\), fold 3 \(not trained\)"
    with pytest.raises(NnrunError, match=told):
        nnrun.out_of_fold(run)


def test_values_in_their_own_units_with_the_numbers_of_their_rows(sales):
    """Rows that were dropped are counted; a kind unknown in training is predicted all the same."""
    runs = [
        nnrun.train(SALES, {"dataset.fold": fold, "dataset.columns.drop": ["day"]})
        for fold in (1, 2, 3)
    ]
    found = nnrun.out_of_fold("sales")
    there = [row for row in range(30) if row not in (0, 11)]
    assert [row + 1 for row in there] == found.rows.tolist()
    assert sales["price"][there].tolist() == found.target.tolist()
    errors = (found.prediction - found.target) ** 2
    assert found.score["mse"] == pytest.approx(errors.mean(), rel=1e-12)
    sizes = [run.record.dataset["n_test"] for run in runs]
    each = [run.metrics["test"]["mse"] for run in runs]
    assert np.average(each, weights=sizes) == pytest.approx(errors.mean(), rel=1e-9)
    assert 0 == invoke("predict", "sales", "--out-of-fold", "-o", "a.csv")[0]
    with Path("a.csv").open() as file:
        header, first, *_ = csv.reader(file)
    assert ["row", "fold", "target", "prediction"] == header
    assert "2" == first[0]
    assert float(first[3]) == found.prediction[0]


def test_by_time_the_first_rows_are_not_tested(sales):
    """They are left out, and their number is shown."""
    split = {"dataset.split": {"by": "time", "column": "day"}}
    for fold in (1, 2, 3):
        nnrun.train(SALES, {**split, "dataset.fold": fold})
    found = nnrun.out_of_fold("sales")
    assert 7 == found.untested
    assert [row + 1 for row in range(30) if row not in (0, 11)][7:] == found.rows.tolist()
    assert sorted(found.fold[:, 0]) == found.fold[:, 0].tolist()
    err = invoke("predict", "sales", "--out-of-fold")[2]
    assert "no fold tests 7 rows, the first by time" in err


def test_a_name_means_the_runs_in_folds():
    """Also where runs without folds compare more settings, and so have `NAME/best`."""
    mixed = {**IRIS, "name": "mixed"}
    drawn = {**mixed, "dataset": {"name": "iris"}}
    for fold in (1, 2, 3):
        nnrun.train(mixed, {"dataset.fold": fold})
    for rate in (0.1, 0.2):
        nnrun.train(drawn, {"training.learning_rate": rate})
    assert nnrun.load("mixed/best").config["dataset"]["folds"] is None
    assert 3 == nnrun.out_of_fold("mixed").folds
    code, _, err = invoke("predict", "mixed", "--out-of-fold")
    assert (0, True) == (code, "out of fold: 150 rows in 3 folds" in err)


def test_what_has_no_folds_is_refused(flowers):
    """With what would have some; and an INPUT has no meaning then."""
    plain = {**IRIS, "name": "plain", "dataset": {"name": "iris"}}
    run = nnrun.train(plain)
    advice = r"has no folds; `nnrun sweep CONFIG dataset\.folds=5 dataset\.test_size=null` trains"
    with pytest.raises(UsageError, match=advice):
        nnrun.out_of_fold(run)
    assert 2 == invoke("predict", "plain", "--out-of-fold")[0]
    code, _, err = invoke("predict", "flowers", "a.csv", "--out-of-fold")
    assert (2, True) == (code, "--out-of-fold predicts the data of the runs" in err)
    assert "Missing argument 'INPUT'" in refused("predict", "flowers")
    with pytest.raises(UsageError, match="kept in memory"):
        nnrun.out_of_fold(nnrun.train(IRIS, results=None))


def test_data_that_have_changed_are_refused(sales):
    """The rows would be others."""
    for fold in (1, 2, 3):
        nnrun.train(SALES, {"dataset.fold": fold, "dataset.columns.drop": ["day"]})
    sales.iloc[::-1].to_csv("sales.csv", index=False)
    with pytest.raises(NnrunError, match="the data are not those"):
        nnrun.out_of_fold("sales")


def test_columns_of_the_data_are_carried_through(sales):
    """Of rows that were left out none; to CSV, JSON, npz and Python."""
    for fold in (1, 2, 3):
        nnrun.train(SALES, {"dataset.fold": fold, "dataset.columns.drop": ["day"]})
    days = np.delete(sales["day"].to_numpy(), [0, 11]).tolist()
    found = nnrun.out_of_fold("sales", ids=["day", "kind"])
    assert ["day", "kind", "row", "fold", "target", "prediction"] == list(found.columns())
    assert days == found.carried["day"].tolist()
    words = ("predict", "sales", "--out-of-fold", "--id", "day")
    assert days == pd.read_csv(io.StringIO(invoke(*words)[1]))["day"].tolist()
    assert days == [row["day"] for row in json.loads(invoke(*words, "--json")[1])["predictions"]]
    assert 0 == invoke(*words, "-o", "out.npz")[0]
    with np.load("out.npz") as out:
        assert days == out["day"].tolist()
        assert found.prediction.tolist() == out["prediction"].tolist()
    code, _, errors = invoke("predict", "sales", "--out-of-fold", "--id", "dya")
    assert (2, True) == (code, "there is no column 'dya' for --id; did you mean 'day'?" in errors)


def test_built_in_data_have_no_columns_to_carry(flowers):
    """The option needs a file."""
    code, _, errors = invoke("predict", "flowers", "--out-of-fold", "--id", "petal length (cm)")
    assert (2, True) == (code, "'iris' is no file with columns to carry" in errors)
    code, _, errors = invoke("predict", "flowers", "--out-of-fold", "--skip-bad", "bad.csv")
    assert (2, True) == (code, "--skip-bad is for new rows" in errors)
