"""Data that are given in Python, in place of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.data.dataset import Dataset, DatasetProblem, hash_arrays
from nnrun.data.load import check_preparation, from_table
from nnrun.data.readers.npz import dataset_of
from nnrun.data.readers.tables.frames import Frame, is_frame
from nnrun.data.settings import DatasetSettings, SourceSettings
from nnrun.errors import UsageError

_ARRAYS = ("x", "y", "x_test", "y_test")
_FORMS = "a table of pandas, polars or pyarrow, or arrays as (x, y) or {'x': x, 'y': y}"


class GivenData:
    """A table with columns, or arrays.

    Args:
        data: a table of pandas, polars or pyarrow; arrays (x, y), or by name as in an npz file.

    Raises: UsageError if it is something else.
    """

    def __init__(self, data: Any) -> None:
        self._frame = data if is_frame(data) else None
        self._arrays = {} if self._frame is not None else _named(data)

    def load(self, config: DatasetSettings) -> Dataset:
        """These data, read as a config says; raises as `load_dataset` does."""
        dataset = self.read(config)
        check_preparation(dataset, config)
        return dataset

    def read(self, config: SourceSettings) -> Dataset:
        """The same without checks; raises as `read_dataset` does."""
        if self._frame is not None:
            return from_table(Frame(self._frame), config)
        if config.columns is not None:
            message = "columns are for tables, and arrays were given"
            raise DatasetProblem([(("dataset", "columns"), message)])
        dataset = dataset_of(Path("data"), self._arrays, config.task, config.channel_axis)
        return replace(dataset, sha256=hash_arrays(*self._arrays.values()))


def loader_of(data: Any) -> Callable[[DatasetSettings], Dataset] | None:
    """What loads data that are given in place of a config's; None if none are."""
    return None if data is None else GivenData(data).load


def _named(data: Any) -> dict[str, Any]:
    if isinstance(data, tuple | list) and len(data) == 2:
        data = dict(zip(_ARRAYS, data, strict=False))
    if not isinstance(data, Mapping) or not {"x", "y"} <= set(data) <= set(_ARRAYS):
        raise UsageError(f"data={type(data).__name__}: needed is {_FORMS}")
    if ("x_test" in data) != ("y_test" in data):
        raise UsageError("data: of x_test and y_test one is missing")
    arrays = {name: np.asarray(data[name]) for name in _ARRAYS if name in data}
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            raise UsageError(f"data: {name} holds objects of Python, not numbers or text")
    return arrays
