"""How many rows a split takes, and the errors of splits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import DatasetProblem


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
