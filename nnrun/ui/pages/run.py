"""The page of one run: the same details as in the report, and its network, which answers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nnrun.config.settings import differing
from nnrun.errors import NnrunError
from nnrun.reports.document import Note, Section
from nnrun.reports.html.overview import Found
from nnrun.reports.html.runs import run_sections
from nnrun.reports.verdict.run import run_verdict, summary_verdict
from nnrun.runs.catalog.summary import IN_PROGRESS
from nnrun.runs.record import RunRecord
from nnrun.ui.content import run_parts
from nnrun.ui.numbers import whole_number
from nnrun.ui.pages.base import (
    fresh,
    lines_of,
    page,
    posted,
    root_of,
    run_key,
    state_of,
    stored_run,
)
from nnrun.ui.parts import rendered
from nnrun.ui.watcher import Snapshot

# What makes other numbers of columns than a file has.
_ENCODED = ("categorical", "embedding", "target_mean", "formats")


def run_page(request: Request) -> Response:
    """The run as it is now; the page of one in progress is continued by events."""
    key = run_key(request)
    snapshot = fresh(request)
    found = snapshot.find(key)
    if found is None:
        raise HTTPException(404, f"There is no run {key} in this results folder.")
    run = found.overview
    continued = run.status in IN_PROGRESS
    record = None if continued else found.record()
    return page(
        request,
        "one_run.html",
        verdict=summary_verdict(run) if record is None else run_verdict(record),
        title=key,
        key=key,
        status=found.mark,
        playable=record is not None and _is_playable(record),
        parts=run_parts(found) if continued else [],
        sections=[] if continued else _sections(request, found, record, snapshot),
        events=f"{root_of(request)}/runs/{key}/events" if continued else "",
    )


def _is_playable(record: RunRecord) -> bool:
    """Whether the playground takes the run: rows are one or two numbers as the data have them."""
    block = record.config["dataset"]
    columns = block.get("columns") or {}
    encoded = any(columns.get(name) for name in _ENCODED) or block.get("dates") or block.get("lags")
    shape = record.network.get("input_shape")
    return record.beside is None and shape in ([1], [2]) and not encoded


def _sections(
    request: Request, found: Found, record: RunRecord | None, snapshot: Snapshot
) -> list[Section]:
    if record is None:
        why = found.overview.error or "its report cannot be read"
        return [Section("Problem", [Note(f"The run is {found.overview.status}: {why}.", "bad")])]
    same = [r.overview.settings for r in snapshot.runs if r.overview.name == found.overview.name]
    varying = differing([dict(settings) for settings in same if settings])
    load_data = state_of(request).datasets.load
    return [*run_sections(record, found.folder, "run", varying, load_data).sections]


def form(request: Request) -> Response:
    """The form, or why there is none."""
    try:
        found = state_of(request).answers.form(*stored_run(request))
    except (NnrunError, OSError) as error:
        return _problem(error)
    return HTMLResponse(
        rendered("form.html", form=found, key=run_key(request), root=root_of(request))
    )


def row(request: Request) -> Response:
    """The values of a row of the run's data, as JSON."""
    number = whole_number(request.path_params["number"])
    if number is None:
        raise HTTPException(404, "No row has this number.")
    try:
        values = state_of(request).answers.row(*stored_run(request), number)
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
    return HTMLResponse(rendered("answer.html", **vars(found)))


def _problem(error: Exception) -> Response:
    return HTMLResponse(rendered("problem.html", lines=lines_of(error)), 422)
