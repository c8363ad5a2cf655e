"""For whom a network is worse: slices of its rows, and how sure that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnrun.reports.slices import _sliced, compared
from tests.lab import invoke_well, refused, write


def table(rng: np.random.Generator, rows: int = 400) -> dict[str, np.ndarray]:
    """Slices by three columns of numbers and two of categories."""
    numbers = {f"x{i}": rng.standard_normal(rows) for i in range(3)}
    texts = {f"c{i}": rng.choice([*"abcd"], rows).astype(object) for i in range(2)}
    return {n: held for column in (numbers | texts).items() for n, held in _sliced(*column)}


@pytest.mark.parametrize("kind", ["wrong", "absolute"])
def test_errors_that_no_column_has_a_part_in_are_told_of_none(kind):
    """Of 200 tables 5% have a false slice, but for chance: more than 23 is 1 in 10,000."""
    rng, false = np.random.default_rng(0), 0
    for _ in range(200):
        error = np.abs(rng.standard_normal(400)) if kind == "absolute" else rng.random(400) < 0.2
        found = compared(error.astype(np.float64), table(rng))
        false += any(one.is_worse or one.is_better for one in found)
    assert false <= 23


def test_a_slice_with_larger_errors_is_found_first():
    """Its interval holds the difference that was planted, and others stay silent."""
    rng = np.random.default_rng(1)
    slices = table(rng, 2000)
    error = np.abs(rng.standard_normal(2000)) + 0.6 * slices["c0 = b"]
    worse = [one for one in compared(error, slices) if one.is_worse]
    assert "c0 = b" == worse[0].name
    assert worse[0].low < 0.6 < worse[0].high
    assert {one.name.split()[0] for one in worse} == {"c0"}


def test_numbers_are_sliced_into_fifths():
    """Each row is in one, values that come often in a slice of their own, blanks too."""
    values = np.array([*range(100), *[np.nan] * 5], np.float64)
    slices = dict(_sliced("age", values))
    assert [5, 20, 20, 20, 20, 20] == [int(held.sum()) for held in slices.values()]
    assert ["age is blank", "age ≤ 19", "19 < age ≤ 39"] == [*slices][:3]
    assert "age > 79" == [*slices][-1]
    assert (sum(held.astype(int) for held in slices.values()) == 1).all()
    assert ["k = 0", "k = 1"] == [name for name, _ in _sliced("k", np.array([0.0, 1, 1, 0]))]


def test_few_rows_are_no_slice():
    """A category with nine rows is not looked at, nor one that all rows but nine have."""
    held = np.arange(100) < 9
    error = np.random.default_rng(0).random(100)
    assert [] == compared(error, {"nine": held, "the others": ~held})


HOUSES = """
name: houses
dataset:
  {path: houses.csv, features: standard, test_size: 0.5, columns: {target: price, features: [size]}}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {optimizer: adam, learning_rate: 0.05, epochs: 20, batch_size: 16}
"""


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """Prices are twice the size, but in the west, a column that is no feature, they are noise."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    size, west = rng.uniform(1, 10, 400), rng.random(400) < 0.3
    price = 2 * size + np.where(west, 6, 0.1) * rng.standard_normal(400)
    places = np.where(west, "west", "east")
    rows = zip(size, places, price, strict=True)
    write("houses.csv", "size,place,price\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    write("houses.yaml", HOUSES)
    invoke_well("sweep", "houses.yaml", "--seeds", 3)


def test_slices_by_a_column_that_is_no_feature(houses):
    """The west is worse, over all seeds; JSON and terminal say so."""
    found = invoke_well("show", "houses", "--slices", "place", "--json").json
    west, east = found["slices"]
    assert ("place = west", True, False) == (west["name"], west["worse"], west["better"])
    assert ("place = east", True) == (east["name"], east["better"])
    assert (3, "absolute error", "test") == (found["runs"], found["error"], found["split"])
    assert 4 < west["error"] < 6
    said = invoke_well("show", "houses", "--slices", "place").out
    assert "place = west" in said


def test_silence_where_nothing_differs(houses):
    """Of the feature no slice differs, and the sentence says how many were looked at."""
    said = " ".join(invoke_well("show", "houses", "--slices").out.split())
    assert "None of 5 slices differs from the other rows beyond chance." in said


def test_pairs_of_columns(houses):
    """With --pairs also slices of two columns, with enough rows."""
    found = invoke_well("show", "houses", "--slices", "size", "place", "--pairs", "--json").json
    names = [one["name"] for one in found["slices"]]
    assert sum("place = west" in name and "size" in name for name in names) == 5


def test_the_page_of_a_run_has_slices_that_differ_alone(houses):
    """A sentence of the worst one and a folded table with intervals; nothing where none differs."""
    title = "For whom it is worse"
    invoke_well("report", "houses")
    assert title not in Path("report.html").read_text()
    with_place = "dataset.columns={target: price, categorical: [place]}"
    invoke_well("train", "houses.yaml", with_place, "-q")
    invoke_well("report", "latest")
    worst = "For rows with place = west the absolute error is 4."
    said = Path("report.html").read_text().partition(worst)[2].partition("</details>")[0]
    assert "<summary>Slices</summary>" in said
    assert 2 == said.count("95% interval of the mean from")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["place"], "'place' goes with --slices"),
        (["--pairs"], "'--pairs' goes with --slices"),
        (["--slices", "plaice"], "there is no column 'plaice'"),
    ],
)
def test_what_cannot_be_sliced_is_refused(houses, words, said):
    """Columns without --slices, and such as are not there."""
    assert said in refused("show", "houses", *words)
