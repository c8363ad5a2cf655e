"""The splits of a data set as a config wants them, and how a report describes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.rows.raw import RawRows
from nnrun.data.settings import DatasetSettings
from nnrun.data.splits.at_random import AtRandom
from nnrun.data.splits.by_column import ByGroup, ByTime
from nnrun.data.splits.parts import Split, SplitData, count_of, problem

DEFAULT_TEST_SIZE = 0.2

Splitter = AtRandom | ByGroup | ByTime
"""A way to split: `fold` gives the training and the test rows of one fold, from 1 on, and
`held_out` those that remain and those held out, for a size that a key of the config gives; at
least `leave` groups or times have to remain."""


def make_split(
    dataset: Dataset,
    config: DatasetSettings,
    rng: np.random.Generator,
    test_rng: np.random.Generator | None = None,
) -> Split:
    """Split a data set as `split`, `folds`, `test_size`, `validation_size` and `stratify` say.

    A fraction takes ceil(rows · fraction) rows, like scikit-learn's `train_test_split`;
    `validation_size` is taken from the rows left for training. If a set has its own test split,
    folds or a number for `test_size` pool all rows and split them anew; 0 drops its test rows.

    Args:
        dataset: raw.
        config: one of its folds, if it has folds; the first by default.
        rng: the stream of the split; a fold has the same generator as the others.
        test_rng: draws the test rows, by default `rng` too.

    Raises: DatasetProblem where a part would be empty or too large, or cannot be stratified.
    """
    test_size = None if config.folds else resolve_test_size(dataset, config.test_size)
    stratified = resolve_stratify(dataset, config)
    splitter = _splitter(dataset, config, stratified, rng)
    tester = splitter if test_rng is None else _splitter(dataset, config, stratified, test_rng)
    pool = SplitData(RawRows.of(*dataset.parts), dataset.pooled_y, dataset.weights)
    planned = None if dataset.split_values is None else _planned(len(pool), config)
    train, test = pool.rows[: len(dataset.x)], pool.rows[len(dataset.x) :]
    left_out, leave = 0, 2 if config.validation_size else 1
    if config.folds:
        train, test = tester.fold(pool.rows, config.folds, config.fold or 1, leave)
    elif test_size == 0:
        left_out, test = len(test), test[:0]
    elif test_size != "given":
        train, test = tester.held_out(pool.rows, test_size or 0, "test_size", leave)
    if config.hide_test:
        left_out, test = left_out + len(test), test[:0]
    train, validation = splitter.held_out(train, config.validation_size, "validation_size")
    return Split(
        train=pool.take(train),
        validation=pool.take(validation) if len(validation) else None,
        test=pool.take(test) if len(test) else None,
        test_size=test_size,
        stratified=stratified,
        # By time, no seed changes the number.
        planned=planned if planned and config.split.by == "group" else len(train),
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


def resolve_stratify(dataset: Dataset, config: DatasetSettings) -> bool:
    """`stratify` with its default: for folds of classes, unless by time."""
    if config.stratify and dataset.task == "regression":
        raise problem("stratify", "needs classes, but this is regression")
    if config.stratify is not None:
        return config.stratify
    by_default = config.folds is not None and config.split.by != "time"
    return by_default and dataset.task == "classification"


def _splitter(
    dataset: Dataset, config: DatasetSettings, stratified: bool, rng: np.random.Generator
) -> Splitter:
    labels = np.asarray(dataset.classes)[dataset.pooled_y] if stratified else None
    if dataset.split_values is None:
        return AtRandom(labels, rng, strict=config.folds is None)
    if config.split.by == "time":
        return ByTime(dataset.split_values)
    return ByGroup(dataset.split_values, labels, rng)


def _planned(rows: int, config: DatasetSettings) -> int:
    """The training rows if each row had its own group or time; raises if there would be none."""
    if config.folds:
        rows -= rows // config.folds
    else:
        size = DEFAULT_TEST_SIZE if config.test_size is None else config.test_size
        rows -= count_of(size, rows, "test_size")
    return rows - count_of(config.validation_size, rows, "validation_size")


def describe_split(
    dataset: Dataset, config: DatasetSettings, split: Split
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
