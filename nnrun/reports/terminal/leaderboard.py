"""A leaderboard as terminal tables, and what there is to say about it in any form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.console import group as grouped
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.settings import choice_words
from nnrun.errors import clipped
from nnrun.reports.numbers import (
    MISSING,
    count,
    duration,
    first_of,
    measured,
    number,
    plural,
    ranges,
)
from nnrun.reports.numbers import difference as difference_text
from nnrun.reports.numbers import spread as sd_text
from nnrun.reports.split_words import split_title
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.choice import MAYBE, choice_notes, shares_text, taken_words
from nnrun.reports.terminal.commands import command_line
from nnrun.reports.terminal.fitting import Column, FittedTable
from nnrun.reports.terminal.tables import verdict_text
from nnrun.reports.verdict.board import board_verdict
from nnrun.sweeps.board.comparison.statistics import Summary
from nnrun.sweeps.board.comparison.verdicts import NOT_COMPARED, UNPAIRED
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.board.unfinished import Unfinished
from nnrun.sweeps.progress import SweepProgress

ELSEWHERE = "≠"
TO_THE_BEST = "to the best of the others"
SOURCES = "split/weights/both"
MOST_ROWS = 100
_LONGEST = 60


@grouped()
def leaderboard_tables(
    board: Leaderboard,
    root: Path | None = None,
    more: str = "--wide or leaderboard.csv",
    most: int | None = MOST_ROWS,
) -> Iterator[RenderableType]:
    """A table for each data set, and how to read it.

    Args:
        board: shown.
        root: the results folder of its runs.
        more: what shows columns that do not fit.
        most: so many of the first rows of each data set; None for all.
    """
    if board.unfinished is not None:
        yield Text(unfinished(board.unfinished))
        yield Text()
    yield verdict_text(board_verdict(board))
    yield Text()
    # NAME/best is chosen from all of an experiment's boards: it is named once.
    last = {first: group for group in board.groups if (first := _first_completed(group))}
    for group in board.groups:
        yield Text(clean(heading(group)), "bold")
        yield Text()
        styles = ["" if row.rank is not None else "red" for row in group.rows[:most]]
        yield FittedTable(columns(group, most), styles, more=more)
        if left := len(group.rows[len(styles) :]):
            yield Text(clean(f"and {plural(left, 'row')} below; {_all_rows(board, root)}"))
        first = _first_completed(group)
        if root is not None and first and last[first] is group:
            yield Text()
            yield Text("\n".join(taken_words(group, root)), no_wrap=True, overflow="ignore")
        yield Text()
    for note in notes(board.groups):
        yield Text(note, "dim")


def _all_rows(board: Leaderboard, root: Path | None) -> str:
    """What shows all rows."""
    if root is None or not board.key:
        return "--json has all"
    options = {"--leaderboard": True, "--all": True}
    return f"{command_line('ls', [board.key], root, options)} shows all"


def unfinished(rest: Unfinished) -> str:
    """Which runs are missing on the board of a shard."""
    shards = f"shard{'s' * (len(rest.shards) > 1)} {clipped(ranges(rest.shards), _LONGEST)}"
    missing = f"{count(rest.missing)} of {plural(rest.runs, 'run')}, of {shards}"
    return f"Unfinished, after shard {rest.shard}: {missing}, are missing in this folder."


def best_run(group: Group) -> str | None:
    """The best run of the first row, as commands call it."""
    return group.rows[0].best_run if group.rows else None


def _first_completed(group: Group) -> str | None:
    """The experiment of the first network, if any of its runs has completed."""
    return None if group.first_network is None else group.first_network.name


def heading(group: Group) -> str:
    """What the rows of a group have in common."""
    of = "" if group.target is None else f" of {group.target}"
    by = ordered_by(group.ordered_by, group.folds, group.split_by)
    return f"{group.dataset}: {metric_label(group.metric)}{of}, ordered by {by}"


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
    rows, (first, *others) = group.rows[:most], splits(group)
    summaries = [row.summary(first) for row in rows]
    spread = [Column(SOURCES, [sources(row) for row in rows], 7)] if has_sources(group) else []
    return [
        Column("", [place(group, row) for row in rows], left=True),
        Column("config", [clean(name(row)) for row in rows], left=True, wraps=True),
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
        Column("time", [MISSING if r.seconds is None else duration(r.seconds) for r in rows], 8),
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


def name(row: Row) -> str:
    """The config with its choice from the grid."""
    return " ".join([row.name, *choice_words(row.choice)])


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
    """`3 diverged`, `2 failed`, both or neither."""
    numbers = {"diverged": runs.diverged, "failed": runs.failed}
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


def notes(groups: Sequence[Group]) -> Iterator[str]:
    """What a reader should know before believing a leaderboard."""
    splits = {group.ordered_by for group in groups}
    if "validation" in splits:
        yield "Ordered by validation: quote the test number of the first row as it is."
    by_test = [group for group in groups if group.ordered_by == "test" and len(group.rows) > 1]
    if any(group.folds for group in by_test):
        yield (
            "Ordered by folds: each run is tested on a part of the data of its own. The number of "
            "the first row is somewhat too good, since it was chosen by it."
        )
    if not all(group.folds for group in by_test):
        yield (
            "Ordered by test, so the test number of the first row is too good: it was chosen by "
            "it. Set dataset.validation_size to choose by validation."
        )
    if "train" in splits:
        yield "Ordered by train, since there is no other split: this says nothing about new data."
    rows = [row for group in groups for row in group.rows]
    for group in groups:
        yield from choice_notes(group, several=len(groups) > 1)
    if any(row.comparison == UNPAIRED for row in rows):
        yield "Rows whose seeds or splits differ are compared without pairing by seed."
    yield from _missing_runs(groups)
    if any(row.warned for row in rows):
        shares = _shares(rows, [row.warned for row in rows])
        yield f"Runs with warnings: {shares}. Their reports say what is wrong and what to try."
    yield from _elsewhere(rows)
    if any(row.completed > 1 for row in rows):
        yield (
            "± is the 95% interval of the mean, sd the standard deviation over the runs. The best "
            "of n runs is mostly luck; quote the mean."
        )
    yield from _fixed(rows)


def _fixed(rows: Sequence[Row]) -> Iterator[str]:
    """What the runs of a row have in common, so that their spread does not show it."""
    several = [row for row in rows if row.completed > 1]
    if any(row.weights == 1 for row in several):
        yield (
            "Of rows with one seed of weights, neither ± nor * allows for other initial weights; "
            "use several seeds."
        )
    if any(row.splits == 1 for row in several):
        yield "Of rows with one split, neither ± nor * allows for other rows to train and test on."


def _elsewhere(rows: Sequence[Row]) -> Iterator[str]:
    """Which rows have runs whose last digits may be others where most runs were trained."""
    marked = [row for row in rows if row.elsewhere]
    if not marked:
        return
    shares = _shares(marked, [sum(row.elsewhere.values()) for row in marked])
    where = dict.fromkeys(clean(arithmetic) for row in marked for arithmetic in row.elsewhere)
    yield (
        f"{ELSEWHERE} marks rows with runs of other arithmetic than most, whose last digits may "
        f"differ: {shares} ({'; '.join([*where][:5])})."
    )


def _shares(rows: Sequence[Row], counts: Sequence[int]) -> str:
    """How many of the runs of each row are counted, without rows that have none."""
    return first_of(
        [
            f"{clean(name(row))} {count(n)} of {count(row.completed)}"
            for row, n in zip(rows, counts, strict=True)
            if n
        ]
    )


def _missing_runs(groups: Sequence[Group]) -> Iterator[str]:
    """Which rows have runs without a result or a single run, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for group in groups:
        for row in group.rows:
            if row.rank is not None and row.note and len(group.rows) > 1:
                reasons.setdefault(row.note, []).append(clean(name(row)))
    rows = [row for group in groups for row in group.rows]
    if reasons and any(row.comparison == NOT_COMPARED and row.rank for row in rows):
        yield (
            "? marks rows that were not compared, so that they cannot be dropped; more seeds "
            "change that."
        )
    for reason, names in reasons.items():
        yield f"{reason}: {first_of(names)}"
    if any(row.diverged and row.completed for row in rows):
        yield (
            "Numbers are without diverged runs, which flatters their rows; no other row is dropped "
            "because of them."
        )
