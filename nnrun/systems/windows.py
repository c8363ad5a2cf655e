"""Windows, written without access to one: `posix.py` says what each function does."""

from __future__ import annotations

import errno
import mmap
import msvcrt
import os
import re
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from socket import socket

assert sys.platform == "win32", "for type checkers"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
AND_NOT_RESERVED = ", none of Windows' devices such as 'nul', and the last no '.'"
# Without O_BINARY, line ends would be written as two characters.
MONOTONIC = 0
READ = os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_BINARY | os.O_NOINHERIT
_LOCKED = os.O_RDWR | os.O_BINARY | os.O_NOINHERIT
# Of the limit of its C library, a process has opened few before a sweep starts.
_MOST_FILES = 8192
# A file that another process has open for a moment cannot be replaced or removed.
_PAUSES = [0.001 * 2**n for n in range(10)]
# What machine code refers to must stay.
_kept: list[Any] = []
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_BINARY | os.O_NOINHERIT, 0o666)


def is_open_already(_state: os.stat_result, _besides: int = -1) -> bool:
    return True  # Windows has no FIFOs among files


class Folder:
    """A folder; Windows opens none, so that its files are named by their paths.

    Its lock is that on a file in it, which ends with the process; the file may then be left.
    """

    _LOCK = ".lock"

    def __init__(self, path: Path, *, follow: bool = True) -> None:
        self.path = path
        if not follow:
            _refuse_link(path)
        self._state = path.stat()
        if not stat.S_ISDIR(self._state.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        self._locked: int | None = None

    @property
    def is_in_place(self) -> bool:
        with suppress(FileNotFoundError, NotADirectoryError):
            return os.path.samestat(self.path.stat(), self._state)
        return False

    def stat(self) -> os.stat_result:
        return self._state

    def names(self) -> list[str]:
        return [name for name in os.listdir(self.path) if name != self._LOCK]

    def create(self, name: str, permissions: int = 0o666) -> int:
        return os.open(self.path / name, _NEW, permissions)

    def open(self, name: str) -> int:
        _refuse_link(self.path / name)
        return os.open(self.path / name, READ)

    def replace(self, old: str, new: str) -> None:
        _patiently(lambda: (self.path / old).replace(self.path / new))

    def link(self, old: str, new: str) -> None:
        (self.path / new).hardlink_to(self.path / old)

    def unlink(self, name: str) -> None:
        _patiently((self.path / name).unlink)

    def remove_unheld(self, name: str) -> None:
        pass  # nothing tells whether another process is about to rename it

    def rmdir(self, name: str) -> None:
        (self.path / name).rmdir()

    def sync(self) -> None:
        pass  # Windows does it by itself

    def lock(self, *, wait: bool) -> bool:
        place = self.path / self._LOCK
        self._locked = os.open(place, _LOCKED | os.O_CREAT)
        while True:
            try:
                msvcrt.locking(self._locked, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    self._unlock()
                    return False
                time.sleep(0.01)
            else:
                return True

    def is_locked(self) -> bool:
        with suppress(FileNotFoundError):
            place = os.open(self.path / self._LOCK, _LOCKED)
            try:
                msvcrt.locking(place, msvcrt.LK_NBLCK, 1)
            except OSError:
                return True
            finally:
                os.close(place)
        return False

    def remove_if_empty(self) -> None:
        self._unlock()
        self.path.rmdir()

    def close(self) -> None:
        self._unlock()

    def _unlock(self) -> None:
        """Close the lock's file, and remove it unless another process has opened it."""
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None
            with suppress(OSError):
                (self.path / self._LOCK).unlink()


def _refuse_link(path: Path) -> None:
    if is_link(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _patiently(do: Callable[[], object]) -> None:
    for pause in _PAUSES:
        try:
            do()
        except PermissionError:
            time.sleep(pause)
        else:
            return
    do()


def force(descriptor: int) -> None:
    os.fsync(descriptor)


@contextmanager
def held(descriptor: int) -> Iterator[None]:
    yield


def start_writing(descriptor: int) -> None:
    pass


def permission_fault(state: os.stat_result, forbidden: int) -> str | None:
    return None  # Windows keeps a user's own folders from others; Python cannot ask about the rest


def is_shared(folder: Path) -> bool:
    return False  # as for `permission_fault`


def is_reserved(name: str) -> bool:
    return name.endswith(".") or _DEVICES.fullmatch(name) is not None


def is_link(path: Path) -> bool:
    with suppress(OSError):
        return bool(os.readlink(path))  # also of a junction
    return False


def after_fork(call: Callable[[], None]) -> None:
    pass  # Windows has no forks


def encoding_of(stream: IO[str]) -> str | None:
    return None if stream.isatty() else "utf-8"  # JSON has no other


@contextmanager
def keys(stream: IO[str]) -> Iterator[Callable[[float], str]]:
    def pressed(seconds: float) -> str:
        end = time.monotonic() + seconds
        while not msvcrt.kbhit():
            if time.monotonic() > end:
                return ""
            time.sleep(0.05)
        return msvcrt.getwch()

    yield pressed


@cache
def symbols() -> dict[str, int]:
    import ctypes  # noqa: PLC0415  # for machine code only

    def read_clock(_: int, moment: Any) -> int:
        moment[0], moment[1] = divmod(time.perf_counter_ns(), 10**9)
        return 0

    clock = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64))(read_clock)
    yields = ctypes.WinDLL("kernel32").SwitchToThread
    used = ctypes.c_int()  # every object file with floating-point numbers asks for it
    _kept.extend((clock, yields, used))
    functions = {"clock_gettime": clock, "sched_yield": yields}
    found = {name: ctypes.cast(one, ctypes.c_void_p).value or 0 for name, one in functions.items()}
    return {**found, "_fltused": ctypes.addressof(used)}


def files_allowed() -> int:
    return _MOST_FILES


def start_with_socket(
    command: Sequence[str], theirs: socket, **options: Any
) -> subprocess.Popen[bytes]:
    import subprocess  # noqa: PLC0415  # for sweeps only

    group = subprocess.CREATE_NEW_PROCESS_GROUP  # a Ctrl-C on the terminal does not reach it
    process = subprocess.Popen(
        [*command, "stdin"], stdin=subprocess.PIPE, creationflags=group, **options
    )
    assert process.stdin is not None
    with process.stdin:
        process.stdin.write(theirs.share(process.pid))
    return process


def receive_socket(word: str) -> int:
    from socket import fromshare  # noqa: PLC0415  # for sweeps only

    return fromshare(getattr(sys, word).buffer.read()).detach()


def ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def arrivals(descriptor: int) -> Callable[[], bool]:
    return lambda: bool(select.select([descriptor], [], [], 0)[0])


def wait_for_hangup(descriptor: int) -> None:
    from psutil import Process  # noqa: PLC0415  # for sweeps only

    Process(os.getppid()).wait()


def forget_pages(mapping: mmap.mmap) -> None:
    """Windows takes such memory by itself when others need it."""
