"""The playground: a page, and what it asks while a network trains on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nnrun.characters import shortened
from nnrun.errors import ConfigError, NnrunError, UsageError
from nnrun.nn.activations import ACTIVATIONS
from nnrun.ui.pages.base import lines_of, page, posted, state_of, stored_run
from nnrun.ui.playing.edits import MOST_LAYERS, MOST_ROWS, MOST_UNITS, OPTIMIZERS
from nnrun.ui.playing.frames import Content, form_of, frame_of
from nnrun.ui.playing.session import Session, config_text
from nnrun.ui.playing.sessions import LostError
from nnrun.ui.playing.start import DRAWN, Start, start_drawn, start_stored

_MOST_UPDATES = 100_000
_LONGEST = 300  # characters of a mistake
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
    return f"{found.path}: {shortened(found.message, _LONGEST)}."


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
