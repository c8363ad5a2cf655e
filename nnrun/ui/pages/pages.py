"""What pages have in common: the server's state, the frame with its links, messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nnrun.characters import shortened
from nnrun.config.names import is_name
from nnrun.errors import ConfigError, NnrunError, UsageError, first_of
from nnrun.nn.activations import ACTIVATIONS
from nnrun.reports.html.report import page_script, page_style
from nnrun.reports.markup import sentence
from nnrun.reports.templates import resource
from nnrun.runs.record import RunRecord, is_run_id
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.playing.session import (
    Content,
    LostError,
    Session,
    Sessions,
    config_text,
    form_of,
    frame_of,
)
from nnrun.ui.playing.start import (
    DRAWN,
    MOST_LAYERS,
    MOST_ROWS,
    MOST_UNITS,
    OPTIMIZERS,
    Start,
    start_drawn,
    start_stored,
)
from nnrun.ui.trying import Answers
from nnrun.ui.watcher import Listeners, Snapshot, Watcher, rendered

LINKS = [("/", "Report"), ("/runs", "Runs"), ("/playground", "Playground")]
"""The pages that every page links to; one that is added to `ROUTES` may have a line here."""

_LONGEST = 300  # characters of a line about a mistake


def page(request: Request, name: str, *, code: int = 200, **values: Any) -> HTMLResponse:
    """A template within the frame."""
    values = {"events": "", **values, "pages": LINKS, "here": request.url.path}
    values["root"] = root_of(request)
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


def stored_run(request: Request, key: str | None = None) -> tuple[Path, RunRecord]:
    """The folder and report of a run, by default of that in the address.

    Raises: HTTPException if there is none.
    """
    found = fresh(request).find(run_key(request) if key is None else key)
    record = None if found is None else found.record()
    if found is None or record is None:
        raise HTTPException(404, "There is no such run, or its report cannot be read.")
    return found.folder, record


async def posted(request: Request) -> object:
    """The JSON that a page has sent.

    Raises: HTTPException if it is none.
    """
    try:
        found: object = await request.json()
    except (ValueError, RecursionError):
        raise HTTPException(400, "This is no JSON.") from None
    return found


def lines_of(error: Exception) -> list[str]:
    """What is wrong, in sentences."""
    return [sentence(shortened(line, _LONGEST)) for line in first_of(str(error).splitlines())]


@dataclass(frozen=True)
class State:
    """The watcher of the results folder, the pages that listen, loaded networks and data, and the
    networks that train on pages.
    """

    watcher: Watcher
    listeners: Listeners
    answers: Answers
    datasets: Datasets
    sessions: Sessions


def state_of(request: Request) -> State:
    """That of the server which the request is for."""
    return cast(State, request.app.state.shared)


# The style sheets and scripts of pages.

_PACKAGE = "nnrun.ui"
# Those of the report are the same as in its file.
_FILES: dict[str, Callable[[], str]] = {
    "page.css": page_style,
    "page.js": page_script,
    "ui.css": partial(resource, _PACKAGE, "ui.css"),
    "ui.js": partial(resource, _PACKAGE, "ui.js"),
    "try.js": partial(resource, _PACKAGE, "try.js"),
    "play.css": partial(resource, _PACKAGE, "playground/play.css"),
    "play.js": partial(resource, _PACKAGE, "playground/play.js"),
    "network.js": partial(resource, _PACKAGE, "playground/network.js"),
    "pictures.js": partial(resource, _PACKAGE, "playground/pictures.js"),
}
_TYPES = {"css": "text/css", "js": "text/javascript"}


def file(request: Request) -> Response:
    """One of them."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name](), media_type=_TYPES[name.partition(".")[2]])


# The playground: a page, and what it asks while a network trains on it.

_MOST_UPDATES = 100_000
_LONGEST_ADDRESS = 300  # characters of a mistake
Given = Mapping[str, Any]


def playground(request: Request) -> Response:
    """The page; it asks for a session itself."""
    run = request.query_params.get("run", "")
    return page(
        request, "playground/page.html", title="Playground", run=run,
        datasets=[*DRAWN], optimizers=[*OPTIMIZERS], most_layers=MOST_LAYERS,
        most_units=MOST_UNITS, most_rows=MOST_ROWS,
        activations=[name for name in ACTIVATIONS if name != "softmax"],
    )  # fmt: skip


async def playing(request: Request) -> Response:
    """What the page asks for."""
    action = _ACTIONS.get(request.path_params["action"])
    if action is None:
        raise HTTPException(404, "A playground does nothing of this name.")
    return await run_in_threadpool(_answered, request, action, await posted(request))


def _answered(request: Request, action: Callable[..., Content], given: object) -> Response:
    try:
        if not isinstance(given, dict):
            raise UsageError("a page sends names with values")
        return JSONResponse(action(request, given))
    except HTTPException as error:
        return JSONResponse({"error": error.detail}, error.status_code)
    except LostError as error:
        return JSONResponse({"error": " ".join(lines_of(error)), "lost": True}, 410)
    except (NnrunError, OSError) as error:
        return JSONResponse({"error": _words(error)}, 422)


def _words(error: Exception) -> str:
    """What is wrong; of a config the first mistake, which begins with its key."""
    if not isinstance(error, ConfigError):
        return " ".join(lines_of(error))
    found = error.problems[0]
    return f"{found.path}: {shortened(found.message, _LONGEST_ADDRESS)}."


def _start(request: Request, given: Given) -> Content:
    session = Session(_start_of(request, given), _edits(given))
    sessions = state_of(request).sessions
    sessions.close(given.get("session"))
    key = sessions.add(session)
    with session.lock:
        return {"session": key, **_whole(session)}


def _start_of(request: Request, given: Given) -> Start:
    run = given.get("run")
    if not run:
        return start_drawn(given.get("data"))
    return start_stored(*stored_run(request, str(run)), state_of(request).datasets.load)


def _advance(request: Request, given: Given) -> Content:
    session = state_of(request).sessions.find(given.get("session"))
    with session.lock:
        updates = given.get("updates")
        if updates == "epoch":
            updates = session.trainer.sampler.batches_per_epoch
        if type(updates) is not int or not 0 <= updates <= _MOST_UPDATES:
            raise UsageError(f"updates: 0 to {_MOST_UPDATES:,}, or epoch")
        session.advance(updates)
        return {"frame": frame_of(session)}


def _change(request: Request, given: Given) -> Content:
    session = state_of(request).sessions.find(given.get("session"))
    with session.lock:
        said = session.change(_edits(given))
        return {"said": said, **_whole(session)}


def _reset(request: Request, given: Given) -> Content:
    session = state_of(request).sessions.find(given.get("session"))
    with session.lock:
        session.restart()
        return {"said": "", **_whole(session)}


def _whole(session: Session) -> Content:
    return {"form": form_of(session), "frame": frame_of(session)}


def _config(request: Request, given: Given) -> Content:
    session = state_of(request).sessions.find(given.get("session"))
    with session.lock:
        return {"config": config_text(session)}


def _close(request: Request, given: Given) -> Content:
    state_of(request).sessions.close(given.get("session"))
    return {}


def _edits(given: Given) -> dict[str, Any]:
    edits = given.get("edits") or {}
    if not isinstance(edits, dict):
        raise UsageError("edits: a mapping of settings to values is needed")
    return edits


_ACTIONS: dict[str, Callable[[Request, Given], Content]] = {
    "start": _start, "advance": _advance, "change": _change, "reset": _reset, "config": _config,
    "close": _close,
}  # fmt: skip
