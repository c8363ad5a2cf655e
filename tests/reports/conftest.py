"""Records of runs that never happened, and a results folder with a run of every kind."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.report import Limits, Report, render
from nnrun.runs.record import RunRecord, RunResult
from nnrun.sweeps.planning.variants import Datasets
from tests.forging import revise
from tests.lab import invoke

# Records of runs that never happened, with numbers that are easy to recognise.

REGRESSION = RunRecord(
    name="houses",
    run_id="s7-0123456789",
    status="completed",
    error=None,
    task="regression",
    config={
        "name": "houses",
        "loss": {"type": "mean_squared"},
        "training": {"learning_rate": 0.01, "early_stopping": None},
        "published": {"source": "a | book", "test_mse": 20.0},
    },
    seed=7,
    dataset={
        "name": "boston",
        "sha256": "ab" * 32,
        "n_train": 404,
        "n_validation": 0,
        "n_test": 102,
        "n_features": 13,
        "classes": None,
        "description": "house prices",
        "note": "It is flawed. Use another one.",
        "left_out": 0,
        "dropped": 0,
        "duplicates": {},
        "unseen": [],
    },
    network={
        "input_shape": [13],
        "layers": [
            {"type": "dense", "activation": "tanh", "output_shape": [4], "parameters": 56},
            {"type": "dense", "activation": "linear", "output_shape": [1], "parameters": 5},
        ],
        "parameters": 61,
    },
    metrics={
        "train": {"loss": 12.5, "mse": 12.5, "rmse": 3.5355, "mae": 2.25, "r2": 0.85},
        "validation": None,
        "test": {"loss": 25.0, "mse": 25.0, "rmse": 5.0, "mae": 3.125, "r2": 0.7},
    },
    baseline={
        "train": {"loss": 84.0, "mse": 84.0, "rmse": 9.165, "mae": 6.6, "r2": 0.0},
        "validation": None,
        "test": {"loss": 81.0, "mse": 81.0, "rmse": 9.0, "mae": 6.5, "r2": -0.01},
    },
    published=[{"metric": "test_mse", "published": 20.0, "ours": 25.0, "difference": 5.0}],
    timing={
        "train_seconds": 0.5,
        "evaluation_seconds": 0.1,
        "iterations": 10_000,
        "iterations_per_second": 20_000.0,
    },
    engine="numpy",
    environment={"python": "3.11.7", "packages": {"numpy": "2.0"}},
    weights_sha256="cd" * 32,
    started="2026-01-02T03:04:05+00:00",
    main_metric="mse",
    description="what houses cost",
    nnrun_version="0.1.0",
)

_CLASSES = {
    "loss": 0.25,
    "accuracy": 0.9,
    "log_loss": 0.25,
    "confusion": [[5, 0], [1, 4]],
    "precision": [0.8333, 1.0],
    "recall": [1.0, 0.8],
    "f1": [0.9091, 0.8889],
    "support": [5, 5],
}
CLASSIFICATION = replace(
    REGRESSION,
    name="flowers",
    task="classification",
    config={"loss": {"type": "cross_entropy"}, "training": {"early_stopping": None}},
    dataset={**REGRESSION.dataset, "n_validation": 10, "classes": ["a|b", "<c>"], "note": ""},
    metrics=dict.fromkeys(("train", "validation", "test"), _CLASSES),
    baseline=dict.fromkeys(("train", "validation", "test"), _CLASSES | {"accuracy": 0.5}),
    published=[],
    main_metric="accuracy",
    description="",
)


@pytest.fixture
def regression():
    return REGRESSION


@pytest.fixture
def classification():
    return CLASSIFICATION


@pytest.fixture
def result():
    """A result of a record, with a history of this many evaluations."""

    def make(record: RunRecord, evaluations: int = 20) -> RunResult:
        history = [
            {
                "iteration": 500 * k,
                "epoch": 1.5 * k,
                "learning_rate": 0.01,
                "train_loss": 100.0 / k,
                f"train_{record.main_metric}": 100.0 / k,
                "test_loss": 110.0 / k,
                f"test_{record.main_metric}": 110.0 / k,
            }
            for k in range(1, evaluations + 1)
        ]
        return RunResult(record, history, None)

    return make


# A results folder with a run of every kind, and the report over it.

CONFIGS = {
    "flowers": """
