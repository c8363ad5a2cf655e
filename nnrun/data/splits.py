"""Training, validation and test rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.settings import PreparationSettings

DEFAULT_TEST_SIZE = 0.2

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SplitData:
    """Raw rows of a data set; `rows` are their indices, with the set's own test rows last."""

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Unseen:
    """Categories of a column in a held-out split that no training row has, and in how many rows."""

    part: str
    column: str
    rows: int
    categories: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """The splits of a data set.

    `test_size` is the size used, with defaults resolved. `left_out` counts the set's own test rows
    if the config wants no test split. `unseen` lists categories of held-out rows that no training
    row has.
    """

    train: SplitData
    validation: SplitData | None
    test: SplitData | None
    test_size: float | int | str
    left_out: int = 0
    unseen: tuple[Unseen, ...] = ()

    @property
    def held_out(self) -> dict[str, SplitData]:
        """The validation and test splits that exist, by name."""
        parts = {"validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def in_file_order(self) -> Split:
        """The same split with the training rows in the order of the file."""
        order = np.argsort(self.train.rows)
        train = SplitData(self.train.x[order], self.train.y[order], self.train.rows[order])
        return replace(self, train=train)


def make_split(dataset: Dataset, config: PreparationSettings, rng: np.random.Generator) -> Split:
    """Split a data set by `test_size`, `validation_size` and `stratify`.

    A fraction takes ceil(rows · fraction) rows, like scikit-learn's `train_test_split`;
    `validation_size` is taken from the rows left for training. If a set has its own test split, a
    number for `test_size` pools all rows and splits them anew; 0 drops its test rows.

    Raises: DatasetProblem where a part would be empty or too large, or cannot be stratified.
    """
    if config.stratify and dataset.task == "regression":
        raise DatasetProblem([(("dataset", "stratify"), "needs classes, but this is regression")])
    test_size = resolve_test_size(dataset, config.test_size)
    x, y = dataset.pooled
    pool = SplitData(x, y, np.arange(len(x)))
    labels = np.asarray(dataset.classes)[pool.y] if config.stratify else None
    train, test = pool.rows[: len(dataset.x)], pool.rows[len(dataset.x) :]
    left_out = 0
    if test_size == 0:
        left_out, test = len(test), test[:0]
    elif test_size != "given":
        train, test = _held_out(pool.rows, test_size, "test_size", labels, rng)
    train, validation = _held_out(train, config.validation_size, "validation_size", labels, rng)
    return Split(
        train=_part(pool, train),
        validation=_part(pool, validation) if len(validation) else None,
        test=_part(pool, test) if len(test) else None,
        test_size=test_size,
        left_out=left_out,
    )


def resolve_test_size(dataset: Dataset, test_size: float | int | str | None) -> float | int | str:
    """`test_size` with its default: "given" if the set has its own test split, else 0.2."""
    if test_size is None:
        return DEFAULT_TEST_SIZE if dataset.x_test is None else "given"
    if test_size == "given" and dataset.x_test is None:
        message = f"'given' asks for the set's own test split, and {dataset.name} has none"
        raise DatasetProblem([(("dataset", "test_size"), message)])
    return test_size


def _part(pool: SplitData, rows: Rows) -> SplitData:
    return SplitData(pool.x[rows], pool.y[rows], rows)


def _held_out(
    rows: Rows,
    size: float | int | str,
    key: str,
    labels: npt.NDArray[Any] | None,
    rng: np.random.Generator,
) -> tuple[Rows, Rows]:
    """The remaining rows and the held-out rows, in random order."""
    count = _count(size, len(rows), key)
    if count == 0:
        return rows, rows[:0]
    if labels is None:
        order = rng.permutation(len(rows))
        return rows[order[count:]], rows[order[:count]]
    return _stratified(rows, labels[rows], count, key, rng)


def _count(size: float | int | str, available: int, key: str) -> int:
    if isinstance(size, str) or not 0 <= size < math.inf:
        raise _problem(key, f"{size!r} is neither a fraction nor a number of rows")
    if isinstance(size, float) and size >= 1:
        raise _problem(key, f"{size} is no fraction below 1; a number of rows is written whole")
    count = math.ceil(size * available) if isinstance(size, float) else size
    if count >= available > 0 and count > 0:
        raise _problem(key, f"{size} takes {count} of {available} rows and leaves none to train on")
    return count


def _stratified(
    rows: Rows, labels: npt.NDArray[Any], count: int, key: str, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    from sklearn.model_selection import StratifiedShuffleSplit  # noqa: PLC0415  # slow

    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < 2:
        class_ = f"class '{classes[sizes.argmin()]}'"
        message = f"{class_} has a single row, too few for a training and a test part"
        if key == "validation_size":
            message = f"of {class_} a single row is left for the training and the validation part"
        raise _problem("stratify", message)
    rest = len(rows) - count
    if min(count, rest) < len(classes):
        message = f"with stratify, {count} and {rest} rows are too few for {len(classes)} classes"
        raise _problem(key, message)
    seed = int(rng.integers(2**32))
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    kept, held_out = next(splitter.split(np.zeros(len(rows)), labels))
    return rows[kept], rows[held_out]


def _problem(key: str, message: str) -> DatasetProblem:
    return DatasetProblem([(("dataset", key), message)])
