"""A loaded data set, and the error that points at keys of the config."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.layout import Columns, Layout
from nnrun.data.rows import equal_rows
from nnrun.errors import DataError, first_of

Task = Literal["regression", "classification"]
Key = tuple[str | int, ...]


class DatasetProblem(DataError):  # noqa: N818  # named as the other errors are
    """Mistakes in the `dataset` block that only the data shows, each with its key in the config.

    `problems` holds (key, message) pairs, so that a caller with the YAML file can point at the
    lines; `key` is the first key. The message of the exception names the dotted keys.
    """

    def __init__(self, problems: Iterable[tuple[Key, str]]) -> None:
        self.problems = tuple(problems)
        self.key: Key = self.problems[0][0]
        super().__init__(
            "\n".join(first_of([f"{dotted(key)}: {text}" for key, text in self.problems]))
        )

    def __reduce__(self) -> tuple[type[DatasetProblem], tuple[tuple[tuple[Key, str], ...]]]:
        return type(self), (self.problems,)


def dotted(key: Key) -> str:
    """A key in messages: `dataset.columns.drop[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")


class OtherCells(Protocol):
    """The cells of a source that are not in x and y as they stand there."""

    def words(self, sha256: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64] | None:
        """A hash of them for each row of the source; None if they cannot be read any more."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw rows, before any split or preprocessing.

    x is (rows, features) or, for images, (rows, channels, height, width), of the real numbers that
    the source has; it may be mapped from a file. y is (rows, outputs) float64 for regression, and
    (rows,) int64 class numbers for classification; `classes[number]` is the name of a class.
    `x_test` and `y_test` are the set's own test split, if any. `sha256` is the digest of the file,
    or of the arrays if there is no file. `dropped` has the places in the file of rows that
    `missing: drop_rows` left out. `files` has the path of each row's image in its folder, test rows
    last, where rows are images. `columns` describes how a table becomes x. With `text_labels`
    classes are text, even those that look like numbers; with `bool_labels` they are False and True.
    If this set has only the categories of training rows, `whole` is the set with all of them; x is
    that of the set in both. `split_values` (rows,) are what the config splits by: a number for each
    group, or times as numbers or datetime64; `series` (rows,) numbers the series of rows whose lags
    are those of groups. `weights` (rows,), if rows have any, are at least 0;
    sets with test rows of their own have none. `target_form` is how a file writes the numbers to
    predict, if not plainly. `others` has the cells of columns that x has not, or in part.
    """

    name: str
    task: Task
    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    classes: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    x_test: npt.NDArray[Any] | None = None
    y_test: npt.NDArray[Any] | None = None
    sha256: str = ""
    description: str = ""
    note: str = ""
    columns: Columns | None = None
    text_labels: bool = False
    dropped: tuple[int, ...] = ()
    bool_labels: bool = False
    whole: Dataset | None = None
    split_values: npt.NDArray[Any] | None = None
    series: npt.NDArray[np.int64] | None = None
    weights: npt.NDArray[np.float64] | None = None
    target_form: NumberFormat | None = None
    files: tuple[str, ...] = ()
    others: OtherCells | None = None

    @cached_property
    def equal_rows(self) -> npt.NDArray[np.intp] | None:
        """A number for each row, the same for rows that are equal in all cells of the source, test
        rows last; None if all differ.
        """
        numbers = equal_rows(self.parts, self.pooled_y)
        if numbers is None or self.others is None:
            return numbers
        words = self.others.words(self.sha256, self.row_numbers - 1)
        if words is None:
            return numbers
        pairs = np.stack([numbers.astype(np.uint64), words])
        _, numbers = np.unique(pairs, axis=1, return_inverse=True)
        return None if numbers.max() + 1 == len(numbers) else numbers.ravel()

    @cached_property
    def is_copy(self) -> npt.NDArray[np.bool_]:
        """Whether each row equals an earlier one, test rows last."""
        copies = np.zeros(len(self.pooled_y), np.bool_)
        if self.equal_rows is not None:
            copies[:] = True
            copies[np.unique(self.equal_rows, return_index=True)[1]] = False
        return copies

    @property
    def row_numbers(self) -> npt.NDArray[np.intp]:
        """The number of each row in the file, from 1 on, the set's own test rows last."""
        there = np.arange(len(self.pooled_y) + len(self.dropped))
        return np.delete(there, list(self.dropped)) + 1

    @property
    def parts(self) -> tuple[npt.NDArray[Any], ...]:
        """x, and the set's own test rows, if any."""
        return (self.x,) if self.x_test is None else (self.x, self.x_test)

    @property
    def pooled_y(self) -> npt.NDArray[Any]:
        """All y, with those of the set's own test rows last."""
        return self.y if self.y_test is None else np.concatenate([self.y, self.y_test])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row: (features,) or (channels, height, width)."""
        return self.x.shape[1:] if self.columns is None else (len(self.columns.feature_names),)

    @property
    def outputs(self) -> int:
        """The outputs that a network needs: one for each target, or one for each class."""
        return len(self.classes) if self.task == "classification" else int(self.y.shape[1])

    @cached_property
    def class_counts(self) -> list[int]:
        """The number of rows of each class, without the set's own test rows."""
        return [int(count) for count in np.bincount(self.y, minlength=len(self.classes))]

    @property
    def layout(self) -> Layout:
        """The layout of rows and targets, which predictions for new rows need."""
        return Layout(
            task=self.task,
            shape=self.shape,
            columns=self.columns or Columns.numbers(self.feature_names),
            classes=self.classes,
            text_labels=self.text_labels,
            bool_labels=self.bool_labels,
            target_names=self.target_names,
            target_form=self.target_form,
            from_images=bool(self.files),
        )


def unboxed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of objects that are all texts, or all numbers, as an array of these; any other array
    as it is.
    """
    if array.dtype.kind != "O":
        return array
    cells = array.ravel().tolist()
    if cells and all(isinstance(cell, str) for cell in cells):
        return array.astype(str)
    if all(isinstance(cell, int | float | np.number | np.bool_) for cell in cells):
        return np.array(cells).reshape(array.shape)
    return array


def hash_arrays(*arrays: npt.NDArray[Any]) -> str:
    """SHA-256 over the types, shapes and little-endian bytes of arrays, the same on any machine."""
    digest = hashlib.sha256()
    for array in arrays:
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{plain.dtype.str}{plain.shape}".encode())
        digest.update(plain.tobytes())
    return digest.hexdigest()


def pixel_names(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names for the values of one image, in the order of its flattened pixels."""
    channels, height, width = shape
    names = [f"pixel_{row}_{column}" for row in range(height) for column in range(width)]
    if channels == 1:
        return tuple(names)
    return tuple(f"channel_{channel}_{name}" for channel in range(channels) for name in names)
