"""The pages, with a line in this table for each address."""

from __future__ import annotations

from starlette.routing import Route

from nnrun.ui.pages.pages import (
    file,
    overview,
    overview_events,
    playground,
    run_events,
    runs_page,
)
from nnrun.ui.pages.run import answer, compare_page, form, row, run_page

_RUN = "/runs/{name}/{run_id}"
ROUTES = [
    Route("/", overview),
    Route("/events", overview_events),
    Route("/files/{name}", file),
    Route("/runs", runs_page),
    Route("/compare", compare_page),
    Route("/playground", playground),
    Route(_RUN, run_page),
    Route(f"{_RUN}/events", run_events),
    Route(f"{_RUN}/form", form),
    Route(f"{_RUN}/row/{{number}}", row),
    Route(f"{_RUN}/answer", answer, methods=["POST"]),
]
