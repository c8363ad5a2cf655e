"""One row for each config and grid point, compared with the best of those on the same data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from math import inf
from typing import Any

from nnrun.config.names import CHOOSING, SPLITS
from nnrun.sweeps.board.comparable import Comparable, Member
from nnrun.sweeps.board.design import Shown
from nnrun.sweeps.board.statistics import CONFIDENCE, Summary, mean_of, summarize
from nnrun.sweeps.board.verdicts import Verdict, known_values, verdicts
from nnrun.sweeps.progress import RunScore, SweepProgress


@dataclass(frozen=True)
class Row:
    """A config with one choice of its grid.

    Args:
        rank: by the mean of the group's metric, 1 for the best; None where no run has completed.
            Runs that diverged or failed take no part; `note` counts them.
        name: of the experiment.
        choice: from its grid.
        runs: that were planned.
        completed: all numbers below are about these.
        diverged: runs that left the range of numbers.
        failed: runs that could not be trained.
        train: the main metric on the training split, over the seeds.
        validation: likewise.
        test: likewise.
        mean: of the metric on the split that the order is by.
        sd: its standard deviation over the seeds.
        ci_low: lower end of the 95% interval of the mean.
        ci_high: its upper end.
        baseline: the mean of what a model that ignores the features reaches, on the split that the
            order is by.
        best_seed: of the best run, by that split.
        best_run: its folder within the results, which is also what commands call it.
        seconds: of training, the mean.
        parameters: of the network.
        comparison: how it was compared with the best of the others: `paired` over common seeds
            and splits, `unpaired` where splits or seeds differ, or `not compared`.
        note: why it was not compared, and which of its runs have no result.
        difference: of the means, this row less the best of the others.
        difference_low: lower end of its 95% interval, which holds for all rows of the group at
            once; None where that is not finite. One end is 0 where the sign is certain.
        difference_high: its upper end.
        p: the smallest level at which the row could be dropped.
        tied: whether the row may be the best of its group. At least 95% of groups keep the row
            that is truly best among these; the others can be dropped.
        as_good: whether the row is worse than the best of the others by less than the margin, at
            95%; None where no margin was given.
        published: numbers from elsewhere.
        warned: completed runs whose reports have warnings.
        elsewhere: completed runs by the arithmetic they were trained with, where it is not that of
            most runs of their engine: another kernel of the BLAS, other vectors. Trained again
            beside the others they may have other last digits.
    """

    rank: int | None
    name: str
    choice: dict[str, Any]
    runs: int
    completed: int
    diverged: int
    failed: int
    train: Summary | None
    validation: Summary | None
    test: Summary | None
    mean: float | None
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    baseline: float | None
    best_seed: int | None
    best_run: str | None
    seconds: float | None
    parameters: int
    comparison: str
    note: str | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p: float | None
    tied: bool
    published: dict[str, float]
    as_good: bool | None = None
    warned: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)

    def summary(self, split: str) -> Summary | None:
        """The main metric on this split."""
        found: Summary | None = getattr(self, split)
        return found

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Row:
        """As it was written."""
        summaries = {
            split: None if content[split] is None else Summary(**content[split]) for split in SPLITS
        }
        return cls(**{**content, **summaries})


@dataclass(frozen=True)
class Group:
    """Rows that can be compared: one data set, one metric, the same kinds of splits.

    Args:
        dataset: its name.
        target: the column that is predicted, where a config says so.
        metric: the main metric, `accuracy` or `mse`.
        larger_is_better: its direction.
        ordered_by: the split that rank, best seed and ties are by: `validation` where there is
            one, so that nothing is chosen by the test split; else `test`, else `train`.
        rows: the best first.
        shown: the smallest differences that the seeds of this group could show; None where that
            is not known.
        margin: a difference that does not matter, in the units of the metric; None without any.
        cheapest: the rank of the row with the fewest parameters, then the least time, of those
            that are as good as the best.
    """

    dataset: str
    target: str | None
    metric: str
    larger_is_better: bool
    ordered_by: str
    rows: list[Row]
    shown: Shown | None = None
    margin: float | None = None
    cheapest: int | None = None


@dataclass(frozen=True)
class Leaderboard:
    """What came of a sweep.

    Args:
        command: that made it.
        groups: in the order of the plan.
    """

    command: str
    groups: list[Group]

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {"schema_version": 3, "confidence": CONFIDENCE, **asdict(self)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Leaderboard:
        """As it was written.

        Raises:
            KeyError, TypeError: it was not written by this version of nnrun.
        """
        groups = [
            Group(
                **{
                    **group,
                    "rows": [Row.from_dict(row) for row in group["rows"]],
                    "shown": None if group["shown"] is None else Shown(**group["shown"]),
                }
            )
            for group in content["groups"]
        ]
        return cls(content["command"], groups)


def make_leaderboard(progress: SweepProgress, command: str) -> Leaderboard:
    """The leaderboard of all runs of a sweep, also of those that were complete before it."""
    members = list(zip(progress.plan.variants, progress.by_variant(), strict=True))
    return Leaderboard(command, groups_of(members))


def groups_of(members: Sequence[Member], by: str | None = None) -> list[Group]:
    """Configs by what can be compared, each with the scores of its runs.

    Args:
        members: the configs with the scores.
        by: the split to order by, in groups that have it; by default `ordering_split` says it.
    """
    kinds = dict.fromkeys(kind_of(variant) for variant, _ in members)
    ordered = sorted(members, key=lambda member: list(kinds).index(kind_of(member[0])))
    by_kind = groupby(ordered, key=lambda member: kind_of(member[0]))
    usual = usual_arithmetic(score for _, scores in members for score in scores)
    return [_group(list(found), usual, by) for _, found in by_kind]


def kind_of(variant: Comparable) -> tuple[str, str | None, str, tuple[str, ...]]:
    """Data, target, metric and splits: where these are the same, numbers can be compared."""
    return variant.sha256, variant.target, variant.metric, variant.splits


def ordering_split(splits: Collection[str]) -> str:
    """The split that rows are ordered by: of those there are, the one that is best to choose by."""
    return next(split for split in CHOOSING if split in splits)


def completed_by_seed(scores: Iterable[RunScore]) -> dict[int, RunScore]:
    """The runs that a row is about."""
    return {score.seed: score for score in scores if score.status == "completed"}


def usual_arithmetic(scores: Iterable[RunScore]) -> set[str]:
    """For each engine, the arithmetic of most of its runs; of equally many, the last by name."""
    counted = Counter(score.arithmetic for score in scores if score.arithmetic)
    ordered = sorted(counted, key=lambda arithmetic: (counted[arithmetic], arithmetic))
    return set({found.partition(",")[0]: found for found in ordered}.values())


def _group(members: Sequence[Member], usual: set[str], by: str | None) -> Group:
    first = members[0][0]
    completed = {variant.number: completed_by_seed(scores) for variant, scores in members}
    split = by if by in first.splits else ordering_split(first.splits)
    column, sign = SPLITS.index(split), -1 if first.larger_is_better else 1

    def value(score: RunScore) -> float:
        number = score.metrics[column]
        return inf if number is None else sign * number

    def cost(member: Member) -> tuple[bool, float, int, list[tuple[int, str]]]:
        values = known_values(member, column).values()
        mean = sign * mean_of([*values]) if values else inf
        runs = completed[member[0].number]
        # Equal means have one order, whether the runs come from a plan or from a results folder.
        identity = sorted((score.seed, score.run_id) for score in runs.values())[:1]
        return not runs, mean, member[0].parameters, identity

    rows = []
    ranked = sorted(members, key=cost)
    found, shown = verdicts(ranked, split, column, -sign)
    for rank, ((variant, scores), verdict) in enumerate(zip(ranked, found, strict=True), start=1):
        runs = completed[variant.number]
        row = _row(variant, scores, list(runs.values()), verdict, usual, split)
        if runs:
            best = min(runs.values(), key=value)
            row = replace(
                row, rank=rank, best_seed=best.seed, best_run=f"{variant.name}/{best.run_id}",
                baseline=_mean([s.baseline[column] for s in runs.values()]),
            )  # fmt: skip
        rows.append(row)
    return Group(
        first.dataset, first.target, first.metric, first.larger_is_better, split, rows, shown
    )


def _row(
    variant: Comparable,
    scores: list[RunScore],
    completed: list[RunScore],
    verdict: Verdict,
    usual: set[str],
    ordered_by: str,
) -> Row:
    def over_seeds(split: str) -> Summary | None:
        values = [score.metrics[SPLITS.index(split)] for score in completed]
        known = [value for value in values if value is not None]
        most = 1.0 if variant.metric == "accuracy" else inf
        return summarize(known, variant.overlap.get(split, 0.0), within=(0.0, most))

    summary = over_seeds(ordered_by)
    return Row(
        rank=None,
        name=variant.name,
        choice=variant.choice,
        runs=len(variant.seeds),
        completed=len(completed),
        diverged=sum(score.status == "diverged" for score in scores),
        failed=len(variant.seeds) - len(scores),
        train=over_seeds("train"),
        validation=over_seeds("validation"),
        test=over_seeds("test"),
        mean=None if summary is None else summary.mean,
        sd=None if summary is None else summary.sd,
        ci_low=None if summary is None else summary.ci_low,
        ci_high=None if summary is None else summary.ci_high,
        baseline=None,
        best_seed=None,
        best_run=None,
        seconds=_mean([score.seconds for score in completed]),
        parameters=variant.parameters,
        comparison=verdict.comparison,
        note=verdict.note,
        difference=verdict.difference,
        difference_low=verdict.low,
        difference_high=verdict.high,
        p=verdict.p,
        tied=verdict.tied,
        published=variant.published,
        warned=sum(score.warned for score in completed),
        elsewhere=dict(
            Counter(s.arithmetic for s in completed if s.arithmetic not in usual | {""})
        ),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean_of(known) if known else None
