"""Warnings about the data: what is said, of which columns, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import config_from_dict
from nnrun.data.splits import load_dataset
from nnrun.runs.diagnosis import data
from nnrun.runs.diagnosis.data import about_data, identifiers
from nnrun.runs.execution.descriptions import describe_dataset
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.severity import leading

ROWS = 200
DROP = "name it in dataset.columns.drop"
TRAINED = "in all 160 training rows: if it is known only after the target, " + DROP


@pytest.fixture
def said(tmp_path):
    """The warnings about a table, given by its columns; `y` is the target."""

    def find(cells, **keys):
        path = tmp_path / "t.csv"
        rows = zip(*cells.values(), strict=True)
        path.write_text("\n".join([",".join(cells), *(",".join(map(str, row)) for row in rows)]))
        classes = "loss" in keys
        layer = {"type": "dense", "units": 2 if classes else 1}
        layer |= {"activation": "softmax"} if classes else {}
        task = "classification" if classes else "regression"
        config = {
            "name": "t", "loss": keys.pop("loss", "mean_squared"), "network": {"layers": [layer]},
            "dataset": {"path": str(path), "columns": {"target": "y"}, "task": task, **keys},
            "training": {"learning_rate": 0.1, "iterations": 1},
        }  # fmt: skip
        config = config_from_dict(config)
        run = prepare_again(config, load_dataset(config.dataset))
        found = about_data(run.dataset, run.split, describe_dataset(run))
        assert found is about_data(run.dataset, run.split, describe_dataset(run))
        return [(each.kind, each.message) for each in found]

    return find


@pytest.fixture
def table():
    """A column of chance, and a target from 500 to 1,500 that has nothing to do with it."""
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=ROWS).round(6), "y": rng.uniform(500, 1500, ROWS).round(3)}


def test_a_table_of_chance_gets_no_warning(said, table):
    """Neither numbers nor classes."""
    assert [] == said(table)
    assert [] == said({**table, "y": (table["y"] > 1000).astype(int)}, loss="cross_entropy")


def test_a_column_that_is_almost_a_multiple_says_how_nearly(said, table):
    """With the ratio, as of a deposit of three rents."""
    ratio = np.linspace(2.967, 3.039, ROWS)
    table = {"deposit": (table["y"] * ratio).round(6), **table}
    ((kind, text),) = said(table, test_size=0)
    assert "leak" == kind
    assert text == (
        "the column deposit is almost 3 × y (ratio 2.967 to 3.039) in all 200 training rows: if it "
        f"is known only after the target, {DROP}"
    )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda y: y * 4, "is 4 × y"),
        (lambda y: y, "is y"),
        (lambda y: -y * 2, "is -2 × y"),
        (lambda y: y * 1.8 + 3200, "is y, in another unit,"),
        (lambda y: np.log(y).round(9), "has the order of y"),
    ],
)
def test_a_column_that_gives_the_target_says_how(said, table, made, words):
    """As a multiple, in another unit, or in its order."""
    assert [("leak", f"the column b {words} {TRAINED}")] == said({"b": made(table["y"]), **table})


def test_a_column_that_only_predicts_well_is_no_leak(said, table):
    """With an error of a tenth."""
    rng = np.random.default_rng(1)
    assert [] == said({"b": table["y"] * rng.uniform(0.9, 1.1, ROWS), **table})


def test_rare_classes_are_separated_by_chance(said, table):
    """One positive row of two hundred is at an end of some column soon."""
    y = np.zeros(ROWS, int)
    y[table["a"].argmax()] = 1
    assert [] == said({**table, "y": y}, loss="cross_entropy", test_size=0)
    (leak,) = said({**table, "y": (table["a"] > 0).astype(int)}, loss="cross_entropy")
    assert f"the column a separates the classes {TRAINED}" == leak[1]


def test_copies_of_training_rows_are_said_with_the_key(said, table):
    """Where they may change an accuracy by more than chance."""
    table = {name: np.tile(column[:50], 4) for name, column in table.items()}
    ((kind, text),) = said(table)
    assert "duplicates" == kind
    assert text.startswith("40 of 40 test rows are training rows too, target included")
    assert "dataset.copies: drop leaves copies out, and together puts them into one split" in text


def test_copies_are_said_where_few_of_them_are_held_out(said, table):
    """Forty-three copies among two thousand rows."""
    rng = np.random.default_rng(2)
    table = {name: rng.normal(size=2000).round(9) for name in ("a", "b", "y")}
    table = {name: np.concatenate([column, column[:43]]) for name, column in table.items()}
    ((kind, text),) = said(table)
    assert "duplicates" == kind
    assert text.startswith("43 of 2,043 rows equal an earlier row, in all columns of the file")


def test_rows_that_differ_in_their_dates_are_no_copies(said, table):
    """Though no feature differs."""
    table = {name: np.tile(column[:50], 4) for name, column in table.items()}
    days = [f"2020-{1 + row // 28:02}-{1 + row % 28:02}" for row in range(ROWS)]
    assert [] == said({"day": days, **table}, columns={"target": "y", "drop": ["day"]})


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        (np.arange(1, ROWS + 1), True),
        (np.random.default_rng(0).permutation(ROWS) * 10, True),
        (np.delete(np.arange(ROWS + 5), [3, 50, 51, 90, 120]), True),
        (np.arange(ROWS) + 0.5, False),
        (np.arange(ROWS) ** 2, False),
        (np.arange(ROWS) // 2, False),
    ],
    ids=["rising", "in any order", "with gaps", "no whole numbers", "unevenly", "twice each"],
)
def test_a_column_that_only_numbers_rows_is_named(said, table, numbers, named):
    """Whole numbers, all different and evenly rising."""
    kinds = [kind for kind, _ in said({"id": numbers, **table})]
    assert ["identifier"] * named == kinds


def test_the_worst_comes_first(said, table):
    """A leak, row numbers, rows of another kind, a column with one value."""
    day = np.repeat([0.0, 9.0], ROWS // 2)
    columns = {"one": [7] * ROWS, "level": day, "id": range(ROWS), "b": table["y"] * 3, **table}
    split = {"by": "time", "column": "id"}
    names = {"target": "y", "features": ["one", "level", "id", "b", "a"]}
    found = said(columns, columns=names, split=split, test_size=0.5)
    kinds = [kind for kind, _ in found]
    assert ["leak", "identifier", "unlike_splits", "constant_column"] == list(dict.fromkeys(kinds))
    texts = dict(found)
    assert (
        "the columns one, level have one value in all 100 training rows" in texts["constant_column"]
    )
    assert "id is 150 on average, 49.5 in training" in texts["unlike_splits"]


def test_they_are_found_once_for_a_split(said, table, monkeypatch):
    """However many runs there are of it."""
    calls = []
    find = data._constant
    monkeypatch.setattr(data, "_constant", lambda columns: calls.append(1) or find(columns))
    said(table)
    assert [1] == calls


def test_the_first_to_name_is_what_costs_most():
    """Data that make a result mean nothing, then the network's, then other data."""
    assert "leak" == leading(["leak", "far_apart"])
    assert "far_apart" == leading(["constant_column", "far_apart"])
    assert "constant_column" == leading(["constant_column"])


def test_a_table_without_columns_has_no_identifiers():
    """Arrays are what they are."""
    config = config_from_dict({
        "name": "t", "dataset": {"name": "iris"}, "loss": "cross_entropy",
        "network": {"layers": [{"type": "dense", "units": 3, "activation": "softmax"}]},
        "training": {"learning_rate": 0.1, "iterations": 1},
    })  # fmt: skip
    assert [] == identifiers(load_dataset(config.dataset))
