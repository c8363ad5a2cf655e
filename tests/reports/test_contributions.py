"""What columns add to a prediction: Shapley values by their definition, and what they promise."""

from __future__ import annotations

from itertools import permutations
from math import factorial
from pathlib import Path

import numpy as np
import pytest

import nnrun
from nnrun.reports import contributions as made
from nnrun.reports.importance import places_of, predicted
from tests.lab import data_of, invoke_well, refused, write

SHOPS = """
name: shops
dataset:
  {path: shops.csv, features: standard, test_size: 40, columns: {target: y, categorical: [c]}}
network: {sizes: [5, 1], activations: [tanh, linear]}
loss: mean_squared
training: {optimizer: adam, learning_rate: 0.02, epochs: 8, batch_size: 16, dtype: float64}
"""
KINDS = {
    "members": {"members": 3},
    "embedding": {"dataset.columns": {"target": "y", "drop": ["k"], "embedding": {"c": 2}}},
    "classes": {
        "dataset.columns": {"target": "k", "drop": ["y"], "categorical": ["c"]},
        "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
        "loss": "cross_entropy",
    },
    "linear": {"network": {"sizes": [1], "activations": ["linear"]}},
}


@pytest.fixture
def shops(tmp_path, monkeypatch):
    """A table with a column of categories and a blind column, whose numbers are all the same."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal(240), rng.standard_normal(240), rng.choice([*"xyz"], 240)
    y = a * (c == "x") + np.sin(2 * b)
    k = np.where(y > 0.5, "high", np.where(y < -0.5, "low", "middle"))
    rows = zip(a, b, np.ones(240), c, y, k, strict=True)
    lines = [",".join(map(str, row)) for row in rows]
    write("shops.csv", "\n".join(["a,b,same,c,y,k", *lines]) + "\n")
    write("shops.yaml", SHOPS.replace("target: y,", "target: y, drop: [k],"))


def trained(kind: str = "", **overrides: object) -> nnrun.Run:
    settings = {**KINDS.get(kind, {}), **overrides}
    return nnrun.train("shops.yaml", overrides=settings, results="results")


def by_orders(run: nnrun.Run, x: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The mean gain of each column over all orders in which columns of the row come in."""
    places = [*places_of(run.model).values()]
    total = 0.0
    for order in permutations(range(len(places))):
        rows, gains = background.copy(), [None] * len(places)
        before = predicted(run.model, rows).mean(axis=0)
        for column in order:
            place = slice(places[column].start, places[column].stop)
            rows[:, place] = x[place]
            now = predicted(run.model, rows).mean(axis=0)
            gains[column], before = now - before, now
        total = total + np.array(gains)
    return total / factorial(len(places))


@pytest.mark.parametrize("kind", ["", "members", "embedding", "classes"])
def test_exact_values_are_the_mean_gains_over_all_orders(shops, kind):
    """For members, one-hot columns, embeddings and classes, and they add up."""
    run = trained(kind)
    rows = np.loadtxt("shops.csv", str, delimiter=",", skiprows=1)[:, :4]
    x, background = run.model.rows(rows[:2]), run.model.rows(rows[50:60])
    found = run.explain(x, background=background)
    expected = np.stack([by_orders(run, row, background) for row in x])
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-12)
    assert ("a", "b", "same", "c") == (*found.columns,)
    gain = found.predictions - found.mean
    np.testing.assert_allclose(found.values.sum(axis=1), gain, rtol=0, atol=1e-12)
    assert np.abs(found.values[:, 2]).max() < 1e-15


def test_a_linear_network_has_its_closed_form(shops):
    """Weight times the distance from the mean of the background, also where orders are sampled."""
    run = trained("linear")
    rows = np.loadtxt("shops.csv", str, delimiter=",", skiprows=1)[:, :4]
    x, background = run.model.rows(rows[:3]), run.model.rows(rows[100:140])
    slopes = run.predict(np.eye(6)) - run.predict(np.zeros((1, 6)))
    features = (x - background.mean(axis=0)) * slopes
    expected = np.column_stack([features[:, :3], features[:, 3:].sum(axis=1)])
    found = run.explain(x, background=background)
    np.testing.assert_allclose(found.values[..., 0], expected, rtol=0, atol=1e-12)


def test_columns_that_do_the_same_share_it(shops):
    """Two columns of one weight and one distance from the background have equal values."""
    run = trained("linear", **{"dataset.features": []})
    weight = run.network.parameters["0.weight"].value
    weight[0] = weight[1] = 0.7
    x = np.array([[2.0, 2.0, 1.0, 1.0, 0.0, 0.0]])
    values = run.explain(x, background=np.array([[1.0, 1.0, 1.0, 0.0, 1.0, 0.0]])).values[0, :, 0]
    assert (pytest.approx(0.7), pytest.approx(0.7)) == (values[0], values[1])


