"""What pages have in common: the frame with its links, and messages in place of a page."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from nnrun.config.names import is_name
from nnrun.runs.identity import is_run_id
from nnrun.ui.parts import rendered
from nnrun.ui.snapshot import Snapshot
from nnrun.ui.state import state_of

LINKS = [("/", "Report"), ("/runs", "Runs")]
"""The pages that every page links to; one that is added to `ROUTES` may have a line here."""


def page(request: Request, name: str, *, code: int = 200, **values: Any) -> HTMLResponse:
    """A template within the frame."""
    values = {"events": "", **values, "pages": LINKS, "here": request.url.path}
    return HTMLResponse(rendered(name, **values), code)


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
