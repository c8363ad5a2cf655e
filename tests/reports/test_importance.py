"""Importance of settings."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.metrics import f1_score, mean_squared_error

import nnrun
from nnrun.config.load import config_from_dict, load_config
from nnrun.data.splits import load_dataset
from nnrun.errors import NnrunError
from nnrun.reports import importance as columns
from nnrun.reports.importance import ColumnImportance, partial_dependence, pixel_maps, places_of
from nnrun.runs.preparation.prepare import prepare, prepare_again
from tests.lab import invoke, invoke_well

# Which columns and pixels count: shuffles by hand, intervals over seeds, pictures, refusals.

HOUSES = """
name: houses
dataset:
  path: houses.csv
  columns: {target: price, categorical: [kind]}
  features: standard
  target: standard
  test_size: 0.3
network: {sizes: [6, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 30, batch_size: 8}
"""
IMAGES = {
    "name": "images",
    "dataset": {"name": "digits", "test_size": 60},
    "network": {
        "layers": [{"type": "flatten"}, {"type": "dense", "units": 10, "activation": "softmax"}]
    },
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.01, "iterations": 300},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three runs on houses whose price depends on area and kind, and not on noise."""
    root = tmp_path_factory.mktemp("houses")
    rng = np.random.default_rng(0)
    area, noise = rng.normal(100, 20, 200), rng.normal(size=200)
    kind = rng.choice(["flat", "house", "hut"], 200)
    price = 3 * area + 200 * (kind == "house")
    lines = [f"{a},{n},{k},{p}" for a, n, k, p in zip(area, noise, kind, price, strict=True)]
    (root / "houses.csv").write_text("\n".join(["area,noise,kind,price", *lines]) + "\n")
    (root / "houses.yaml").write_text(HOUSES)
    nnrun.sweep(root / "houses.yaml", seeds=3, results=root / "results")
    return root


@pytest.fixture(scope="module")
def measured(folder):
    return nnrun.importance("houses", results=folder / "results")


def test_order(measured):
    """Columns come by their importance, one-hot columns as the one that the file has."""
    assert ["kind", "area", "noise"] == [one.column for one in measured.columns]
    assert [True, True] == [one.counts for one in measured.columns[:2]]


def test_by_hand(folder, measured):
    """A run's importances are those of scikit-learn on the columns of the file."""
    run = nnrun.load("houses/s42", results=folder / "results")
    part = prepare(load_config(run.path / "config.yaml")).split.test
    kinds = part.x[:, 2:]
    columns = np.column_stack([part.x[:, :2], kinds.argmax(axis=1)])

    class ByColumn:
        def fit(self, x, y):
            return self

        def score(self, x, y):
            rows = np.column_stack([x[:, :2], np.eye(kinds.shape[1])[x[:, 2].astype(int)]])
            return -np.mean((run.predict(rows) - y[:, 0]) ** 2)

    found = permutation_importance(ByColumn(), columns, part.y, n_repeats=10, random_state=42)
    expected = dict(zip(["area", "noise", "kind"], found.importances_mean, strict=True))
    place = measured.seeds.index(42)
    ours = {one.column: one.values[place] for one in measured.columns}
    assert expected == pytest.approx(ours, rel=1e-9)


def test_intervals(measured):
    """With runs of other seeds, intervals are over seeds, around the mean of their values."""
    assert [42, 43, 44] == measured.seeds
    for one in measured.columns:
        assert one.mean == pytest.approx(np.mean(one.values))
        assert one.low < one.mean < one.high


def test_single_run(tmp_path, folder):
    """A run without others of its setting has intervals over its shuffles."""
    run = nnrun.train(folder / "houses.yaml", iterations=20, results=tmp_path)
    found = nnrun.importance(run, repeats=4)
    assert ([42], 4) == (found.seeds, len(found.columns[0].values))


def test_deterministic(folder, measured):
    """The same runs give the same numbers, and the same page."""
    again = nnrun.importance("houses", results=folder / "results")
    assert measured.to_dict() == again.to_dict()


@pytest.mark.parametrize(
    ("low", "high", "counts"), [(-1, 1, False), (0, 0, False), (1, 2, True), (-2, -1, True)]
)
def test_told_from_zero(low, high, counts):
    """A column counts where its interval leaves out 0."""
    assert counts == ColumnImportance("x", (low + high) / 2, low, high, []).counts


def test_partial_dependence(folder):
    """It is the mean prediction where all rows have one value, or one category."""
    run = nnrun.load("houses/s42", results=folder / "results")
    part = prepare(load_config(run.path / "config.yaml")).split.test
    for column, place in places_of(run.model).items():
        found = partial_dependence(run.model, part, column)
        rows = part.x.copy()
        first = np.eye(3)[0] if column == "kind" else [found.values[0]]
        rows[:, place.start : place.stop] = first
        assert [run.predict(rows).mean()] == pytest.approx(found.means[0])
    assert ["flat", "house", "hut"] == found.values


def in_results(folder, *words):
    return invoke(*map(str, words), "--results", str(folder / "results"))


def test_show(folder, measured):
    """`show --importance` prints the columns in their order; --json the same numbers."""
    shown = in_results(folder, "show", "houses", "--importance").out
    names = [
        line.split()[0] for line in shown.splitlines() if line.startswith(("kin", "are", "noi"))
    ]
    assert ["kind", "area", "noise"] == names
    assert "95% intervals over 3 seeds" in shown.replace("\n", " ")
    found = json.loads(in_results(folder, "show", "houses", "--importance", "--json").out)
    assert measured.to_dict() == found


@pytest.fixture
def copied(folder, tmp_path):
    """The runs on houses, without stored importance."""
    for name in ("houses.csv", "houses.yaml"):
        shutil.copy(folder / name, tmp_path)
    config = tmp_path / "houses.yaml"
    nnrun.sweep(config, seeds=2, iterations=30, results=tmp_path / "results")
    return tmp_path


def page_of(folder, *words):
    file = folder / "report.html"
    done = in_results(folder, "report", "-o", file, *words)
    assert 0 == done.code, done.said
    return file.read_text()


def test_a_report_computes_it_for_the_best_run_of_a_board(copied):
    """The table and three pictures; for other runs the command. The next report has the bytes."""
    page = page_of(copied)
    assert 3 == page.count("<figcaption><bdi>Partial dependence on ")
    (named,) = re.findall(r"nnrun show houses/(\S+) --importance computes it", page)
    (stored,) = (copied / "results").rglob("importance.json")
    assert {path.name for path in stored.parents[1].iterdir() if path.is_dir()} == {
        named,
        stored.parent.name,
    }
    (copied / "houses.csv").rename(copied / "elsewhere.csv")
    assert page.count("mse gained") == page_of(copied).count("mse gained") == 1
    (copied / "elsewhere.csv").rename(copied / "houses.csv")
    assert page == page_of(copied)
    stored.write_bytes(stored.read_bytes()[:-50])
    assert page == page_of(copied)
    in_results(copied, "show", f"houses/{named}", "--importance")
    assert 6 == page_of(copied, "--no-importance").count("<figcaption><bdi>Partial dependence on ")


@pytest.mark.parametrize("why", ["turned off", "takes longer", "other data"])
def test_nothing_is_stored_of_what_is_not_computed(copied, monkeypatch, why):
    """Where a reader wants none, time does not suffice, or the data have changed."""
    words = ["--no-importance"] * (why == "turned off")
    if why == "takes longer":
        monkeypatch.setattr("nnrun.reports.html.report.IMPORTANCE_SECONDS", 1e-6)
    elif why == "other data":
        (copied / "houses.csv").write_text("area,noise,kind,price\n" + "1,2,hut,3\n" * 20)
    page = page_of(copied, *words)
    assert "mse gained" not in page
    assert ("computes it in about " in page) == (why == "takes longer")
    assert [] == [*(copied / "results").rglob("importance.json")]


def test_more_seeds_make_stored_importance_old(copied):
    """It is over all seeds of the setting, and computed again where there is another."""
    assert "intervals over 2 seeds" in page_of(copied)
    nnrun.train(copied / "houses.yaml", {"seed": 44}, iterations=30, results=copied / "results")
    assert "intervals over 3 seeds" in page_of(copied, "--importance")


def test_a_column_of_row_numbers_is_warned_about_where_it_is_important(folder, tmp_path):
    """In `show --importance` and its JSON; a column of noise beside it is not."""
    lines = (folder / "houses.csv").read_text().splitlines()
    rows = [f"{k},{line.rpartition(',')[0]},{3 * k}" for k, line in enumerate(lines[1:], 1)]
    (tmp_path / "houses.csv").write_text("\n".join([f"id,{lines[0]}", *rows]) + "\n")
    (tmp_path / "houses.yaml").write_text(HOUSES)
    nnrun.train(tmp_path / "houses.yaml", results=tmp_path / "results")
    shown = " ".join(in_results(tmp_path, "show", "houses", "--importance").out.split())
    assert "The column id is one of the most important, and looks like numbers of rows" in shown
    assert ["id"] == nnrun.importance("houses", results=tmp_path / "results").identifiers


def test_other_data(folder, tmp_path):
    """Data that have changed are refused."""
    (tmp_path / "houses.csv").write_text((folder / "houses.csv").read_text())
    (tmp_path / "houses.yaml").write_text(HOUSES)
    run = nnrun.train(tmp_path / "houses.yaml", iterations=5, results=tmp_path / "results")
    (tmp_path / "houses.csv").write_text("area,noise,kind,price\n" + "1,2,hut,3\n" * 20)
    with pytest.raises(NnrunError, match="the data are not those it was trained on"):
        nnrun.importance(run)


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    return nnrun.train(IMAGES, results=tmp_path_factory.mktemp("images"))


def test_gradient(image_run):
    """The gradient of a softmax regression is the weights of the class's logit."""
    part = prepare(load_config(image_run.path / "config.yaml")).split.test
    weights = image_run.network.parameters["1.weight"].value
    for label, one in enumerate(pixel_maps(image_run.model, part)):
        assert np.allclose(weights[:, label].reshape(8, 8), one.gradient)


def test_occlusion(image_run):
    """Covering a patch of an image lowers the probability of its class by so much."""
    part = prepare(load_config(image_run.path / "config.yaml")).split.test
    first, model = pixel_maps(image_run.model, part)[0], image_run.model
    own = part.y == 0
    covered = part.x.astype(float)
    covered[:, :, :2, :2] = part.x.mean(axis=0)[:, :2, :2]
    lost = model.predict_proba(part.x)[own, 0] - model.predict_proba(covered)[own, 0]
    assert lost.mean() == pytest.approx(first.occlusion[0, 0])


def test_pictures(image_run, tmp_path):
    """A report draws both maps of each class, and the terminal the occlusion."""
    file = tmp_path / "images.html"
    words = ["report", str(image_run.path), "-o", str(file), "--importance"]
    invoke_well(*words)
    assert 20 == file.read_text().count('alt="Mean gradient of the input') * 2
    shown = invoke("show", str(image_run.path), "--importance").out
    assert "Which pixels count, on 60 test rows" in shown


WEIGHTED = {
    "mse": {
        "dataset": {"columns": {"target": "y", "weight": "w"}, "task": "regression"},
        "network": {"sizes": [4, 1], "activations": ["tanh", "linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.05, "iterations": 50},
    },
    "f1_macro": {
        "dataset": {
            "columns": {"target": "kind", "weight": "w"},
            "task": "classification",
            "validation_size": 0.2,
        },
        "network": {"sizes": [4, 1], "activations": ["tanh", "sigmoid"]},
        "loss": "binary_cross_entropy",
        "training": {"learning_rate": 0.05, "iterations": 50},
        "metrics": ["f1_macro"],
        "sweep": {"order_by": "f1_macro"},
        "decide": {"cost": {"false_positive": 1, "false_negative": 3}, "positive": "b"},
    },
}


@pytest.mark.parametrize("metric", WEIGHTED)
def test_weights(tmp_path, metric):
    """Rows count by their weights, and classes by the threshold, as in the metric of the report."""
    rng = np.random.default_rng(4)
    x, weight = rng.normal(size=(160, 2)), rng.integers(0, 5, 160)
    values = x[:, 0] + x[:, 1] ** 2 + rng.normal(size=160)
    target = values if metric == "mse" else np.where(values > 1, "b", "a")
    lines = [f"{a},{b},{w},{t}" for (a, b), w, t in zip(x, weight, target, strict=True)]
    config = WEIGHTED[metric]
    name = config["dataset"]["columns"]["target"]
    (tmp_path / "rows.csv").write_text("\n".join([f"a,b,w,{name}", *lines]) + "\n")
    block = {"path": str(tmp_path / "rows.csv"), "test_size": 0.4, **config["dataset"]}
    run = nnrun.train({**config, "dataset": block}, results=tmp_path / "results")
    part = prepare(load_config(run.path / "config.yaml")).split.test
    y = part.y[:, 0] if metric == "mse" else np.array(run.model.layout.classes)[part.y]

    def score(estimator, x, y, sample_weight):
        predicted = np.ravel(run.predict(x))
        if metric == "mse":
            return -mean_squared_error(y, predicted, sample_weight=sample_weight)
        return f1_score(y, predicted, average="macro", sample_weight=sample_weight)

    class Fitted:
        def fit(self, x, y):
            return self

    found = permutation_importance(
        Fitted(), part.x, y, scoring=score, n_repeats=10, random_state=42,
        sample_weight=part.weight,
    )  # fmt: skip
    assert run.metrics["test"][metric] == pytest.approx(
        abs(score(None, part.x, y, part.weight)), rel=1e-9
    )
    measured = nnrun.importance(run)
    assert metric == measured.metric
    ours = {one.column: one.values for one in measured.columns}
    for column, expected in zip("ab", found.importances, strict=True):
        assert list(expected) == pytest.approx(ours[column], rel=1e-9, abs=1e-12)


# Partial dependence on columns of categories, whatever features they become.

# A shop for each number of rows, in training and among those that are shown.
ROWS = {"a": 30, "b": 3, "c": 20, "d": 25, "e": 2}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file whose target is the number of the shop."""
    shops = [shop for shop, rows in ROWS.items() for _ in range(rows)]
    shops = np.random.default_rng(0).permutation(shops).tolist()
    lines = ["size,shop,price", *(f"{i % 7},{s},{'abcde'.index(s)}" for i, s in enumerate(shops))]
    path = tmp_path_factory.mktemp("shops") / "shops.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("key", ["categorical", "embedding", "target_mean"])
def test_many_categories_are_those_that_most_rows_have(key, table, monkeypatch):
    """Each is predicted for all rows, and named."""
    listed = {"shop": 3} if key == "embedding" else ["shop"]
    config = {
        "dataset": {"path": str(table), "columns": {"target": "price", key: listed},
                    "test_size": 0},
        "network": {"sizes": [6, 1], "activations": ["tanh", "linear"]},
        "loss": "mean_squared",
        "training": {"optimizer": "adam", "learning_rate": 0.05, "epochs": 60, "batch_size": 8},
    }  # fmt: skip
    run = nnrun.train(config, results=None)
    resolved = config_from_dict(run.config)
    part = prepare_again(resolved, load_dataset(resolved.dataset)).split.train
    monkeypatch.setattr(columns, "_MOST_CHOICES", 3)
    found = columns.partial_dependence(run.model, part, "shop")
    assert ["a", "c", "d"] == found.values
    means = [mean for (mean,) in found.means]
    np.testing.assert_allclose(means, [0, 2, 3], atol=0.5)
