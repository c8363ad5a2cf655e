"""Ctrl-C while a run is trained from Python: the run is saved before the exception is raised."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class DeferredInterrupt:
    """A context in which the first Ctrl-C after `defer` makes `stop` return true.

    `KeyboardInterrupt` is raised at the end of the context; at once for a second Ctrl-C, or one
    before `defer`. It does nothing outside the main thread, or if there is another signal handler.
    """

    def __init__(self) -> None:
        self.received = False
        self._deferred = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        alone = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if alone and threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if self.received and kind is None:
            raise KeyboardInterrupt

    def defer(self, _: int) -> None:
        """Defer the first Ctrl-C from now on."""
        self._deferred = True

    def stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.received

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received or not self._deferred:
            signal.default_int_handler(number, frame)
        self.received = True
