"""A network that is tried out: its form, rows of its data, and what it answers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nnrun.errors import NnrunError
from nnrun.ui.pages.base import lines_of, posted, run_key, state_of, stored_run
from nnrun.ui.parts import rendered


def form(request: Request) -> Response:
    """The form, or why there is none."""
    try:
        found = state_of(request).answers.form(*stored_run(request))
    except (NnrunError, OSError) as error:
        return _problem(error)
    return HTMLResponse(rendered("form.html", form=found, key=run_key(request)))


def row(request: Request) -> Response:
    """The values of a row of the run's data, as JSON."""
    try:
        values = state_of(request).answers.row(*stored_run(request), request.path_params["number"])
    except (NnrunError, OSError) as error:
        return JSONResponse({"error": " ".join(lines_of(error))}, 422)
    return JSONResponse({"values": values})


async def answer(request: Request) -> Response:
    """What the network says, with the outputs of its layers."""
    given = await posted(request)
    return await run_in_threadpool(_answered, request, given)


def _answered(request: Request, given: object) -> Response:
    try:
        folder, record = stored_run(request)
        found = state_of(request).answers.answer(folder, record, given)
    except (NnrunError, OSError) as error:
        return _problem(error)
    text = rendered(
        "answer.html", what=found.what, prediction=found.prediction, exact=found.exact,
        classes=found.classes, notes=found.notes, layers=found.layers,
    )  # fmt: skip
    return HTMLResponse(text)


def _problem(error: Exception) -> Response:
    return HTMLResponse(rendered("problem.html", lines=lines_of(error)), 422)
