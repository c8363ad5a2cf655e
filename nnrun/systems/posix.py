"""Linux and macOS."""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from socket import socket

assert sys.platform != "win32", "for type checkers"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end the work."""
AND_NOT_RESERVED = ""
"""What `is_reserved` adds to a rule for names."""
MONOTONIC = time.CLOCK_MONOTONIC
"""The clock that machine code reads by `clock_gettime`."""
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""How a file is opened for reading: that of a FIFO does not block."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def open_at_once(path: str, flags: int) -> int:
    """A descriptor as `open` makes it, without waiting for the other end of a FIFO.

    Raises: OSError, ENXIO where nobody reads from a FIFO that is to be written.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor


def is_open_already(state: os.stat_result, besides: int = -1) -> bool:
    """Whether a descriptor of this process, `besides` aside, is what has this state."""
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the descriptor of the listing itself is closed
            if int(name) != besides and os.path.samestat(os.fstat(int(name)), state):
                return True
    return False


class Folder:
    """An open folder: another one that takes its name later is not touched.

    It can be locked. The lock belongs to the open folder: it ends with the process, however that
    ends, and leaves no file.

    Args:
        follow: whether it may be a link.

    Raises: OSError if there is no such folder.
    """

    def __init__(self, path: Path, *, follow: bool = True) -> None:
        self.path = path
        flags = READ | os.O_DIRECTORY | (0 if follow else os.O_NOFOLLOW)
        self._descriptor = os.open(path, flags)

    @property
    def is_in_place(self) -> bool:
        """Whether the open folder is still the one under its name."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return os.path.samestat(self.path.stat(), self.stat())
        return False

    def stat(self) -> os.stat_result:
        """Owner and permissions."""
        return os.fstat(self._descriptor)

    def names(self) -> list[str]:
        """The names of what is in the folder."""
        return os.listdir(self._descriptor)

    def create(self, name: str, permissions: int = 0o666) -> int:
        """A descriptor of a new file, to write to."""
        return os.open(name, _NEW, permissions, dir_fd=self._descriptor)

    def open(self, name: str) -> int:
        """A descriptor of a file, to read from; links are not followed (ELOOP)."""
        return os.open(name, READ | os.O_NOFOLLOW, dir_fd=self._descriptor)

    def replace(self, old: str, new: str) -> None:
        """Rename a file; an existing one is replaced."""
        os.replace(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name."""
        os.link(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def unlink(self, name: str) -> None:
        """Remove a file."""
        os.unlink(name, dir_fd=self._descriptor)

    def remove_unheld(self, name: str) -> None:
        """Remove a file unless a process may have it in `held`."""
        # A file system without locks, or a file of another user.
        with suppress(OSError), open(self.open(name), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.unlink(name)

    def rmdir(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(name, dir_fd=self._descriptor)

    def sync(self) -> None:
        """Wait until the list of names is on the disk."""
        force(self._descriptor)

    def lock(self, *, wait: bool) -> bool:
        """Lock the folder for this process; false if another one has locked it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def is_locked(self) -> bool:
        """Whether a process has locked the folder."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
        return False

    def remove_if_empty(self) -> None:
        """Remove the folder, which is locked; an OSError if anything is in it."""
        self.path.rmdir()

    def close(self) -> None:
        """Close and unlock the folder."""
        os.close(self._descriptor)


def force(descriptor: int) -> None:
    """Wait until an open file is on the disk."""
    if sys.platform == "darwin":
        with suppress(OSError):  # a disk that cannot do it
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


@contextmanager
def held(descriptor: int) -> Iterator[None]:
    """Hold an open file, also while it is closed and renamed: `remove_unheld` leaves it."""
    copy = os.dup(descriptor)
    try:
        with suppress(OSError):  # a file system without locks, where none is removed
            fcntl.flock(copy, fcntl.LOCK_EX)
        yield
    finally:
        os.close(copy)


def start_writing(descriptor: int) -> None:
    """Ask the disk to start on an open file."""
    if sys.platform == "linux":  # where this advice starts writing
        with suppress(OSError):  # it is only advice
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def permission_fault(state: os.stat_result, forbidden: int) -> str | None:
    """Why a file is not this user's alone: it is another's, or has forbidden permissions."""
    if state.st_uid != os.geteuid():
        return "belongs to another user"
    found = state.st_mode & forbidden
    if found & (stat.S_IWGRP | stat.S_IWOTH):
        return "others can write to it; `chmod go-w` changes that"
    return "others can read it; remove it, and another is made" if found else None


def is_shared(folder: Path) -> bool:
    """Whether others own a folder or may make files in it; root works in the folders of others."""
    state = os.stat(folder)
    return os.geteuid() not in (0, state.st_uid) or bool(state.st_mode & stat.S_IWOTH)


def is_reserved(name: str) -> bool:
    """Whether the system has no files of this name."""
    return False


def is_link(path: Path) -> bool:
    """Whether a path is a link to another one."""
    return path.is_symlink()


def after_fork(call: Callable[[], None]) -> None:
    """Call a function in each forked process, which does not have the threads of its parent."""
    os.register_at_fork(after_in_child=call)


def encoding_of(stream: IO[str]) -> str | None:
    """The encoding of a standard stream; None for the one that it has."""
    return None


@contextmanager
def keys(stream: IO[str]) -> Iterator[Callable[[float], str]]:
    """A function that waits for a key on a terminal, this many seconds at most; "" without one."""
    import termios  # noqa: PLC0415  # for live displays only
    import tty  # noqa: PLC0415

    descriptor = stream.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)  # a key counts without Enter; Ctrl-C stays a signal

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return os.read(descriptor, 1).decode(errors="replace") if ready else ""

    try:
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def symbols() -> dict[str, int]:
    """Addresses that machine code needs, of functions that the system does not have."""
    return {}


def files_allowed() -> int:
    """How many more files this process may open (`ulimit -n`)."""
    import resource  # noqa: PLC0415  # for sweeps only

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return sys.maxsize
    with suppress(OSError):  # not available on every system
        allowed -= len(os.listdir("/dev/fd"))
    return allowed


def start_with_socket(
    command: Sequence[str], theirs: socket, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a process that has a socket; the last word of its command is for `receive_socket`."""
    import subprocess  # noqa: PLC0415  # for sweeps only

    # Until it can ignore them, a Ctrl-C on the terminal must not end it.
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return subprocess.Popen(
            [*command, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            **options,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


def receive_socket(word: str) -> int:
    """Descriptor of the process's socket."""
    return int(word)


def ignore_signals() -> None:
    """Ignore signals in the process, since the parent handles them."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def arrivals(descriptor: int) -> Callable[[], bool]:
    """A function that says whether a socket has something to read, or was closed."""
    arrived = select.poll()
    arrived.register(descriptor, select.POLLIN)
    return lambda: bool(arrived.poll(0))


def wait_for_hangup(descriptor: int) -> None:
    """Wait until the other end of a socket is closed."""
    closed = select.poll()
    closed.register(descriptor, 0)  # hang-ups are always reported
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in closed.poll()):
        pass


def forget_pages(mapping: mmap.mmap) -> None:
    """Let go of the memory of a mapped file; what is needed again comes from the file."""
    mapping.madvise(mmap.MADV_DONTNEED)
