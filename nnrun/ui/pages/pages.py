"""What pages have in common, and the first page with the events that change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nnrun.characters import shortened
from nnrun.config.names import is_name
from nnrun.errors import UsageError, first_of
from nnrun.reports.html.overview import Found
from nnrun.reports.html.report import page_script, page_style
from nnrun.reports.markup import sentence
from nnrun.reports.templates import resource
from nnrun.runs.catalog.select import RESULT, Condition, ordered, where
from nnrun.runs.record import RunRecord, is_run_id
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.form import Answers
from nnrun.ui.playground import SCRIPTS
from nnrun.ui.watcher import (
    Listeners,
    Part,
    Snapshot,
    View,
    Watcher,
    overview_parts,
    rendered,
    run_parts,
    table_of,
    whole_number,
)

# What pages have in common: the server's state, the frame with its links, messages.

LINKS = [("/", "Report"), ("/runs", "Runs"), ("/playground", "Playground")]
"""The pages that every page links to; one that is added to `ROUTES` may have a line here."""

_LONGEST = 300  # characters of a line about a mistake


def page(request: Request, name: str, *, code: int = 200, **values: Any) -> HTMLResponse:
    """A template within the frame."""
    values = {"events": "", **values, "pages": LINKS, "here": request.url.path}
    values["root"] = root_of(request)
    # A view has the name that its address gives it.
    values["title"] = shortened(request.query_params.get("name", ""), 80) or values["title"]
    return HTMLResponse(rendered(name, **values), code)


def root_of(request: Request) -> str:
    """The secret path that all pages are below."""
    root: str = request.scope["root_path"]
    return root


def message(request: Request, code: int, text: str) -> HTMLResponse:
    """A page that says what is wrong."""
    return page(request, "message.html", code=code, title=f"Error {code}", text=text)


def run_key(request: Request) -> str:
    """The name and id of the run in the address.

    Raises: HTTPException if no run can be called so.
    """
    name, run_id = request.path_params["name"], request.path_params["run_id"]
    if not is_name(name) or not is_run_id(run_id):
        raise HTTPException(404, "No run has this address.")
    return f"{name}/{run_id}"


def fresh(request: Request, drawn_within: float = 0.0) -> Snapshot:
    """What is known now; it blocks, and is for pages that run in a thread."""
    return state_of(request).watcher.fresh(drawn_within)


def stored_run(request: Request) -> tuple[Path, RunRecord]:
    """The folder and report of the run in the address.

    Raises: HTTPException if there is none.
    """
    run = fresh(request).find(run_key(request))
    record = None if run is None else run.record()
    if run is None or record is None:
        raise HTTPException(404, "There is no such run, or its report cannot be read.")
    return run.folder, record


async def posted(request: Request) -> object:
    """The JSON that a page has sent.

    Raises: HTTPException if it is none.
    """
    try:
        content: object = await request.json()
    except (ValueError, RecursionError):
        raise HTTPException(400, "This is no JSON.") from None
    return content


def lines_of(error: Exception) -> list[str]:
    """What is wrong, in sentences."""
    return [sentence(shortened(line, _LONGEST)) for line in first_of(str(error).splitlines())]


@dataclass(frozen=True)
class State:
    """The watcher of the results folder, the pages that listen, loaded networks and data."""

    watcher: Watcher
    listeners: Listeners
    answers: Answers
    datasets: Datasets


def state_of(request: Request) -> State:
    """State of the server which the request is for."""
    return cast(State, request.app.state.shared)


# The style sheets and scripts of pages.

_PACKAGE = "nnrun.ui"
# Those of the report are the same as in its file.
_FILES: dict[str, Callable[[], str]] = {"page.css": page_style, "page.js": page_script}
_FILES |= {name: partial(resource, _PACKAGE, name) for name in ("ui.css", "ui.js", "try.js")}
_FILES |= {
    name: partial(resource, _PACKAGE, f"playground/{name}") for name in ("play.css", *SCRIPTS)
}
_TYPES = {"css": "text/css", "js": "text/javascript"}


def file(request: Request) -> Response:
    """One of them."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name](), media_type=_TYPES[name.partition(".")[2]])


def playground(request: Request) -> Response:
    """The page; what it shows it computes itself."""
    return page(
        request, "playground/page.html", title="Playground", frame="frame.html", scripts=SCRIPTS
    )


# The first page, and the events by which open pages change (server-sent events).

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
    """Events of the first page."""
    return _events(request, overview_parts)


async def run_events(request: Request) -> Response:
    """Events of the page of one run."""
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
        matches = _ordered(_with_words(every, words.split()), order)
    except UsageError as wrong:
        matches, error = [], str(wrong)
    last = max(1, -(-len(matches) // _AT_A_TIME))
    number = min(max(1, whole_number(query.get("page", "")) or 1), last)
    shown = matches[(number - 1) * _AT_A_TIME : number * _AT_A_TIME]
    return page(
        request, "runs.html", title="Runs", runs=table_of(shown, every, "Runs"), total=len(every),
        found=len(matches), words=words, order=order, orders=_ORDERS, error=error, page=number,
        last=last,
        link=lambda to: "?" + urlencode({"words": words, "order": order, "page": to}),
    )  # fmt: skip


_ASKS = re.compile("[=<>~]")


def _with_words(runs: Sequence[Found], words: Sequence[str]) -> list[Found]:
    """The runs that have all words in name, id and status, and all that `nnrun ls --where` takes.

    Raises: UsageError if no run has such a setting, or a value cannot be read.
    """
    conditions = [Condition.parsed(word) for word in words if _ASKS.search(word)]
    plain = [word.lower() for word in words if not _ASKS.search(word)]
    named = [
        run
        for run in runs
        if all(word in f"{run.overview.label} {run.overview.status}".lower() for word in plain)
    ]
    if not conditions:
        return named
    labels = {run.label for run in where([run.overview for run in named], conditions)}
    return [run for run in named if run.overview.label in labels]


def _ordered(runs: Sequence[Found], order: str) -> list[Found]:
    if order == "newest":
        return sorted(runs, key=lambda run: run.overview.started or "", reverse=True)
    if order != RESULT:
        return [*runs]
    places = {run.label: n for n, run in enumerate(ordered([run.overview for run in runs], RESULT))}
    return sorted(runs, key=lambda run: places[run.overview.label])
