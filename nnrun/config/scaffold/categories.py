"""Columns of categories in a first config: a feature for each, learned vectors, or left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from nnrun.config.yaml.dump import flow
from nnrun.data.readers.profile import FEW_CATEGORIES, ColumnProfile

MOST_ONE_HOT = 100
"""A column with more categories gets learned vectors."""
_RARE = 5


def is_embedded(column: ColumnProfile) -> bool:
    """Whether its categories get learned vectors, and not a feature for each."""
    return column.kind == "category" and column.different > MOST_ONE_HOT


def dimensions(column: ColumnProfile) -> int:
    """The length of the vectors: the fourth root of the number of categories."""
    root: float = column.different**0.25
    return math.ceil(root)


def width(column: ColumnProfile) -> int:
    """The numbers that a network gets for a column."""
    if is_embedded(column):
        return dimensions(column)
    return len(column.labels) + (column.missing > 0) if column.kind == "category" else 1


def category_lines(
    features: Sequence[ColumnProfile], dropped: Sequence[ColumnProfile]
) -> Iterator[str]:
    """The lines of the config for all columns of categories that are used, or might be."""
    used = [column for column in features if column.kind == "category"]
    one_hot = [column for column in used if not is_embedded(column)]
    embedded = [column for column in used if is_embedded(column)]
    if one_hot:
        codes = " or codes such as 007," * any(column.holds_codes for column in one_hot)
        yield f"    # Text{codes} with few different values: a feature for each."
        yield f"    categorical: {flow([column.name for column in one_hot])}"
    if mixed := [column for column in dropped if column.may_hold_categories]:
        names = [column.name for column in (*one_hot, *mixed)]
        why = "numbers and text as categories, if they are not under drop"
        yield f"    # categorical: {flow(names)}\t{why}"
    others = [column for column in dropped if column.kind in ("text", "code")]
    if embedded:
        yield "    # Text with many: vectors of this length, which the network learns."
        yield "    embedding:"
        for column in embedded:
            yield f"      {_entry(column)}\t{column.different:,} different values"
    for column in others:
        why = "would keep this column, if it is not under drop"
        entry = f"  # {_entry(column)}" if embedded else f"# embedding: {{{_entry(column)}}}"
        yield f"    {entry}\t{why}"
    if any(_has_rare(column) for column in used):
        yield f"    min_count: {_RARE}\tcategories in fewer training rows are put together"


def _entry(column: ColumnProfile) -> str:
    return f"{flow(column.name)}: {dimensions(column)}"


def _has_rare(column: ColumnProfile) -> bool:
    """Whether a column has many categories, and some of them in few rows."""
    listed = column.labels
    all_listed = len(column.values) == column.different
    rare = not all_listed or min(listed.values(), default=_RARE) < _RARE
    return column.different > FEW_CATEGORIES and rare
