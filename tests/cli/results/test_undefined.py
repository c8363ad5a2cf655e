"""A run whose predictions are too large for its metrics says so wherever it is shown."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from tests.lab import write

CONFIG = """
name: large
dataset:
  path: rows.csv
  columns: {target: y, features: [a, b], formats: {t: "%Y-%m-%d"}}
  split: {by: time, column: t}
  test_size: 10
network: {sizes: [3, 1], activations: [linear, linear]}
loss: mean_squared
training: {learning_rate: 0.05, iterations: 20, batch_size: 10, engine: numpy}
metrics: [median_ae, mape, explained_variance, spearman]
"""
UNDEFINED = {"loss", "mse", "r2", "explained_variance"}


@pytest.fixture
def large(lab):
    """The folder of the run; its last row is 1e200 times as large as the others."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2))
    y = np.tanh(x[:, 0])
    x[-1] *= 1e200
    lines = [
        f"2020-{1 + row // 28:02}-{1 + row % 28:02},{a!r},{b!r},{value!r}"
        for row, ((a, b), value) in enumerate(zip(x.tolist(), y.tolist(), strict=True))
    ]
    write("rows.csv", "\n".join(["t,a,b,y", *lines, ""]))
    lab("train", write("large.yaml", CONFIG))
    (folder,) = Path("results/large").glob("s*")
    return folder


def test_every_null_has_its_reason_wherever_a_run_is_shown(large, lab):
    """In its report in three forms, on the terminal, and as a warning of the run."""
    report = json.loads((large / "report.json").read_text())
    reasons = report["metrics"]["test"]["undefined"]
    nulls = {name for name, value in report["metrics"]["test"].items() if value is None}
    assert nulls == reasons.keys() == UNDEFINED
    for numbers in (*report["metrics"].values(), *report["baseline"].values()):
        names = {name for name, value in (numbers or {}).items() if value is None}
        assert names == (numbers or {}).get("undefined", {}).keys()
    kinds = [warning["kind"] for warning in report["warnings"]]
    assert ["undefined", "undefined"] == kinds
    assert "completed" == report["status"]

    done = lab.ok("report", "large", "-o", "page.html")
    shown = {
        "Markdown": (large / "report.md").read_text(),
        "HTML": unescape(Path("page.html").read_text()),
        "terminal": " ".join(lab("show", "large").out.split()),
    }
    for form, text in shown.items():
        for reason in {*reasons.values()}:
            assert reason in " ".join(text.split()), form
        assert text.count("undefined") > len(UNDEFINED), form
    assert "No result: the test mse is undefined" in shown["terminal"]

    done = lab("show", "large", "--importance")
    assert f"mse of its predictions is undefined: {reasons['mse']}" in done.err
