"""Ctrl-C, SIGTERM and SIGHUP: the first ends the work where it can be saved, the second at once."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import ClassVar, Self

from nnrun import unfinished
from nnrun.errors import InterruptionError
from nnrun.runs.deferred_signals import DeferredSignals
from nnrun.systems import system


class Interruption(DeferredSignals):
    """While this context lasts, a first signal is raised as an error, or kept for `stop`.

    Each command runs in one, and some in another one within it. Once `defer` was called, the work
    asks `stop` itself; until then there is nothing to save, and the signal breaks in wherever the
    work is. A second signal ends the process on the spot, also while the first one's error passes:
    unfinished files are removed, and all others are whole.

    Args:
        announce: whether to say at once that a signal came, since saving takes a moment.
        before: what had not happened yet when a signal breaks in, if that can be said.
    """

    signals = system.SIGNALS
    _innermost: ClassVar[Interruption | None] = None

    def __init__(self, *, announce: bool = False, before: str | None = "training began") -> None:
        super().__init__()
        self.announce = announce
        self.before = before
        self._outer: Interruption | None = None

    def __enter__(self) -> Self:
        self._outer, Interruption._innermost = Interruption._innermost, self
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        Interruption._innermost = self._outer
        if self._outer is None:
            unfinished.undo_all()
        elif self._outer.received is None:
            self._outer.received = self.received
        super().__exit__(*error)

    def error(self, message: str) -> InterruptionError:
        """The error that ends the program with the code of the signal that came."""
        return InterruptionError(message, self.received or signal.SIGINT)

    def _handles(self, number: signal.Signals) -> bool:
        # `nohup` ignores SIGHUP, so that work outlives the terminal.
        return number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self._print("quit at once; what was saved before stays")
            _show_cursor()
            unfinished.undo_all()
            os._exit(128 + number)
        self.received = number
        if not self.deferred:
            raise self.error(f"interrupted before {self.before}" if self.before else "interrupted")
        self._print("stopping here and saving; a second signal quits at once")

    def _print(self, text: str) -> None:
        """Write without buffers, which the interrupted code may be using."""
        if self.announce:
            with suppress(OSError):
                # A bar on a terminal is erased: it would stay above the text.
                drawn = os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
                os.write(2, (b"\r\x1b[2K" if drawn else b"\n") + f"{text}\n".encode())


def _show_cursor() -> None:
    """Restore the terminal after a live display, and leave its last line."""
    if os.environ.get("TERM", "dumb") != "dumb":
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, b"\x1b[?25h\n")
