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
    assert ["", "size > 20", "size < 1; colour new", "colour new", "size > 20"] == found


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
