"""Models of scikit-learn in runs: the numbers of scikit-learn called by hand on the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

import nnrun
from nnrun.config.load import load_config
from nnrun.config.names import BESIDE
from nnrun.errors import ConfigError
from nnrun.runs.execution import reference_models as estimators
from nnrun.runs.preparation.prepare import prepare

SEED = 7
CLASSIFIERS = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "neighbors": make_pipeline(StandardScaler(), KNeighborsClassifier()),
    "forest": RandomForestClassifier(random_state=SEED),
    "boosting": HistGradientBoostingClassifier(random_state=SEED),
    "mlp": make_pipeline(StandardScaler(), MLPClassifier(max_iter=1000, random_state=SEED)),
}
REGRESSORS = {
    "linear": make_pipeline(StandardScaler(), Ridge()),
    "neighbors": make_pipeline(StandardScaler(), KNeighborsRegressor()),
    "forest": RandomForestRegressor(random_state=SEED),
    "boosting": HistGradientBoostingRegressor(random_state=SEED),
    "mlp": make_pipeline(
        StandardScaler(),
        TransformedTargetRegressor(
            MLPRegressor(max_iter=1000, random_state=SEED), transformer=StandardScaler()
        ),
    ),
}


@pytest.fixture(autouse=True)
def _one_thread():
    """In so few rows, threads would only wait for each other."""
    with threadpool_limits(1):
        yield


def split_of(config):
    """The numbers of the training rows and of the test rows."""
    split = prepare(load_config(config)).split
    return split.train.rows, split.test.rows


@pytest.mark.parametrize("model", BESIDE)
def test_classes(model):
    """A classifier has the accuracy and the log loss of scikit-learn on the same rows."""
    config = {"dataset": {"name": "iris", "test_size": 0.4}, "beside": model, "seed": SEED}
    x, y = load_iris(return_X_y=True)
    train, test = split_of(config)
    fitted = CLASSIFIERS[model].fit(x[train], y[train])
    metrics = nnrun.train(config, results=None).metrics["test"]
    assert accuracy_score(y[test], fitted.predict(x[test])) == metrics["accuracy"]
    expected = log_loss(y[test], fitted.predict_proba(x[test]))
    assert expected == pytest.approx(metrics["log_loss"], rel=1e-12)


def test_order():
    """Training rows have the order in which the split was drawn, which a forest depends on."""
    config = {"dataset": {"name": "iris", "test_size": 60}, "beside": "forest", "seed": SEED}
    x, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(np.random.SeedSequence(SEED).spawn(1)[0]).permutation(150)
    test, train = rows[:60], rows[60:]
    fitted = CLASSIFIERS["forest"].fit(x[train], y[train])
    expected = log_loss(y[test], fitted.predict_proba(x[test]))
    metrics = nnrun.train(config, results=None).metrics["test"]
    assert expected == pytest.approx(metrics["log_loss"], rel=1e-12)


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A table with missing numbers and a column of categories."""
    rng = np.random.default_rng(0)
    area, age = rng.normal(100, 20, 80), rng.integers(0, 60, 80).astype(float)
    kind = rng.choice(["flat", "house", "hut"], 80)
    price = 3000 * area - 500 * age + 20000 * (kind == "house") + rng.normal(0, 9000, 80)
    area[rng.random(80) < 0.1] = np.nan
    table = pd.DataFrame({"area": area, "age": age, "kind": kind, "price": price})
    file = tmp_path_factory.mktemp("houses") / "houses.csv"
    table.to_csv(file, index=False)
    return file


@pytest.mark.parametrize("model", BESIDE)
def test_values(houses, model):
    """A regressor has the error of scikit-learn, with one-hot columns and numbers filled in."""
    config = {
        "dataset": {
            "path": str(houses),
            "columns": {"target": "price", "categorical": ["kind"]},
            "task": "regression",
            "missing": {"impute": "median"},
        },
        "beside": model,
        "seed": SEED,
    }
    table = pd.read_csv(houses, dtype=str)  # numbers of pandas 3.0 are off by a last bit
    table = table.astype(dict.fromkeys(("area", "age", "price"), float))
    y = table.pop("price").to_numpy()
    filled = "passthrough" if model == "boosting" else SimpleImputer(strategy="median")
    columns = ColumnTransformer(
        [("numbers", filled, ["area", "age"]), ("kind", OneHotEncoder(), ["kind"])]
    )
    train, test = split_of(config)
    fitted = make_pipeline(columns, REGRESSORS[model]).fit(table.iloc[train], y[train])
    predicted = fitted.predict(table.iloc[test])
    metrics = nnrun.train(config, results=None).metrics["test"]
    assert mean_squared_error(y[test], predicted) == pytest.approx(metrics["mse"], rel=1e-9)
    assert r2_score(y[test], predicted) == pytest.approx(metrics["r2"], rel=1e-9)