def test_sampled_values_are_near_exact_ones(shops, monkeypatch):
    """Within five standard errors, which are above 0 where columns work together; they add up."""
    run = trained("classes")
    rows = np.loadtxt("shops.csv", str, delimiter=",", skiprows=1)[:, :4]
    x = rows[:5]
    exact = run.explain(x)
    assert exact.errors is None
    monkeypatch.setattr(made, "MOST_EXACT", 1)
    sampled = run.explain(x)
    assert sampled.errors.max() > 1e-6
    away = np.abs(sampled.values - exact.values)
    assert (away <= 5 * sampled.errors + 1e-12).all()
    gain = sampled.predictions - sampled.mean
    np.testing.assert_allclose(sampled.values.sum(axis=1), gain, rtol=0, atol=1e-12)


# The command.


def test_a_row_of_the_data_and_the_same_in_a_file(shops):
    """Both say the same of it, and what is said adds up to the prediction of `predict`."""
    invoke_well("train", "shops.yaml")
    lines = Path("shops.csv").read_text().splitlines()
    write("new.csv", "\n".join([lines[0], lines[4], lines[9]]) + "\n")
    of_data = data_of("explain", "shops", "--row", 9)
    of_file = data_of("explain", "shops", "--input", "new.csv", "--row", 2)
    (one,), (other,) = of_data["explained"], of_file["explained"]
    assert (9, 2) == (one.pop("row"), other.pop("row"))
    assert one.pop("split") in ("train", "test")
    assert one == other
    assert {"rows": 100, "of": 200, "seed": 0} == of_data["background"]
    contributions = {each["column"]: each["contribution"] for each in one["columns"]}
    prediction = data_of("predict", "shops", "new.csv")["predictions"][1]["prediction"]
    assert pytest.approx(prediction, abs=1e-9) == one["mean"] + sum(contributions.values())
    assert lines[9].split(",")[3] == {e["column"]: e["value"] for e in one["columns"]}["c"]
    assert 2 == len(data_of("explain", "shops", "--input", "new.csv")["explained"])


def test_the_terminal_has_bars_and_the_page_a_picture(shops):
    """The largest contribution has the longest bar; the page has a bar for each column."""
    invoke_well("train", "shops.yaml")
    said = invoke_well("explain", "shops", "--row", 9).out
    about = " ".join(said.split())
    assert "the mean prediction for 100 of 200 training rows, drawn at random" in about
    assert "same 1 │ 0" in about
    bars = [line.count("█") for line in said.splitlines() if "│" in line]
    assert 4 == len(bars)
    assert sorted(bars, reverse=True) == bars
    assert 10 == bars[0]
    invoke_well("explain", "shops", "--row", 9, "--html", "why.html")
    page = Path("why.html").read_text()
    assert 4 == page.count('class="bar k')
    assert "<script" not in page
    assert "://" not in page


def test_the_class_that_is_explained(shops):
    """By default the predicted one; its probability and contributions are those of --class."""
    write("classes.yaml", Path("shops.yaml").read_text().replace("shops\n", "kinds\n"))
    nnrun.train("classes.yaml", overrides=KINDS["classes"])
    (one,) = data_of("explain", "kinds", "--row", 9)["explained"]
    by_class = [
        data_of("explain", "kinds", "--row", 9, "--class", name)["explained"][0]
        for name in ("high", "low", "middle")
    ]
    assert one in by_class
    assert one["prediction"] == max(each["prediction"] for each in by_class)
    assert pytest.approx(1) == sum(each["prediction"] for each in by_class)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shops", "--row", "999"], "--row 999: the run has no such row in any of its splits"),
        (["shops", "--input", "shops.csv"], "shops.csv has more than 100 rows; say which"),
        (["shops", "--input", "shops.csv", "--row", "999"], "no row 999 that can be predicted"),
        (["shops", "--input", "other.csv"], "other.csv"),
        (["shops", "--row", "1", "--class", "a"], "there is no class 'a': this is a regression"),
        (["shops", "--class", "a"], "--class is for predictions of a run"),
        (["shops.yaml", "--input", "shops.csv"], "--input is for predictions of a run"),
        (["shops", "--update", "--input", "shops.csv"], "--input is for predictions of a run"),
        (["shops", "seed=3", "--row", "1"], "seed=3: the config of a run stays as it is"),
    ],
)
def test_what_cannot_be_explained_is_refused(shops, words, said):
    """Rows that are not there, and options that do not go together."""
    invoke_well("train", "shops.yaml")
    assert said in refused("explain", *words)


def test_images_have_no_columns(tmp_path, monkeypatch):
    """The error says what there is for images."""
    monkeypatch.chdir(tmp_path)
    config = Path(__file__).parents[2] / "configs" / "digits_cnn.yaml"
    invoke_well("train", config, "training.epochs=1", "-q")
    assert "`nnrun report --importance`" in refused("explain", "digits_cnn", "--row", 1)
