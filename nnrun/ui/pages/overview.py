"""The first page, and the events by which open pages change (server-sent events)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nnrun.ui.content import overview_parts, run_parts
from nnrun.ui.listeners import View
from nnrun.ui.pages.base import fresh, page, root_of, run_key, state_of
from nnrun.ui.parts import Part
from nnrun.ui.watcher import Snapshot

# How long the page waits for leaderboards that are drawn for the first time; later they follow.
_PATIENCE_SECONDS = 0.4
_EVENTS = "text/event-stream"


def overview(request: Request) -> Response:
    """The page as it is now; the events continue it."""
    parts = overview_parts(fresh(request, _PATIENCE_SECONDS))
    return page(
        request, "overview.html", title="Results", parts=parts, events=f"{root_of(request)}/events"
    )


class _EventStream(StreamingResponse):
    """Closes its events with the connection, wherever they are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.body_iterator.aclose()  # type: ignore[attr-defined]  # a generator


async def overview_events(request: Request) -> Response:
    """Those of the first page."""
    return _events(request, overview_parts)


async def run_events(request: Request) -> Response:
    """Those of the page of one run."""
    key = run_key(request)

    def view(snapshot: Snapshot) -> Sequence[Part]:
        return run_parts(snapshot.find(key))

    return _events(request, view)


def _events(request: Request, view: View) -> Response:
    state = state_of(request)
    if request.method == "HEAD":
        return Response(media_type=_EVENTS)
    stream = state.listeners.stream(state.watcher, view)
    return _EventStream(stream, media_type=_EVENTS)
