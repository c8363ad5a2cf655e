"""A leaderboard as terminal tables, and what there is to say about it in any form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from nnrun.config.settings import choice_words
from nnrun.reports.numbers import MISSING, count, duration, number, signed
from nnrun.reports.terminal.fitting import Column, FittedTable
from nnrun.reports.terminal.tables import clean
from nnrun.sweeps.board.leaderboard import Group, Leaderboard, Row
from nnrun.sweeps.board.statistics import Summary
from nnrun.sweeps.board.verdicts import BEST, NOT_COMPARED, PAIRED, UNPAIRED

_NAMED = 5
ELSEWHERE = "≠"


def leaderboard_tables(
    board: Leaderboard, root: Path | None = None, more: str = "--wide or leaderboard.csv"
) -> RenderableType:
    """A table for each data set, and how to read it.

    Args:
        board: to show.
        root: the results folder that its runs lie in.
        more: what shows the columns that there is no room for.
    """
    return Lines(*_parts(board, root, more))


def _parts(board: Leaderboard, root: Path | None, more: str) -> Iterator[RenderableType]:
    for group in board.groups:
        yield Text(clean(heading(group)), "bold")
        yield Text()
        yield _table(group, more)
        if root is not None and (run := best_run(group)):
            yield Text()
            yield Text(f"best seed of the first row: {root / run}")
        yield Text()
    for note in notes(board.groups):
        yield Text(note, "dim")


def _table(group: Group, more: str) -> FittedTable:
    numbers = list(zip(*(cells(group, row) for row in group.rows), strict=True))
    shown = [
        Column("", [place(group, row) for row in group.rows], left=True),
        Column("config", [clean(name(row)) for row in group.rows], left=True, wraps=True),
        *(
            Column(title, column, need)
            for title, need, column in zip(columns(group), needs(group), numbers, strict=True)
        ),
    ]
    styles = ["" if row.rank is not None else "red" for row in group.rows]
    return FittedTable(shown, styles, more=more)


def best_run(group: Group) -> str | None:
    """The run of the first row's best seed, as commands call it."""
    return group.rows[0].best_run if group.rows else None


def heading(group: Group) -> str:
    """What the rows of a group have in common."""
    of = "" if group.target is None else f" of {group.target}"
    return f"{group.dataset}: {group.metric}{of}, ordered by the {group.ordered_by} split"


def columns(group: Group) -> list[str]:
    """The headings of the numbers of a row."""
    splits = [group.ordered_by, *(s for s in ("test", "train") if s != group.ordered_by)]
    others = [f"{split} ± sd" for split in splits[1:]]
    first = [f"{splits[0]} ± sd", "95% interval"]
    return ["n", *first, "to the best", "baseline", *others, "best of n (seed)", "time"]


def needs(group: Group) -> list[int]:
    """How soon each of these is missed: the result never, the test split last of all others."""
    others = [1, 6] if group.ordered_by == "validation" else [6]
    if group.ordered_by == "train":
        others = [1]
    return [2, 0, 4, 3, 5, *others, 7, 8]


def cells(group: Group, row: Row) -> list[str]:
    """The numbers of a row."""
    splits = [group.ordered_by, *(s for s in ("test", "train") if s != group.ordered_by)]
    first = row.summary(splits[0])
    return [
        runs(row),
        spread(first),
        interval(first),
        to_the_best(row),
        number(row.baseline),
        *(spread(row.summary(split)) for split in splits[1:]),
        best(group, row),
        MISSING if row.seconds is None else duration(row.seconds),
    ]


def place(group: Group, row: Row) -> str:
    """`1`, `2 =` for a tie with the best, `3 ?` for no comparison, `–` for no completed run."""
    if row.rank is None:
        return MISSING
    if row.comparison == NOT_COMPARED and len(group.rows) > 1:
        return f"{row.rank} ?"
    return f"{row.rank} =" if row.tied else str(row.rank)


