"""Encodings of text files but UTF-8, which become UTF-8 while a file is read."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.errors import DataError

UTF_8 = "utf-8"
WINDOWS = "cp1252"
"""What Excel writes in western Europe where it does not write UTF-8."""
_UTF_16 = "utf-16"
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAMPLE = 'a,"b";\t|\r\n1.5' + "0" * 99
_LONGEST = 40


def checked_encoding(name: str) -> str:
    """The name that Python has for an encoding of text; that of UTF-8 whether it has a mark or not.

    Raises: ValueError for what is none, or has other bytes for the signs of a table when it is read
    piece by piece, as `rot13`, `zlib` and `punycode` are.
    """
    try:
        if len(name) > _LONGEST or not name.isascii():
            raise LookupError(name)
        codec = codecs.lookup(name)
        decoder = codecs.getincrementaldecoder(name)("strict")
        content = _SAMPLE.encode(name)
        pieces = [decoder.decode(content[place : place + 1]) for place in range(len(content))]
        if "".join(pieces) + decoder.decode(b"", final=True) != _SAMPLE:
            raise LookupError(name)
    except Exception as error:  # codecs raise many kinds
        raise ValueError(f"'{name[:_LONGEST]}' is no encoding of text") from error
    return UTF_8 if codec.name in (UTF_8, "utf-8-sig") else codec.name


def guessed(line: bytes, number: int) -> str:
    """The encoding that a line that is not UTF-8 may have; empty if none is likely."""
    if number == 1 and line.startswith(_MARKS):
        return _UTF_16
    try:
        line.decode(WINDOWS)
    except UnicodeDecodeError:
        return ""
    return WINDOWS


class NotInEncoding(DataError):  # noqa: N818  # named as the other errors are
    """Bytes that are no text in the encoding that was named."""


class Recoded(io.RawIOBase):
    """The content of a text file as UTF-8."""

    def __init__(self, path: Path, file: BinaryIO, encoding: str) -> None:
        self._path, self._encoding = path, encoding
        # What is there already: a pipe may be slow.
        self._read: Any = getattr(file, "read1", file.read)
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._line, self._left, self._ended = 1, b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        while not (self._left or self._ended):
            content = self._read(len(room))
            self._ended = not content
            try:
                text = self._decoder.decode(content, final=self._ended)
                self._left = text.encode()
            except UnicodeError as error:
                raise NotInEncoding(self._about(error)) from error
            self._line += text.count("\n")
        part, self._left = self._left[: len(room)], self._left[len(room) :]
        room[: len(part)] = part
        return len(part)

    def _about(self, error: UnicodeError) -> str:
        where, what = self._line, str(error)
        if isinstance(error, UnicodeDecodeError):
            what = f"byte 0x{error.object[error.start]:02x}"
            before = error.object[: error.start]
            where += before.decode(self._encoding, "ignore").count("\n")
        message = f"is not {self._encoding} text: {what}; the config's `encoding` says what it is"
        return f"{self._path}:{where}: {message}"
