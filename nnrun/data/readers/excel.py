"""Excel files and JSON lines as rows of cells, and the choice between formats of tables."""

from __future__ import annotations

import gzip
import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import Mistake, Problems, about_width
from nnrun.data.columns.table import Part, Table
from nnrun.data.encodings import UTF_8, Recoded
from nnrun.data.readers.opening import (
    Format,
    damage_errors,
    file_sha256,
    format_of,
    open_data,
    refuse_bytes_before,
    why_no_file,
)
from nnrun.data.readers.parquet import ParquetTable, cells_of, checked_header, has_times
from nnrun.data.readers.text_lines import (
    LONGEST_LINE,
    NUMBERS_AS_HEADER,
    CsvTable,
    TextLines,
    check_blank,
    unnamed,
)
from nnrun.data.rows import refuse_if_too_big
from nnrun.errors import DataError, UsageError, clipped

_ROWS = 1024
_BLOCK = 1 << 20
# openpyxl raises a dozen kinds.
_damage_errors = partial(damage_errors, what=".xlsx", kinds=(Exception,))
_SAVE = "; open the file in a spreadsheet program, which computes it, and save it there"
_ROW = re.compile(rb"<(?:\w+:)?row\b")
_BETWEEN = re.compile(rb"(?:[/?]|</[^<>]*)>([^<]{64,})")
"""Text after the end of an element, which openpyxl keeps; it may indent the next one a little."""
_MOST_ROWS = 1 << 20
"""The rows of a sheet of Excel. The number of a row in a file may be any, those before it blank."""
_BYTES_BY_TEXT = 20
"""Memory for what openpyxl keeps of a byte of XML, at most: texts, styles and formulas."""


class ExcelTable(Table):
    """The first sheet of an Excel file; formulas are their last values.

    Args:
        file: open; it can be read from any place.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        with _damage_errors(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, for example
            with zipfile.ZipFile(file) as archive:
                refuse_bytes_before(path, archive)
                kept = [one for one in archive.infolist() if "/worksheets/" not in one.filename]
                unpacked = sum(one.file_size for one in kept)
                _check_rows(path, archive)
            refuse_if_too_big(_BYTES_BY_TEXT * unpacked, str(path))
            self._sheet, self.sheets = _first_sheet(path, file, values=True)
            self._formulas = _Formulas(path, file)
            self._all = self._rows_of(self._sheet)
            _, first = next(self._all, (1, ()))
        names = _without_blank_end(first)
        if not names:
            raise DataError(f"{path}:1: the first row, with the column names, is blank")
        if all(isinstance(name, int | float) for name in names):
            raise DataError(f"{path}:1: {NUMBERS_AS_HEADER}")
        self.unnamed = unnamed(["" if name is None else str(name) for name in names])
        self.header = checked_header([self.unnamed or names[0], *names[1:]], f"{path}:1")

    @property
    def sha256(self) -> str:
        return file_sha256(self.path)

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        places = {name: self.header.index(name) for name in wanted}
        rows = self._rows(places, problems)
        while part := [*islice(rows, _ROWS)]:
            columns = {
                name: cells_of([cells[places[name]] for _, cells in part], as_numbers)
                for name, as_numbers in wanted.items()
            }
            yield Part([line for line, _ in part], columns)

    def _rows_of(self, sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
        for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            if line > _MOST_ROWS:
                raise DataError(f"{self.path}: has more than {_MOST_ROWS:,} rows, as no sheet has")
            yield line, cells

    def timed(self, names: Sequence[str]) -> set[str]:
        places, found = {name: self.header.index(name) for name in names}, set[str]()
        with _damage_errors(self.path):
            for _, row in islice(self._rows_of(self._sheet), 1, None) if names else ():
                found |= {name for name, at in places.items() if has_times(row[at : at + 1])}
        return found

    def _rows(
        self, places: Mapping[str, int], problems: Problems
    ) -> Iterator[tuple[int, list[Any]]]:
        """Rows as long as the header; blank ones are left out, and those that lack a value."""
        width, first = len(self.header), True
        while True:
            with _damage_errors(self.path):
                line, cells = next(self._all, (0, ()))
            if not line:
                return
            found = _without_blank_end(cells)
            if len(found) > width:
                problems.add(line, "", about_width(len(found), width, first=first))
            else:
                row = [*found, *[None] * (width - len(found))]
                with _damage_errors(self.path):
                    formula = self._formulas.without_value(line, row, places)
                if formula is not None:
                    problems.add(line, *formula)
                elif found:
                    yield line, row
            first &= not found


class _Formulas:
    """The formulas of the first sheet, for cells that have no value.

    Args:
        file: open; it is looked through for formulas at the first cell without a value.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._rows: Iterator[tuple[int, Sequence[Any]]] | None = None

    def without_value(
        self, line: int, row: Sequence[Any], places: Mapping[str, int]
    ) -> tuple[str, Mistake] | None:
        """The first of these columns whose cell is a formula alone; lines are asked in order."""
        blank = [name for name, place in places.items() if row[place] is None]
        cells = self._at(line) if blank else ()
        for name in blank:
            formula = cells[places[name]] if places[name] < len(cells) else None
            if formula is not None:
                shown = clipped(str(getattr(formula, "text", formula)))
                return name, Mistake("formula", f"the formula {shown} has no stored value", _SAVE)
        return None

    def _at(self, line: int) -> Sequence[Any]:
        if self._rows is None:
            sheet = (
                _first_sheet(self._path, self._file, values=False)[0] if self._has_any() else None
            )
            self._rows = enumerate(sheet.iter_rows(values_only=True), 1) if sheet else iter(())
        return next((cells for number, cells in self._rows if number == line), ())

    def _has_any(self) -> bool:
        """Whether some sheet has an element that may be a formula."""
        with zipfile.ZipFile(self._file) as archive:
            for one in archive.infolist():
                if "/worksheets/" not in one.filename:
                    continue
                with archive.open(one) as content:
                    end = b""
                    while block := content.read(_BLOCK):
                        if b"<f" in end + block:
                            return True
                        end = block[-1:]
        return False


