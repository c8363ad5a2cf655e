"""How many rows a split takes, one fold of a splitter of scikit-learn, and the errors of splits."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import DatasetProblem
from nnrun.data.splits.parts import Rows


def count_of(size: float | int | str, available: int, key: str) -> int:
    """The rows of a fraction or number, ceil(rows · fraction) like scikit-learn.

    Raises: DatasetProblem at `key` if none of the available rows would be left.
    """
    if isinstance(size, str) or not 0 <= size < math.inf:
        raise problem(key, f"{size!r} is neither a fraction nor a number of rows")
    if isinstance(size, float) and size >= 1:
        raise problem(key, f"{size} is no fraction below 1; a number of rows is written whole")
    count = asked(size, available)
    if count >= available > 0 and count > 0:
        raise problem(key, f"{size} takes {count} of {available} rows and leaves none to train on")
    return count


def asked(size: float | int | str, available: int) -> int:
    """The same unchecked: where whole groups are held out, fewer rows may be left than planned."""
    return math.ceil(size * available) if isinstance(size, float) else int(size)


def nearest(sums: npt.NDArray[np.intp], wanted: int) -> int:
    """The index of the sum that is nearest to a wanted number, the first of two."""
    return int(np.abs(sums - wanted).argmin())


def check_enough(there: int, leave: int, what: str, key: str) -> None:
    """Raise a DatasetProblem at `key` unless one can be held out of these groups or times."""
    if there <= leave:
        raise problem(key, f"this takes {leave + 1} {what} or more; there are {there}")


def problem(key: str, message: str) -> DatasetProblem:
    """A mistake at a key of the `dataset` block."""
    return DatasetProblem([(("dataset", key), message)])


def check_folds(folds: int, available: int, what: str) -> None:
    """Raise a DatasetProblem unless there is one of these for each fold."""
    if available < folds:
        raise problem("folds", f"{folds} folds need as many {what}; there are {available}")


def check_classes(folds: int, labels: npt.NDArray[Any]) -> None:
    """Raise a DatasetProblem if every class has fewer rows than there are folds."""
    most = int(np.unique(labels, return_counts=True)[1].max())
    if most < folds:
        message = (
            f"no class has a row for each of {folds} folds, the largest has {most}; use fewer "
            "folds, or stratify: false"
        )
        raise problem("folds", message)


def take(
    splitter: Any, fold: int, rows: Rows, labels: npt.NDArray[Any] | None = None
) -> tuple[Rows, Rows]:
    """The training and the test rows of one fold, from 1 on."""
    return take_all(splitter, rows, labels)[fold - 1]


def take_all(
    splitter: Any,
    rows: Rows,
    labels: npt.NDArray[Any] | None = None,
    groups: npt.NDArray[Any] | None = None,
) -> list[tuple[Rows, Rows]]:
    """The training and the test rows of each fold."""
    with warnings.catch_warnings():
        # Of rare classes: they are in some folds only, which is no mistake.
        warnings.simplefilter("ignore", UserWarning)
        parts = splitter.split(np.zeros(len(rows)), labels, groups)
        return [(rows[train], rows[test]) for train, test in parts]
