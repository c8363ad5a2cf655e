"""Processes that begin with all modules loaded: copies of one that has imported them.

To import what a command needs takes longer than most commands in tests. A copy has its own streams,
folder, environment and session, and is a child of the tests' process, as by `python -m MODULE`.
What an environment decides while modules are imported is that of the first one.

Worker processes of such commands are copies of the command, as long as it has no other threads.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
COMMANDS = (
    *(f"nnrun.cli.{name}" for name in ("group", "train", "sweep", "watch", "verify", "predict")),
    "scipy.special",
)
"""What commands import, most of them while they run, and worker processes."""

_SET_CHILD_SUBREAPER = 36  # of <linux/prctl.h>
_MOST_BYTES = 1 << 20


class Forked(subprocess.Popen[Any]):
    """A process that runs a module as `python -m` does, or a script as `python -c`.

    Args:
        loaded: the modules that it begins with, by their names.
        words: the module and its arguments; or `-c`, the script and its arguments.
        options: of `Popen`: streams, `pass_fds`, `cwd`, `env`, `text` and `start_new_session`.
    """

    def __init__(self, loaded: tuple[str, ...], words: list[str], **options: Any) -> None:
        self._origin = _origin(loaded)
        super().__init__(words, **options)

    def _execute_child(self, args: list[str], *options: Any) -> None:  # called by Popen
        more, cwd, env = options[3:6]
        ends, new_session = options[9:15], options[-2]
        request = {
            "words": args,
            "cwd": os.fspath(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
            "session": new_session,
            "descriptors": [0, 1, 2, *more],
        }
        theirs = [end if end != -1 else own for own, end in enumerate((ends[0], ends[3], ends[5]))]
        theirs += more
        socket.send_fds(self._origin, [json.dumps(request).encode()], theirs)
        self.pid = int(self._origin.recv(20))
        self._child_created = True
        self._close_pipe_fds(*ends)


def nnrun(*words: object, **options: Any) -> Forked:
    """A command as a process; the options are those of `Popen`."""
    return Forked(COMMANDS, ["nnrun", *map(str, words)], **options)


def with_socket(command: list[str], theirs: socket.socket, **options: Any) -> Forked:
    """Instead of `system.start_with_socket`: a worker process that has imported what it needs."""
    end = theirs.fileno()
    words = [*command[command.index("-c") :], str(end)]
    return Forked(COMMANDS, words, pass_fds=[end], stdin=subprocess.DEVNULL, **options)


class Copied(subprocess.Popen[bytes]):
    """A copy of this process that runs a script, with one descriptor besides its streams."""

    def _execute_child(self, args: list[str], *options: Any) -> None:  # called by Popen
        (end,), env = options[3], options[5]
        self.pid = os.fork()
        if not self.pid:
            _be_worker(args[args.index("-c") :], end, env)
        self._child_created = True
        self._close_pipe_fds(*options[9:15])


def _copy_workers() -> None:
    """Have worker processes of this one be copies of it."""
    from nnrun.systems import system

    start = system.start_with_socket

    def copied(
        command: Sequence[str], theirs: socket.socket, **options: Any
    ) -> subprocess.Popen[bytes]:
        if threading.active_count() > 1:  # what they hold would be held for good in a copy
            return start(command, theirs, **options)
        end = theirs.fileno()
        options |= {"pass_fds": [end], "stdin": subprocess.DEVNULL}
        kept = signal.pthread_sigmask(signal.SIG_BLOCK, system.SIGNALS)
        try:
            return Copied([*command, str(end)], **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, kept)

    vars(system)["start_with_socket"] = copied


def _be_worker(words: list[str], end: int, env: dict[str, str]) -> None:
    """In a copy: run the script, and end."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.closerange(3, end)
        os.closerange(end + 1, end + 1000)
        _renew(env)
        sys.argv = [words[0], *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@cache
def _origin(loaded: tuple[str, ...]) -> socket.socket:
    """A connection to the process that the others are copies of."""
    # Processes whose parent has ended become children of this one.
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_BYTES)
    command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # else its threads are there before copies
    with theirs:
        process = subprocess.Popen(
            command, cwd=_ROOT, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
    ours.send(json.dumps(loaded).encode())
    atexit.register(_end, ours, process)
    return ours


def _end(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    connection.close()
    process.wait()


def _serve(connection: socket.socket) -> list[str]:
    """Make copies of this process until there are no more requests.

    Returns:
        in a copy: what it has to run; in this process: nothing.
    """
    while True:
        content, streams, _, _ = socket.recv_fds(connection, _MOST_BYTES, 8)
        if not content:
            return []
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            pid = os.fork()
            if pid:  # it ends, so that the copy has another parent
                os.write(writing, str(pid).encode())
                os._exit(0)
            os.close(reading), os.close(writing)
            connection.close()
            return _begin(json.loads(content), streams)
        os.waitpid(between, 0)
        for descriptor in (*streams, writing):
            os.close(descriptor)
        connection.send(os.read(reading, 20))
        os.close(reading)


def _begin(request: dict[str, Any], streams: list[int]) -> list[str]:
    """Be the process that was asked for."""
    if request["session"]:
        os.setsid()
    # First to numbers that none of them is meant to have.
    above = 1 + max(*streams, *request["descriptors"])
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, above) for one in streams]
    os.closerange(3, above)
    for number, descriptor in zip(request["descriptors"], high, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    _renew(request["env"])
    places = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [place for place in places if place and place not in sys.path]
    gc.unfreeze()
    return list(request["words"])


def _renew(env: dict[str, str]) -> None:
    """Have this environment, and streams that nothing was written to yet."""
    os.environ.clear()
    os.environ.update(env)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # as long as the process
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def main() -> None:
    """Load the modules, then be copied, and run in each copy what was asked for."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in json.loads(connection.recv(_MOST_BYTES)):
        import_module(name)
    gc.collect()
    gc.freeze()
    sys.argv = _serve(connection)
    if sys.argv:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests may be under nohup
        if sys.argv[0] == "-c":
            script = sys.argv.pop(1)
            exec(compile(script, "<string>", "exec"), {"__name__": "__main__"})
        else:
            if sys.argv[0] == "nnrun":
                _copy_workers()
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
