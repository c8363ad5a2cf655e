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
    """Raw rows of a data set; `rows` are their numbers, the set's own test rows counted last."""

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Unseen:
    """How many rows of a part have categories of a column that no training row has, and which."""

    part: str
    column: str
    rows: int
    categories: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of a data set.

    `test_size` is what was used when the config left it open. `left_out` counts the set's own test
    rows where there is to be no test split. `unseen` says where other parts have categories that
    no training row has.
    """

    train: SplitData
    validation: SplitData | None
    test: SplitData | None
    test_size: float | int | str
    left_out: int = 0
    unseen: tuple[Unseen, ...] = ()

    @property
    def held_out(self) -> dict[str, SplitData]:
        """The parts besides the training part that there are, by name."""
        parts = {"validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def in_file_order(self) -> Split:
        """The same split, its training rows as they stand in the file."""
        order = np.argsort(self.train.rows)
        train = SplitData(self.train.x[order], self.train.y[order], self.train.rows[order])
        return replace(self, train=train)


def make_split(dataset: Dataset, config: PreparationSettings, rng: np.random.Generator) -> Split:
    """Divide a data set as `test_size`, `validation_size` and `stratify` say.

    A fraction takes ceil(rows · fraction) rows, as scikit-learn's `train_test_split` does, and
    `validation_size` counts from the rows that are left for training. A number for `test_size`
    pools the rows of a set that has its own test split, and divides them anew; 0 leaves its test
    rows out.

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
    """`test_size` with its default filled in: "given" where the set has a test split, else 0.2."""
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
    """The rows that stay and the rows that are held out, in a random order."""
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
