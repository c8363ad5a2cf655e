"""The rows of a CSV file as parts of a table: common ones by machine code, others cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import islice

from nnrun.data.cells.cell_errors import about_width
from nnrun.data.cells.part import Numbers, Part, Texts
from nnrun.data.cells.problems import Problems
from nnrun.data.readers.text.csv_file import CsvFile
from nnrun.data.readers.text.scan.kinds import NUMBER, SKIPPED, TEXT
from nnrun.data.readers.text.scan.machine import Scanned, Scanner

LEAST_BYTES = 1 << 20
"""Loading machine code takes as long as reading a smaller file."""
_ROWS, _ROWS_BESIDE = 4096, 16


def csv_parts(
    table: CsvFile, wanted: Mapping[str, bool], problems: Problems, decimal: str, size: int
) -> Iterator[Part]:
    """The rows of an open file of so many bytes.

    Args:
        table: the file.
        wanted: the names of columns, and whether they are read as numbers.
        problems: collects rows with another number of cells than the header, which are left out.
        decimal: what stands before decimals.
        size: of the file.

    Raises: DataError where the rest cannot be read.
    """
    places = {name: place for place, name in enumerate(table.header) if name in wanted}
    wanted = {name: wanted[name] for name in places}
    if size < LEAST_BYTES or len(table.header) == 1 or not table.delimiter.isascii():
        yield from _parts(table, places, problems, _ROWS, lambda: None)
        return
    kinds = [SKIPPED] * len(table.header)
    for name, place in places.items():
        kinds[place] = NUMBER if wanted[name] else TEXT
    scanner = Scanner(kinds, table.delimiter, decimal)
    with table.text.read_ahead(partial(_scan, scanner)):
        yield from _parts(
            table, places, problems, _ROWS_BESIDE, lambda: _scanned(table, scanner, wanted)
        )


def _parts(
    table: CsvFile,
    places: Mapping[str, int],
    problems: Problems,
    rows: int,
    scanned: Callable[[], Part | None],
) -> Iterator[Part]:
    """All parts: what was scanned, and so many rows at a time where nothing was."""
    first = True
    while True:
        part = scanned()
        if part is None:
            found = [*islice(table.rows(), rows)]
            if not found:
                return
            part = _part(table, found, places, problems, first=first)
        yield part
        first = False


def _part(
    table: CsvFile,
    rows: list[tuple[int, list[str]]],
    places: Mapping[str, int],
    problems: Problems,
    *,
    first: bool,
) -> Part:
    """Rows that were read cell by cell; `first` if they are those below the header."""
    sound, width = [], len(table.header)
    for row, (line, cells) in enumerate(rows):
        if len(cells) == width:
            sound.append((line, cells))
        else:
            is_first = first and row == 0
            mistake = about_width(len(cells), width, table.delimiter, first=is_first)
            problems.add(line, "", mistake)
    columns = {name: Texts.of(cells[place] for _, cells in sound) for name, place in places.items()}
    return Part([line for line, _ in sound], columns)


def _scan(scanner: Scanner, content: bytes) -> Scanned:
    """The rows of whole lines."""
    return scanner.scan(content, 0, content.rfind(b"\n") + 1)


def _scanned(table: CsvFile, scanner: Scanner, wanted: Mapping[str, bool]) -> Part | None:
    """The next rows of the common form; None if there are none."""
    text = table.lines_ahead()
    if text is None:
        return None
    content, start, size, made = text.block()
    line = text.line
    found = scanner.scan(content, start, size) if made is None else made.result()
    if not found.rows or not _is_utf8(content, start, found.size):
        return None
    table.skip(found.size, found.rows)
    columns = _columns(found, content, start, wanted)
    return Part(range(line, line + found.rows), columns)


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
