"""How the rows of a run were split, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.reports.numbers import count, number


def split_words(split: Mapping[str, Any]) -> Iterator[str]:
    """Fold, column, and groups or times of each split.

    Args:
        split: the `split` of the data set in a report.
    """
    if not split:
        return
    by = [f"by {split['by']}"] if "column" in split else []
    stratified = ["stratified"] if split["stratified"] else []
    if "folds" in split:
        yield ", ".join([f"fold {split['fold']} of {split['folds']}", *by, *stratified])
    elif by:
        yield ", ".join([f"split {by[0]}", *stratified])
    if "groups" in split:
        yield f"groups of {split['column']}: {_by_split(split['groups'], count)}"
    if "times" in split:
        yield f"{split['column']}: {_by_split(split['times'], _range)}"


def _by_split(values: Mapping[str, Any], words: Any) -> str:
    return ", ".join(f"{words(values[part])} {part}" for part in SPLITS if part in values)


def _range(times: tuple[float | str, float | str]) -> str:
    first, last = (time if isinstance(time, str) else number(time) for time in times)
    return f"{first} to {last}"
