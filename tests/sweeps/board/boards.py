"""Sweeps that have ended, made up of variants and scores, without any training."""

from __future__ import annotations

from dataclasses import replace

from nnrun.runs.catalog.board_part import BoardPart
from nnrun.runs.identity import Identity
from nnrun.sweeps.planning.estimate import Estimate
from nnrun.sweeps.planning.plan import Plan, Variant
from nnrun.sweeps.progress import RunScore, SweepProgress

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
    part = BoardPart("iris", "1", (), parameters, (0.1, 0.1, 0.2), {}, published, warning, "")
    return RunScore(seed, status, (train, validation, test), 2.0, part)


def progress(*members):
    """A sweep of these (variant, scores)."""
    variants = [replace(variant, number=number) for number, (variant, _) in enumerate(members)]
    return SweepProgress(
        Plan(variants), {number: scores for number, (_, scores) in enumerate(members)}
    )


def named(name, **changes):
    return replace(VARIANT, name=name, **changes)
