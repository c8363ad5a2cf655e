"""Python child processes, each connected by a socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, socketpair

_SCRIPT = """
import gc, json, sys
gc.disable()  # until all is loaded
sys.path[:] = json.loads(sys.argv[2])
from {module} import main
main(int(sys.argv[1]))
"""
# Bytes that a socket buffers for a process that does not read; on macOS, 8 KB by default.
_ROOM = 1 << 18
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(
    module: str, environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], Connection]:
    """A process that calls a module's `main` with its end of a socket, and our end.

    Args:
        module: its `main` is to call `ignore_signals` first, and may enable garbage collection.
        environment: of the process.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socketpair()
    ours.setsockopt(SOL_SOCKET, SO_SNDBUF, _ROOM)
    theirs.setsockopt(SOL_SOCKET, SO_RCVBUF, _ROOM)
    paths = json.dumps([os.path.abspath(path) for path in sys.path])
    script = _SCRIPT.format(module=module)
    # Until it can ignore them, a Ctrl-C on the terminal must not end it.
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", script, str(theirs.fileno()), paths],
            pass_fds=[theirs.fileno()],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=2,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)
        theirs.close()
    return process, Connection(ours.detach())


def ignore_signals() -> None:
    """In the child: ignore signals, which the parent handles."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
