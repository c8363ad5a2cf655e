"""Open pages: each gets the parts that have changed since it got them last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict

from anyio import to_thread

from nnrun.ui.parts import Part
from nnrun.ui.watcher import Snapshot, Watcher

# A comment that keeps the connection open, and finds out whether the page is still there.
_SILENCE_SECONDS = 15.0
_RETRY = "retry: 1000\n\n"
MOST = 50
"""Open pages; another one is answered that there are too many."""
_FULL = "event: full\ndata: too many pages are open\n\n"
View = Callable[[Snapshot], Sequence[Part]]


class Listeners:
    """Passes snapshots from the watcher's thread to the event loop.

    A page that reads slowly gets the newest snapshot, and none of those in between.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    def attach(self) -> None:
        """Use the event loop that is running."""
        self._loop = asyncio.get_running_loop()

    def publish(self, _: Snapshot) -> None:
        """Wake the open pages; called in any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End the streams of all pages; called in any thread."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def stream(self, watcher: Watcher, view: View) -> AsyncIterator[str]:
        """The events of one page, until it is closed."""
        if len(self._waiting) >= MOST:
            yield _FULL
            return
        arrived = asyncio.Event()
        self._waiting.add(arrived)
        watcher.listen(1)
        try:
            yield _RETRY
            await to_thread.run_sync(watcher.fresh)
            sent: dict[str, str] = {}
            while not self._closed:
                parts = view(watcher.snapshot)
                found = {part.id: part.digest for part in parts}
                if found != sent:
                    yield _event(parts, sent)
                    sent = found
                try:
                    await asyncio.wait_for(arrived.wait(), _SILENCE_SECONDS)
                except TimeoutError:
                    yield ":\n\n"
                arrived.clear()
        finally:
            watcher.listen(-1)
            self._waiting.discard(arrived)


def _event(parts: Sequence[Part], sent: dict[str, str]) -> str:
    """The changed parts, and the ids of all."""
    changed = [asdict(part) for part in parts if sent.get(part.id) != part.digest]
    content = {"order": [[part.id, part.title] for part in parts], "parts": changed}
    return f"event: parts\ndata: {json.dumps(content)}\n\n"
