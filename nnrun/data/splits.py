"""A data set loaded and split, and its held-out rows compared with those of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.columns.column import Fitted, Number, TrainingRows
from nnrun.data.columns.table import Table
from nnrun.data.dataset import Dataset, DatasetProblem, Key, hash_arrays, unboxed
from nnrun.data.layout import Columns
from nnrun.data.preprocessing import CLASS_TARGET
from nnrun.data.protocols import DatasetSettings
from nnrun.data.readers.npz import dataset_of, read_npz, read_split_values
from nnrun.data.readers.opening import GIVEN, disk_errors, fault_of, format_of, why_no_file
from nnrun.data.rows import Places, RawRows, refuse_if_too_big
from nnrun.data.split_rows import (
    AtRandom,
    ByGroup,
    ByTime,
    Rows,
    Split,
    SplitData,
    Unseen,
    asked,
    count_of,
    problem,
)
from nnrun.errors import DataError, UsageError
from nnrun.nn.signature import Array, Rng
from nnrun.suggestions import part_suggestion


def with_training_categories(
    dataset: Dataset, split: Split, rng: Rng | None = None
) -> tuple[Dataset, Split]:
    """Fit columns to the training rows: to the categories that these have, and means of the target.

    The new set has the original as `whole`; if nothing changes, the arguments are returned. `rng`
    draws the folds for means.
    """
    columns = dataset.columns
    if columns is None or columns.plain:
        return dataset, split
    rng = rng or np.random.default_rng(0)
    training = TrainingRows(split.train.y, dataset.classes, lambda: int(rng.integers(2**31)))
    fits = [
        None
        if column.kind == Number.kind
        else column.fitted(split.train.raw.features(place, column.codes), training)
        for column, place in zip(columns, columns.places.values(), strict=True)
    ]
    if not any(fits):
        return dataset, split
    every = [fit.column if fit else column for column, fit in zip(columns, fits, strict=True)]
    unseen = tuple(_unseen(split, columns, fits, dataset.row_numbers))
    after = replace(columns, every=tuple(every))

    def part_of(part: SplitData, train: Places | None = None) -> SplitData:
        return replace(part, raw=replace(part.raw, view=_Fitted(columns, fits, train)))

    parts: dict[str, Any] = {name: part_of(part) for name, part in split.untrained.items()}
    parts["train"] = part_of(split.train, split.train.rows)
    narrow = replace(dataset, columns=after, feature_names=after.feature_names, whole=dataset)
    return narrow, replace(split, **parts, unseen=unseen)


def check_categories(dataset: Dataset, split: Split) -> None:
    """Raise a DatasetProblem if a held-out row has a category that `unknown: error` forbids."""
    columns = (split.unseen and dataset.columns) or ()
    forbids = {column.name for column in columns if getattr(column, "unknown", "") == "error"}
    for one in split.unseen:
        if one.column in forbids:
            rows = f"{one.rows} rows" if one.rows > 1 else "a row"
            where = f"{'the first is ' * (one.rows > 1)}row {one.first} of the data"
            verb = "have" if one.rows > 1 else "has"
            names = ", ".join(f"'{name}'" for name in one.categories[:3])
            more = ", …" * (len(one.categories) > 3)
            message = (
                f"{rows} of the {one.part} split ({where}) {verb} a category of '{one.column}' "
                f"that no training row has: {names}{more}; `unknown: ignore` predicts it as none "
                "of them"
            )
            raise DatasetProblem([(("dataset", "unknown"), escaped(message, kept=""))])


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The features of columns after they were fitted to the training rows.

    Args:
        columns: before that.
        fits: of each column that changes.
        train: the numbers of the training rows, if these are they.
    """

    columns: Columns
    fits: Sequence[Fitted | None]
    train: Places | None = None

    @cached_property
    def features(self) -> int:
        pairs = zip(self.columns, self.fits, strict=True)
        return sum((fit.column if fit else column).width for column, fit in pairs)

    def __call__(self, x: Array, rows: Places) -> Array:
        parts = zip(self.columns.parts(x), self.fits, strict=True)
        return np.hstack([self._features(part, fit, rows) for (_, part), fit in parts])

    def _features(self, x: Array, fit: Fitted | None, rows: Places) -> Array:
        if fit is None:
            return x
        if fit.training is None or self.train is None:
            return fit.convert(x)
        found: Array = fit.training[self._positions[rows]]
        return found

    @cached_property
    def _positions(self) -> Places:
        """Place of each row of the data set among the training rows."""
        assert self.train is not None
        positions = np.zeros(self.train.max() + 1, np.intp)
        positions[self.train] = np.arange(len(self.train))
        return positions


