"""Loading the data set that a config names, or that is given in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.data.builtin.registry import DATASETS
from nnrun.data.dataset import Dataset, DatasetProblem, Key, hash_arrays, unboxed
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.preprocessing.pipeline import CLASS_TARGET
from nnrun.data.readers.formats import GIVEN, format_of, why_no_file
from nnrun.data.readers.npz import dataset_of, read_npz, read_split_values
from nnrun.data.readers.opening import disk_errors, fault_of
from nnrun.data.settings import DatasetSettings
from nnrun.errors import DataError, UsageError
from nnrun.suggestions import part_suggestion

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
    from nnrun.data.images.read import read_images  # noqa: PLC0415  # slow to import

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
        from nnrun.data.readers.table import read_table  # noqa: PLC0415  # slow to import
        from nnrun.data.readers.tables.opening import open_table  # noqa: PLC0415  # likewise

        refuse_if_too_big(2 * path.stat().st_size, str(path))
        with open_table(path, config.separator, config.decimal) as table:
            return read_table(table, config)
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
        from nnrun.data.readers.tables.frames import is_frame  # noqa: PLC0415  # slow to import

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
            from nnrun.data.readers.table import read_table  # noqa: PLC0415  # slow to import
            from nnrun.data.readers.tables.frames import Frame  # noqa: PLC0415  # likewise

            return read_table(Frame(self._frame), config)
        if config.columns is not None:
            message = "columns are for tables, and arrays were given"
            raise DatasetProblem([(("dataset", "columns"), message)])
        dataset = dataset_of(Path("data"), self._arrays, config.task, config.channel_axis)
        return replace(dataset, sha256=hash_arrays(*self._arrays.values()))


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
