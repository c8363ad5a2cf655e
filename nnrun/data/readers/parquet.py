"""Parquet files, data frames and values of Python as cells."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, time
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import IN_MEMORY, IN_ROWS, Problems, UnseenCategories
from nnrun.data.columns.column import text_of
from nnrun.data.columns.table import Numbers, Part, Table, Texts
from nnrun.data.readers.opening import damage_errors, file_sha256
from nnrun.data.readers.text_lines import LONGEST_LINE
from nnrun.data.rows import refuse_if_too_big
from nnrun.errors import DataError, first_of


def text(value: Any) -> str:
    """The text of a value as a CSV file would have it; blank for a missing one."""
    if isinstance(value, datetime):
        if value != value:  # noqa: PLR0124 - NaT of pandas
            return ""
        at_midnight = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if at_midnight else value.isoformat()
    return value.isoformat() if isinstance(value, date) else text_of(value)


def has_times(values: Iterable[Any]) -> bool:
    """Whether some are dates whose text has a time of day."""
    return any(isinstance(value, datetime) and "T" in text(value) for value in values)


def cells_of(values: Sequence[Any], as_numbers: bool) -> Numbers | Texts:
    """A column of values of Python."""
    if not as_numbers:
        return Texts.of(map(text, values))
    numbers, odd = np.full(len(values), np.nan), dict[int, str]()
    for row, value in enumerate(values):
        number = _number(value)
        if math.isfinite(number):
            numbers[row] = number
        else:
            odd[row] = text(value)
    return Numbers(numbers, odd)


def _number(value: Any) -> float:
    """A finite number, or NaN."""
    if not isinstance(value, Real | np.bool_) and not hasattr(value, "as_tuple"):  # a Decimal
        return math.nan
    try:
        return float(value)
    except (OverflowError, ValueError):
        return math.nan


def cells_of_array(values: npt.NDArray[Any]) -> Numbers:
    """A column of numbers of NumPy."""
    numbers = values.astype(np.float64)
    odd = np.flatnonzero(~np.isfinite(numbers))
    return Numbers(numbers, {int(row): text_of(numbers[row]) for row in odd})


def checked_header(names: Iterable[Any], where: str) -> tuple[str, ...]:
    """The names of columns; raises a DataError for those without a name or with the same."""
    header = [str(name).strip() if name is not None else "" for name in names]
    problems = [
        f"{where}: column {number} has no name"
        for number, name in enumerate(header, 1)
        if not name or "\0" in name
    ]
    problems += [
        f"{where}:{escaped(name, kept='')}: {count} columns have this name"
        for name, count in Counter(header).items()
        if name and count > 1
    ]
    if not header:
        problems = [f"{where}: there are no columns"]
    if problems:
        raise DataError("\n".join(first_of(problems)))
    return tuple(header)


# Columns of Arrow, from Parquet files and tables of pyarrow.

_ROWS = 1 << 16
_UNPACKED, _UNPACKED_TEXT = 2, 5
"""Memory for a byte of a group of rows, and for one of its column of text."""
_MOST_LISTED = 1 << 24
"""Values in the lists of a group of rows, which are text then and nothing to learn from."""


def arrow_cells(column: Any, as_numbers: bool) -> Numbers | Texts:
    """The cells of a chunked array."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if as_numbers and (is_number or pa.types.is_boolean(kind)):
        values = column.cast(pa.int8()) if pa.types.is_boolean(kind) else column
        cells = cells_of_array(values.cast(pa.float64(), safe=False).to_numpy())
        return Numbers(cells.values, {**cells.odd, **_blank(column)})
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        coded = column.combine_chunks()
        coded = coded if pa.types.is_dictionary(kind) else coded.dictionary_encode()
        codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
        return Texts(codes.astype(np.int64), [*map(text, coded.dictionary.to_pylist()), ""])
    return cells_of(column.to_pylist(), as_numbers)


def _blank(column: Any) -> dict[int, str]:
    if not column.null_count:
        return {}
    return dict.fromkeys(np.flatnonzero(column.is_null().to_numpy()).tolist(), "")


