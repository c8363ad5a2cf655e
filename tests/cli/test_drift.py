"""What moved in the columns of new rows since training."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from nnrun.data.columns.categories import OneHot
from nnrun.data.columns.column import Number
from nnrun.data.layout import Columns
from nnrun.models.drift import drift_of
from nnrun.models.outside import Sample, values_of
from tests.lab import invoke_well, refused, write

CONFIG = """
name: sales
dataset:
  path: sales.csv
  columns: {target: sold, categorical: [shop]}
  missing: {impute: median}
  unknown: ignore
  test_size: 0
network: {sizes: [3, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.001, iterations: 5, engine: numpy}
"""
HEAD = "price,age,shop,sold\n"


def lines(rng, count, price=0.0, shops=(0.5, 0.5, 0), blank=0.0) -> str:
    """Rows with prices around a number, shops with these shares, and some ages missing."""
    found = []
    for shop in rng.choice(["north", "south", "moon"], count, p=shops):
        age = "" if rng.random() < blank else f"{rng.exponential():.3f}"
        found.append(f"{price + rng.normal():.3f},{age},{shop},1\n")
    return HEAD + "".join(found)


@pytest.fixture
def sales(tmp_path, monkeypatch):
    """A trained run in the current folder."""
    monkeypatch.chdir(tmp_path)
    write("sales.csv", lines(np.random.default_rng(0), 400, blank=0.05))
    write("sales.yaml", CONFIG)
    invoke_well("train", "sales.yaml")


def test_what_moved_comes_first(sales):
    """Each column with the distance and the p-value of SciPy's test, times those of Holm."""
    write("new.csv", lines(np.random.default_rng(1), 300, 1.0, (0.35, 0.45, 0.2), 0.3))
    found = invoke_well("predict", "sales", "new.csv", "--drift", "--json").json
    assert (300, 400) == (found["rows"], found["training_rows"])
    prices, age, shop = found["columns"]
    assert ["price", "age", "shop"] == [each["column"] for each in (prices, age, shop)]
    then, now = (
        np.genfromtxt(name, delimiter=",", skip_header=1, dtype=None, encoding="utf-8")
        for name in ("sales.csv", "new.csv")
    )
    price = ks_2samp(then["f0"].astype("f4"), now["f0"].astype("f4"), method="asymp")
    assert price.statistic == prices["distance"]
    assert [np.mean(then["f0"]), np.mean(now["f0"])] == pytest.approx(prices["mean"], abs=1e-5)
    blank = [np.isnan(part["f1"]) for part in (then, now)]
    assert [float(each.mean()) for each in blank] == age["missing"]
    ages = [part["f1"][~each] for part, each in zip((then, now), blank, strict=True)]
    counts = [[each.sum(), (~each).sum()] for each in blank]
    pvalues = [chi2_contingency(counts, correction=False).pvalue, ks_2samp(*ages).pvalue]
    counts = [[(part["f2"] == name).sum() for name in ("north", "south", "moon")]
              for part in (then, now)]  # fmt: skip
    raw = [price.pvalue, 2 * min(pvalues), chi2_contingency(counts, correction=False).pvalue]
    first, second, third = sorted(raw)
    holm = [3 * first, max(3 * first, 2 * second), max(3 * first, 2 * second, third)]
    assert sorted(each["p"] for each in found["columns"]) == pytest.approx(holm, rel=1e-6)
    assert ("(new)", 0.0) == (shop["category"], shop["share"][0])
    answer = invoke_well("predict", "sales", "new.csv", "--drift")
    assert 3 == answer.out.count("moved")
    assert "300 of 300 rows beside 400 of training" in answer.err


def test_nothing_has_moved_in_the_file_of_training(sales):
    """All p-values are 1."""
    found = invoke_well("predict", "sales", "sales.csv", "--drift", "--json").json["columns"]
    assert [(0.0, 1.0, False)] * 3 == [(c["distance"], c["p"], c["moved"]) for c in found]


def test_rows_like_those_of_training_seldom_move():
    """Of 300 tables with ten columns, at most 5% have one that moved, but for chance."""
    columns = Columns(
        (*[Number(f"x{n}") for n in range(8)], *[OneHot(n, ("a", "b")) for n in "yz"])
    )
    rng, alarms = np.random.default_rng(2), 0
    for _ in range(300):
        kind = rng.integers(2, size=(700, 2))
        x = np.column_stack([rng.standard_normal((700, 8)), *(np.eye(2)[k] for k in kind.T)])
        found = drift_of(Sample(columns, values_of(columns, x[:400])), values_of(columns, x[400:]))
        alarms += any(each["moved"] for each in found)
    assert alarms <= 15 + 3 * 3.8


@pytest.mark.parametrize("words", [["--drift"], ["new.csv", "--drift", "-o", "out.csv"]])
def test_drift_is_no_prediction(sales, words):
    """Without a file, or with what is about predictions, it is refused."""
    write("new.csv", HEAD)
    assert "--drift takes INPUT and writes no predictions" in refused("predict", "sales", *words)
    assert "there are no rows to compare" in refused("predict", "sales", "new.csv", "--drift")
