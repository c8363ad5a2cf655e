"""The rows of a CSV file as parts of a table: common ones by machine code, others cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.data.cells.cell_errors import about_width
from nnrun.data.cells.part import Numbers, Part, Texts
from nnrun.data.cells.problems import Problems
from nnrun.data.readers.text.csv_file import CsvFile
from nnrun.data.readers.text.scan.kinds import NUMBER, SKIPPED, TEXT
from nnrun.data.readers.text.scan.machine import Scanned, Scanner

LEAST_BYTES = 1 << 20
"""Loading machine code takes as long as reading a smaller file."""
_ROWS, _ROWS_BESIDE = 4096, 16


class CsvTable(CsvFile):
    """A CSV file whose rows are read part by part.

    Args:
        file: open, without its compression.
        separator: None to detect it from the header.
        size: the least size that it may have; of small files nothing is read by machine code.
        sha256: of a compressed file; by default that of what is read.
        options: of `CsvFile`.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        separator: str | None = None,
        decimal: str = ".",
        size: int = 0,
        sha256: Callable[[], str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(path, file, separator, **options)
        self.separator, self.decimal = separator, decimal
        self._size, self._sha256 = size, sha256

    @property
    def sha256(self) -> str:
        return super().sha256 if self._sha256 is None else self._sha256()

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        places = {name: place for place, name in enumerate(self.header) if name in wanted}
        wanted = {name: wanted[name] for name in places}
        if self._size < LEAST_BYTES or len(self.header) == 1 or not self.delimiter.isascii():
            yield from self._parts(places, problems, _ROWS, lambda: None)
            return
        kinds = [SKIPPED] * len(self.header)
        for name, place in places.items():
            kinds[place] = NUMBER if wanted[name] else TEXT
        scanner = Scanner(kinds, self.delimiter, self.decimal)
        scanned = partial(self._scanned, scanner, wanted)
        with self.text.read_ahead(partial(_scan, scanner)):
            yield from self._parts(places, problems, _ROWS_BESIDE, scanned)

    def _parts(
        self,
        places: Mapping[str, int],
        problems: Problems,
        rows: int,
        scanned: Callable[[], Part | None],
    ) -> Iterator[Part]:
        """All parts: what was scanned, and this many rows at a time where nothing was."""
        first = True
        while True:
            part = scanned()
            if part is None:
                found = [*islice(self.rows(), rows)]
                if not found:
                    return
                part = self._part(found, places, problems, first=first)
            yield part
            first = False

    def _part(
        self,
        rows: list[tuple[int, list[str]]],
        places: Mapping[str, int],
        problems: Problems,
        *,
        first: bool,
    ) -> Part:
        """Rows that were read cell by cell; `first` if they are those below the header."""
        sound, width = [], len(self.header)
        for row, (line, cells) in enumerate(rows):
            if len(cells) == width:
                sound.append((line, cells))
            else:
                is_first = first and row == 0
                mistake = about_width(len(cells), width, self.delimiter, first=is_first)
                problems.add(line, "", mistake)
        columns = {n: Texts.of(cells[place] for _, cells in sound) for n, place in places.items()}
        return Part([line for line, _ in sound], columns)

    def _scanned(self, scanner: Scanner, wanted: Mapping[str, bool]) -> Part | None:
        """The next rows of the common form; None if there are none."""
        if not self.is_level:
            return None
        content, start, size, made = self.text.block()
        line = self.text.line
        found = scanner.scan(content, start, size) if made is None else made.result()
        if not found.rows or not _is_utf8(content, start, found.size):
            return None
        self.skip(found.size, found.rows)
        columns = _columns(found, content, start, wanted)
        return Part(range(line, line + found.rows), columns)


def _scan(scanner: Scanner, content: bytes) -> Scanned:
    """The rows of whole lines."""
    return scanner.scan(content, 0, content.rfind(b"\n") + 1)


def _is_utf8(content: bytes, start: int, size: int) -> bool:
    if content.isascii():
        return True
    try:
        return bool(str(memoryview(content)[start : start + size], "utf-8"))
    except UnicodeDecodeError:
        return False


def _columns(
    found: Scanned, content: bytes, start: int, wanted: Mapping[str, bool]
) -> dict[str, Numbers | Texts]:
    odd: list[dict[int, str]] = [{} for _ in found.numbers]
    for row, column, first, last in found.odd.tolist():
        odd[column][row] = content[start + first : start + last].decode()
    numbers = iter(map(Numbers, found.numbers, odd))
    texts = iter(_texts(content, *spans) for spans in (found.spans + start).tolist())
    return {name: next(numbers) if wanted[name] else next(texts) for name in wanted}


def _texts(content: bytes, starts: Collection[int], ends: Collection[int]) -> Texts:
    cells = (content[first:last] for first, last in zip(starts, ends, strict=True))
    return Texts.of(cells, bytes.decode)