dataset: {name: iris, features: standard}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 60, batch_size: 8, engine: numpy, evaluate_every: 20}
sweep:
  seeds: 2
  grid: {training.learning_rate: [0.1, 0.01], network.layers.0.units: [2, 4]}
""",
    "pictures": """
dataset: {name: digits, features: [{binarize: 8}], test_size: 0.1}
network:
  layers:
    - {type: conv2d, channels: 2, kernel: 3, activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  {learning_rate: 0.05, iterations: 40, batch_size: 41, engine: numpy, evaluate_every: 20,
   watch: true}
published: {source: "a <b>book</b>", test_accuracy: 0.9}
""",
    "houses": """
dataset: {name: boston, features: standard, target: standard}
network: {sizes: [5, 1], activations: [relu, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 60, batch_size: 8, engine: numpy, evaluate_every: 20}
""",
    "wild": """
dataset: {name: boston, features: none}
network: {sizes: [5, 1], activations: [relu, linear]}
loss: mean_squared
training: {learning_rate: 100.0, iterations: 500, engine: numpy, watch: true}
""",
    "moons": """
dataset: {path: moons.csv, columns: {target: side}, task: classification}
network:
  layers:
    - {type: dense, units: 6, activation: tanh}
    - {type: residual, layers: [{type: dense, units: 6, activation: relu}]}
    - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 60, batch_size: 8, engine: numpy, watch: true}
""",
}


def write_moons(path: Path) -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 80)
    side = np.arange(80) % 2
    x = np.where(side, 1 - np.cos(angle), np.cos(angle)) + rng.normal(0, 0.1, 80)
    y = np.where(side, 0.5 - np.sin(angle), np.sin(angle)) + rng.normal(0, 0.1, 80)
    lines = [f"{a:.4f},{b:.4f},{'ab'[s]}" for a, b, s in zip(x, y, side, strict=True)]
    path.write_text("\n".join(["left,up,side", *lines]) + "\n")


def with_report(source: Path, target: Path, **changes: object) -> Path:
    """A copy of a run's folder whose report says something else."""
    shutil.copytree(source, target)
    revise(target / "report.json", name=target.parent.name, run_id=target.name, **changes)
    return target


TRACEBACK = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
ValueError: <b>"\x1b[31m"
"""


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """A grid, pictures, a regression, two features, and runs that came to grief in every way."""
    return train_everything(tmp_path_factory.mktemp("runs"))


def train_everything(folder: Path) -> Path:
    """A results folder with all of that."""
    write_moons(folder / "moons.csv")
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    root = folder / "results"
    outcome = invoke("sweep", str(folder), "--results", str(root), "-j", "1", "-q")
    assert 1 == outcome.code, outcome.said  # for what diverges
    houses = next((root / "houses").iterdir())
    broken = root / "broken"
    failed = with_report(
        houses, broken / "s1-00000000aa", status="failed", error="the disk is full"
    )
    (failed / "traceback.txt").write_text(TRACEBACK)
    with_report(houses, broken / "s2-00000000bb", status="interrupted", error="stopped")
    (with_report(houses, broken / "s3-00000000cc") / "report.json").write_text('{"schema')
    with_report(houses, broken / "s4-00000000dd", metrics={"train": 3}, config={"dataset": []})
    unfinished = broken / "s5-00000000ee"
    unfinished.mkdir()
    (unfinished / "checkpoint.safetensors").write_bytes(b"half")
    return root


@pytest.fixture(scope="session")
def make_report():
    """The report over the runs of a results folder, or over those that the words name."""

    def make(root: Path, *words: str, **limits: int) -> Report:
        return Report(find_runs(words, root), Datasets().load, Limits(**limits))

    return make


@pytest.fixture(scope="session")
def page(results, make_report) -> str:
    """Its HTML."""
    return render(make_report(results, in_full=40))
