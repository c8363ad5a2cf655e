"""Columns of Arrow, from Parquet files and tables of pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nnrun.characters import escaped
from nnrun.data.cells.part import Numbers, Part, Texts
from nnrun.data.cells.problems import IN_ROWS, Problems, UnseenCategories
from nnrun.data.cells.table import Table
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.readers.opening import damage_errors, file_sha256
from nnrun.data.readers.tables.values import (
    cells_of,
    cells_of_array,
    checked_header,
    has_times,
    text,
)
from nnrun.data.readers.text.text_lines import LONGEST_LINE
from nnrun.errors import DataError

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
