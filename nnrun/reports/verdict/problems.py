"""What is wrong with the runs of a board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nnrun.reports.document import Line
from nnrun.reports.numbers import count, first_of, plural
from nnrun.reports.verdict.names import Names
from nnrun.reports.verdict.run import kind_words
from nnrun.sweeps.board.rows import Group, Row

_MOST_KINDS = 2


def problems(
    groups: Sequence[Group], best: Sequence[Row | None], also: Counter[str]
) -> Line | None:
    """Runs that diverged, failed or have warnings, with the settings they share.

    Args:
        groups: of the board.
        best: the row that is named first of each group, where there is one.
        also: runs that are on no board, by their status.
    """
    rows = [row for group in groups for row in group.rows]
    total = sum(row.runs for row in rows)
    found = [*_ended(rows, total), *_not_better(groups, best)]
    found += _warned(rows, 1 if found else _MOST_KINDS)
    found += [
        f"{plural(number, 'run')} {'is' if number == 1 else 'are'} {status}"
        for status, number in also.items()
    ]
    return Line("Problems", "; ".join(found)) if found else None


def _ended(rows: Sequence[Row], total: int) -> Iterator[str]:
    kinds = {
        "diverged": {id(row): row.diverged for row in rows},
        "failed": {id(row): row.failed for row in rows},
        "ended by on_evaluation": {id(row): row.stopped for row in rows},
    }
    for what, counts in kinds.items():
        number = sum(counts.values())
        if number and number == total:
            yield f"all {plural(total, 'run')} {what}" if total > 1 else f"the run {what}"
        elif number:
            yield f"{_share(number, total)} {what}{_where(rows, counts)}"


def _share(number: int, total: int) -> str:
    return f"{count(number)} of {plural(total, 'run')}"


def _warned(rows: Sequence[Row], most: int) -> Iterator[str]:
    """The kinds of warnings that most runs have."""
    kinds = Counter[str]()
    for row in rows:
        kinds.update(row.warnings)
    completed = sum(row.completed for row in rows)
    for kind, number in kinds.most_common(most):
        where = _where(rows, {id(row): row.warnings.get(kind, 0) for row in rows})
        all_of = number == completed and number > 1
        share = f"all {plural(number, 'run')}" if all_of else _share(number, completed)
        yield f"{share} {kind_words(kind)}{where}"
    if left := sum(kinds.values()) - sum(n for _, n in kinds.most_common(most)):
        yield f"{count(left)} {'has' if left == 1 else 'have'} other warnings"


def _where(rows: Sequence[Row], counts: dict[int, int]) -> str:
    """` (learning_rate=5)`, the settings of the rows that have any; empty if all rows have."""
    common = Names(rows).common([row for row in rows if counts[id(row)]])
    return f" ({common})" if common else ""


def _not_better(groups: Sequence[Group], best: Sequence[Row | None]) -> Iterator[str]:
    """That the best row of a group does not pass the baseline, its interval considered."""
    named = [
        group.dataset
        for group, row in zip(groups, best, strict=True)
        if row is not None and _reaches_baseline(group, row)
    ]
    if named:
        counts = Counter(named).items()
        data = [name if n == 1 else f"{count(n)} boards of {name}" for name, n in counts]
        of = "" if len(groups) == 1 else f" on {first_of(data)}"
        what = "the result" if all(len(group.rows) == 1 for group in groups) else "the first row"
        yield f"{what}{of} may be no better than the baseline"


def _reaches_baseline(group: Group, row: Row) -> bool:
    """Whether the interval of a row, or its mean where it has none, holds the baseline or less."""
    end = row.ci_low if group.larger_is_better else row.ci_high
    end = row.mean if end is None else end
    if end is None or row.baseline is None:
        return False
    return end <= row.baseline if group.larger_is_better else end >= row.baseline
