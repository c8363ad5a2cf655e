"""Blocks of a text file that are read before they are needed, and worked on by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from nnrun.systems.cores import cores

_BLOCK = 1 << 21
_MOST_THREADS = 4


class Ahead:
    """The rest of a file in blocks of whole lines, each with what a function makes of it.

    The blocks are the same for any number of threads. The digest is complete after the last block.

    Args:
        read: at most so many bytes; none at the end of the file.
        digest: of `hashlib`, of what has been read.
        rest: the start of a line, which has been read already.
        work: is called in threads.
    """

    def __init__(
        self, read: Callable[[int], bytes], digest: Any, rest: bytes, work: Callable[[bytes], Any]
    ) -> None:
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
            more = self._read(_BLOCK)
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
