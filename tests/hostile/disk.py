"""A disk that fails on request.

What runs in progress say of themselves is never written: how often they try depends on the time,
and such a failure costs nothing.
"""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from nnrun.runs.storage import progress, staged, sweep_progress
from nnrun.runs.storage import store as run_folder


class Disk:
    """Fails at the n-th call of an operation, or once this many bytes are written.

    Args:
        operation: `write`, `fsync` or `rename`, as nnrun's files use it.
        fails_at: the call that fails, counted from 1; None for none.
        room: bytes that can be written; None for as many as there are.
    """

    def __init__(
        self, operation: str = "", fails_at: int | None = None, room: int | None = None
    ) -> None:
        self.operation = operation
        self.fails_at = fails_at
        self.room = room
        self.calls = dict.fromkeys(("write", "fsync", "rename"), 0)
        self.failed = False
        self._lock = Lock()

    def check(self, operation: str, size: int = 0) -> None:
        """Count a call, and fail if it is its turn."""
        with self._lock:
            self.calls[operation] += 1
            if self.room is not None:
                self.room -= size
            here = operation == self.operation and self.calls[operation] == self.fails_at
            if here or (self.room is not None and self.room < 0):
                self.failed = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put it under nnrun's files."""
        fsync, replace, write, opened = os.fsync, os.replace, os.write, Path.open
        disk = self

        def checked_fsync(descriptor: int) -> None:
            disk.check("fsync")
            fsync(descriptor)

        def checked_replace(*places: Any, **more: Any) -> None:
            disk.check("rename")
            replace(*places, **more)

        def checked_write(descriptor: int, content: Any) -> int:
            try:
                disk.check("write", len(content))
            except OSError:  # of what does not fit, a part is written all the same
                write(descriptor, bytes(content)[: len(content) // 2])
                raise
            return write(descriptor, content)

        def checked_open(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
            return _File(path) if mode == "xb" else opened(path, mode, *rest, **more)

        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for module in (run_folder, sweep_progress):
            patch.setattr(module, "write_unforced", full)
        for module in (progress, sweep_progress):
            patch.setattr(module, "_SECONDS", 0.0)  # they try at every step
        patch.setattr(staged.os, "fsync", checked_fsync)
        patch.setattr(staged.os, "replace", checked_replace)
        patch.setattr(staged.os, "write", checked_write)
        patch.setattr(Path, "open", checked_open)


class _File(io.FileIO):
    """A new file that is written through `checked_write`."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path, "xb")

    def write(self, content: Any) -> int:
        return os.write(self.fileno(), content)
