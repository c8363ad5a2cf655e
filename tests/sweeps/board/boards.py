"""Boards and tables of results for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import Identity
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.board.means import Table
from nnrun.sweeps.board.variance import Design
from nnrun.sweeps.planning.estimate import Estimate
from nnrun.sweeps.planning.plan import Plan, Variant

# Sweeps that have ended, made up of variants and scores, without any training.

VARIANT = Variant(
    number=0,
    name="a",
    file="a.yaml",
    choice={},
    config="{}",
    identities={None: Identity("")},
    dataset="digits",
    sha256="1",
    splits=("train", "test"),
    division="0.2",
    data="1",
    target=None,
    metric="accuracy",
    larger_is_better=True,
    seeds=range(3),
    published={},
    estimate=Estimate(1, 1, 1.0, 1),
)


def score(
    seed, test, train=0.9, validation=None, status="completed", published=(), warning="",
    parameters=1, about_data="",
):  # fmt: skip
    return RunSummary(
        "", "", status, seed=seed, train=train, validation=validation, test=test, seconds=2.0,
        dataset="iris", sha256="1", parameters=parameters, baseline=(0.1, 0.1, 0.2),
        ours=published, warning=warning, about_data=about_data,
    )  # fmt: skip


def progress(*members):
    """A sweep of these (variant, scores)."""
    variants = [replace(variant, number=number) for number, (variant, _) in enumerate(members)]
    return SweepProgress(
        Plan(variants), {number: scores for number, (_, scores) in enumerate(members)}
    )


def named(name, **changes):
    return replace(VARIANT, name=name, **changes)


# Tables of numbers to be compared, and designs.


def plain(number):
    """The design of replicates that share nothing."""
    return Design.of([(each, each) for each in range(number)])


def table_of(values, overlap=0.0, resolution=0.0, design=None):
    """Rows of the same splits, all of them sound; replicates share nothing by default."""
    rows, columns = values.shape
    return Table(
        values,
        design or plain(columns),
        np.zeros(rows, dtype=np.intp),
        np.full(rows, overlap),
        np.full(rows, resolution),
        np.ones(rows, dtype=bool),
    )
