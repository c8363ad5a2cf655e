"""What a reader should know before believing a leaderboard, in any form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nnrun.characters import clean
from nnrun.errors import clipped
from nnrun.reports.numbers import count, first_of, plural, ranges
from nnrun.reports.summary import first_sentence
from nnrun.reports.terminal.board.choice import choice_notes
from nnrun.reports.terminal.board.columns import ELSEWHERE
from nnrun.reports.verdict.names import named_in
from nnrun.sweeps.board.comparison.verdicts import NOT_COMPARED, UNPAIRED
from nnrun.sweeps.board.rows import Group, Row
from nnrun.sweeps.board.unfinished import Unfinished

_LONGEST = 60


def unfinished(rest: Unfinished) -> str:
    """Which runs are missing on the board of a shard."""
    shards = f"shard{'s' * (len(rest.shards) > 1)} {clipped(ranges(rest.shards), _LONGEST)}"
    missing = f"{count(rest.missing)} of {plural(rest.runs, 'run')}, of {shards}"
    return f"Unfinished, after shard {rest.shard}: {missing}, are missing in this folder."


def notes(groups: Sequence[Group]) -> Iterator[str]:
    """What a reader should know before believing a leaderboard."""
    by_validation = [group for group in groups if group.ordered_by == "validation"]
    if any(row.test is not None for group in by_validation for row in group.rows):
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
    if any(group.ordered_by == "train" for group in groups):
        yield "Ordered by train, since there is no other split: this says nothing about new data."
    rows = [row for group in groups for row in group.rows]
    for group in groups:
        yield from choice_notes(group, several=len(groups) > 1)
    if any(row.comparison == UNPAIRED for row in rows):
        yield "Rows whose seeds or splits differ are compared without pairing by seed."
    yield from _missing_runs(groups)
    if any(row.warned for row in rows):
        shares = _shares(groups, {id(row): row.warned for row in rows})
        yield f"Runs with warnings: {shares}. Their reports say what is wrong and what to try."
    yield from _elsewhere(groups, rows)
    if any(row.completed > 1 for row in rows):
        overlap = " ± is wider than sd and n alone would give, since runs share training rows."
        yield (
            "± is the 95% interval of the mean, sd the standard deviation over the runs."
            f"{overlap * any(row.splits > 1 for row in rows)} The best of n runs is mostly luck; "
            "quote the mean."
        )
    yield from _fixed(rows)


def data_notes(groups: Sequence[Group], *, brief: bool = False) -> Iterator[str]:
    """The notes on the data of these groups; `brief` is the first sentence of each."""
    notes = {group.dataset: group.data_note for group in groups if group.data_note}
    for dataset, note in notes.items():
        first = first_sentence(note)
        more = f" (`nnrun datasets {dataset}` says more.)" * (first != note)
        yield clean(f"{dataset}: {first + more if brief else note}")


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


def _elsewhere(groups: Sequence[Group], rows: Sequence[Row]) -> Iterator[str]:
    """Which rows have runs whose last digits may be others where most runs were trained."""
    marked = [row for row in rows if row.elsewhere]
    if not marked:
        return
    shares = _shares(groups, {id(row): sum(row.elsewhere.values()) for row in marked})
    where = dict.fromkeys(clean(arithmetic) for row in marked for arithmetic in row.elsewhere)
    yield (
        f"{ELSEWHERE} marks rows with runs of other arithmetic than most, whose last digits may "
        f"differ: {shares} ({'; '.join([*where][:5])})."
    )


def _shares(groups: Sequence[Group], counts: Mapping[int, int]) -> str:
    """How many of the runs of each row are counted, without rows that have none; or all at once."""
    rows = [row for group in groups for row in group.rows if counts.get(id(row))]
    everywhere = sum(row.completed for group in groups for row in group.rows)
    if len(rows) > 1 and sum(counts[id(row)] for row in rows) == everywhere:
        return f"all {count(everywhere)}"
    called = named_in(groups)
    return first_of(
        rows, named=lambda r: f"{called(r)} ({count(counts[id(r)])} of {count(r.completed)})"
    )


def _missing_runs(groups: Sequence[Group]) -> Iterator[str]:
    """Which rows have runs without a result or a single run, those of one reason together."""
    reasons: dict[str, list[Row]] = {}
    for group in groups:
        for row in group.rows:
            if row.rank is not None and row.note and len(group.rows) > 1:
                reasons.setdefault(row.note, []).append(row)
    rows = [row for group in groups for row in group.rows]
    if reasons and any(row.comparison == NOT_COMPARED and row.rank for row in rows):
        yield (
            "? marks rows that were not compared, so that they cannot be dropped; more seeds "
            "change that."
        )
    for reason, found in reasons.items():
        yield f"{reason}: {first_of(found, named=named_in(groups))}"
    for what in ("diverged", "stopped"):
        if any(getattr(row, what) and row.completed for row in rows):
            yield (
                f"Numbers are without {what} runs, which flatters their rows; no other row is "
                "dropped because of them."
            )
