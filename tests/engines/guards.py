"""A test mode in which every array of the compiled engine lies between pages that fault.

    with guarded("end"):
        engine = TapeEngine(...)      # or CompiledEngine, or build_engine
        engine.run(batches)

With "end" an array's last byte is the last one before such a page, with "start" its first byte is
the first one after one. The rest of an array's own pages is filled with bits that are one, which
read as NaN or -1; a write there is found at the end of the block. What a kernel must write begins
as such bits, too.

A touch of a guard page ends the process by SIGSEGV; `apart` runs a function in a process of its own
and says which array was nearest.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import pickle
import signal
import sys
import tempfile
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

from nnrun.engines import allocation

Side = Literal["start", "end"]
SIDES: tuple[Side, ...] = ("end", "start")
PAGE = mmap.PAGESIZE
ONES = 0xFF
_SOUND = bytes([ONES]) * PAGE  # beside an array there is less than a page, or one where it is empty

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_OWN = {__file__, allocation.__file__}
_NONE, _BOTH = 0, mmap.PROT_READ | mmap.PROT_WRITE


class GuardError(AssertionError):
    """Memory was touched that is not an array's own."""


@dataclass(slots=True)
class Piece:
    """An array between guard pages.

    Args:
        callers: that it was asked for by: files, lines, and the array's name.
        begin: the address of its pages, which a guard page comes before and after,
        length: and the bytes of these.
        first: the address of the array,
        size: and its bytes.
    """

    callers: list[tuple[str, int, str]]
    begin: int
    length: int
    first: int
    size: int

    @property
    def label(self) -> str:
        """Where it was asked for."""
        return " < ".join(
            f"{os.path.basename(path)}:{line}" + (f" for {name}" if name else "")
            for path, line, name in self.callers
        )

    def spoilt(self) -> list[int]:
        """Distances from the array's first byte at which something was written beside it."""
        before, last = self.begin - self.first, self.begin + self.length - self.first
        found = []
        for start, stop in ((before, 0), (self.size, last)):
            held = ctypes.string_at(self.first + start, stop - start)
            if held != _SOUND[: stop - start]:
                changed = np.flatnonzero(np.frombuffer(held, np.uint8) != ONES)
                found += (changed + start).tolist()
        return found

    def distance(self, address: int) -> int:
        """Bytes that an address is away from the array."""
        return max(self.first - address, address - (self.first + self.size - 1), 0)


