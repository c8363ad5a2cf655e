"""The lines of a text file, block by block, and rows of the common form of CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import mmap
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import Problems, about_width
from nnrun.data.columns.table import Numbers, Part, Table, Texts
from nnrun.data.encodings import guessed
from nnrun.data.labels import number
from nnrun.errors import DataError, first_of

# Rows of the common form in CSV text: one on each line, with quotes around whole cells only.
#
# A cell of a number is one that `float` reads, or a common word for a missing one. `numpy.loadtxt`
# reads them with the same bits as `float`, some thousand rows at once.

_KINDS = {True: "f8", False: "O", None: "U1"}  # what is not wanted is cut
_LONGEST = 100_000
"""A cell with more bytes is left to the module csv, which has a limit."""
_STAND_INS = {b"": b"nAn", b"NA": b"nAN", b"?": b"NAn"}
"""What is read in place of missing values: NaN as a number, and no words that files have."""
_MISSING = {word.decode(): cell.decode() for cell, word in _STAND_INS.items()}


class CommonRows:
    """The rows of whole lines.

    Args:
        content: the lines.
        wanted: for each column, whether its cells are numbers or texts; None if nobody needs them.

    Raises: ValueError if some lines are not of the common form.
    """

    def __init__(
        self, content: bytes, wanted: Sequence[bool | None], delimiter: str, decimal: str
    ) -> None:
        self._content, self._delimiter, self._decimal = content, delimiter, decimal
        ends = np.frombuffer(content, np.uint8) == ord("\n")
        self.count = int(np.count_nonzero(ends))
        self._check(ends)
        if decimal == ",":
            content = content.replace(b",", b".")
        self._wanted = wanted
        self._has_stand_ins = False
        try:
            self._columns = self._loaded(content)
        except ValueError:
            if any(word in content for word in _STAND_INS.values()):
                raise
            self._has_stand_ins = True
            self._columns = self._loaded(_without_missing(content, delimiter.encode()))

    def _check(self, ends: npt.NDArray[np.bool_]) -> None:
        """Raise a ValueError where `numpy.loadtxt` would read another thing than the module csv."""
        content = self._content
        if _longest(ends) > _LONGEST and b'"' not in content:  # of lines; of cells it may not be
            ends |= np.frombuffer(content, np.uint8) == ord(self._delimiter)
        lone = b"\r" in content and content.count(b"\r") != content.count(b"\r\n")
        if not content or content.isspace() or _longest(ends) > _LONGEST or lone:
            raise ValueError("there are blank, endless or old lines")
        if self._delimiter in (" ", self._decimal) or (self._decimal == "," and b"." in content):
            raise ValueError("signs may have two meanings")
        if b'"' in content:
            sign = re.escape(self._delimiter).encode()
            whole = rb'"(?<=[%b\n]")[^"\r\n]*"(?=[%b\r\n])' % (sign, sign)
            if b'" ' in content or b'"' in re.sub(whole, b"", b"\n" + content):
                raise ValueError("a quote is not at an end of a cell")

    def _loaded(self, content: bytes) -> Any:
        """The columns; raises as above."""
        single = set(self._wanted) == {True}  # in one array, since a table may have thousands
        fields = [(str(place), _KINDS[kind]) for place, kind in enumerate(self._wanted)]
        form = {"delimiter": self._delimiter, "quotechar": '"', "comments": None}
        load: Callable[..., npt.NDArray[Any]] = np.loadtxt
        dtype = np.float64 if single else fields
        rows = load(io.BytesIO(content), dtype, ndmin=1 + single, encoding="utf-8", **form)
        if len(rows) != self.count or (single and rows.shape[1] != len(fields)):
            raise ValueError("some lines are blank, or all are of another length")
        return _apart(rows.T) if single else [rows[name].copy() for name, _ in fields]

    @cached_property
    def _is_finite(self) -> bool:
        return isinstance(self._columns, np.ndarray) and bool(np.isfinite(self._columns).all())

    def column(self, place: int) -> Numbers | Texts:
        """The cells of a column that is wanted; raises as above."""
        cells = self._columns[place]
        if cells.dtype.kind == "O":
            return Texts.of(cells.tolist(), self._text)
        odd = [] if self._is_finite else np.flatnonzero(~np.isfinite(cells)).tolist()
        return Numbers(cells, {row: self._cells(row)[place] for row in odd})

    def _text(self, cell: str) -> str:
        if self._has_stand_ins:
            if cell in _MISSING:
                return _MISSING[cell]
            if any(word in cell for word in _MISSING):
                raise ValueError("a stand-in is within quotes")
        text = cell.lstrip(" ")
        return text.replace(".", ",") if self._decimal == "," else text

    def _cells(self, row: int) -> list[str]:
        """The cells of a row as the file has them."""
        if row not in self._split:
            line = [self._lines[row].decode()]
            (self._split[row],) = csv.reader(
                line, delimiter=self._delimiter, skipinitialspace=True, strict=True
            )
        return self._split[row]

    @cached_property
    def _lines(self) -> list[bytes]:
        return self._content.split(b"\n")

    @cached_property
    def _split(self) -> dict[int, list[str]]:
        return {}


def _apart(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A copy in pages of its own, which are free as soon as the array is.

    In the heap, arrays that are given up from the first on leave holes.
    """
    memory = mmap.mmap(-1, values.nbytes, access=mmap.ACCESS_COPY)
    copy = np.frombuffer(memory, np.float64).reshape(values.shape)
    copy[:] = values
    return copy


