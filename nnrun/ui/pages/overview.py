"""The first page, and the events by which open pages change (server-sent events)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nnrun.config.overrides import parse_grid
from nnrun.errors import UsageError
from nnrun.reports.html.overview import Found
from nnrun.runs.catalog.select import RESULT, ordered, where
from nnrun.ui.pages.pages import fresh, page, root_of, run_key, state_of
from nnrun.ui.watcher import Part, Snapshot, View, overview_parts, run_parts, table_of, whole_number

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


# The list of all runs, filtered and ordered, a page at a time.

_AT_A_TIME = 100
_ORDERS = [("newest", "newest first"), (RESULT, "best result first"), ("name", "by name and seed")]


def runs_page(request: Request) -> Response:
    """A page of the list; with words, of the runs whose name, id and status have them all."""
    query = request.query_params
    words, order = query.get("words", ""), query.get("order", "newest")
    every, error = fresh(request).runs, ""
    try:
        found = _ordered(_with_words(every, words.split()), order)
    except UsageError as wrong:
        found, error = [], str(wrong)
    last = max(1, -(-len(found) // _AT_A_TIME))
    number = min(max(1, whole_number(query.get("page", "")) or 1), last)
    shown = found[(number - 1) * _AT_A_TIME : number * _AT_A_TIME]
    return page(
        request, "runs.html", title="Runs", runs=table_of(shown, every, "Runs"), total=len(every),
        found=len(found), words=words, order=order, orders=_ORDERS, error=error, page=number,
        last=last,
        link=lambda to: "?" + urlencode({"words": words, "order": order, "page": to}),
    )  # fmt: skip


def _with_words(runs: Sequence[Found], words: Sequence[str]) -> list[Found]:
    """The runs that have all words in name, id and status, and all settings like `key=value`.

    Raises: UsageError if no run has such a setting, or a value cannot be read.
    """
    conditions = parse_grid([word for word in words if "=" in word])
    plain = [word.lower() for word in words if "=" not in word]
    found = [
        run
        for run in runs
        if all(word in f"{run.overview.label} {run.overview.status}".lower() for word in plain)
    ]
    if not conditions:
        return found
    kept = {run.label for run in where([run.overview for run in found], conditions)}
    return [run for run in found if run.overview.label in kept]


def _ordered(runs: Sequence[Found], order: str) -> list[Found]:
    if order == "newest":
        return sorted(runs, key=lambda run: run.overview.started or "", reverse=True)
    if order != RESULT:
        return [*runs]
    places = {run.label: n for n, run in enumerate(ordered([run.overview for run in runs], RESULT))}
    return sorted(runs, key=lambda run: places[run.overview.label])
