"""A first column without a name, where pandas and R write the numbers or names of rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

CONFIG = """
dataset: {path: t.csv, columns: {target: y}, task: regression}
network: {sizes: [2, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 2}
"""


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=60).round(3), "y": rng.normal(size=60).round(3)})


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_init_leaves_out_the_numbers_of_rows(lab, frame, ending):
    """Of all rows or of some, from 0 or not, in CSV and in Excel."""
    some = frame.drop(index=[0, 7, 20])
    some.to_csv("t.csv") if ending == "csv" else some.to_excel("t.xlsx")
    done = lab("init", "--data", f"t.{ending}")
    assert "it leaves out Unnamed: 0 (numbers without a name, as those of rows)" in done.err
    columns = yaml.safe_load(Path("t.yaml").read_text())["dataset"]["columns"]
    assert {"target": "y", "drop": ["Unnamed: 0"]} == columns
    lab.ok("train", "t.yaml")
    assert 1 == lab.report()["dataset"]["n_features"]


def test_dates_without_a_name_are_features_under_the_name_pandas_gives(lab, frame):
    """In training, in predictions, and in the exported script."""
    frame.index = pd.date_range("2020-01-01", periods=60, freq="MS")
    frame.to_csv("t.csv")
    lab("init", "--data", "t.csv", "--target", "y")
    assert ["Unnamed: 0"] == [*yaml.safe_load(Path("t.yaml").read_text())["dataset"]["dates"]]
    lab.ok("train", "t.yaml")
    ours = lab("predict", "t", "t.csv").out
    lab("export", "t", "-o", "p.py")
    script = [sys.executable, "p.py", "t.csv"]
    assert ours == subprocess.run(script, capture_output=True, text=True, check=True).stdout


def test_a_column_without_a_name_is_a_feature_only_if_the_config_names_it(lab, frame):
    """A config that takes all columns does not mean the numbers of rows."""
    frame.to_csv("t.csv")
    Path("t.yaml").write_text(CONFIG)
    lab.ok("train", "t.yaml")
    assert 1 == lab.report()["dataset"]["n_features"]
    named = 'dataset.columns.features=["Unnamed: 0", a]'
    lab.ok("train", "t.yaml", named, "name=named")
    assert 2 == lab.report("results/named/*/report.json")["dataset"]["n_features"]


def test_a_file_saved_twice_has_two_columns_of_row_numbers(lab, frame):
    """Both have the names that pandas gives them, and none is refused for it."""
    frame.to_csv("t.csv")
    pd.read_csv("t.csv").to_csv("t.csv")
    assert ["Unnamed: 0.1", "Unnamed: 0", "a", "y"] == [*pd.read_csv("t.csv").columns]
    lab("init", "--data", "t.csv")
    columns = yaml.safe_load(Path("t.yaml").read_text())["dataset"]["columns"]
    assert ["Unnamed: 0.1", "Unnamed: 0"] == columns["drop"]
