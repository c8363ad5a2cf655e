"""One row for each config and grid point, compared with the best of those on the same data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from math import inf

from nnrun.config.names import CHOOSING, SPLITS
from nnrun.metrics.table import bounds_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import Replicate, among_equals
from nnrun.sweeps.active_runs import Member, SweepProgress
from nnrun.sweeps.board.means import mean_of, outlined, summarize
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.board.verdicts import (
    Verdict,
    beside_networks,
    completed_runs,
    design_of,
    shares_of,
    values_of,
    verdicts,
)
from nnrun.sweeps.planning.plan import Comparable, Variant
from nnrun.sweeps.planning.variants import mean_rows, overlap_of


def make_leaderboard(progress: SweepProgress, command: str) -> Leaderboard:
    """The leaderboard of all runs of a sweep, also of those that were complete before it."""
    members, variants = [], []
    for variant, scores in progress.by_variant():
        members.append((trained(variant, scores), scores))
        variants.append(variant)
    return Leaderboard(command, groups_of(members), key_of(variants))


def key_of(variants: Iterable[Variant]) -> str:
    """Key of a sweep: its experiment, and a digest of its settings and seeds in any order."""
    known = [(variant.name, variant.digest) for variant in variants]
    names = {name for name, _ in known}
    what = names.pop() if len(names) == 1 else f"{len(names)}-experiments"
    digest = sha256("".join(sorted(digest for _, digest in known)).encode())
    return f"{what}-{digest.hexdigest()[:8]}"


def trained(variant: Variant, scores: Iterable[RunSummary]) -> Variant:
    """The variant with the sizes of splits that its completed runs have."""
    rows = mean_rows(score.rows for score in scores if score.status == "completed")
    if not rows or rows == variant.rows:
        return variant
    overlap = overlap_of(rows, json.loads(variant.config)["dataset"])
    return replace(variant, rows=rows, overlap=overlap)


def groups_of(
    members: Sequence[Member], by: str | None = None, most: int | None = None
) -> list[Group]:
    """Configs by what can be compared, each with the scores of its runs.

    Groups that have the split `by` are ordered by it, others by `ordering_split`. The first
    `most` rows of a group have all numbers, by default all; of the others there are no intervals,
    and no mean on other splits.
    """
    by_kind: dict[tuple[object, ...], list[Member]] = {}
    for member in members:
        by_kind.setdefault(kind_of(member[0]), []).append(member)
    usual = usual_arithmetic(score for _, scores in members for score in scores)
    return [_group(found, usual, by, most) for found in by_kind.values()]


def kind_of(variant: Comparable) -> tuple[object, ...]:
    """Data, target, metric and how rows are split: where all are the same, numbers compare."""
    return (
        *(variant.sha256, variant.target, variant.metric),
        *(variant.splits, variant.folds, variant.split_by),
    )


def ordering_split(splits: Collection[str]) -> str:
    """The split that rows are ordered by: of those there are, the one that is best to choose by."""
    return next(split for split in CHOOSING if split in splits)


def usual_arithmetic(scores: Iterable[RunSummary]) -> set[str]:
    """Arithmetic of most runs of each engine; the last by name where equally many have it."""
    counted = Counter(filter(None, (score.arithmetic for score in scores)))
    ordered = sorted(counted, key=lambda arithmetic: (counted[arithmetic], arithmetic))
    return set({found.partition(",")[0]: found for found in ordered}.values())


def _group(members: Sequence[Member], usual: set[str], by: str | None, most: int | None) -> Group:
    first = members[0][0]
    completed = {member[0].number: completed_runs(member) for member in members}
    split = by if by in first.splits else ordering_split(first.splits)
    column, sign = SPLITS.index(split), -1 if first.larger_is_better else 1

    def value(score: RunSummary) -> float:
        number = score.by_split[column]
        return inf if number is None else sign * number

    def cost(member: Member) -> tuple[bool, float, int, tuple[int, str]]:
        runs = completed[member[0].number]
        values = [v for score in runs.values() if (v := score.by_split[column]) is not None]
        mean = sign * mean_of(values) if values else inf
        # Equal means have one order, whether the runs come from a plan or from a results folder.
        equals = (among_equals(score.seed or 0, score.run_id) for score in runs.values())
        return not runs, mean, parameters_of(member), min(equals, default=(0, ""))

    rows = []
    ranked = sorted(members, key=cost)
    runs_of = [completed[member[0].number] for member in ranked]
    found, shown = verdicts(ranked, runs_of, split, column, -sign)
    together = zip(ranked, runs_of, found, strict=True)
    for rank, ((variant, scores), runs, verdict) in enumerate(together, start=1):
        brief = most is not None and rank > most
        best = min(runs.values(), key=value, default=None)
        place = None if best is None else (rank, best)
        rows.append(_row(variant, scores, runs, verdict, usual, split, place, brief=brief))
    return Group(
        first.dataset, first.target, first.metric, first.larger_is_better, split, rows, shown,
        folds=first.folds, split_by=first.split_by,
        beside=beside_networks(ranked, split, column, -sign), data_note=first.data_note,
    )  # fmt: skip


def parameters_of(member: Member) -> int:
    """Parameters of its largest network: with categories, a split decides how large one is."""
    variant, scores = member
    return max([score.parameters for score in scores], default=variant.parameters)


def _row(
    variant: Comparable,
    scores: list[RunSummary],
    runs: Mapping[Replicate, RunSummary],
    verdict: Verdict,
    usual: set[str],
    ordered_by: str,
    place: tuple[int, RunSummary] | None,
    *,
    brief: bool,
) -> Row:
    rank, best = place or (None, None)
    completed, column = list(runs.values()), SPLITS.index(ordered_by)
    statuses = [score.status for score in scores]
    shown = (ordered_by,) if brief else SPLITS
    known = {split: values_of(runs, SPLITS.index(split)) for split in shown}
    summaries = dict.fromkeys(SPLITS) | {
        split: outlined([*values.values()])
        if brief
        else summarize(
            [*values.values()],
            variant.overlap.get(split, 0.0),
            bounds_of(variant.metric),
            design_of(values),
        )
        for split, values in known.items()
    }
    summary = summaries[ordered_by]
    return Row(
        rank=rank,
        name=variant.name,
        choice=variant.choice,
        runs=variant.planned,
        completed=len(completed),
        diverged=statuses.count("diverged"),
        failed=variant.planned - len(scores),
        stopped=statuses.count("stopped"),
        train=summaries["train"],
        validation=summaries["validation"],
        test=summaries["test"],
        mean=None if summary is None else summary.mean,
        sd=None if summary is None else summary.sd,
        ci_low=None if summary is None else summary.ci_low,
        ci_high=None if summary is None else summary.ci_high,
        baseline=_mean([score.baseline[column] for score in completed]),
        naive={
            steps: mean
            for steps in (completed[0].naive if completed else ())
            if (mean := _mean([score.naive[steps][column] for score in completed])) is not None
        },
        best_seed=None if best is None else best.seed,
        best_run=None if best is None else f"{variant.name}/{best.run_id}",
        best_fold=None if best is None else best.fold,
        seconds=_mean([score.seconds for score in completed]),
        parameters=parameters_of((variant, scores)),
        comparison=verdict.comparison,
        note=verdict.note,
        difference=verdict.difference,
        difference_low=verdict.low,
        difference_high=verdict.high,
        p=verdict.p,
        tied=verdict.tied,
        published=variant.published,
        warned=sum(score.warning != "" for score in completed),
        warnings=_counts(score.warning for score in completed),
        about_data="\n".join(dict.fromkeys(score.about_data for score in completed)).strip(),
        elsewhere=_counts(a for s in completed if (a := s.arithmetic) not in usual),
        shares=shares_of(known[ordered_by]),
        weights=len({(run.seed, run.fold) for run in runs}),
        splits=len({(run.split_seed, run.fold) for run in runs}),
    )


def _counts(words: Iterable[str]) -> dict[str, int]:
    """How often each word is there; the empty one is none."""
    there = [word for word in words if word]
    return dict(Counter(there)) if there else {}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean_of(known) if known else None
