"""Columns of the input that predictions come with: cells as they are in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.readers.npz_arrays import read_arrays
from nnrun.data.readers.tables.opening import open_table
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import suggestion

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def check_named(path: Path | str, carried: Sequence[str], names: Sequence[str]) -> None:
    """Raise a DataError with each carried column that is none of these names."""
    lines = [
        escaped(f"{path}: there is no column '{name}' for --id{suggestion(name, names)}", kept="")
        for name in carried
        if name not in names
    ]
    if lines:
        raise DataError("\n".join(lines))


def with_time(cell: str) -> str:
    """A date in the form of others of its column, which have a time of day."""
    return f"{cell}T00:00:00" if _DAY.fullmatch(cell) else cell


def texts(cells: Sequence[str]) -> Array:
    """Cells as an array of objects, (rows,): arrays of text would drop NULs at the ends."""
    array: Array = np.empty(len(cells), object)
    array[:] = cells
    return array


def read_carried(path: Path, names: Sequence[str], separator: str | None) -> dict[str, Array]:
    """These columns of a table, or arrays of an npz file, for all its rows.

    Raises: DataError if there is no such column, or the file cannot be read.
    """
    if path.suffix.lower() == ".npz":
        return _read_arrays(path, names)
    with open_table(path, separator) as table:
        check_named(f"{path}:1", names, table.header)
        places = [table.header.index(name) for name in names]
        timed = table.timed(names)
        rows = [[cells[place] for place in places] for _, cells in table.rows()]
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return {
        name: texts([*map(with_time, cells)] if name in timed else cells)
        for name, cells in columns.items()
    }


def _read_arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    arrays = read_arrays(path, tuple(names))
    check_named(path, names, list(arrays))
    for name, array in arrays.items():
        check_column(path, name, array.shape, array.dtype)
    return arrays


def check_column(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise a DataError if an array is no column of numbers or texts."""
    if len(shape) != 1 or dtype.kind not in "buifU":
        raise DataError(f"{path}: {name}: is {dtype} of shape {shape}, and no column for --id")