def _check_rows(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise a DataError if a row of some sheet is larger than any table's, while it is unpacked.

    Or if there is that much text between rows and cells.
    """
    for one in archive.infolist():
        if "/worksheets/" not in one.filename:
            continue
        with archive.open(one) as content:
            size, is_marked, between, rest = 0, False, 0, b""
            while block := content.read(_BLOCK):
                is_marked |= b"<!" in block  # what follows may be text that looks like rows
                begins = not is_marked and _ROW.search(block)
                size = 0 if begins else size + len(block)
                if size > LONGEST_LINE:
                    more = f"a row of {one.filename} has more than {LONGEST_LINE:,} bytes"
                    raise DataError(f"{path}: {more}")
                before, sign, after = (rest + block).rpartition(b"<")
                rest = sign + after
                between += sum(map(len, _BETWEEN.findall(before)))
                if between > LONGEST_LINE:
                    more = f"{one.filename} has more than {LONGEST_LINE:,} bytes between its rows"
                    raise DataError(f"{path}: {more}")


def _first_sheet(path: Path, file: BinaryIO, *, values: bool) -> tuple[Any, list[str]]:
    """The first sheet, with the last values of formulas or their text, and the names of all."""
    import openpyxl  # noqa: PLC0415 - slow to import, and an extra

    book = openpyxl.load_workbook(file, read_only=True, data_only=values, keep_links=False)
    if not book.worksheets:
        raise DataError(f"{path}: there is no sheet")
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # else all rows are as wide as the widest may be
    return sheet, [one.title for one in book.worksheets]


def _without_blank_end(cells: Sequence[Any]) -> Sequence[Any]:
    """The cells up to the last that is not blank."""
    end = len(cells)
    while end and cells[end - 1] in (None, ""):
        end -= 1
    return cells[:end]


# JSON lines: an object on each line, with a value for each column.

_LINES_AT_ONCE = 4096
_FORM = 'write an object on each line, such as {"rooms": 3, "town": "Ulm"}'


class JsonLines(Table):
    """A file of JSON lines; the first one has all columns, a later one may lack some.

    Args:
        file: open, without its compression.
        sha256: of a compressed file; by default that of what is read.
    """

    def __init__(self, path: Path, file: BinaryIO, sha256: Callable[[], str] | None = None) -> None:
        self.path = path
        self._sha256 = sha256
        self._text = TextLines(path, file)
        self._objects = self._read()
        first = next(self._objects, None)
        if first is None:
            raise DataError(f"{path}:1: the file is empty; {_FORM}")
        self.header = checked_header(first[1], f"{path}:{first[0]}")
        self._objects = chain([first], self._objects)

    @property
    def sha256(self) -> str:
        return self._text.sha256 if self._sha256 is None else self._sha256()

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        known = set(self.header)
        while rows := [*islice(self._objects, _LINES_AT_ONCE)]:
            for line, row in rows:
                if unknown := [key for key in row if key.strip() not in known]:
                    name = escaped(unknown[0], kept="")
                    hint = "write each key there, with null where there is no value"
                    text = f"has the key '{name}', which the first line has not; {hint}"
                    raise DataError(f"{self.path}:{line}: {text}")
            columns = {
                name: cells_of([row.get(name) for _, row in rows], as_numbers)
                for name, as_numbers in wanted.items()
            }
            yield Part([line for line, _ in rows], columns)

    def _read(self) -> Iterator[tuple[int, dict[str, Any]]]:
        lines, blank = iter(self._text), 0
        while (text := next(lines, None)) is not None:
            line = self._text.line - 1
            if text.strip():
                yield line, self._object(text, line)
                continue
            blank += 1
            check_blank(self.path, line, blank)

    def _object(self, text: str, line: int) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            message = f"is no JSON: {error}"
            raise DataError(f"{self.path}:{line}: {message}; {_FORM}") from error
        if not isinstance(found, dict):
            raise DataError(f"{self.path}:{line}: is no JSON object; {_FORM}")
        return found


# Opening a table by the name of its file.

_NEEDS = {"parquet": "pyarrow", "excel": "openpyxl", "zstd": "pyarrow"}


@contextmanager
def open_table(
    path: Path, separator: str | None = None, decimal: str = ".", encoding: str = UTF_8
) -> Iterator[Table]:
    """The table in a file; separator, decimal sign and encoding are those of a CSV file.

    Raises: DataError if it is none; UsageError if a package is missing; NnrunError if
    the disk fails.
    """
    found = format_of(path)
    if found is None or not found.is_table:
        raise DataError(f"{path}: {why_no_file(path) or 'holds arrays, and no table'}")
    with open_data(path) as file:
        yield table_in(path, file, found, separator, decimal, encoding)


def table_in(
    path: Path,
    file: BinaryIO,
    found: Format,
    separator: str | None = None,
    decimal: str = ".",
    encoding: str = UTF_8,
    **options: Any,
) -> Table:
    """The table of a format in an open file; raises as `open_table` does.

    Options are those of `CsvTable` for its rows and header.
    """
    for kind in (found.name, found.compression):
        package = _NEEDS.get(kind)
        if package is not None and find_spec(package) is None:
            raise UsageError(f"{path}: {package} reads it: pip install 'nnrun[tables]'")
    if found.name == "parquet":
        return ParquetTable(path, file)
    if found.name == "excel":
        return ExcelTable(path, file)
    digest = None
    if found.compression:
        digest = partial(file_sha256, path)
        file = io.BufferedReader(_Unpacked(path, file, found.compression), 1 << 20)
    if not found.is_delimited:
        return JsonLines(path, file, digest)
    if encoding != UTF_8:
        digest = partial(file_sha256, path)
        file = io.BufferedReader(Recoded(path, file, encoding), 1 << 20)
    separator = separator or ("tab" if found.name == "tsv" else None)
    return CsvTable(path, file, separator, decimal, digest, **options)


class _Unpacked(io.RawIOBase):
    """The content of a compressed file."""

    def __init__(self, path: Path, file: BinaryIO, compression: str) -> None:
        self._path = path
        if compression == "gzip":
            self._stream: Any = gzip.GzipFile(fileobj=file)
        else:
            import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

            self._stream = pa.CompressedInputStream(file, "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        try:
            content = self._stream.read(len(room))
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk
                raise
            raise DataError(f"{self._path}: cannot be unpacked: {error}") from error
        room[: len(content)] = content
        return len(content)