def name(row: Row) -> str:
    """The config with its choice from the grid."""
    return " ".join([row.name, *choice_words(row.choice)])


def runs(row: Row) -> str:
    """`20`, or `17 of 20`; marked where some were trained by other arithmetic than most."""
    mark = f" {ELSEWHERE}" if row.elsewhere else ""
    if row.completed == row.runs:
        return f"{count(row.runs)}{mark}"
    return f"{count(row.completed)} of {count(row.runs)}{mark}"


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


def to_the_best(row: Row) -> str:
    """The difference to the best row with its interval, or what there is in its place."""
    if row.comparison == BEST:
        return "the best" if row.rank == 1 else "the best compared"
    if row.difference is None or row.difference_low is None or row.difference_high is None:
        return row.comparison if row.rank is not None else MISSING
    ends = f"{signed(row.difference_low)}, {signed(row.difference_high)}"
    return f"{signed(row.difference)} [{ends}]"


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
    if any(row.comparison in (PAIRED, UNPAIRED) for row in rows):
        yield (
            "= marks rows that cannot be told from the best; rows without a mark are worse. Both "
            "hold at 95% for the whole table at once, however many rows it has, as do the "
            "intervals of the differences to the best."
        )
    if any(row.comparison == UNPAIRED for row in rows):
        yield "Rows whose splits differ from the best row's are compared without pairing by seed."
    yield from _not_compared(groups)
    if any(row.diverged and row.completed for row in rows):
        yield (
            "Rows with diverged runs come last: their numbers are those of the runs that are left, "
            "and flatter them."
        )
    if warned := [row for row in rows if row.warned]:
        told = [
            f"{clean(name(row))} {count(row.warned)} of {count(row.completed)}" for row in warned
        ]
        more = f", and {count(len(told) - _NAMED)} more rows" if len(told) > _NAMED else ""
        yield (
            f"Runs with warnings: {', '.join(told[:_NAMED])}{more}. Their reports say what is "
            "wrong and what to try."
        )
    yield from _elsewhere(rows)
    if any(row.completed == row.runs == 1 for row in rows):
        yield "A single seed shows no spread, hence no interval and no ties; --seeds 20 would."
    if any(row.completed > 1 for row in rows):
        yield (
            "The interval is that of the mean. Where seeds draw the splits it allows for training "
            "sets that overlap, so that it speaks of new data and not of these rows alone. The "
            "best of n seeds is the maximum of their noise; the mean is the row's result."
        )


def _elsewhere(rows: Sequence[Row]) -> Iterator[str]:
    """Which rows have runs whose last digits may be others where most runs were trained."""
    marked = [row for row in rows if row.elsewhere]
    if not marked:
        return
    told = [
        f"{clean(name(row))} {count(sum(row.elsewhere.values()))} of {count(row.completed)}"
        for row in marked
    ]
    more = f", and {count(len(told) - _NAMED)} more rows" if len(told) > _NAMED else ""
    where = dict.fromkeys(clean(arithmetic) for row in marked for arithmetic in row.elsewhere)
    yield (
        f"{ELSEWHERE} marks rows with runs whose arithmetic was not that of most others: trained "
        f"again beside those they may have other last digits: {', '.join(told[:_NAMED])}{more} "
        f"({'; '.join([*where][:_NAMED])})."
    )


def _not_compared(groups: Sequence[Group]) -> Iterator[str]:
    """Why rows were not compared, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for group in groups:
        for row in group.rows:
            if row.rank is not None and row.note and len(group.rows) > 1:
                reasons.setdefault(row.note, []).append(clean(name(row)))
    if reasons:
        yield "? marks rows that were not compared, which says nothing against them:"
    for reason, names in reasons.items():
        more = f" and {count(len(names) - _NAMED)} more" if len(names) > _NAMED else ""
        yield f"{reason}: {', '.join(names[:_NAMED])}{more}"
