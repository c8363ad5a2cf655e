"""What left-out columns tell of the errors of a run."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnrun.config.scaffold.relations import share_explained
from nnrun.data.readers.profile import survey

ROWS = 600


def keys(seed: int) -> pd.DataFrame:
    """A target that `flight` tells beside x, and keys that tell nothing."""
    rng = random.Random(seed)
    names = rng.sample(range(1000, 9999), 110)
    effects = {name: rng.gauss(0, 1) for name in names}
    rows = [(rng.choice(names), rng.choice(names), rng.random()) for _ in range(ROWS)]
    late = [round(3 * x + effects[key] + rng.gauss(0, 0.5), 3) for key, _, x in rows]
    frame = pd.DataFrame(rows, columns=["flight", "gate_id", "x"])
    return frame.assign(row=range(ROWS), late=late)


@pytest.fixture
def trained(lab):
    """The run of a draft that leaves out three columns."""
    keys(1).to_csv("t.csv", index=False)
    lab.ok("init", "--data", "t.csv", "--target", "late", "-q")
    lab.ok("train", "t.yaml", "training.epochs=20", "-q")


def test_a_column_that_tells_the_residuals_is_in_one_table(lab, trained):
    """By `show`, as JSON and on the run's page, with what it seems to be; others are not."""
    [found] = lab.json("show", "t")["left_out"]
    assert ("flight", "whole numbers that are keys, by their name") == (
        found["column"], found["why"],
    )  # fmt: skip
    assert 0.3 < found["low"] < found["share"] < 0.9
    assert f"{found['share']:.1%}" in lab.ok("show", "t").out
    lab.ok("report", "--output", "page.html")
    page = Path("page.html").read_text()
    assert "Columns that are left out" in page
    assert "gate_id" not in page[page.index("Columns that are left out") :].split("</table>")[0]


def test_nothing_is_said_without_the_data(lab, trained):
    """A run is shown all the same."""
    Path("t.csv").unlink()
    assert [] == lab.json("show", "t")["left_out"]


def test_a_share_counts_in_rows_that_its_means_are_not_of(folder):
    """Columns of chance are beyond their bound in one case of twenty at most."""
    beyond = 0
    for seed in range(40):
        frame = keys(seed)
        frame.to_csv("t.csv", index=False)
        column = survey(Path("t.csv")).columns[1]
        errors = np.random.default_rng(seed).normal(size=(ROWS, 1))
        share, error = share_explained(column, [*map(str, frame["gate_id"])], ".", errors)
        inside = pd.Series(errors[:, 0]).groupby(frame["gate_id"]).transform("mean")
        assert share < 0.05 < inside.var() / errors.var()
        beyond += share > 1.645 * error
    assert beyond <= 2
