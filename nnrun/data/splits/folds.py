"""One fold of a splitter of scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits.parts import Rows
from nnrun.data.splits.sizes import problem


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
    splitter: Any,
    fold: int,
    rows: Rows,
    labels: npt.NDArray[Any] | None = None,
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
