"""What a new user reads of a table with rare cases, and of an ordinary one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest


def _write(name: str, columns: dict[str, np.ndarray]) -> None:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _yes(score: np.ndarray, share: float) -> np.ndarray:
    return np.where(score > np.quantile(score, 1 - share), "yes", "no")


@pytest.fixture
def fraud(folder):
    """8,000 payments of which 1.3% are fraud, which five columns tell with an AUC of about 0.8."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(8000, 5))
    score = 1.4 * x @ np.array([0.8, -0.5, 0.3, 0.15, 0.0]) + rng.logistic(size=8000)
    names = ("hour", "distance", "attempts", "age", "score")
    columns = {"amount": np.exp(3 + x[:, 0]).round(2)}
    columns |= {name: (10 + 3 * x[:, k]).round(3) for k, name in enumerate(names[1:], 1)}
    _write("fraud.csv", columns | {"is_fraud": _yes(score, 0.013)})


@pytest.fixture
def churn(folder):
    """3,000 customers of which 27% leave, with categories."""
    rng = np.random.default_rng(2)
    plan = rng.choice(["basic", "plus", "family"], 3000, p=[0.5, 0.3, 0.2])
    payment = rng.choice(["card", "transfer", "cash"], 3000)
    months, charge = rng.integers(1, 72, 3000), (20 + 80 * rng.random(3000)).round(2)
    score = (plan == "basic") - 0.03 * months + 0.015 * charge + 0.5 * (payment == "cash")
    _write("churn.csv", {"plan": plan, "payment": payment, "months": months, "charge": charge,
                         "churn": _yes(score + rng.logistic(size=3000), 0.27)})  # fmt: skip


def _joined(text: str) -> str:
    return " ".join(text.split())


def test_fraud_gets_true_advice_wherever_it_is_read(lab, fraud):
    """The AUC, weights and a threshold in terminal, report and page; nothing against the data."""
    lab.ok("init", "--data", "fraud.csv")
    trained, shown = lab("train", "fraud.yaml"), lab("show", "fraud")
    lab.ok("report", "fraud")
    found = lab.report()
    assert ["unequal_classes"] == [warning["kind"] for warning in found["warnings"]]
    (written,) = Path("results").glob("fraud/*/report.md")
    auc = f"ROC AUC {found['metrics']['test']['roc_auc']:.2f} on test data"
    for text in (
        trained.said,
        shown.said,
        written.read_text(),
        Path("report.html").read_text(),
    ):
        words = _joined(text)
        assert auc in words
        assert "training.class_weight=balanced, or a threshold by decide.maximize=f1" in words
        assert "say little about the target" not in words


def test_the_threshold_that_fraud_is_advised_finds_some(lab, fraud):
    """Of the rows that the usual one misses, and the advice is not given again."""
    lab("init", "--data", "fraud.csv")
    lab.ok("train", "fraud.yaml", "decide.maximize=f1")
    found = lab.report()
    assert [] == found["warnings"]
    counts = found["decision"]["splits"]["test"]
    assert (0, True) == (counts["default"]["tp"], counts["fitted"]["tp"] > 0)


def test_churn_gets_the_numbers_that_tell_customers_apart(lab, churn):
    """Where accuracy is little better than naming the majority: the AUC, and a threshold."""
    lab("init", "--data", "churn.csv")
    trained = lab("train", "churn.yaml")
    assert ["weak_signal"] == [warning["kind"] for warning in lab.report()["warnings"]]
    words = _joined(trained.said)
    assert "but the network tells classes apart (ROC AUC 0.7" in words
    assert "or try a threshold by decide.maximize=balanced_accuracy." in words
