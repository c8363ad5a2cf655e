"""The heading, the columns and the cells of a leaderboard, in any form."""

from __future__ import annotations

from rich.text import Text

from nnrun.reports.numbers import MISSING, count, durations, measured, number
from nnrun.reports.numbers import difference as difference_text
from nnrun.reports.numbers import spread as sd_text
from nnrun.reports.split_words import split_title
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.board.choice import MAYBE, shares_text
from nnrun.reports.terminal.fitting import Column
from nnrun.reports.verdict.names import names_of
from nnrun.sweeps.board.comparison.statistics import Summary
from nnrun.sweeps.board.comparison.verdicts import NOT_COMPARED
from nnrun.sweeps.board.rows import Group, Row
from nnrun.sweeps.progress import SweepProgress

ELSEWHERE = "≠"
TO_THE_BEST = "to the best of the others"
SOURCES = "split/weights/both"


def heading(group: Group, named: bool = True) -> str:
    """What the rows of a group have in common, with their experiment where it is `named`."""
    of = "" if group.target is None else f" of {group.target}"
    by = ordered_by(group.ordered_by, group.folds, group.split_by)
    name = names_of(group).experiment
    is_named = named and name not in ("", group.dataset)
    data = f"{name} on {group.dataset}" if is_named else group.dataset
    return f"{data}: {metric_label(group.metric)}{of}, ordered by {by}"


def ordered_by(split: str, folds: int | None, split_by: str) -> str:
    """The split that rows are ordered by, and how it is made."""
    by = f"the {split_title(split)}"
    if folds:
        by = f"{folds} folds" if split == "test" else f"{by} of {folds} folds"
    return f"{by}, split by {split_by}" if split_by else by


def splits(group: Group) -> list[str]:
    """The split that decides the order, then the others that there may be."""
    return [group.ordered_by, *(s for s in ("test", "train") if s != group.ordered_by)]


def has_sources(group: Group) -> bool:
    """Whether any row says where its spread comes from."""
    return any(row.shares is not None for row in group.rows)


def columns(group: Group, most: int | None = None) -> list[Column]:
    """The columns of a group's table, in any form; of the first rows alone where there are more."""
    rows, (first, *others), names = group.rows[:most], splits(group), names_of(group)
    others = [s for s in others if any(row.summary(s) for row in rows)]
    summaries = [row.summary(first) for row in rows]
    spread = [Column(SOURCES, [sources(row) for row in rows], 7)] if has_sources(group) else []
    return [
        Column("", [place(group, row) for row in rows], left=True),
        Column("config", [names.whole(row) for row in rows], left=True, wraps=True),
        Column("n", [Text(runs(row), "yellow" if row.warned else "") for row in rows], 2),
        Column(f"{first} ± 95%", [mean(summary) for summary in summaries]),
        Column("sd", [sd_text(summary.sd if summary else None) for summary in summaries], 4),
        *spread,
        Column(TO_THE_BEST, [to_the_best(row) for row in rows], 3),
        Column("baseline", [number(row.baseline) for row in rows], 5),
        *(
            Column(
                f"{split} ± 95%",
                [mean(row.summary(split)) for row in rows],
                1 if split == "test" else 6,
            )
            for split in others
        ),
        Column("best of n (seed)", [best(group, row) for row in rows], 7),
        Column("time", durations([row.seconds for row in rows]), 8),
    ]


def place(group: Group, row: Row) -> str:
    """`1 *` if it may be the best, `2` if it can be dropped, `3 ?` if it was not compared.

    A row that is alone has its place, and one without a completed run has none.
    """
    if row.rank is None:
        return MISSING
    if len(group.rows) == 1:
        return str(row.rank)
    if row.comparison == NOT_COMPARED:
        return f"{row.rank} ?"
    return f"{row.rank} {MAYBE}" if row.tied else str(row.rank)


def in_every_row(group: Group) -> str:
    """`In every row: features=minmax.`, which the names of rows leave out; or nothing."""
    words = names_of(group).shared
    return f"In every row: {words}." if words else ""


def runs(row: Row) -> str:
    """`20`, or `17 of 20`; marked where some were trained by other arithmetic than most."""
    mark = f" {ELSEWHERE}" if row.elsewhere else ""
    if row.completed == row.runs:
        return f"{count(row.runs)}{mark}"
    return f"{count(row.completed)} of {count(row.runs)}{mark}"


def warned(row: Row) -> list[str]:
    """`2 with warnings`, or nothing."""
    return [f"{count(row.warned)} with warnings"] if row.warned else []


def incomplete(runs: Row | SweepProgress) -> list[str]:
    """`3 diverged`, `2 failed`, `1 stopped`; nothing where there is none of them."""
    numbers = {"diverged": runs.diverged, "failed": runs.failed, "stopped": runs.stopped}
    return [f"{count(number)} {what}" for what, number in numbers.items() if number]


def mean(summary: Summary | None) -> str:
    """The mean ± half of its 95% interval."""
    return MISSING if summary is None else measured(summary.mean, summary.half)


def sources(row: Row) -> str:
    """`70/20/10%`: the shares of the variance from the split, the weights, and both."""
    if row.shares is None:
        return MISSING
    return f"{'/'.join(text.rstrip('%') for text in shares_text(row.shares))}%"


def to_the_best(row: Row) -> str:
    """The difference to the best of the others with its interval, or what there is of it."""
    if row.difference is None:
        return row.comparison if row.rank is not None else MISSING
    return difference_text(row.difference, row.difference_low, row.difference_high)


def best(group: Group, row: Row) -> str:
    """The best run and its seed."""
    summary = row.summary(group.ordered_by)
    if summary is None or row.best_seed is None:
        return MISSING
    value = summary.maximum if group.larger_is_better else summary.minimum
    fold = "" if row.best_fold is None else f", fold {row.best_fold}"
    return f"{number(value)} ({row.best_seed}{fold})"


def best_run(group: Group) -> str | None:
    """The best run of the first row, as commands call it."""
    return group.rows[0].best_run if group.rows else None
