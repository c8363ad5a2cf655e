"""Sweeps that have ended, made up of variants and scores, without any training."""

from __future__ import annotations

from dataclasses import replace

from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import Identity
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.planning.estimate import Estimate
from nnrun.sweeps.planning.plan import Plan, Variant

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
    parameters=1,
):  # fmt: skip
    return RunSummary(
        "", "", status, seed=seed, train=train, validation=validation, test=test, seconds=2.0,
        dataset="iris", sha256="1", parameters=parameters, baseline=(0.1, 0.1, 0.2),
        ours=published, warning=warning,
    )  # fmt: skip


def progress(*members):
    """A sweep of these (variant, scores)."""
    variants = [replace(variant, number=number) for number, (variant, _) in enumerate(members)]
    return SweepProgress(
        Plan(variants), {number: scores for number, (_, scores) in enumerate(members)}
    )


def named(name, **changes):
    return replace(VARIANT, name=name, **changes)
