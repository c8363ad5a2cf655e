"""The rows of each split, how many there are, and one fold of a splitter of scikit-learn."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import DatasetProblem
from nnrun.data.rows.raw import RawRows

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SplitData:
    """Rows of a data set: `raw` has their features, y (rows, ...) their targets.

    `weight` (rows,) is None where rows have no weights.
    """

    raw: RawRows
    y: npt.NDArray[Any]
    weight: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def rows(self) -> Rows:
        """The numbers of the rows in the data set, with the set's own test rows last."""
        return self.raw.rows

    @property
    def x(self) -> npt.NDArray[Any]:
        """The raw rows as a new array; `raw` reads them in blocks."""
        return self.raw.all()

    def take(self, places: npt.NDArray[np.intp]) -> SplitData:
        """The rows at these places."""
        weight = None if self.weight is None else self.weight[places]
        return SplitData(self.raw.take(places), self.y[places], weight)


@dataclass(frozen=True)
class Unseen:
    """Categories of a column in a held-out split that no training row has, and in how many rows.

    `first` is the number of the first of these rows in the data, from 1 on.
    """

    part: str
    column: str
    rows: int
    categories: tuple[str, ...]
    first: int


@dataclass(frozen=True)
class Sizes:
    """How many rows splits have; `planned` as in `Split`."""

    train: int
    held_out: tuple[int, ...]
    planned: int

    @property
    def total(self) -> int:
        """Of all splits."""
        return self.train + sum(self.held_out)

    @property
    def largest(self) -> int:
        """The rows of the largest split."""
        return max(self.train, *self.held_out, 0)


@dataclass(frozen=True, eq=False)
class Split:
    """The splits of a data set.

    `test_size` is the size used, with defaults resolved; None with folds. `stratified` says whether
    classes were kept in proportion. `planned` is the number of training rows that the sizes ask
    for: whole groups may be more or fewer, as the seed draws them. `left_out` counts rows in no
    split: the set's own test rows if the config wants no test split, hidden ones, and with folds by
    time what comes later. `unseen` lists categories of held-out rows that no training row has.
    """

    train: SplitData
    validation: SplitData | None
    test: SplitData | None
    test_size: float | int | str | None
    stratified: bool = False
    planned: int = 0
    left_out: int = 0
    unseen: tuple[Unseen, ...] = ()

    @property
    def held_out(self) -> dict[str, SplitData]:
        """The validation and test splits that exist, by name."""
        parts = {"validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    @cached_property
    def sizes(self) -> Sizes:
        """Of its parts."""
        return Sizes(len(self.train), tuple(map(len, self.held_out.values())), self.planned)

    def in_file_order(self) -> Split:
        """The same split with the training rows in the order of the file."""
        return replace(self, train=self.train.take(np.argsort(self.train.rows)))


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
