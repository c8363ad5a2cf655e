"""The document of a leaderboard: for each group of rows that can be compared, a table and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from nnrun.characters import escaped, shortened
from nnrun.config.names import SPLITS
from nnrun.reports.board_notes import (
    ELSEWHERE,
    MAYBE,
    data_notes,
    notes,
    planned_words,
    shares_text,
    taken_words,
    unfinished,
)
from nnrun.reports.board_verdict import board_verdict
from nnrun.reports.charts.axes import Linear, Scale
from nnrun.reports.charts.scatter import MOST_DOTS, strip, strip_scale
from nnrun.reports.document import WHOLE, Block, Cell, Code, Document, Grid, Note, Section
from nnrun.reports.numbers import (
    MISSING,
    count,
    difference,
    durations,
    first_of,
    measured,
    number,
    spread,
)
from nnrun.reports.row_names import names_of, told_by
from nnrun.reports.summary import metric_label, naive_title, split_title
from nnrun.runs.catalog.summary import RunSummary
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.board.means import Summary
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.board.verdicts import NOT_COMPARED

if TYPE_CHECKING:
    from nnrun.sweeps.board.stored import StoredBoard

_MOST_NAMES = 2
# A strip with all values would be this many times as long as one without the outermost.
_CRUSHED = 4
# Columns that are a line below the table where all rows agree: of one config, they mostly do.
_SHOWN_ONCE = ("baseline", "published")
TO_THE_BEST = "to the best of the others"
SOURCES = "split/weights/both"
_Column = tuple[str, int, Sequence[Cell]]


def board_document(
    board: Leaderboard,
    root: Path | None = None,
    most: int | None = None,
    all_rows: str = "",
    more: str = "",
    also: Callable[[Group], Iterable[Block]] = lambda group: (),
    scores: Callable[[Group, Row], Sequence[RunSummary]] | None = None,
) -> Document:
    """What there is to say of a leaderboard.

    Args:
        board: with all of its rows.
        root: the results folder of its runs, if commands are to name it.
        most: this many of the first rows of each group are shown.
        all_rows: the end of a sentence, what shows the others.
        more: shows the columns that do not fit a terminal.
        also: blocks below each group.
        scores: of the runs of each row, for a drawing.
    """
    # NAME/best is chosen from all of an experiment's boards: it is named once.
    last = {first: group for group in board.groups if (first := _first_completed(group))}
    sections = []
    for group in board.groups:
        rows = group.rows[:most]
        dots = None if scores is None else [scores(group, row) for row in rows]
        blocks = [*group_blocks(group, rows, len(group.rows), dots, all_rows=all_rows, more=more)]
        first = _first_completed(group)
        if root is not None and first and last[first] is group:
            blocks.append(Code("\n".join(taken_words(group, root))))
        sections.append(Section(heading(group), [*blocks, *also(group)]))
    made_by = Code(escaped(board.command), language="sh", level=WHOLE)
    about = [] if board.planned is None else [planned_words(board.planned, board.groups)]
    about += [] if board.unfinished is None else [unfinished(board.unfinished)]
    basis = board.basis if board.key else ""  # others are no sweeps
    read = [Note(note, "small") for note in notes(board.groups, basis)]
    command = [made_by] if board.command else []
    sections.append(Section("How to read it", [*read, *data_notes(board.groups), *command]))
    return Document("Leaderboard", board_verdict(board), sections, about=" ".join(about))


def _first_completed(group: Group) -> str | None:
    """The experiment of the first network, if any of its runs has completed."""
    return None if group.first_network is None else group.first_network.name


def group_blocks(
    group: Group,
    rows: Sequence[Row],
    total: int,
    scores: Sequence[Sequence[RunSummary]] | None = None,
    anchors: Mapping[str, str] | None = None,
    title: str = "",
    all_rows: str = "",
    more: str = "",
) -> Iterator[Block]:
    """The table, and what its rows have in common.

    Args:
        group: what can be compared.
        rows: the first of these, which are shown.
        total: the number of all.
        scores: of the runs of each row, for a drawing.
        anchors: of runs with details on the page, by `name/run id`.
        title: of the table.
        all_rows: the end of a sentence, what shows the others.
        more: shows the columns that do not fit a terminal.
    """
    parts = dict.fromkeys((group.ordered_by, "test", "train"))  # what decides the order is first
    there = [split for split in parts if any(row.summary(split) for row in rows)]
    first, *others = there or [group.ordered_by]
    names, times = names_of(group), [row.seconds for row in rows]
    sds = [None if (summary := row.summary(first)) is None else summary.sd for row in rows]
    strips = None if scores is None else _strips(group, rows, scores)
    columns: list[_Column] = [
        ("#", 0, [Cell(place(group, row), row.rank) for row in rows]),
        ("config", 0, [Cell(names.whole(r), kind="bad" * (r.rank is None)) for r in rows]),
        (f"{first} ± 95%", 0, [mean_cell(row.summary(first)) for row in rows]),
        *([("each run", 9, strips[1])] if strips else []),
        ("sd", 4, [Cell(spread(sd), sd) for sd in sds]),
        ("runs", 2, [_runs(row) for row in rows]),
        *_if(any(row.shares for row in rows), SOURCES, 7, [_sources(row) for row in rows]),
        *_if(total > 1, TO_THE_BEST, 3, [Cell(to_the_best(r), r.difference) for r in rows]),
        ("best of n", 7, [_best(group, row, anchors or {}) for row in rows]),
        ("baseline", 5, [Cell(number(row.baseline), row.baseline) for row in rows]),
        *(
            (naive_title(steps), 5, [Cell(number(v := r.naive.get(steps)), v) for r in rows])
            for steps in dict.fromkeys(steps for row in rows for steps in row.naive)
        ),
        *(
            (f"published {split}", 6, [Cell(number(v := r.published.get(key)), v) for r in rows])
            for split in (first, *others)
            if any((key := f"{split}_{group.metric}") in row.published for row in rows)
        ),
        *(
            (f"{s} ± 95%", 1 if s == "test" else 6, [mean_cell(r.summary(s)) for r in rows])
            for s in others
        ),
        ("time", 8, [Cell(*both) for both in zip(durations(times), times, strict=True)]),
    ]  # fmt: skip
    columns, same = _without_same(columns, total)
    yield Grid(
        title or heading(group),
        [name for name, _, _ in columns],
        [[cells[at] for _, _, cells in columns] for at in range(len(rows))],
        texts=2, sortable=True, heads=1, hidden=True,
        marks={"each run": strips[0]} if strips else {},
        needs=[need for _, need, _ in columns], more=more or "--wide",
    )  # fmt: skip
    same += [names.shared] * bool(names.shared)
    if same:
        yield Note(f"The same in every row: {', '.join(same)}.", "small")
    if scores is not None and any(len(runs_of) > MOST_DOTS for runs_of in scores):
        words = f"Dots are of the first {MOST_DOTS} runs of each config, numbers of all."
        yield Note(words, "small")
    if left := total - len(rows):
        which = (
            "1 more row, ranked below these, is"
            if left == 1
            else (f"{count(left)} more rows, all ranked below these, are")
        )
        yield Note(f"{which} left out{all_rows and f'; {all_rows}'}.", "warning")


def _if(there: bool, title: str, need: int, cells: Sequence[Cell]) -> Iterator[_Column]:
    if there:
        yield title, need, cells


def _without_same(columns: Sequence[_Column], total: int) -> tuple[list[_Column], list[str]]:
    """The columns without those that are the same in every row, and what they hold."""
    same = [
        column
        for column in columns
        if total > 1 and column[0].startswith(_SHOWN_ONCE) and len(set(column[2])) == 1
    ]
    said = [f"{name} {cells[0].text}" for name, _, cells in same if cells[0].text != MISSING]
    return [column for column in columns if column not in same], said


def mean_cell(summary: Summary | None) -> Cell:
    """The mean ± half of its 95% interval, to sort by the mean."""
    return Cell(mean(summary), None if summary is None else summary.mean)


def _runs(row: Row) -> Cell:
    """`17 of 20, 3 diverged`; in narrow tables without how they ended.

    They are marked where some were trained by other arithmetic than most.
    """
    done = "" if row.completed == row.runs else f"{count(row.completed)} of "
    text = f"{done}{count(row.runs)}{f' {ELSEWHERE}' * bool(row.elsewhere)}"
    warned = [f"{count(row.warned)} with warnings"] if row.warned else []
    whole = ", ".join([text, *incomplete(row), *warned])
    return Cell(whole, row.completed, kind="warned" * bool(warned), short=text)


def _sources(row: Row) -> Cell:
    """`70/20/10%`: the shares of the variance from the split, the weights, and both."""
    if row.shares is None:
        return Cell(MISSING)
    text = "/".join(text.rstrip("%") for text in shares_text(row.shares))
    return Cell(f"{text}%", row.shares.get("split"))


def _best(group: Group, row: Row, anchors: Mapping[str, str]) -> Cell:
    """The number of the best run, and its id."""
    summary = row.summary(group.ordered_by)
    if summary is None or row.best_run is None:
        return Cell(MISSING)
    value = summary.maximum if group.larger_is_better else summary.minimum
    fold = "" if row.best_fold is None else f", fold {row.best_fold}"
    run_id = row.best_run.partition("/")[2]
    return Cell(f"{number(value)} ({run_id}{fold})", value, link=anchors.get(row.best_run))


def _strips(
    group: Group, rows: Sequence[Row], scores: Sequence[Sequence[RunSummary]]
) -> tuple[Markup, list[Cell]]:
    """The scale of all, and for each row a drawing with a dot for each run."""
    values = [values_of(group, of_row) for of_row in scores]
    scale = scale_of([value for of_row in values for value in of_row])
    cells = [strip_cell(group, *of_row, scale) for of_row in zip(rows, values, strict=True)]
    return strip_scale(scale), cells


def strip_cell(group: Group, row: Row, values: Sequence[float], scale: Scale) -> Cell:
    """A drawing with a dot for each run of the row."""
    summary = row.summary(group.ordered_by)
    if summary is None or not values:
        return Cell(MISSING)
    drawing = strip(values, scale, summary.ci_low, summary.ci_high, summary.mean)
    text = f"{number(summary.minimum)} – {number(summary.maximum)}"
    return Cell(text, summary.maximum - summary.minimum, drawing)


def values_of(group: Group, scores: Iterable[RunSummary]) -> list[float]:
    """The metric of each completed run, on the split that decides the order."""
    column = SPLITS.index(group.ordered_by)
    return [
        value
        for score in scores
        if score.status == "completed" and (value := score.by_split[column]) is not None
    ]


def scale_of(values: Sequence[float]) -> Scale:
    """From the lowest to the highest value, without outliers that would squeeze all others
    together.
    """
    if len(values) < 4:
        return Linear.over(values)
    ordered = sorted(values)
    quarter = len(ordered) // 4
    low, high = ordered[quarter], ordered[-1 - quarter]
    reach = 6 * (high - low)
    inside = [v for v in ordered if not reach or low - reach <= v <= high + reach]
    crushed = ordered[-1] - ordered[0] > _CRUSHED * (inside[-1] - inside[0])
    return Linear.between(inside if crushed else ordered)


def board_titles(boards: Sequence[StoredBoard]) -> list[str]:
    """What the rows of each have in common; where that is the same, what tells boards apart.

    First the splits that there are, then their experiments, and last a number.
    """
    named = len({row.name for board in boards for row in board.group.rows}) > 1
    titles = told_by(
        [shortened(heading(board.group, named)) for board in boards],
        [", ".join(board.standings[0].variant.splits) for board in boards],
        [_experiments(board) for board in boards],
    )
    again = [titles[:place].count(title) for place, title in enumerate(titles)]
    return [f"{title}, {n + 1}" if n else title for title, n in zip(titles, again, strict=True)]


def _experiments(board: StoredBoard) -> str:
    names = [*dict.fromkeys(standing.variant.name for standing in board.standings)]
    return shortened(first_of(names, _MOST_NAMES), 60)


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


def incomplete(runs: Row | SweepProgress) -> list[str]:
    """`3 diverged`, `2 failed`, `1 stopped`; nothing where there is none of them."""
    numbers = {"diverged": runs.diverged, "failed": runs.failed, "stopped": runs.stopped}
    return [f"{count(number)} {what}" for what, number in numbers.items() if number]


def mean(summary: Summary | None) -> str:
    """The mean ± half of its 95% interval."""
    return MISSING if summary is None else measured(summary.mean, summary.half)


def to_the_best(row: Row) -> str:
    """The difference to the best of the others with its interval, or what there is of it."""
    if row.difference is None:
        return row.comparison if row.rank is not None else MISSING
    return difference(row.difference, row.difference_low, row.difference_high)
