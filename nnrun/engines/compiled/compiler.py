"""The process that compiles: it can crash, be ended, and be influenced by nothing that lies about.

Numba obeys `NUMBA_…` variables, and a `.numba_config.yaml` in the working folder. The process has
neither, so that the same source gives the same machine code wherever it is compiled.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
from dataclasses import astuple
from pathlib import Path

from nnrun import child
from nnrun.engines.compiled.machine import Processor

_MODULE = "nnrun.engines.compiled.native.server"


class CompilerError(RuntimeError):
    """Generated source could not be compiled."""


def compile_source(source: str, dtype: str, path: str, target: Processor | None = None) -> bytes:
    """An object file that holds the `train` of this source.

    Args:
        source: generated.
        dtype: of its numbers.
        path: what tracebacks call it.
        target: that the code is for; by default the processor that this runs on.

    Raises:
        CompilerError: the source is wrong, or the process has ended.
    """
    with _lock:
        return _the_process().compile(source, dtype, path, target)


class _Process:
    """The other process, which is kept for the next source."""

    def __init__(self) -> None:
        settings = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
        root = Path(os.path.abspath(os.sep))
        self._process, self._connection = child.start(_MODULE, settings, root)

    def compile(self, source: str, dtype: str, path: str, target: Processor | None) -> bytes:
        message = [source, dtype, path, None if target is None else astuple(target)]
        try:
            self._connection.send_bytes(json.dumps(message).encode())
            answer = self._connection.recv_bytes()
        except BaseException as error:
            # Whatever interrupted this: an answer that comes later would be taken for the next.
            code = self.end()
            if isinstance(error, EOFError | OSError):
                raise CompilerError(f"the compiler ended with exit code {code}") from error
            raise
        if answer[:1] != b"+":
            raise CompilerError(answer[1:].decode())
        return answer[1:]

    def end(self) -> int:
        """End the process at once, and say how it ended."""
        _processes.clear()
        self._connection.close()
        self._process.kill()
        return self._process.wait()


_lock = threading.Lock()
_processes: list[_Process] = []


def _the_process() -> _Process:
    if not _processes:
        _processes.append(_Process())
    return _processes[0]


def _forget() -> None:
    """After a fork, the process is the parent's; and so is the lock, should it be held."""
    global _lock  # noqa: PLW0603 - a lock cannot be released by who does not hold it
    _lock = threading.Lock()
    _processes.clear()


@atexit.register
def _end() -> None:
    if _processes:
        _processes[0].end()


os.register_at_fork(after_in_child=_forget)
