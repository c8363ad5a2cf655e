"""A CSV file as lines of cells: encoding, delimiter, header and line numbers."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from nnrun.data.labels import number
from nnrun.errors import DataError, first_of

DELIMITERS = (",", ";", "\t")
SEPARATORS = {",": ",", ";": ";", "|": "|", ":": ":", "tab": "\t", "space": " "}
"""Those that may be named, by their names; the likeliest first, since names may hold blanks."""
LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")  # ends a line in files of old Macs


class CsvFile:
    """The header and rows of an open CSV file (UTF-8, with or without a byte order mark).

    The delimiter is the named separator, or whichever of comma, semicolon and tab cuts the header
    into most names.
    `sha256` is that of the file's bytes once all rows have been read.

    Raises: DataError with path:line for what is no CSV with a header row.
    """

    def __init__(self, path: Path, file: BinaryIO, separator: str | None = None) -> None:
        self.path = path
        self._hash = hashlib.sha256()
        lines = self._lines(file)
        first = next(lines, "")
        if not first.strip():
            state = "is blank" if first else "is missing: the file is empty"
            raise DataError(f"{path}:1: the header row with the column names {state}")
        self.delimiter = max(DELIMITERS, key=lambda delimiter: len(_cells(first, delimiter)))
        if separator is not None:
            self.delimiter = SEPARATORS[separator]
        self._reader = csv.reader(
            chain([first], lines), delimiter=self.delimiter, skipinitialspace=True, strict=True
        )
        self.header = self._read_header()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def other_separator(self) -> str | None:
        """What may separate the columns, where the header is a single one with that in its name."""
        if len(self.header) > 1:
            return None
        return next((name for name, sign in SEPARATORS.items() if sign in self.header[0]), None)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of the line it starts on; blank lines are left out.

        Raises: DataError where the file stops being CSV (quotes that never close, not UTF-8).
        """
        while True:
            line = self._reader.line_num + 1
            cells = self._next(line)
            if cells is None:
                return
            if any(cells) or len(cells) > 1 or (cells and len(self.header) == 1):
                yield line, cells

    def _next(self, line: int) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise DataError(f"{self.path}:{line}: is no CSV from here on: {error}") from error

    def _read_header(self) -> tuple[str, ...]:
        names = [name.strip() for name in self._next(1) or []]
        problems = [
            f"{self.path}:1: column {position} has no name"
            for position, name in enumerate(names, 1)
            if not name
        ]
        problems += [
            f"{self.path}:1:{name}: {count} columns have this name"
            for name, count in Counter(names).items()
            if name and count > 1
        ]
        problems += [
            f"{self.path}:1: the name of column {position} has a NUL (U+0000) in it; "
            "save the file as UTF-8 text"
            for position, name in enumerate(names, 1)
            if "\0" in name
        ]
        if all(number(name) is not None for name in names):
            problems = [
                f"{self.path}:1: the first line holds numbers; a header row with the column names "
                "is needed"
            ]
        if problems:
            raise DataError("\n".join(first_of(problems)))
        return tuple(names)

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        line = 1
        for raw in file:
            self._hash.update(raw)
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                message = f"is not UTF-8 text: byte 0x{raw[error.start]:02x}"
                raise DataError(f"{self.path}:{line}: {message}; save the file as UTF-8") from error
            for piece in LONE_RETURN.split(text):
                if piece:
                    yield piece.removeprefix("\ufeff") if line == 1 else piece
                    line += 1


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # said with its place when the header is read
        return []
