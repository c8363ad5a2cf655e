"""The lines of a text file, while it is read block by block, also ahead by threads."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from nnrun.errors import DataError
from nnrun.systems.cores import cores

if TYPE_CHECKING:
    from concurrent.futures import Future

LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")  # a line ending of old Macs
_BYTE = re.compile("[\udc80-\udcff]")
_NOT_TEXT = "is not UTF-8 text: byte 0x{:02x}"
_BLOCK, _BLOCK_AHEAD = 1 << 20, 1 << 21
_MOST_THREADS = 4
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
        self._bytes, self._at, self._ended = b"", 0, False
        self._ahead: Ahead | None = None
        self._made: Future[Any] | None = None  # of the whole block

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @contextmanager
    def read_ahead(self, work: Callable[[bytes], Any]) -> Iterator[None]:
        """Read blocks before they are needed, while threads do this work on each of them."""
        end = self._bytes.rfind(b"\n") + 1 or len(self._bytes)
        rest, self._bytes = self._bytes[end:], self._bytes[:end]
        with Ahead(self._read, self._hash, rest, work) as self._ahead:
            yield

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

    def block(self) -> tuple[bytes, int, int, Future[Any] | None]:
        """Bytes that are there, the start of the next line in them, and the size of whole lines.

        Last, the work that `read_ahead` does on them, if they are a block of its own.
        """
        if self._bytes.rfind(b"\n", self._at) < 0:
            self._read_on()
        size = self._bytes.rfind(b"\n", self._at) + 1 - self._at
        return self._bytes, self._at, size, None if self._at else self._made

    def take(self, size: int, lines: int) -> None:
        """Go on after this many bytes of the block, which are this many lines."""
        self._at += size
        self.line += lines

    def _next(self) -> bytes:
        """The next line; empty at the end."""
        end = self._bytes.find(b"\n", self._at) + 1
        if not end:
            self._read_on()
            end = self._bytes.find(b"\n", self._at) + 1 or len(self._bytes)
        line = self._bytes[self._at : end]
        self._at = end
        return line

    def _read_on(self) -> None:
        """Read until there is a whole line, or the end of the file."""
        rest = self._bytes[self._at :]
        if self._ahead is not None:
            block, made = self._ahead.take()
            self._bytes, self._at, self._made = rest + block, 0, None if rest else made
            return
        parts, found = [rest], False
        while not (found or self._ended):
            more = self._read(_BLOCK)
            self._hash.update(more)
            self._ended = not more
            parts.append(more)
            found = b"\n" in more
        self._bytes, self._at = b"".join(parts), 0

    def _decoded(self, raw: bytes) -> str:
        try:
            return (raw.removeprefix(_MARK) if self.line == 1 else raw).decode("utf-8")
        except UnicodeDecodeError as error:
            if self._keep_wrong and self.line > 1:
                return raw.decode("utf-8", "surrogateescape")
            message = f"{_NOT_TEXT.format(error.object[error.start])}; save the file as UTF-8"
            raise DataError(f"{self.path}:{self.line}: {message}") from error


def not_text(lines: str) -> str:
    """What is wrong with lines if bytes of them are not UTF-8."""
    found = None if lines.isascii() else _BYTE.search(lines)
    return _NOT_TEXT.format(ord(found[0]) - 0xDC00) if found else ""


class Ahead:
    """The rest of a file in blocks of whole lines, each with what a function makes of it.

    The blocks are the same for any number of threads. The digest is complete after the last block.

    Args:
        read: at most this many bytes; none at the end of the file.
        digest: of `hashlib`, of what has been read.
        rest: the start of a line, which has been read already.
        work: is called in threads.
    """

    def __init__(
        self, read: Callable[[int], bytes], digest: Any, rest: bytes, work: Callable[[bytes], Any]
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for large files only

        self._read, self._digest, self._rest, self._work = read, digest, rest, work
        self._threads = min(_MOST_THREADS, cores())
        self._pool = ThreadPoolExecutor(self._threads + 1, "read ahead")
        self._blocks: deque[tuple[bytes, Future[Any]]] = deque()
        self._hashed: Future[None] | None = None
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self) -> tuple[bytes, Future[Any] | None]:
        """The next block, and what becomes of it; an empty one at the end."""
        while len(self._blocks) <= self._threads and not self._ended:
            if block := self._next():
                self._blocks.append((block, self._pool.submit(self._work, block)))
        if self._blocks:
            return self._blocks.popleft()
        self._wait()
        return b"", None

    def _next(self) -> bytes:
        parts, end = [self._rest], 0
        while not (end or self._ended):
            more = self._read(_BLOCK_AHEAD)
            self._wait()
            self._hashed = self._pool.submit(self._digest.update, more)
            self._ended = not more
            end = len(more) if self._ended else more.rfind(b"\n") + 1
            parts.append(more[:end] if end else more)
            self._rest = more[end:] if end else b""
        return b"".join(parts)

    def _wait(self) -> None:
        if self._hashed is not None:
            self._hashed.result()