def _longest(ends: npt.NDArray[np.bool_]) -> int:
    """The bytes of the longest piece, with its end."""
    return int(np.diff(np.flatnonzero(ends), prepend=-1).max(initial=0))


def _without_missing(content: bytes, sign: bytes) -> bytes:
    """The same lines with their stand-ins for cells without a value."""
    content = b"\n" + content.replace(b"\r\n", b"\n")
    for cell, word in _STAND_INS.items():
        for before, behind in ((sign, sign), (sign, sign), (sign, b"\n"), (b"\n", sign)):
            content = content.replace(before + cell + behind, before + word + behind)
    return content[1:]


# The lines of a text file, while it is read block by block.

LONGEST_LINE = 1 << 24
"""Bytes. A longer line is refused while it is read, since a small compressed file may hold one."""
_MOST_BLANK = 1 << 20
LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")  # a line ending of old Macs
_BYTE = re.compile("[\udc80-\udcff]")
_NOT_TEXT = "is not UTF-8 text: byte 0x{:02x}"
_GUESS = ", or name its encoding: `encoding: {}` beside `path` is a guess"
_BLOCK = 1 << 20
_MARK = b"\xef\xbb\xbf"


class NotUtf8(DataError):  # noqa: N818  # named as the other errors are
    """A line that is not UTF-8; `guess` is an encoding that it may have, or empty."""

    def __init__(self, message: str, guess: str) -> None:
        self.guess = guess
        super().__init__(message)


