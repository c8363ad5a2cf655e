"""The sessions of a server: few, and only while their pages are open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from secrets import token_urlsafe
from threading import Lock
from time import monotonic

from nnrun.errors import UsageError
from nnrun.ui.playing.session import Session

MOST = 8
IDLE_SECONDS = 300.0
"""A page asks at least every minute; a session that nobody asks for so long is dropped."""


class LostError(UsageError):
    """The session is there no more."""


class Sessions:
    """Sessions by their keys, which no other page knows; of too many the one idle longest goes.

    `clock` tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[str, tuple[float, Session]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, session: Session) -> str:
        """Keep a session; returns its key."""
        key = token_urlsafe(12)
        self.drop_idle()
        with self._lock:
            self._known[key] = self._clock(), session
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return key

    def find(self, key: object) -> Session:
        """The session of this key.

        Raises: LostError if there is none.
        """
        self.drop_idle()
        with self._lock:
            if not isinstance(key, str) or key not in self._known:
                raise LostError("this playground is gone, after a long pause or a restart")
            session = self._known[key][1]
            self._known[key] = self._clock(), session
            self._known.move_to_end(key)
            return session

    def close(self, key: object) -> None:
        """Drop a session whose page is closed."""
        with self._lock:
            if isinstance(key, str):
                self._known.pop(key, None)

    def drop_idle(self) -> None:
        """Drop sessions that no page has asked for lately."""
        oldest = self._clock() - IDLE_SECONDS
        with self._lock:
            for key in [key for key, (asked, _) in self._known.items() if asked < oldest]:
                del self._known[key]