class Guards:
    """All arrays that were asked for while it is in use."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.pieces: dict[int, Piece] = {}
        self.found: list[str] = []

    def unwritten(self, size: int, dtype: Any) -> np.ndarray:
        """Instead of `allocation.unwritten`: nothing but ones."""
        kind = np.dtype(dtype)
        taken = size * kind.itemsize
        length = max(-(-taken // PAGE), 1) * PAGE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        whole = _libc.mmap(None, length + 2 * PAGE, _NONE, flags, -1, 0)
        if whole in (None, ctypes.c_void_p(-1).value):
            raise MemoryError(f"{length} bytes between guard pages")
        begin = whole + PAGE
        _libc.mprotect(begin, length, _BOTH)
        ctypes.memset(begin, ONES, length)
        first = begin + (length - taken if self.side == "end" else 0)
        piece = self.pieces[begin] = Piece(_callers(), begin, length, first, taken)
        held = (ctypes.c_char * max(taken, 1)).from_address(first if taken else begin)
        weakref.finalize(held, self._free, piece)
        return np.frombuffer(held, kind, size)

    def given(self, array: np.ndarray, dtype: Any) -> np.ndarray:
        """Instead of `allocation.given`: a copy."""
        copy = self.unwritten(array.size, dtype)
        copy[...] = array.ravel()
        return copy.reshape(array.shape)

    def check(self) -> None:
        """Raise a fault if anything was written beside an array."""
        for piece in self.pieces.values():
            self._look(piece)
        if self.found:
            raise GuardError("; ".join(self.found))

    def nearest(self, address: int) -> str:
        """What an address is nearest to, in words."""
        if not self.pieces:
            return "there are no guarded arrays"
        piece = min(self.pieces.values(), key=lambda one: one.distance(address))
        return (
            f"byte {address - piece.first} of the {piece.size} bytes of the array that was taken "
            f"by {piece.label}"
        )

    def _look(self, piece: Piece) -> None:
        if spoilt := piece.spoilt():
            self.found.append(
                f"bytes {spoilt[:8]} beside the {piece.size} of the array that was taken by "
                f"{piece.label} were written"
            )

    def _free(self, piece: Piece) -> None:
        self._look(piece)
        del self.pieces[piece.begin]
        _libc.munmap(piece.begin - PAGE, piece.length + 2 * PAGE)


@contextmanager
def guarded(side: Side = "end") -> Iterator[Guards]:
    """Engines that are built meanwhile have all of their arrays between guard pages.

    Raises:
        GuardError: something was written beside an array, on the side where it has no guard page.
    """
    guards = Guards(side)
    with (
        patch.object(allocation, "unwritten", guards.unwritten),
        patch.object(allocation, "given", guards.given),
        _reported(guards),
    ):
        yield guards
    guards.check()


def apart(function: Callable[[], Any]) -> Any:
    """What a function returns, which is called in a process of its own, forked from this one.

    Raises:
        GuardError: the process was ended by a signal; says by which, and which array was nearest.
        Exception: whatever the function raised.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if not child:
            os.close(reading)
            _answer(function, writing, errors.fileno())
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            answer = stream.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        output = errors.read().decode(errors="replace")
    if code:
        by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise GuardError(f"ended by {by}: {output}")
    fine, value = pickle.loads(answer)
    if not fine:
        raise value
    return value


def _answer(function: Callable[[], Any], writing: int, errors: int) -> None:
    """In the child: send what the function returns or raises, and end."""
    os.dup2(errors, 2)
    faulthandler.enable(errors)
    code = 0
    try:
        try:
            answer = pickle.dumps((True, function()))
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = pickle.dumps((False, error))
        with os.fdopen(writing, "wb") as stream:
            stream.write(answer)
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        sys.stderr.flush()
        os._exit(code)


def _callers() -> list[tuple[str, int, str]]:
    """Who asks for an array: the last frames outside of this file, and the array's name."""
    frame, found = sys._getframe(2), []
    while frame is not None and len(found) < 3:
        path = frame.f_code.co_filename
        if path not in _OWN:
            name = frame.f_locals.get("name")
            found.append((path, frame.f_lineno, name if isinstance(name, str) else ""))
        frame = frame.f_back  # type: ignore[assignment]
    return found


# What a signal's handler gets: its number, an address of what is known of it, the registers.
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_SIGINFO, _ADDRESS = 4, 16  # SA_SIGINFO, and where siginfo_t of 64-bit Linux has the address


class _Action(ctypes.Structure):
    """`struct sigaction` of glibc on 64-bit Linux."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


@contextmanager
def _reported(guards: Guards) -> Iterator[None]:
    """Where the process is ended by SIGSEGV meanwhile, stderr says what was touched."""

    def say(number: int, info: int, _: int) -> None:
        address = ctypes.c_uint64.from_address(info + _ADDRESS).value
        os.write(2, f"touched {guards.nearest(address)}\n".encode())
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    handler = _HANDLER(say)
    new, old = _Action(), _Action()
    new.handler = ctypes.cast(handler, ctypes.c_void_p).value
    new.flags = _SIGINFO
    _libc.sigaction(signal.SIGSEGV, ctypes.byref(new), ctypes.byref(old))
    try:
        yield
    finally:
        _libc.sigaction(signal.SIGSEGV, ctypes.byref(old), None)
