"""Ctrl-C while a run is trained from Python: what was reached is saved before it is raised."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class DeferredInterrupt:
    """While this context lasts, a first Ctrl-C waits for `stop`, once `defer` was called.

    A second one is raised where it comes, as is any before `defer`. Handlers of others, and
    threads that get no signals, are left alone.
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
        """From here on, a first Ctrl-C waits for `stop`."""
        self._deferred = True

    def stop(self) -> bool:
        """Whether the work should end here."""
        return self.received

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received or not self._deferred:
            signal.default_int_handler(number, frame)
        self.received = True
