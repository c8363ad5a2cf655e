"""How rows were split, as values of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset
from nnrun.data.settings import PreparationSettings
from nnrun.data.splits.parts import Split


def describe_split(
    dataset: Dataset, config: PreparationSettings, split: Split
) -> dict[str, Any] | None:
    """`by`, `stratified`, and what else the split has; None for one at random without folds.

    `folds` and `fold` with folds; `column` and, by split, the number of `groups` or the first and
    last of `times`.
    """
    values, by = dataset.split_values, config.split.by
    if values is None and not config.folds:
        return None
    found: dict[str, Any] = {"by": by, "stratified": split.stratified}
    if config.folds:
        found |= {"folds": config.folds, "fold": config.fold or 1}
    if values is not None:
        parts = {"train": split.train, **split.held_out}
        of_parts = {name: values[part.rows] for name, part in parts.items()}
        found["column"] = config.split.column
        if by == "time":
            found["times"] = {name: _range(times) for name, times in of_parts.items()}
        else:
            found["groups"] = {name: len(np.unique(part)) for name, part in of_parts.items()}
    return found


def _range(times: npt.NDArray[Any]) -> list[float | str]:
    """The first and the last time: numbers, or dates in ISO form."""
    ends = np.array([times.min(), times.max()])
    if ends.dtype.kind != "M":
        return [float(end) for end in ends]
    days = ends.astype("datetime64[D]")
    return [str(end) for end in (days if (days == ends).all() else ends)]


def describe_weights(split: Split, column: str | None) -> dict[str, Any] | None:
    """`column` and, by split, `sum`, `min` and `max` of its weights; None if rows have none."""
    parts = {"train": split.train, **split.held_out}
    found = {
        name: {
            "sum": float(part.weight.sum()),
            "min": float(part.weight.min()),
            "max": float(part.weight.max()),
        }
        for name, part in parts.items()
        if part.weight is not None
    }
    return {"column": column, **found} if found else None
