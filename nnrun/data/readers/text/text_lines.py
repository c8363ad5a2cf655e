"""The lines of a text file, while it is read block by block."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nnrun.errors import DataError

LONGEST_LINE = 1 << 24
"""Bytes. A longer line is refused while it is read, since a small compressed file may hold one."""
_MOST_BLANK = 1 << 20
LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")  # a line ending of old Macs
_BYTE = re.compile("[\udc80-\udcff]")
_NOT_TEXT = "is not UTF-8 text: byte 0x{:02x}"
_BLOCK = 1 << 20
_MARK = b"\xef\xbb\xbf"


class TextLines:
    """The lines of an open file (UTF-8, with or without a byte order mark).

    `line` is the number of the next one, from 1 on; `sha256` is that of the bytes read so far.
    Blocks of whole lines may be taken instead (`block`, `take`), wherever `at_line_start`. With
    `keep_wrong`, bytes that are not UTF-8 are surrogates, but for those in the first line.
    """

    def __init__(self, path: Path, file: BinaryIO, *, keep_wrong: bool = False) -> None:
        self.path = path
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
            for number, piece in enumerate(pieces, 1):
                self.at_line_start = number == len(pieces)
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
            raise DataError(f"{self.path}:{self.line}: {message}") from error


def check_blank(path: Path, line: int, blank: int) -> None:
    """Raise a DataError if too many lines up to this one are blank, and most of them."""
    if blank > max(_MOST_BLANK, line // 2):
        raise DataError(f"{path}:{line}: more than {_MOST_BLANK:,} lines are blank")


def not_text(lines: str) -> str:
    """What is wrong with lines if bytes of them are not UTF-8."""
    found = None if lines.isascii() else _BYTE.search(lines)
    return _NOT_TEXT.format(ord(found[0]) - 0xDC00) if found else ""
