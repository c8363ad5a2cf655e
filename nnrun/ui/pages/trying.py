"""A network that is tried out: its form, rows of its data, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nnrun.errors import NnrunError, first_of
from nnrun.reports.charts.svg import shortened
from nnrun.reports.markup import sentence
from nnrun.runs.record import RunRecord
from nnrun.ui.pages.base import fresh, run_key
from nnrun.ui.parts import rendered
from nnrun.ui.state import state_of

_MOST_BYTES = 1 << 20
_LONGEST = 300


def form(request: Request) -> Response:
    """The form, or why there is none."""
    try:
        found = state_of(request).answers.form(*_run(request))
    except (NnrunError, OSError) as error:
        return _problem(error)
    return HTMLResponse(rendered("form.html", form=found, key=run_key(request)))


def row(request: Request) -> Response:
    """The values of a row of the run's data, as JSON."""
    try:
        values = state_of(request).answers.row(*_run(request), request.path_params["number"])
    except (NnrunError, OSError) as error:
        return JSONResponse({"error": " ".join(_lines(error))}, 422)
    return JSONResponse({"values": values})


async def answer(request: Request) -> Response:
    """What the network says, with the outputs of its layers."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise HTTPException(413, "This is far too much.")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        raise HTTPException(400, "This is no JSON.") from None
    return await run_in_threadpool(_answered, request, given)


def _answered(request: Request, given: object) -> Response:
    try:
        folder, record = _run(request)
        found = state_of(request).answers.answer(folder, record, given)
    except (NnrunError, OSError) as error:
        return _problem(error)
    text = rendered(
        "answer.html", what=found.what, prediction=found.prediction, exact=found.exact,
        classes=found.classes, notes=found.notes, layers=found.layers,
    )  # fmt: skip
    return HTMLResponse(text)


def _run(request: Request) -> tuple[Path, RunRecord]:
    found = fresh(request).find(run_key(request))
    record = None if found is None else found.record()
    if found is None or record is None:
        raise HTTPException(404, "There is no such run, or its report cannot be read.")
    return found.folder, record


def _problem(error: Exception) -> Response:
    return HTMLResponse(rendered("problem.html", lines=_lines(error)), 422)


def _lines(error: Exception) -> list[str]:
    return [sentence(shortened(line, _LONGEST)) for line in first_of(str(error).splitlines())]
