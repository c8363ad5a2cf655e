"""Labels among which are whole numbers and fractions: one spelling wherever they are text."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nnrun.models.load import load_model as load
from nnrun.ui.form import _answer
from tests.lab import write

CONFIG = """
name: sizes
dataset: {path: sizes.csv, columns: {target: size}, task: classification, folds: 3}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.5, iterations: 200, engine: numpy}
"""
LABELS = ("1", "10.0", "2.50")
SPELLED = {"1", "10", "2.5"}
NAMES = ["p_1", "p_2.5", "p_10"]


@pytest.fixture
def rows(lab):
    """A run of all folds, and rows of each class to predict."""
    table = [(n % 3, LABELS[n % 3]) for n in range(30)]
    write("sizes.csv", "a,size\n" + "".join(f"{a},{label}\n" for a, label in table))
    write("sizes.yaml", CONFIG)
    lab.ok("sweep", "sizes.yaml", "-q")
    return write("new.csv", "a\n0\n1\n2\n-1e9\n")


@pytest.mark.parametrize("words", [["new.csv"], ["--out-of-fold"]])
def test_tables_spell_labels_as_their_columns(rows, lab, words):
    """Text as in the header, and the same numbers in JSON."""
    shown = lab("predict", "sizes", *words).out
    table = [*csv.DictReader(io.StringIO(shown))]
    assert NAMES == [name for name in table[0] if name.startswith("p_")]
    assert SPELLED == {row["prediction"] for row in table}
    assert SPELLED == {row.get("target", row["prediction"]) for row in table}
    lab("predict", "sizes", *words, "-o", "out.json")
    with open("out.json") as file:
        values = json.load(file)
    assert SPELLED == {str(row["prediction"]) for row in values}


def test_scripts_spell_labels_so(rows, lab):
    """Their CSV is that of `nnrun predict`, with a probability of 1.0 as it is."""
    lab("export", "sizes", "-o", "sizes.py")
    ran = [sys.executable, "sizes.py", rows]
    text = subprocess.run(ran, capture_output=True, text=True, check=True).stdout
    assert lab("predict", "sizes", rows).out == text
    table = [*csv.DictReader(io.StringIO(text))]
    assert SPELLED == {row["prediction"] for row in table}
    assert "1.0" in {row[name] for row in table for name in NAMES}


def test_the_live_page_spells_labels_so(rows):
    """The class that it answers with is one of those that have a probability."""
    model = load(next(Path("results/sizes").iterdir()))
    answers = [_answer(model, model.outputs([[a]]), [], []) for a in (0, 1, 2)]
    assert SPELLED == {answer.prediction for answer in answers}
    assert SPELLED == {name for name, _ in answers[0].classes}
