"""A leaderboard as terminal tables, and what there is to say about it in any form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nnrun.reports.numbers import MISSING, count, duration, number
from nnrun.reports.terminal import FirstThatFits, clean, longest_word, plain_table
from nnrun.sweeps.leaderboard import Group, Leaderboard, Row
from nnrun.sweeps.plan import choice_words
from nnrun.sweeps.statistics import Summary

# Of the columns, how many to keep where there is room for fewer: at least runs and result.
_KEPT = (8, 7, 6, 4, 3, 2)


def leaderboard_tables(board: Leaderboard) -> RenderableType:
    """A table for each data set, and how to read it."""
    return Lines(*_parts(board))


def _parts(board: Leaderboard) -> Iterator[RenderableType]:
    for group in board.groups:
        yield Text(clean(heading(group)), "bold")
        yield Text()
        yield FirstThatFits([_table(group, kept) for kept in _KEPT])
        yield Text()
    for note in notes(board.groups):
        yield Text(note, "dim")


def _table(group: Group, kept: int) -> Table:
    table = plain_table("", "config", *columns(group)[:kept])
    table.columns[1].justify = "left"
    table.columns[1].min_width = longest_word(["config", *map(name, group.rows)])
    for column in (table.columns[0], *table.columns[2:]):
        column.no_wrap = True
    for row in group.rows:
        style = "" if row.rank is not None else "red"
        table.add_row(place(row), clean(name(row)), *cells(group, row)[:kept], style=style)
    return table


def heading(group: Group) -> str:
    """What the rows of a group have in common."""
    of = "" if group.target is None else f" of {group.target}"
    return f"{group.dataset}: {group.metric}{of}, ordered by the {group.ordered_by} split"


def columns(group: Group) -> list[str]:
    """The headings of the numbers of a row."""
    splits = [group.ordered_by, *(s for s in ("test", "train") if s != group.ordered_by)]
    others = [f"{split} ± sd" for split in splits[1:]]
    first = [f"{splits[0]} ± sd", "95% interval"]
    return ["n", *first, "baseline", *others, "best (seed)", "time"]


def cells(group: Group, row: Row) -> list[str]:
    """The numbers of a row."""
    splits = [group.ordered_by, *(s for s in ("test", "train") if s != group.ordered_by)]
    first = row.summary(splits[0])
    return [
        runs(row),
        spread(first),
        interval(first),
        number(row.baseline),
        *(spread(row.summary(split)) for split in splits[1:]),
        best(group, row),
        MISSING if row.seconds is None else duration(row.seconds),
    ]


def place(row: Row) -> str:
    """`1`, `2 =` for a tie with the best, `–` where no run has completed."""
    if row.rank is None:
        return MISSING
    return f"{row.rank} =" if row.tied else str(row.rank)


def name(row: Row) -> str:
    """The config with its choice from the grid."""
    return " ".join([row.name, *choice_words(row.choice)])


def runs(row: Row) -> str:
    """`20`, or `17 of 20`."""
    if row.completed == row.runs:
        return count(row.runs)
    return f"{count(row.completed)} of {count(row.runs)}"


def spread(summary: Summary | None) -> str:
    """Mean ± standard deviation."""
    if summary is None or summary.sd is None:
        return MISSING if summary is None else number(summary.mean)
    return f"{number(summary.mean)} ± {number(summary.sd)}"


def interval(summary: Summary | None) -> str:
    """The 95% interval of the mean."""
    if summary is None or summary.low is None:
        return MISSING
    return f"[{number(summary.low)}, {number(summary.high)}]"


def best(group: Group, row: Row) -> str:
    """The best run and its seed."""
    summary = row.summary(group.ordered_by)
    if summary is None or row.best_seed is None:
        return MISSING
    value = summary.maximum if group.larger_is_better else summary.minimum
    return f"{number(value)} ({row.best_seed})"


def notes(groups: Sequence[Group]) -> Iterator[str]:
    """What a reader should know before believing a leaderboard."""
    splits = {group.ordered_by for group in groups}
    if "validation" in splits:
        yield (
            "Ordered by validation: the test numbers took no part in the order, so that the test "
            "number of the first row may be quoted as it is."
        )
    if any(group.ordered_by == "test" and len(group.rows) > 1 for group in groups):
        yield (
            "Ordered by test: fine for looking, but the test number of a row that is chosen by it "
            "is too good. Set dataset.validation_size to choose by validation."
        )
    if "train" in splits:
        yield "Ordered by train, since there is no other split: this says nothing about new data."
    rows = [row for group in groups for row in group.rows]
    if any(row.tied for row in rows):
        yield (
            "= marks a tie with the first row: a t-test finds no difference beyond noise "
            "(p > 0.05, each row by itself); paired over common seeds, or Welch's where the splits "
            "differ."
        )
    if any(row.diverged and row.completed for row in rows):
        yield (
            "Rows with diverged runs come last: their numbers are those of the runs that are left, "
            "and flatter them."
        )
    if any(row.completed == row.runs == 1 for row in rows):
        yield "A single seed shows no spread, hence no interval and no ties; --seeds 20 would."