class ParquetTable(Table):
    """A Parquet file.

    Args:
        file: open; it can be read from any place.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - likewise

        self.path = path
        with _damage_errors(path):
            schema = pq.ParquetFile(file).schema_arrow
            texts = [one.name for one in schema if any(kind(one.type) for kind in _texts())]
            # Each different text is in memory once, as in the file.
            self._file = pq.ParquetFile(file, read_dictionary=texts)
            self.rows_known = self._file.metadata.num_rows
            self.header = checked_header(schema.names, str(path))

    @property
    def sha256(self) -> str:
        return file_sha256(self.path)

    def problems(self, unseen: dict[str, UnseenCategories] | None = None) -> Problems:
        return Problems(self.path, unseen, IN_ROWS)

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        names = dict(zip(self.header, self._file.schema_arrow.names, strict=True))
        self._refuse_if_too_big({names[name] for name in wanted})
        first = 1
        for batch in self._batches([names[name] for name in wanted]):
            with _damage_errors(self.path):
                self._refuse_long_texts(batch)
                columns = {
                    name: arrow_cells(batch.column(place), as_numbers)
                    for place, (name, as_numbers) in enumerate(wanted.items())
                }
            yield Part(range(first, first + batch.num_rows), columns)
            first += batch.num_rows

    def timed(self, names: Sequence[str]) -> set[str]:
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

        schema, found = self._file.schema_arrow, set[str]()
        own = dict(zip(self.header, schema.names, strict=True))
        dates = [name for name in names if pa.types.is_timestamp(schema.field(own[name]).type)]
        for batch in self._batches([own[name] for name in dates]) if dates else ():
            with _damage_errors(self.path):
                columns = zip(dates, batch.columns, strict=True)
                found |= {name for name, column in columns if has_times(column.to_pylist())}
        return found

    def _refuse_if_too_big(self, wanted: Container[str]) -> None:
        """Raise a DataError for large groups of rows, unpacked as a whole, or long lists."""
        with _damage_errors(self.path):
            meta = self._file.metadata
            groups = [meta.row_group(place) for place in range(meta.num_row_groups)]
            columns = [
                (group, group.column(at)) for group in groups for at in range(meta.num_columns)
            ]
            sizes = [_UNPACKED * group.total_byte_size for group in groups]
            # Of a text there are more copies: its page, its dictionary, those of parts, in Python.
            sizes += [
                _UNPACKED_TEXT * column.total_uncompressed_size
                for _, column in columns
                if column.physical_type == "BYTE_ARRAY" and column.path_in_schema in wanted
            ]
            lists = [
                c.path_in_schema for g, c in columns if c.num_values > g.num_rows + _MOST_LISTED
            ]
        refuse_if_too_big(max(sizes, default=0), str(self.path))
        if lists:
            name = escaped(lists[0].partition(".")[0], kept="")
            message = f"column '{name}' has lists with more than {_MOST_LISTED:,} values in all"
            raise DataError(f"{self.path}: {message}; a cell of a table has one")

    def _refuse_long_texts(self, batch: Any) -> None:
        """Raise a DataError for a text that is longer than a line of other files may be."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra
        import pyarrow.compute as pc  # noqa: PLC0415 - likewise

        kinds = (*_texts(), pa.types.is_fixed_size_binary)
        for name, column in zip(batch.column_names, batch.columns, strict=True):
            for chunk in column.chunks:
                texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
                if not any(is_kind(texts.type) for is_kind in kinds):
                    continue
                longest = pc.max(pc.binary_length(texts)).as_py() or 0
                if longest > LONGEST_LINE:
                    long = f"column '{escaped(name, kept='')}' has a text of {longest:,} bytes"
                    raise DataError(f"{self.path}: {long}; at most {LONGEST_LINE:,} are read")

    def _batches(self, names: list[str]) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

        with _damage_errors(self.path):
            batches = self._file.iter_batches(_ROWS, columns=names, use_threads=False)
        while True:
            with _damage_errors(self.path):
                batch = next(batches, None)
                if batch is None:
                    return
                table = pa.Table.from_batches([batch]).select(names)
            yield table


def _texts() -> list[Callable[[Any], bool]]:
    """Which types have values of any length."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

    kinds = pa.types
    return [kinds.is_string, kinds.is_large_string, kinds.is_binary, kinds.is_large_binary]


def _damage_errors(path: Path) -> AbstractContextManager[None]:
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

    kinds = (pa.ArrowException, ValueError, KeyError, OverflowError, MemoryError)
    return damage_errors(path, "Parquet", kinds)


# Tables in memory: those of pandas, polars and pyarrow.

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
