"""What pages have in common: the server's state, the frame with its links, messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from nnrun.characters import shortened
from nnrun.config.names import is_name
from nnrun.errors import first_of
from nnrun.reports.markup import sentence
from nnrun.runs.identity import is_run_id
from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.ui.listeners import Listeners
from nnrun.ui.parts import rendered
from nnrun.ui.playing.sessions import Sessions
from nnrun.ui.trying.answers import Answers
from nnrun.ui.watcher import Snapshot, Watcher

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
