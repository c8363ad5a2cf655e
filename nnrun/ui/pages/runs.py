"""The list of all runs, filtered and ordered, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from nnrun.config.several import parse_grid
from nnrun.errors import UsageError
from nnrun.reports.html.overview import Found
from nnrun.runs.catalog.filter import RESULT, ordered, where
from nnrun.ui.content import table_of
from nnrun.ui.numbers import whole_number
from nnrun.ui.pages.base import fresh, page

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
