"""Cells of new rows that are unlike those of training."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import nnrun
from nnrun.errors import NnrunError
from nnrun.models.load import load_model, pack, unpack
from tests.lab import invoke_well, refused, write

HOUSES = "size,colour,price\n" + "".join(
    f"{size},{colour},{2 * size}\n" for size in range(1, 21) for colour in ("red", "blue")
)
CONFIG = """
name: prices
dataset:
  path: houses.csv
  features: standard
  columns: {target: price, categorical: [colour]}
  unknown: ignore
  test_size: 0
network: {sizes: [3, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 20, engine: numpy}
"""
NEW = "size,colour\n5,red\n1e9,blue\n0.5,violet\n20,green\n30,red\n"


@pytest.fixture
def prices(tmp_path, monkeypatch):
    """A trained run in the current folder, with rows to predict."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"houses.csv": HOUSES, "prices.yaml": CONFIG, "new.csv": NEW}.items():
        write(name, text)
    invoke_well("train", "prices.yaml")
    return nnrun.load("prices")


def test_a_column_names_the_cells_of_each_row(prices):
    """Numbers beyond the range with its end, and new categories; inside it is blank."""
    answer = invoke_well("predict", "prices", "new.csv", "--outside")
    found = [row["outside"] for row in csv.DictReader(io.StringIO(answer.out))]
    cells = [text.rpartition("far (")[0].removesuffix("; ") for text in found]
    assert ["", "size > 20", "size < 1; colour new", "colour new", "size > 20"] == cells
    assert ["10 times)"] == [text.rpartition("far (")[2] for text in found[4:]]


def test_numbers_beyond_the_range_are_counted_without_asking(prices):
    """Standard error has a line for each end, with the farthest; JSON has the number of rows."""
    answer = invoke_well("predict", "prices", "new.csv")
    assert "size: 2 cells are above all of training, 20 (the farthest 1e+09)" in answer.err
    assert "size: 1 cell is below all of training, 1 (the farthest 0.5)" in answer.err
    assert 4 == invoke_well("predict", "prices", "new.csv", "--json").json["outside"]


def test_rows_like_those_of_training_are_not_mentioned(prices):
    """The file of training itself has nothing outside."""
    answer = invoke_well("predict", "prices", "houses.csv", "--outside")
    assert {""} == {row["outside"] for row in csv.DictReader(io.StringIO(answer.out))}
    assert "of training" not in answer.err.replace("the data of this run", "")


def test_images_have_no_columns(tmp_path, monkeypatch):
    """`--outside` is refused where rows are arrays without columns."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("images.npz", x=rng.random((30, 1, 4, 4)), y=rng.integers(2, size=30))
    write("images.yaml", "dataset: {path: images.npz}\nnetwork: {layers: [{type: flatten}, "
          "{type: dense, units: 2, activation: softmax}]}\nloss: cross_entropy\n"
          "training: {learning_rate: 0.1, iterations: 3}\n")  # fmt: skip
    invoke_well("train", "images.yaml")
    assert "--outside is for columns" in refused("predict", "images", "images.npz", "--outside")


@pytest.mark.parametrize("ranges", [[[0, 1], [0, 1]], [[0]], [["a", 1]], "wide"])
def test_forged_ranges_are_refused(prices, ranges):
    """A model whose ranges are not those of its columns is damaged."""
    path = prices.path / "model.safetensors"
    arrays, values = unpack(path)
    assert [[1.0, 20.0]] == values["ranges"]
    path.write_bytes(pack(arrays, values | {"ranges": ranges}))
    with pytest.raises(NnrunError, match="damaged"):
        load_model(prices.path)


PAIRS = "x,y,kind,price\n" + "".join(
    f"{n / 10},{n / 10 + (n % 7 - 3) / 50},{'ab'[n % 2]},{n}\n" for n in range(300)
)
PAIR_CONFIG = CONFIG.replace("houses.csv", "pairs.csv").replace("[colour]", "[kind]").replace(
    "[3, 1]", "[4, 1]")  # fmt: skip


def nearest(row, others, spread):
    """How far a row is from the nearest of others, one after the other."""
    return min(
        np.sqrt(sum(((row[:2] - other[:2]) / spread) ** 2) + (row[2] != other[2]))
        for other in others
    )


@pytest.mark.parametrize("validation", [0, 120])
def test_rows_far_from_all_of_training_are_named(tmp_path, monkeypatch, validation):
    """Cells within the ranges, in a place where no row is; by 99% of rows that are held out."""
    monkeypatch.chdir(tmp_path)
    write("pairs.csv", PAIRS)
    write(
        "prices.yaml",
        PAIR_CONFIG.replace("test_size: 0", f"test_size: 0\n  validation_size: {validation}"),
    )
    write("new.csv", "x,y,kind\n5,5,a\n5,25,a\n25,5,b\n12,12.01,b\n")
    invoke_well("train", "prices.yaml")
    run = nnrun.load("prices")
    values = run.model.sample.values.astype(float)
    assert 300 - validation == len(values)
    every = np.array([(n / 10, n / 10 + (n % 7 - 3) / 50, n % 2) for n in range(300)])
    spread = values[:, :2].std(axis=0)
    held_out = [row for row in every if abs(values[:, 0] - row[0]).min() > 0.01]
    distances = [nearest(row, values, spread) for row in held_out]
    if not validation:
        others = (np.delete(values, at, axis=0) for at in range(300))
        distances = [nearest(*pair, spread) for pair in zip(values, others, strict=True)]
    cut = np.quantile(distances, 0.99, method="higher")
    assert cut == pytest.approx(run.model.sample.cut, rel=1e-4)
    times = nearest(np.array([5, 25, 0]), values, spread) / cut
    answer = invoke_well("predict", "prices", "new.csv", "--outside")
    found = [row["outside"] for row in csv.DictReader(io.StringIO(answer.out))]
    assert ["", "far", "far", ""] == [text[:3] for text in found]
    assert times == pytest.approx(float(found[1][5:-7]), rel=0.01)
    assert "2 rows are farther from training than 99% of held-out rows, up to" in answer.err
    assert 2 == invoke_well("predict", "prices", "new.csv", "--outside", "--json").json["far"]
    rows = np.array([["5", "5", "a"], ["5", "25", "a"], ["25", "5", "b"], ["12", "12.01", "b"]])
    covered = run.predict(rows, outside=True)
    assert found == covered.outside.tolist()
    assert run.predict(rows).tolist() == covered.prediction.tolist()


@pytest.mark.parametrize(
    "change", [{"values": "AAAA"}, {"values": "?"}, {"cut": -1}, {"values": ""}]
)
def test_forged_training_rows_are_refused(prices, change):
    """A model whose training rows are not those of its columns is damaged."""
    path = prices.path / "model.safetensors"
    arrays, values = unpack(path)
    path.write_bytes(pack(arrays, values | {"sample": values["sample"] | change}))
    with pytest.raises(NnrunError, match="damaged"):
        load_model(prices.path)
