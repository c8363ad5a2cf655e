"""The first page: the report of all runs, which changes while they come."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from nnrun.ui.content import overview_parts
from nnrun.ui.pages.base import fresh, page

# How long the page waits for leaderboards that are drawn for the first time; later they follow.
_PATIENCE_SECONDS = 0.4


def overview(request: Request) -> Response:
    """The page as it is now; the events continue it."""
    parts = overview_parts(fresh(request, _PATIENCE_SECONDS))
    return page(request, "overview.html", title="Results", parts=parts, events="/events")
