"""Ctrl-C, SIGTERM and SIGHUP: the first ends the work where it can be saved, the second at once."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType

from nnrun.errors import InterruptionError
from nnrun.runs.deferred_signals import DeferredSignals
from nnrun.systems import system


class Interruption(DeferredSignals):
    """While this context lasts, a first signal is raised as an error, or kept for `stop`.

    Once `defer` was called, the work asks `stop` itself; until then there is nothing to save, and
    the signal breaks in wherever the work is. A second signal ends the process on the spot, which
    is safe: every file is written whole or not at all.

    Args:
        announce: whether to say at once that a signal came, since saving takes a moment.
        before: what had not happened yet when a signal breaks in.
    """

    signals = system.SIGNALS

    def __init__(self, *, announce: bool = False, before: str = "training began") -> None:
        super().__init__()
        self.announce = announce
        self.before = before

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
            os._exit(128 + number)
        self.received = number
        if not self.deferred:
            raise self.error(f"interrupted before {self.before}")
        self._print("stopping here and saving; a second signal quits at once")

    def _print(self, text: str) -> None:
        """Write without buffers, which the interrupted code may be using."""
        if self.announce:
            with suppress(OSError):
                os.write(2, f"\n{text}\n".encode())


def _show_cursor() -> None:
    """Restore the terminal after a live display, and leave its last line."""
    if os.environ.get("TERM", "dumb") != "dumb":
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, b"\x1b[?25h\n")
