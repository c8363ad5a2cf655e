"""The array of an npz file that rows are split by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.data.dataset import DatasetProblem
from nnrun.data.readers.npz import check_finite, check_text
from nnrun.data.readers.npz_arrays import Array, held_names, read_arrays
from nnrun.data.settings import SplitSettings
from nnrun.errors import DataError


def read_split_values(path: Path, split: SplitSettings, rows: int) -> Array | None:
    """A number for the group of each row, or the times of rows; None if a split needs neither.

    Raises: DatasetProblem if there is no such array, DataError if it holds something else.
    """
    name = split.column
    if name is None:
        return None
    found = read_arrays(path, (name,))
    if name not in found:
        message = f"there is no array '{name}'{held_names(path)}"
        raise DatasetProblem([(("dataset", "split", "column"), message)])
    values = found[name]
    if values.shape != (rows,):
        raise DataError(f"{path}: {name}: has shape {values.shape}; needed is ({rows},)")
    return _times(path, name, values) if split.by == "time" else _groups(path, name, values)


def _groups(path: Path, name: str, values: Array) -> Array:
    if values.dtype.kind not in "buifU":
        raise DataError(f"{path}: {name}: holds {values.dtype}, neither numbers nor text")
    if values.dtype.kind == "f":
        check_finite(path, name, values)
    if values.dtype.kind == "U":
        check_text(path, name, values)
    return np.unique(values, return_inverse=True)[1]


def _times(path: Path, name: str, values: Array) -> Array:
    if values.dtype.kind in "uif":
        values = values.astype(np.float64)
        check_finite(path, name, values)
        return values
    if values.dtype.kind != "M":
        what = "neither numbers nor dates; save dates as np.array(…, dtype='datetime64[s]')"
        raise DataError(f"{path}: {name}: holds {values.dtype}, {what}")
    if np.isnat(values).any():
        raise DataError(f"{path}: {name}[{np.isnat(values).argmax()}]: the time is missing")
    return values.astype("datetime64[us]")
