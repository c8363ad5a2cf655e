"""Shows nnrun a Windows on Linux; Python imports this module at its start if it is on its path.

What Windows has not is missing, for nnrun alone. Open files below the folder `PRETENDED` cannot be
replaced or removed. Nothing here is Windows itself: its files, sockets and signals are Linux's.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from glob import iglob
from types import ModuleType

ROOT = os.environ["PRETENDED"] + os.sep
MISSING_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
BINARY, NOINHERIT = 1 << 29, 1 << 30
_open, _import = os.open, builtins.__import__


class View(ModuleType):
    """A module with some names replaced and others missing."""

    def __init__(self, real: ModuleType, missing: str = "", **own: object) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(_real=real, _missing=set(missing.split()), **own)

    def __getattr__(self, name: str) -> object:
        if name in self._missing:
            raise AttributeError(f"Windows has no {self.__name__}.{name}")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)


def refuse_open(path: str | os.PathLike[str]) -> None:
    """As Windows, do not replace or remove a file that any process has open."""
    place = os.path.abspath(path)
    if not place.startswith(ROOT):
        return
    for link in iglob("/proc/[0-9]*/fd/*"):
        found = ""
        with suppress(OSError):  # closed by now, or of another user
            found = os.readlink(link)
        if found == place:
            raise PermissionError(errno.EACCES, "it is open", place)


def guarded(name: str, paths: int) -> None:
    """Guard the first arguments of a function of `os`, for everybody."""
    real = getattr(os, name)

    def call(*arguments, **more):
        for path in arguments[:paths]:
            refuse_open(path)
        return real(*arguments, **more)

    setattr(os, name, call)


for name, paths in (("replace", 2), ("rename", 2), ("unlink", 1), ("remove", 1)):
    guarded(name, paths)


def pathwise(name):
    """A function of `os` that takes paths alone: no descriptors of folders."""
    real = getattr(os, name)

    def call(*arguments):
        assert not isinstance(arguments[0], int)
        return real(*arguments)

    return call


def open_file(path, flags, mode=0o777):
    """`os.open`, which opens no folders, and translates line ends unless O_BINARY is given."""
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "a folder", str(path))
    if path != os.devnull:
        assert flags & BINARY, f"{path} is opened as text"
    return _open(path, flags & ~(BINARY | NOINHERIT), mode)


def lock(descriptor: int, mode: int, count: int) -> None:
    """`msvcrt.locking`."""
    assert (2, 1) == (mode, count)
    assert stat.S_ISREG(os.fstat(descriptor).st_mode)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Shared(socket.socket):
    """A socket that another process can be given."""

    def share(self, process: int) -> bytes:
        """Send it to the process that connects to a path, which is returned."""
        waiting = socket.socket(socket.AF_UNIX)
        path = tempfile.mktemp(prefix="nnrun")
        waiting.bind(path)
        waiting.listen()
        mine = self.dup()

        def give() -> None:
            with waiting, mine, waiting.accept()[0] as other:
                socket.send_fds(other, [b"x"], [mine.fileno()])
            os.unlink(path)

        threading.Thread(target=give, daemon=True).start()
        return path.encode()


def from_share(shared: bytes) -> socket.socket:
    """`socket.fromshare`."""
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(shared)
        return socket.socket(fileno=socket.recv_fds(other, 1, 1)[1][0])


def pair():
    """`socket.socketpair`, whose sockets can be shared."""
    return tuple(Shared(fileno=end.detach()) for end in socket.socketpair())


class Process(subprocess.Popen):
    """`subprocess.Popen`, which passes no descriptors."""

    def __init__(self, *arguments, creationflags: int, **more) -> None:
        assert "pass_fds" not in more
        super().__init__(*arguments, start_new_session=bool(creationflags), **more)


class Libraries:
    """`ctypes.WinDLL`."""

    def __init__(self, name: str) -> None:
        assert "kernel32" == name
        self.SwitchToThread = ctypes.CDLL(None).sched_yield


VIEWS = {
    "ctypes": View(ctypes, WinDLL=Libraries),
    "msvcrt": View(ModuleType("msvcrt"), LK_NBLCK=2, locking=lock),
    "os": View(
        os,
        "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK fchmod fork geteuid getuid killpg"
        " posix_fadvise register_at_fork sched_getaffinity setsid uname",
        O_BINARY=BINARY,
        O_NOINHERIT=NOINHERIT,
        open=open_file,
        **{name: pathwise(name) for name in ("listdir", "rmdir", "unlink", "replace", "link")},
    ),
    "select": View(select, "poll epoll kqueue"),
    "signal": View(
        signal,
        "SIGHUP SIGKILL SIGQUIT SIG_BLOCK SIG_SETMASK SIG_UNBLOCK pthread_sigmask",
        SIGBREAK=signal.SIGQUIT,
    ),
    "socket": View(socket, "AF_UNIX", socketpair=pair, fromshare=from_share),
    "subprocess": View(subprocess, CREATE_NEW_PROCESS_GROUP=512, Popen=Process),
    "time": View(time, "CLOCK_MONOTONIC"),
    "sys": View(sys, platform="win32"),
}


def seen_by(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
    """`__import__`, with another view of some modules for nnrun."""
    importer = (globals or {}).get("__package__") or ""
    if importer.partition(".")[0] == "nnrun" and level == 0:
        if name in MISSING_MODULES:
            raise ModuleNotFoundError(f"Windows has no module {name}", name=name)
        if name in VIEWS:
            return VIEWS[name]
    return _import(name, globals, locals, fromlist, level)


builtins.__import__ = seen_by
