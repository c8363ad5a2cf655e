"""Ctrl-C while a run is trained from Python: the run is saved before the exception is raised."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from nnrun.runs.execution.deferred_signals import DeferredSignals


class DeferredInterrupt(DeferredSignals):
    """Ctrl-C in Python.

    `KeyboardInterrupt` is raised at the end of the context; at once for a second Ctrl-C, or one
    before `defer`. It does nothing outside the main thread, or if there is another signal handler.
    """

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        super().__exit__(kind)
        if self.stop() and kind is None:
            raise KeyboardInterrupt

    def _handles(self, number: signal.Signals) -> bool:
        alone = signal.getsignal(number) is signal.default_int_handler
        return alone and threading.current_thread() is threading.main_thread()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.stop() or not self._deferred:
            signal.default_int_handler(number, frame)
        self.received = number