def _unseen(
    split: Split, columns: Columns, fits: Sequence[Fitted | None], numbers: Places
) -> Iterator[Unseen]:
    for name, part in split.untrained.items():
        for column, place, fit in zip(columns, columns.places.values(), fits, strict=True):
            if fit is None:
                continue
            rows, categories = fit.unseen(part.raw.features(place, column.codes))
            if categories:
                first = int(numbers[part.rows[rows]].min())
                yield Unseen(name, column.name, len(rows), categories, first)


def duplicates(dataset: Dataset, split: Split) -> dict[str, int]:
    """The number of rows of each held-out split that equal a training row, target included."""
    held_out = split.untrained
    numbers = (dataset.whole or dataset).equal_rows if held_out else None
    if numbers is None:
        return dict.fromkeys(held_out, 0)
    seen = np.zeros(numbers.max() + 1, np.bool_)
    seen[numbers[split.train.rows]] = True
    return {name: int(seen[numbers[part.rows]].sum()) for name, part in held_out.items()}


# The splits of a data set as a config wants them, and how a report describes them.

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
    """Split a data set as `split`, `folds`, the sizes and `stratify` say.

    A fraction takes ceil(rows · fraction) rows, like scikit-learn's `train_test_split`;
    `validation_size` is taken from the rows left for training, and `calibration_size` from what is
    left then, so that test and validation rows are the same without it. If a set has its own test
    split, folds or a number for `test_size` pool all rows and split them anew; 0 drops its test
    rows, and "pooled" has no test split either, but keeps them among the others.

    Args:
        dataset: raw.
        config: one of its folds, if it has folds; the first by default.
        rng: the stream of the split; a fold has the same generator as the others.
        test_rng: draws the test rows, by default `rng` too.

    Raises: DatasetProblem where a part would be empty or too large, or cannot be stratified.
    """
    test_size = None if config.folds else resolve_test_size(dataset, config.test_size)
    stratified = resolve_stratify(dataset, config)
    if config.copies == "together" and test_size == "given":
        raise problem("copies", f"{dataset.name} has its own test rows, which stay where they are")
    splitter = _splitter(dataset, config, stratified, rng)
    tester = splitter if test_rng is None else _splitter(dataset, config, stratified, test_rng)
    pool = SplitData(RawRows.of(*dataset.parts), dataset.pooled_y, dataset.weights)
    rows = pool.rows[~dataset.is_copy] if config.copies == "drop" else pool.rows
    planned = None if _groups(dataset, config) is None else _planned(len(rows), config)
    train, test = rows[rows < len(dataset.x)], rows[rows >= len(dataset.x)]
    left_out, aside = len(pool) - len(rows), bool(config.calibration_size)
    leave = 1 + bool(config.validation_size) + aside
    if config.folds:
        train, test = tester.fold(rows, config.folds, config.fold or 1, leave)
    elif test_size == 0:
        left_out, test = left_out + len(test), test[:0]
    elif test_size == "pooled":
        train, test = rows, test[:0]
    elif test_size != "given":
        train, test = tester.held_out(rows, test_size or 0, "test_size", leave)
    if config.hide_test:
        left_out, test = left_out + len(test), test[:0]
    size = config.validation_size
    train, validation = splitter.held_out(train, size, "validation_size", 1 + aside)
    train, calibration = splitter.held_out(train, config.calibration_size, "calibration_size")
    if config.train_size is not None:
        whole, train = len(train), _reduced(train, config.train_size, splitter)
        left_out += whole - len(train)
    return Split(
        train=pool.take(train),
        validation=pool.take(validation) if len(validation) else None,
        test=pool.take(test) if len(test) else None,
        calibration=pool.take(calibration) if len(calibration) else None,
        test_size=test_size,
        stratified=stratified,
        # By time, no seed changes the number.
        planned=planned if planned and config.split.by != "time" else len(train),
        left_out=left_out,
    )


def _reduced(train: Rows, size: float | int, splitter: Splitter) -> Rows:
    """So many of the training rows; by time the last ones."""
    rows = len(train)
    count = asked(size, rows)
    if not 0 < count <= rows:
        raise problem("train_size", f"{size} of {rows} training rows are asked for")
    if count == rows:
        return train
    if isinstance(splitter, ByTime):
        return splitter.held_out(train, count, "train_size")[1]
    return splitter.held_out(train, rows - count, "train_size")[0]


