"""The life of the process that compiles: sources come in over a socket, object files go out."""

from __future__ import annotations

import ast
import json
import os
import sys
from functools import lru_cache
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from types import ModuleType

from nnrun.child import ignore_signals
from nnrun.engines.compiled.language.fusing import fuse
from nnrun.engines.compiled.machine import Processor
from nnrun.engines.compiled.native.build import emitted, lowered
from nnrun.engines.compiled.native.fused import fma


def main(descriptor: int) -> None:
    """Compile until the socket closes."""
    ignore_signals()
    # Numba follows a variable from block to block by recursion, and a network has many.
    sys.setrecursionlimit(100_000)
    connection = Connection(descriptor)
    sources: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(connection, sources), daemon=True).start()
    while True:
        source, dtype, path, target = json.loads(sources.get())
        try:
            answer = b"+" + _compile(source, dtype, path, target and Processor(*target))
        except Exception as error:  # it is for the other process to tell
            answer = b"-" + f"{type(error).__name__}: {error}".encode(errors="replace")
        connection.send_bytes(answer)


def _listen(connection: Connection, sources: SimpleQueue[bytes]) -> None:
    try:
        while True:
            sources.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)  # whatever is being compiled: nobody waits for it any more


def _compile(source: str, dtype: str, path: str, target: Processor | None) -> bytes:
    return emitted(*_lowered(source, dtype, path), target)


@lru_cache(maxsize=1)  # for one processor after the other
def _lowered(source: str, dtype: str, path: str) -> tuple[str, str]:
    module = ModuleType(os.path.basename(path).partition(".")[0])
    tree = ast.parse(source)
    fuse(tree)
    module.__dict__["fma"] = fma
    exec(compile(tree, path, "exec"), module.__dict__)
    return lowered(module, dtype)