@pytest.mark.parametrize("model", ["linear", "neighbors"])
def test_images(model):
    """Pixels are flattened, and divided by the largest of the training rows."""
    config = {"dataset": {"name": "digits", "test_size": 0.8}, "beside": model, "seed": SEED}
    x, y = load_digits(return_X_y=True)
    train, test = split_of(config)
    fitted = CLASSIFIERS[model][-1].fit(x[train] / 16, y[train])
    metrics = nnrun.train(config, results=None).metrics["test"]
    assert accuracy_score(y[test], fitted.predict(x[test] / 16)) == metrics["accuracy"]


def test_several_targets(tmp_path):
    """Of several targets, each model predicts all."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    np.savez(tmp_path / "two.npz", x=x, y=x @ [[1.0, 2.0], [3.0, -1.0]])
    block = {"path": str(tmp_path / "two.npz"), "task": "regression"}
    runs = [nnrun.train({"dataset": block, "beside": model}, results=None) for model in BESIDE]
    assert [] == [run.config["beside"] for run in runs if run.metrics["test"]["r2"] < 0.5]


def test_missing_class(tmp_path):
    """A class without a training row has probability 0, and is never predicted."""
    file = tmp_path / "rare.csv"
    rows = [f"{i},{'ab'[i % 2]}" for i in range(40)]
    file.write_text("x,kind\n" + "\n".join([*rows, "41,c"]) + "\n")
    block = {"path": str(file), "columns": {"target": "kind"}, "test_size": 0.5}
    config = {"dataset": block, "beside": "neighbors"}
    drawn = (seed for seed in range(20) if 40 in split_of({**config, "seed": seed})[1])
    confusion = nnrun.train(config, seed=next(drawn), results=None).metrics["test"]["confusion"]
    assert [0, 0, 0] == [row[2] for row in confusion]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([f"{i},{i}" for i in range(4)], "scikit-learn cannot train 'neighbors'"),
        ([f"{i},{i % 7}e161" for i in range(40)], "the train mse of 'neighbors' is not finite"),
    ],
    ids=["few rows", "large targets"],
)
def test_refused_data(tmp_path, rows, message):
    """What scikit-learn refuses, and errors that overflow, fail the run with a reason."""
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["x,y", *rows]) + "\n")
    block = {"path": str(file), "columns": {"target": "y"}, "task": "regression"}
    with pytest.raises(nnrun.errors.NnrunError, match=message):
        nnrun.train({"dataset": block, "beside": "neighbors"}, results=None)


def test_no_task(tmp_path):
    """A target of numbers needs a task, in words that need no loss."""
    file = tmp_path / "few.csv"
    file.write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    block = {"path": str(file), "columns": {"target": "y"}}
    with pytest.raises(nnrun.errors.NnrunError, match="which may be values or labels of classes"):
        nnrun.train({"dataset": block, "beside": "forest"}, results=None)


def test_warnings(monkeypatch):
    """What scikit-learn warns of is in the report, once."""
    monkeypatch.setattr(estimators, "_MOST_ITERATIONS", 2)
    config = {"dataset": {"name": "wine"}, "beside": "linear"}
    (warning,) = nnrun.train(config, results=None).record.warnings
    assert "scikit-learn warns: lbfgs failed to converge" in warning["message"]


def test_no_network(tmp_path):
    """Keys of networks beside `beside` are mistakes, each with its place."""
    file = tmp_path / "both.yaml"
    file.write_text(
        "dataset: {name: iris, features: standard}\nbeside: forest\nloss: cross_entropy\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_config(file)
    lines = [(p.place.line, p.message.partition(" ")[0]) for p in raised.value.problems]
    assert [(1, "'features'"), (3, "'loss'")] == lines


def test_unknown_model():
    """A misspelt model gets a suggestion."""
    with pytest.raises(ConfigError, match="did you mean 'forest'"):
        load_config({"dataset": {"name": "iris"}, "beside": "forst"})


@pytest.mark.parametrize("model", ["linear", "neighbors", "forest", "boosting"])
def test_weights(tmp_path, model):
    """A row's weight is the `sample_weight` of `fit` and of the metrics; neighbors have none."""
    rng = np.random.default_rng(3)
    x, weight = rng.normal(size=(120, 2)), rng.integers(0, 4, 120).astype(float)
    y = (x[:, 0] + rng.normal(size=120) > 0).astype(int)
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "weight": weight, "y": y})
    table.to_csv(tmp_path / "rows.csv", index=False)
    block = {
        "path": str(tmp_path / "rows.csv"),
        "columns": {"target": "y", "weight": "weight"},
        "task": "classification",
    }
    config = {"dataset": block, "beside": model, "seed": SEED}
    train, test = split_of(config)
    classifier = CLASSIFIERS[model]
    last = classifier.steps[-1][0] if hasattr(classifier, "steps") else ""
    name = f"{last}__sample_weight" if last else "sample_weight"
    given = {} if model == "neighbors" else {name: weight[train]}
    fitted = classifier.fit(x[train], y[train], **given)
    found = nnrun.train(config, results=None).metrics["test"]["accuracy"]
    expected = accuracy_score(y[test], fitted.predict(x[test]), sample_weight=weight[test])
    assert expected == pytest.approx(found, rel=1e-12)
