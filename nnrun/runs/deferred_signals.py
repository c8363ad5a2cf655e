"""Signals while a run is trained: the run is saved before they end the work."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, ClassVar, Self


class DeferredSignals:
    """A context in which the first signal after `defer` makes `stop` return true."""

    signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGINT,)

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in filter(self._handles, self.signals):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def defer(self, _: int = 0) -> None:
        """Defer the first signal from now on."""
        self.deferred = True

    def stop(self) -> bool:
        """Whether a signal was deferred."""
        return self.received is not None

    def _handles(self, number: signal.Signals) -> bool:
        raise NotImplementedError

    def _handle(self, number: int, frame: FrameType | None) -> None:
        raise NotImplementedError
