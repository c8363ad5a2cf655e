"""This process and its children: cores, the folder of caches, garbage collection."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, socketpair

from nnrun.systems import system

# Python child processes, each connected by a socket.

_SCRIPT = """
import gc, json, sys
gc.disable()  # until all is loaded
sys.path[:] = json.loads(sys.argv[1])
from {module} import main
main(sys.argv[2])
"""
# Bytes that a socket buffers for a process that does not read; on macOS, 8 KB by default.
_ROOM = 1 << 18


def start(
    module: str, environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], Connection]:
    """A process that calls a module's `main` with its end of a socket, and our end.

    Args:
        module: its `main` takes a word for `receive_socket`, ignores signals first, and may enable
            garbage collection.
        environment: of the process.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socketpair()
    ours.setsockopt(SOL_SOCKET, SO_SNDBUF, _ROOM)
    theirs.setsockopt(SOL_SOCKET, SO_RCVBUF, _ROOM)
    paths = json.dumps([os.path.abspath(path) for path in sys.path])
    script = _SCRIPT.format(module=module)
    command = [sys.executable, "-P", "-c", script, paths]
    with theirs:
        process = system.start_with_socket(command, theirs, env=dict(environment), stdout=2)
    return process, Connection(ours.detach())


# When Python looks for garbage.


@contextmanager
def not_collected() -> Iterator[None]:
    """Look for no garbage while many objects are made that stay: it would take a fifth of the time.

    Other threads' garbage waits as well. It is a decorator, too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# How many processor cores there are, and how many threads a run may use.


def cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(asked: int | None, jobs: int = 1) -> int:
    """The number asked for; by default the share of the cores of one of `jobs` runs at a time."""
    return max(1, cores() // jobs) if asked is None else asked


# The folder of this user's caches.


def cache_folder() -> Path:
    """`NNRUN_CACHE`, or the platform's folder for caches."""
    chosen = os.environ.get("NNRUN_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path  # noqa: PLC0415 - only needed here

    return user_cache_path("nnrun", appauthor=False)
