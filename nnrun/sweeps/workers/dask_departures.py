"""Which workers of a Dask cluster have left, also those that joined since the last look."""

from __future__ import annotations

from collections.abc import Collection
from queue import Empty, SimpleQueue
from typing import Any

# The scheduler tells of all workers there.
_TOPIC = "all"


class Departures:
    """The workers that leave a scheduler.

    A client has one handler of these events. If it has one already, workers are missed that join
    and leave between two looks.

    Args:
        client: connected to the scheduler.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._left: SimpleQueue[str] = SimpleQueue()
        self._known: set[str] = set()
        self._named: set[str] = set()
        self._subscribed = _TOPIC not in getattr(client, "_event_handlers", ())
        if self._subscribed:
            client.subscribe_topic(_TOPIC, self._handle)

    def look(self, there: Collection[str]) -> list[str]:
        """The workers that have left since the last look; `there` are those that are connected."""
        gone = self._known.difference(there)
        try:
            while True:
                gone.add(self._left.get_nowait())
        except Empty:
            pass
        self._named.difference_update(there)
        new = sorted(gone - self._named - {*there})
        self._named.update(new)
        self._known = {*there}
        return new

    def close(self) -> None:
        """Listen no longer."""
        if self._subscribed:
            self._client.unsubscribe_topic(_TOPIC)

    def _handle(self, event: tuple[float, Any]) -> None:
        _, content = event
        if isinstance(content, dict) and content.get("action") == "remove-worker":
            self._left.put(str(content.get("worker")))
