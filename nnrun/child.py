"""Python child processes, each connected by a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, socketpair

from nnrun.systems import system

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
