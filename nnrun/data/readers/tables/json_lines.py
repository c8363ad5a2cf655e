"""JSON lines: an object on each line, with a value for each column."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.characters import escaped
from nnrun.data.cells.part import Part
from nnrun.data.cells.problems import Problems
from nnrun.data.cells.table import Table
from nnrun.data.readers.tables.values import cells_of, checked_header
from nnrun.data.readers.text.text_lines import TextLines, check_blank
from nnrun.errors import DataError

_ROWS = 4096
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
        while rows := [*islice(self._objects, _ROWS)]:
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
