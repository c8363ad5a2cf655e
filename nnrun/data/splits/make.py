"""The splits of a data set as a config wants them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.rows.raw import RawRows
from nnrun.data.settings import PreparationSettings
from nnrun.data.splits.at_random import AtRandom
from nnrun.data.splits.by_group import ByGroup
from nnrun.data.splits.by_time import ByTime
from nnrun.data.splits.parts import Rows, Split, SplitData
from nnrun.data.splits.sizes import count_of, problem

DEFAULT_TEST_SIZE = 0.2


class Splitter(Protocol):
    """A way to split."""

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The training and the test rows of one fold, from 1 on; `leave` as below."""

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The remaining and the held-out rows.

        Args:
            rows: to divide.
            size: how many to hold out.
            key: of the config, at fault if there are too few.
            leave: how many groups or times have to remain.
        """


def make_split(
    dataset: Dataset,
    config: PreparationSettings,
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


def resolve_stratify(dataset: Dataset, config: PreparationSettings) -> bool:
    """`stratify` with its default: for folds of classes, unless by time."""
    if config.stratify and dataset.task == "regression":
        raise problem("stratify", "needs classes, but this is regression")
    if config.stratify is not None:
        return config.stratify
    by_default = config.folds is not None and config.split.by != "time"
    return by_default and dataset.task == "classification"


def _splitter(
    dataset: Dataset, config: PreparationSettings, stratified: bool, rng: np.random.Generator
) -> Splitter:
    labels = np.asarray(dataset.classes)[dataset.pooled_y] if stratified else None
    if dataset.split_values is None:
        return AtRandom(labels, rng, strict=config.folds is None)
    if config.split.by == "time":
        return ByTime(dataset.split_values)
    return ByGroup(dataset.split_values, labels, rng)


def _planned(rows: int, config: PreparationSettings) -> int:
    """The training rows if each row had its own group or time; raises if there would be none."""
    if config.folds:
        rows -= rows // config.folds
    else:
        size = DEFAULT_TEST_SIZE if config.test_size is None else config.test_size
        rows -= count_of(size, rows, "test_size")
    return rows - count_of(config.validation_size, rows, "validation_size")