class TextLines:
    """The lines of an open file (UTF-8, with or without a byte order mark).

    `line` is the number of the next one, from 1 on; `sha256` is that of the bytes read so far.
    Blocks of whole lines may be taken instead (`block`, `take`), wherever `at_line_start`. With
    `keep_wrong`, bytes that are not UTF-8 are surrogates, but for those in the first line. With
    `names_encoding`, a config may say another encoding.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        *,
        keep_wrong: bool = False,
        names_encoding: bool = False,
    ) -> None:
        self.path, self._names_encoding = path, names_encoding
        self._keep_wrong = keep_wrong
        self.line = 1
        self.at_line_start = True
        # What is there already: a pipe may be slow.
        self._read = getattr(file, "read1", file.read)
        self._hash = hashlib.sha256()
        self._bytes, self._at = b"", 0  # whole lines
        self._rest, self._ended = b"", False

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[str]:
        """The lines with their ends; raises a DataError at one that is not UTF-8."""
        while raw := self._next():
            text = self._decoded(raw)
            pieces = [text]
            if not text or "\r" in text.removesuffix("\r\n"):
                pieces = [piece for piece in LONE_RETURN.split(text) if piece]
            for index, piece in enumerate(pieces, 1):
                self.at_line_start = index == len(pieces)
                self.line += 1
                yield piece

    def block(self) -> bytes:
        """The whole lines that are there; none if the file has no more, or one without an end."""
        if self._at == len(self._bytes):
            self._read_on()
        return self._bytes[self._at : self._bytes.rfind(b"\n", self._at) + 1]

    def take(self, size: int, lines: int) -> None:
        """Go on after this many bytes of the block, which are this many lines."""
        self._at += size
        self.line += lines

    def _next(self) -> bytes:
        """The next line, or lines of old Macs; empty at the end."""
        if self._at == len(self._bytes):
            self._read_on()
        start = self._at
        self._at = self._bytes.find(b"\n", start) + 1 or len(self._bytes)
        return self._bytes[start : self._at]

    def _read_on(self) -> None:
        """Read until there is a whole line, or the end of the file."""
        parts, size, end = [self._rest], len(self._rest), 0
        while not (end or self._ended):
            more = self._read(_BLOCK)
            self._hash.update(more)
            self._ended = not more
            # A carriage return at the end may be half of a line end.
            end = more.rfind(b"\n") + 1 or more.rfind(b"\r", 0, -1) + 1
            parts += [more[:end], more[end:]] if end else [more]
            size += len(more)
            if size > LONGEST_LINE and not end:
                message = f"the line has more than {LONGEST_LINE:,} bytes, and no end so far"
                raise DataError(f"{self.path}:{self.line}: {message}")
        self._rest = b"" if self._ended else parts.pop()
        self._bytes, self._at = b"".join(parts), 0

    def _decoded(self, raw: bytes) -> str:
        try:
            return (raw.removeprefix(_MARK) if self.line == 1 else raw).decode("utf-8")
        except UnicodeDecodeError as error:
            if self._keep_wrong and self.line > 1:
                return raw.decode("utf-8", "surrogateescape")
            message = f"{_NOT_TEXT.format(error.object[error.start])}; save the file as UTF-8"
            guess = guessed(raw, self.line) if self._names_encoding else ""
            message += _GUESS.format(guess) if guess else ""
            raise NotUtf8(f"{self.path}:{self.line}: {message}", guess) from error


def check_blank(path: Path, line: int, blank: int) -> None:
    """Raise a DataError if too many lines up to this one are blank, and most of them."""
    if blank > max(_MOST_BLANK, line // 2):
        raise DataError(f"{path}:{line}: more than {_MOST_BLANK:,} lines are blank")


def not_text(lines: str) -> str:
    """What is wrong with lines if bytes of them are not UTF-8."""
    found = None if lines.isascii() else _BYTE.search(lines)
    return _NOT_TEXT.format(ord(found[0]) - 0xDC00) if found else ""


# A CSV file as a table: delimiter, header, line numbers, and the cells of rows.
#
# `CommonRows` reads most rows of most files; the module csv reads the others, cell by cell, and
# finds what is wrong with them.

DELIMITERS = (",", ";", "\t")
RARER = ("|", ":", " ")  # stand in names, too
SEPARATORS = {",": ",", ";": ";", "|": "|", ":": ":", "tab": "\t", "space": " "}
"""The separators that a config may name. Likely ones come first, since names may hold spaces."""
NUMBERS_AS_HEADER = (
    "the first line holds numbers; a header row with the column names is needed, like a,b,c"
)
_LONGEST_HEADER = 100  # lines
_ROWS = 4096
_HINT = "; if its columns are not separated by '{}', name their sign with `separator`"
_DOUBLED = "; a quote in a cell with quotes around it is written twice"
_OPEN = "; a quote that begins a cell of this row is not closed"
_NAMES = {sign: name for name, sign in SEPARATORS.items()}
_TRAILING = "; if each line ends in a separator, remove it there"


class BrokenRow(DataError):  # noqa: N818  # named as the other errors are
    """A line that is not CSV."""

    def __init__(self, path: Path, line: int, fault: str) -> None:
        self.line, self.fault = line, fault
        super().__init__(f"{path}:{line}: {fault}")


class CsvTable(Table):
    """The header and rows of an open CSV file (UTF-8, with or without a byte order mark).

    The delimiter is the named separator, or whichever of comma, semicolon and tab cuts the header
    into most names, all lines of it where names have line breaks. Where none of them does, it is
    the first of bar, colon and blank that cuts the header and the first row into as many cells.
    A first column without a name is named in `unnamed`.

    Args:
        file: open, without its compression.
        separator: None to detect it from the header.
        sha256: of a compressed file; by default that of what is read.
        keep_text: whether `record` is the text of the row that was read last, or of the header,
            with its line ends, and bytes that are not UTF-8 as Python's surrogates.
        needed: the names of some columns; others may have no name, or one that several have.

    Raises: DataError with path:line if the file is not CSV with a header row.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        separator: str | None = None,
        decimal: str = ".",
        sha256: Callable[[], str] | None = None,
        *,
        keep_text: bool = False,
        needed: Container[str] | None = None,
    ) -> None:
        self.path, self.separator, self.decimal = path, separator, decimal
        self._sha256 = sha256
        self._keep_text = keep_text
        self._needed = needed
        self.text = TextLines(path, file, keep_wrong=keep_text, names_encoding=needed is None)
        lines = iter(self.text)
        first = next(lines, "")
        if not first.strip():
            state = "is blank" if first else "is missing: the file is empty"
            raise DataError(f"{path}:1: the header row with the column names {state}")
        if first.lower().startswith("sep=") and len(first.strip()) <= len("sep=;"):
            message = f"'{first.strip()}' is for Excel alone; remove it, the header comes first"
            raise DataError(f"{path}:1: {message}")
        head = [first]
        if separator is None:
            self.delimiter, head = _shown_by(first, lines)
        else:
            self.delimiter = SEPARATORS[separator]
        self._named = separator is not None
        self._taken: list[str] = []
        self._before = self._blank = 0
        self._apart = 0  # lines before this one are read cell by cell
        self._end: DataError | None = None  # why what comes next cannot be read
        self._lines_left = chain(head, lines)
        self._start(self._lines_left)
        self.header = self._read_header()
        if len(self.header) == 1:
            there = (name for name, sign in SEPARATORS.items() if sign in self.header[0])
            self.other_separator = next(there, None)

    def _start(self, lines: Iterator[str]) -> None:
        """Read these lines from now on."""
        self._reader = csv.reader(
            _noted(lines, self._taken) if self._keep_text else lines,
            delimiter=self.delimiter,
            skipinitialspace=True,
            strict=True,
        )

    @property
    def sha256(self) -> str:
        return self.text.sha256 if self._sha256 is None else self._sha256()

    @property
    def record(self) -> str:
        return "".join(self._taken)

    def rows(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of its first line; blank lines are left out.

        Raises: DataError at a line that is not CSV (a quote that never closes) or not UTF-8.
        """
        while True:
            line = self._line
            cells = self._next(line)
            if cells is None:
                return
            if any(cells) or len(cells) > 1 or (cells and len(self.header) == 1):
                yield line, cells
                continue
            self._blank += 1
            check_blank(self.path, line, self._blank)

    def rows_or_faults(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str] | str]]:
        """Each row with its line, or the mistake in the line; the rows after it are read, too."""
        while True:
            try:
                for line, cells in self.rows():
                    yield line, not_text(self.record) or cells
            except BrokenRow as broken:
                first, *rest = self._taken
                self._before = broken.line
                self._start(chain(rest, self._lines_left))
                self._taken[:] = [first]
                yield broken.line, broken.fault
            else:
                return

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        part = self._common(wanted) or self._by_cells(wanted, problems, first=True)
        while part is not None:
            yield part
            if self._end is not None:
                raise self._end
            part = self._common(wanted) or self._by_cells(wanted, problems)

    def _common(self, wanted: Mapping[str, bool]) -> Part | None:
        """The next rows, if all that are there are of the common form."""
        is_level = self.text.at_line_start and self._line == self.text.line
        if not is_level or self._line < self._apart:
            return None
        content, first = self.text.block(), self.text.line
        kinds = [wanted.get(name) for name in self.header]
        try:
            rows = CommonRows(content, kinds, self.delimiter, self.decimal)
            named = [(name, place) for place, name in enumerate(self.header) if name in wanted]
            columns = {name: rows.column(place) for name, place in named}
        except ValueError:
            self._apart = first + content.count(b"\n")
            return None
        self.text.take(len(content), rows.count)
        self._before += rows.count
        return Part(range(first, first + rows.count), columns)

    def _by_cells(
        self, wanted: Mapping[str, bool], problems: Problems, *, first: bool = False
    ) -> Part | None:
        """Some rows that are not of the common form; `first` if they are those below the header."""
        lines, sound, width = list[int](), list[list[str]](), len(self.header)
        rows = self.rows()
        for count in range(_ROWS):
            try:
                line, cells = next(rows, (0, []))
            except DataError as error:  # the rows before it may have mistakes, too
                self._end = error
                break
            if not line:
                if not count:
                    return None
                break
            if len(cells) == width:
                lines.append(line)
                sound.append(cells)
            else:
                is_first = first and not count
                mistake = about_width(len(cells), width, self.delimiter, first=is_first)
                problems.add(line, "", mistake)
            if self._line >= self._apart and self.text.at_line_start:
                break
        named = [(name, place) for place, name in enumerate(self.header) if name in wanted]
        columns = {name: Texts.of(cells[place] for cells in sound) for name, place in named}
        return Part(lines, columns)

    @property
    def _line(self) -> int:
        """The number of the next line."""
        return self._before + self._reader.line_num + 1

    def _next(self, line: int) -> list[str] | None:
        self._taken.clear()
        try:
            return next(self._reader, None)
        except csv.Error as error:
            hint = _DOUBLED if "expected after" in str(error) else ""
            hint = _OPEN if "end of data" in str(error) else hint
            if line == 1 and not self._named:
                hint = _HINT.format(_NAMES[self.delimiter])
            raise BrokenRow(self.path, line, f"is no CSV from here on: {error}{hint}") from error

    def _read_header(self) -> tuple[str, ...]:
        names = [name.strip() for name in self._next(1) or []]
        self.unnamed = unnamed(names)
        names[:1] = [self.unnamed or names[0]] if names else []
        needed = self._needed
        problems = [
            f"{self.path}:1: column {position} has no name{_TRAILING * (position == len(names))}"
            for position, name in enumerate(names, 1)
            if not name and needed is None
        ]
        problems += [
            f"{self.path}:1:{escaped(name, kept='')}: {count} columns have this name"
            for name, count in Counter(names).items()
            if name and count > 1 and (needed is None or name in needed)
        ]
        problems += [
            f"{self.path}:1: the name of column {position} has a NUL (U+0000) in it; "
            "save the file as UTF-8 text"
            for position, name in enumerate(names, 1)
            if "\0" in name
        ]
        if all(number(name) is not None for name in names):
            problems = [f"{self.path}:1: {NUMBERS_AS_HEADER}"]
        if problems:
            raise DataError("\n".join(first_of(problems)))
        return tuple(names)


def _shown_by(first: str, lines: Iterator[str]) -> tuple[str, list[str]]:
    """The delimiter that splits the header into the most names, and the lines read so far.

    An open quote continues the header on the next line.
    """
    head, more = [first], [first]
    names = _names(head)
    while None in names and more and len(head) < _LONGEST_HEADER:
        more = list(islice(lines, len(head)))
        head += more
        names = _names(head)
    counts = [found or 0 for found in names]
    if not any(counts):  # the mistake is reported when the header is read
        counts = [found or 0 for found in _names(head, strict=False)]
    if max(counts) > 1:
        return DELIMITERS[counts.index(max(counts))], head
    return _shown_with_row(head, lines)


def _shown_with_row(head: list[str], lines: Iterator[str]) -> tuple[str, list[str]]:
    """The same from the header and the first row below it; the comma where nothing shows it."""
    for sign in RARER:
        taken: list[str] = []
        source = _noted(islice(chain(head, lines), _LONGEST_HEADER), taken)
        reader = csv.reader(source, delimiter=sign, skipinitialspace=True, strict=True)
        try:
            names = next(reader, [])
            row = next(filter(None, reader), [])
        except csv.Error:
            names, row = [], []
        head = taken + head[len(taken) :]
        if 1 < len(names) == len(row):
            return sign, head
    return DELIMITERS[0], head


def _noted(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _names(head: list[str], *, strict: bool = True) -> list[int | None]:
    """The number of names for each delimiter; 0 if the header is wrong, None if incomplete."""
    counts: list[int | None] = []
    for delimiter in DELIMITERS:
        reader = csv.reader(head, delimiter=delimiter, skipinitialspace=True, strict=strict)
        try:
            counts.append(len(next(reader, [])))
        except csv.Error as error:
            counts.append(None if "unexpected end" in str(error) else 0)
    return counts


def unnamed(names: Sequence[str]) -> str | None:
    """What pandas calls the first column, if it has no name and others follow."""
    if len(names) < 2 or names[0]:
        return None
    return "Unnamed: 0.1" if "Unnamed: 0" in names else "Unnamed: 0"
