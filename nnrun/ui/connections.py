"""Connections that wait for requests: not for long, and not so many that others are kept out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 200
"""So many may be open at a time."""
# Of these, so many may be without an answer in progress.
_WAITING = 100
# A request has to arrive as a whole within this time, from its first byte on.
_SECONDS = 10.0


class Connection(H11Protocol):
    """A connection of the page; uvicorn itself waits for the rest of a request for ever."""

    _begun = 0.0
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begun = self.loop.time()
        self._wait()
        waiting = [*self._without_answer()]
        if len(waiting) > _WAITING:
            min(waiting, key=lambda other: other._begun).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_waiting()
        elif self._limit is None:
            self._wait()

    @property
    def _answers(self) -> bool:
        """Whether an answer is in progress."""
        return self.cycle is not None and not self.cycle.response_complete

    def _without_answer(self) -> Iterator[Connection]:
        for other in self.connections:
            ends = other.transport.is_closing()
            if isinstance(other, Connection) and not other._answers and not ends:
                yield other

    def _wait(self) -> None:
        self._limit = self.loop.call_later(_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