def rows_of_members(
    dataset: Dataset, config: DatasetSettings, split: Split, rngs: Sequence[Rng]
) -> list[tuple[Places, Places]]:
    """The training and the validation rows of members with validation rows of their own.

    They are places among the rows of both parts, those of training first. The first member has the
    parts of the split; each of `rngs` draws the validation rows of one more, among those that no
    member before it has had, until these run out and all are there to be drawn again. So five
    members that hold out a fifth of the rows hold out each row once.
    """
    validation = split.held_out["validation"]
    pool = np.concatenate([split.train.rows, validation.rows])
    place = np.empty(pool.max() + 1, np.intp)
    place[pool] = np.arange(len(pool))
    labels = np.asarray(dataset.classes)[dataset.pooled_y] if split.stratified else None
    found = [(np.arange(len(split.train)), np.arange(len(split.train), len(pool)))]
    left, count, groups = split.train.rows, len(validation), _groups(dataset, config)
    for rng in rngs:
        last = left[:0]  # of a round, in which each row is held out once
        splitter: Splitter = AtRandom(labels, rng, strict=False)
        if groups is not None:
            splitter = ByGroup(groups, labels, rng)
            left = left if len(np.unique(groups[left])) > 1 else pool
        elif len(left) <= count:
            last, left = left, pool[~np.isin(pool, left)]
        drawn = left[:0]
        if len(last) < count:
            _, drawn = splitter.held_out(left, count - len(last), "validation_size")
        left = pool if len(last) else left
        left = left[~np.isin(left, drawn)]
        drawn = np.concatenate([last, drawn])
        held_out = np.zeros(len(pool), np.bool_)
        held_out[place[drawn]] = True
        found.append((np.flatnonzero(~held_out), place[drawn]))
    return found


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
    groups = _groups(dataset, config)
    if groups is None:
        return AtRandom(labels, rng, strict=config.folds is None)
    return ByTime(groups) if config.split.by == "time" else ByGroup(groups, labels, rng)


def _groups(dataset: Dataset, config: DatasetSettings) -> npt.NDArray[Any] | None:
    """The group, or the time, of each row, if rows are split by them.

    Equal rows have the same group and time anyway.
    """
    alone = dataset.split_values is None and config.copies == "together"
    return dataset.equal_rows if alone else dataset.split_values


def _planned(rows: int, config: DatasetSettings) -> int:
    """The training rows if each row had its own group or time; raises if there would be none."""
    if config.folds:
        rows -= rows // config.folds
    else:
        size = DEFAULT_TEST_SIZE if config.test_size is None else config.test_size
        size = 0 if size == "pooled" else size
        rows -= count_of(size, rows, "test_size")
    rows -= count_of(config.validation_size, rows, "validation_size")
    rows -= count_of(config.calibration_size, rows, "calibration_size")
    return rows if config.train_size is None else min(rows, asked(config.train_size, rows))


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
        parts = {"train": split.train, **split.untrained}
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
    parts = {"train": split.train, **split.untrained}
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


# Loading the data set that a config names, or that is given in Python.

_ELSEWHERE = "put it there or beside the config, or name another with dataset.path=FILE"
_BYTES_OF_ROW = 100
"""Of memory, for each row of a set that is computed."""
_ARRAYS = ("x", "y", "x_test", "y_test")
_FORMS = "a table of pandas, polars or pyarrow, or arrays as (x, y) or {'x': x, 'y': y}"


def load_dataset(config: DatasetSettings) -> Dataset:
    """The data set that a config names, raw and complete; its split and preprocessing are checked.

    Raises: DatasetProblem if keys of the config do not fit the data, DataError if a file is wrong,
    NnrunError if the disk or the network fails.
    """
    dataset = read_dataset(config)
    check_preparation(dataset, config)
    return dataset


def read_dataset(config: DatasetSettings) -> Dataset:
    """The data set that a config names, without these checks; raises as above."""
    if config.name is not None:
        return _built_in(config.name, config)
    if config.images is None:
        return _from_path(config)
    from nnrun.data.images import read_images  # noqa: PLC0415  # slow to import

    return read_images(config.images)


def _built_in(name: str, config: DatasetSettings) -> Dataset:
    if name not in DATASETS:
        message = f"there is no data set '{name}'{part_suggestion(name, DATASETS)}"
        raise DatasetProblem([(("dataset", "name"), message)])
    entry, options = DATASETS[name], config.arguments()
    if rows := options.get("rows"):
        try:
            refuse_if_too_big(rows * _BYTES_OF_ROW, f"{name} of {rows} rows")
        except DataError as error:
            raise DatasetProblem([(("dataset", "rows"), str(error))]) from None
    dataset = entry.load(**options)
    return replace(dataset, name=name, description=entry.description, note=entry.note)


