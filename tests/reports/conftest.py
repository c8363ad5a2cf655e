"""Records of runs that never happened, with numbers that are easy to recognise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnrun.runs.record import RunRecord, RunResult

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
