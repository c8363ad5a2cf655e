"""Tables in memory: those of pandas, polars and pyarrow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.data.cells.part import Numbers, Part, Texts
from nnrun.data.cells.problems import IN_MEMORY, Problems, UnseenCategories
from nnrun.data.cells.table import Table
from nnrun.data.readers.tables.arrow import arrow_cells
from nnrun.data.readers.tables.values import cells_of, cells_of_array, checked_header
from nnrun.errors import DataError

_EXACT = 2.0**53


def is_frame(data: Any) -> bool:
    """Whether it has named columns, as tables of pandas, polars and pyarrow have."""
    kind = type(data)  # a lazy table would be read for its columns
    return hasattr(kind, "columns") or hasattr(kind, "column_names")


class Frame(Table):
    """A table in memory; messages count its rows from 0.

    `sha256` is over the names of the columns and their cells, numbers as float64 and all else as
    text, so that it is the same regardless of the library and the width of types.
    """

    path = Path("data")

    def __init__(self, frame: Any) -> None:
        if hasattr(frame, "collect") and not hasattr(frame, "__len__"):
            raise DataError("the table is lazy: give data.collect()")
        self._frame = frame
        names = [*getattr(frame, "column_names", frame.columns)]
        self.header = checked_header(names, "the table")
        self._names = dict(zip(self.header, names, strict=True))

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for name in self.header:
            digest.update(json.dumps(name).encode())
            digest.update(self._content(name))
        return digest.hexdigest()

    @property
    def title(self) -> str:
        return "data"

    def problems(self, unseen: dict[str, UnseenCategories] | None = None) -> Problems:
        return Problems("the table", unseen, IN_MEMORY)

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        columns = _Columns(lambda name: self._cells(name, wanted[name]))
        yield Part(range(len(self._frame)), columns)

    def _content(self, name: str) -> bytes:
        """What the digest is over: numbers if all cells are numbers or missing, else texts."""
        numbers = self._cells(name, as_numbers=True)
        if isinstance(numbers, Numbers) and self._is_exact(name, numbers):
            values = np.where(np.isnan(numbers.values), np.nan, numbers.values)
            return b"numbers" + values.astype("<f8").tobytes()
        texts = Texts.of(self._cells(name, as_numbers=False))
        return b"texts" + json.dumps(texts.texts).encode() + texts.codes.astype("<i8").tobytes()

    def _is_exact(self, name: str, numbers: Numbers) -> bool:
        values = self._frame[self._names[name]]
        is_bool = str(getattr(values, "dtype", getattr(values, "type", ""))).lower()[:4] == "bool"
        plain = {""} >= set(numbers.odd.values()) - {"inf", "-inf"}
        return plain and not is_bool and not (np.abs(numbers.values) > _EXACT).any()

    def _cells(self, name: str, as_numbers: bool) -> Numbers | Texts:
        values = self._frame[self._names[name]]
        if hasattr(values, "to_pylist"):
            return arrow_cells(values, as_numbers)
        if "decimal" in str(values.dtype).lower():  # NumPy would round them twice
            return cells_of(values.to_list(), as_numbers)
        array = np.asarray(values)
        if as_numbers and array.dtype.kind in "buif":
            return cells_of_array(array)
        dated = array.dtype.kind == "M"
        cells = array.astype("datetime64[us]").tolist() if dated else values.to_list()
        return cells_of(cells, as_numbers)


class _Columns(dict[str, Numbers | Texts]):
    """Columns that are converted where they are taken, so that one at a time is in memory."""

    def __init__(self, convert: Callable[[str], Numbers | Texts]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, name: str) -> Numbers | Texts:
        return self._convert(name)