def _from_path(config: DatasetSettings) -> Dataset:
    if config.path == GIVEN:
        message = "its data were given in Python and have no file; pass them again as `data`"
        raise DatasetProblem([(("dataset", "path"), message)])
    path = Path(config.path or "")
    with disk_errors(path):
        fault = fault_of(path)
    if fault is not None:
        elsewhere = f"; {_ELSEWHERE}" if fault == "does not exist" else ""
        raise DatasetProblem([(("dataset", "path"), f"{path} {fault}{elsewhere}")])
    found = format_of(path)
    if found is None:
        raise DatasetProblem([(("dataset", "path"), why_no_file(path) or "")])
    if found.is_table:
        from nnrun.data.readers.excel import open_table  # noqa: PLC0415  # likewise
        from nnrun.data.readers.table import read_table  # noqa: PLC0415  # slow to import

        refuse_if_too_big(2 * path.stat().st_size, str(path))
        again = partial(open_table, path, config.separator, config.decimal, config.encoding)
        with again() as table:
            return read_table(table, config, again)
    dataset = read_npz(path, task=config.task, channels=config.channel_axis)
    return replace(dataset, split_values=read_split_values(path, config.split, len(dataset.x)))


def check_preparation(dataset: Dataset, config: DatasetSettings) -> None:
    """Raise a DatasetProblem if the config has settings that do not fit the task."""
    problems: list[tuple[Key, str]] = []
    if config.task not in (None, dataset.task):
        problems.append((("dataset", "task"), f"{dataset.name} is a {dataset.task} data set"))
    if dataset.task == "classification" and config.target != "none":
        problems.append((("dataset", "target"), CLASS_TARGET.format(config.target)))
    if dataset.task == "regression" and config.stratify:
        problems.append((("dataset", "stratify"), "needs classes, but this is regression"))
    if dataset.split_values is None and config.split.by != "random":
        message = f"{dataset.name} has no column to split by; its split is random"
        problems.append((("dataset", "split"), message))
    if dataset.split_values is not None and dataset.x_test is not None:
        message = f"{dataset.name} has its own test rows, which are not split by {config.split.by}"
        problems.append((("dataset", "split"), message))
    if problems:
        raise DatasetProblem(problems)


class GivenData:
    """A table with columns, or arrays.

    Args:
        data: a table of pandas, polars or pyarrow; arrays (x, y), or by name as in an npz file.

    Raises: UsageError if it is something else.
    """

    def __init__(self, data: Any) -> None:
        from nnrun.data.readers.parquet import is_frame  # noqa: PLC0415  # slow to import

        self._frame = data if is_frame(data) else None
        self._arrays = {} if self._frame is not None else _named(data)

    def load(self, config: DatasetSettings) -> Dataset:
        """These data, read as a config says; raises as `load_dataset` does."""
        dataset = self.read(config)
        check_preparation(dataset, config)
        return dataset

    def read(self, config: DatasetSettings) -> Dataset:
        """The same without checks; raises as `read_dataset` does."""
        if self._frame is not None:
            from nnrun.data.readers.parquet import Frame  # noqa: PLC0415  # likewise
            from nnrun.data.readers.table import read_table  # noqa: PLC0415  # slow to import

            table = Frame(self._frame)
            return read_table(table, config, partial(_as_it_is, table))
        if config.columns is not None:
            message = "columns are for tables, and arrays were given"
            raise DatasetProblem([(("dataset", "columns"), message)])
        dataset = dataset_of(Path("data"), self._arrays, config.task, config.channel_axis)
        return replace(dataset, sha256=hash_arrays(*self._arrays.values()))


def _as_it_is(table: Table) -> AbstractContextManager[Table]:
    return nullcontext(table)


def loader_of(data: Any) -> Callable[[DatasetSettings], Dataset] | None:
    """The loader of data that are given in place of a config's; None without such data."""
    return None if data is None else GivenData(data).load


def _named(data: Any) -> dict[str, Any]:
    if isinstance(data, tuple | list) and len(data) == 2:
        data = dict(zip(_ARRAYS, data, strict=False))
    if not isinstance(data, Mapping) or not {"x", "y"} <= set(data) <= set(_ARRAYS):
        raise UsageError(f"data={type(data).__name__}: expected {_FORMS}")
    if ("x_test" in data) != ("y_test" in data):
        raise UsageError("data: of x_test and y_test one is missing")
    arrays = {name: unboxed(np.asarray(data[name])) for name in _ARRAYS if name in data}
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            kinds = ", ".join(sorted({type(cell).__name__ for cell in array.ravel().tolist()})[:4])
            message = f"data: {name} holds objects of Python ({kinds}), not numbers or text alone"
            raise UsageError(message)
    return arrays
