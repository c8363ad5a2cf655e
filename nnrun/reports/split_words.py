"""How the rows of a run were split, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.reports.numbers import count


def split_title(split: str) -> str:
    """`training split`, `test split`."""
    return f"{'training' if split == 'train' else split} split"


def split_words(split: Mapping[str, Any]) -> Iterator[str]:
    """The fold, and the groups or times of each split; nothing of a plain split at random.

    Args:
        split: the `split` of the data set in a report.
    """
    stratified = ", stratified" if split.get("stratified") else ""
    if "folds" in split:
        yield f"fold {split['fold']} of {split['folds']}{stratified}"
        stratified = ""
    if "groups" in split:
        parts = _by_split(split["groups"], count)
        yield f"no {split['column']} is in two splits: {parts}{stratified}"
    if "times" in split:
        yield f"split by time, {split['column']}: {_by_split(split['times'], _range)}"


def _by_split(values: Mapping[str, Any], words: Callable[[Any], str]) -> str:
    return ", ".join(f"{words(values[part])} {part}" for part in SPLITS if part in values)


def _range(times: tuple[float | str, float | str]) -> str:
    first, last = (time if isinstance(time, str) else f"{time:.10g}" for time in times)
    return f"{first} to {last}"
