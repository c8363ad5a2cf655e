"""Evaluations on a part of large splits."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.training import state as examples
from nnrun.training.state import PreparedSplit, drawn_parts, most_rows
from nnrun.training.stopping import EarlyStopping


def split(rows, weight=None):
    """A split of this many rows, each with its number as its only feature."""
    x = np.arange(rows, dtype=np.float64)[:, None]
    return PreparedSplit(x, x, x, weight, weight)


def in_parts(trainer, **settings):
    """A trainer whose evaluations on the way take ten rows of each split."""
    made = trainer(**settings)
    rng = np.random.default_rng(3)
    made.parts = drawn_parts(made.splits, 10, rng, by_default=False)
    return made


@pytest.mark.parametrize(
    ("every", "batch_size", "splits", "rows"),
    [(157, 256, 2, 10_048), (10, 32, 1, 10_000), (1000, 100, 1, 50_000), (1000, 100, 3, 16_666)],
)
def test_the_rows_of_an_evaluation_follow_from_counts(every, batch_size, splits, rows):
    """Half as many in all splits as are trained on in between, and 10,000 of each at least."""
    assert rows == most_rows(every, batch_size, splits)


def test_parts_are_drawn_from_large_splits_alone(monkeypatch):
    """By default at most a quarter of a split; in its order, and the same for the same seed."""
    monkeypatch.setattr(examples, "FEWEST", 100)
    splits = {"train": split(1000), "validation": split(100), "test": split(101)}
    parts = drawn_parts(splits, 400, np.random.default_rng(1), by_default=True)
    assert {"train": 250} == {name: len(part) for name, part in parts.items()}
    rows = parts["train"].x[:, 0]
    assert (np.diff(rows) > 0).all()
    again = drawn_parts(splits, 400, np.random.default_rng(1), by_default=True)
    assert rows.tolist() == again["train"].x[:, 0].tolist()
    asked = drawn_parts(splits, 400, np.random.default_rng(1), by_default=False)
    assert {"train": 400} == {name: len(part) for name, part in asked.items()}


def test_weights_of_a_part_have_the_mean_of_all():
    """So that its loss is a weighted mean; a part without any weight is not taken."""
    weight = np.linspace(0, 2, 40)
    (part,) = drawn_parts(
        {"a": split(40, weight)}, 9, np.random.default_rng(1), by_default=False
    ).values()
    assert pytest.approx(1) == part.weight.mean()
    assert weight[part.x[:, 0].astype(int)].tolist() == part.sample_weight.tolist()
    nothing = np.where(np.arange(40) == 0, 40.0, 0.0)
    rng = np.random.default_rng(1)
    assert {} == drawn_parts({"a": split(40, nothing)}, 9, rng, by_default=False)


def test_the_last_evaluation_takes_all_rows(trainer):
    """And says so; weights are those of evaluations on all rows."""
    part, whole = in_parts(trainer), trainer()
    [*part.run()]
    [*whole.run()]
    assert [10, 10, 30] == [row["train_rows"] for row in part.history]
    assert [10, 10, 20] == [row["validation_rows"] for row in part.history]
    last = {k: v for k, v in part.history[-1].items() if not k.endswith("_rows")}
    assert whole.history[-1] == last
    assert whole.history[0]["train_loss"] != part.history[0]["train_loss"]
    assert whole.network.theta.tolist() == part.network.theta.tolist()


def test_early_stopping_compares_the_same_rows(trainer):
    """The part to the end; the last row of the history is of all rows."""
    stopping = EarlyStopping("validation_loss", False, 2, restore_best=False)
    made = in_parts(
        trainer, stopping=stopping, iterations=4000, evaluate_every=10, noise=2.0, batch_size=30
    )
    seen = []
    evaluate = made.evaluate_splits

    def watched(*, whole=True):
        row = evaluate(whole=whole)
        seen.append((whole, row["validation_loss"]))
        return row

    made.evaluate_splits = watched
    [*made.run()]
    assert made.stopped_early
    of_parts = [loss for whole, loss in seen if not whole]
    assert min(of_parts) == stopping.best
    assert (True, made.history[-1]["validation_loss"]) == seen[-1]
    assert 20 == made.history[-1]["validation_rows"]
    assert len(of_parts) == len(made.history)
