"""The pages of one run and of two compared: the same details as in the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nnrun.characters import shortened
from nnrun.config.names import SPLITS
from nnrun.config.settings import differing
from nnrun.errors import NnrunError, UsageError
from nnrun.reports.charts.lines import Series, lines
from nnrun.reports.comparison import differences, letter, tested
from nnrun.reports.document import Figures, Note, Section
from nnrun.reports.html.overview import Found
from nnrun.reports.html.report import place_among_others
from nnrun.reports.html.runs import run_sections
from nnrun.reports.run_verdict import run_verdict, summary_verdict
from nnrun.reports.summary import curve_names, metric_label
from nnrun.runs.catalog.compare import compare
from nnrun.runs.catalog.summary import IN_PROGRESS
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import HISTORY, changed_file, read_history
from nnrun.sweeps.board.leaderboard import groups_of
from nnrun.sweeps.board.stored import stored_variants
from nnrun.sweeps.board.verdicts import pair_test
from nnrun.ui.pages.pages import (
    fresh,
    lines_of,
    page,
    posted,
    root_of,
    run_key,
    state_of,
    stored_run,
)
from nnrun.ui.playground import address_of
from nnrun.ui.watcher import Snapshot, rendered, report_of, run_parts, whole_number

# Chosen runs, compared: what differs, and the boards and curves of their settings.

_MOST = 26
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)


def compare_page(request: Request) -> Response:
    """Two runs or more, which the address names: `run=NAME/ID`, for each."""
    keys = [*dict.fromkeys(request.query_params.getlist("run"))]
    sections: list[Section] = []
    error = ""
    try:
        runs, records = _chosen(request, keys)
        sections += differences(compare(records))
        sections += _curves(runs, records)
        alike = _alike(request, runs)
        sections += _tested(alike, runs)
        sections += report_of(alike, state_of(request).datasets.load).results()
    except UsageError as wrong:
        error, keys = str(wrong), []
    except _DAMAGE:
        error, keys = "One of these runs is damaged; nnrun show says which.", []
    return page(
        request, "compare.html", title="Compared runs", keys=keys, sections=sections, error=error
    )


def _chosen(request: Request, keys: Sequence[str]) -> tuple[list[Found], list[RunRecord]]:
    if not 2 <= len(keys) <= _MOST:
        raise UsageError(f"Choose from two to {_MOST} runs; {len(keys)} are chosen.")
    snapshot = fresh(request)
    runs = [run for key in keys if (run := snapshot.find(key)) is not None]
    records = [record for run in runs if (record := run.record()) is not None]
    if len(records) < len(keys):
        with_report = {f"{record.name}/{record.run_id}" for record in records}
        key = next(key for key in keys if key not in with_report)
        raise UsageError(f"{shortened(key)} has no report: it has not ended, or it is damaged.")
    return runs, records


def _alike(request: Request, runs: Sequence[Found]) -> list[Found]:
    """The stored runs with the settings of these, regardless of their seeds and folds."""
    wanted = [(run.overview.name, dict(run.overview.settings)) for run in runs]
    return [
        run
        for run in fresh(request).runs
        if run.entry is not None and (run.overview.name, dict(run.overview.settings)) in wanted
    ]


def _tested(alike: Sequence[Found], runs: Sequence[Found]) -> Iterator[Section]:
    variants = stored_variants(run.entry for run in alike if run.entry is not None)
    members = [(variant, variant.scores) for variant in variants if variant.planned]
    groups = groups_of(members)
    if len(members) != 2 or len(groups) != 1:
        return
    first = runs[0].key
    members.sort(key=lambda member: all(run.key != first for run in member[0].runs))
    if (test := pair_test(members[0], members[1], groups[0].ordered_by)) is not None:
        yield tested(test)


def _curves(runs: Sequence[Found], records: Sequence[RunRecord]) -> Iterator[Section]:
    histories = [
        read_history(run.folder)
        for run, record in zip(runs, records, strict=True)
        if changed_file(run.folder, record, (HISTORY,)) is None
    ]
    if len(histories) < len(runs):
        yield Section("Curves", [Note("The curve of one of these runs cannot be read.", "bad")])
        return
    names = curve_names(records[0].main_metric, histories)
    charts = [
        lines(f"{split} {metric_label(what)}", series, y_label=metric_label(what))
        for what in names
        for split in SPLITS
        if (
            series := [
                Series.thinned(letter(index), history["iteration"], history[column], index)
                for column in [f"{split}_{what}"]
                for index, history in enumerate(histories)
                if column in history
            ]
        )
    ]
    if charts:
        yield Section("Curves", [Figures(charts, [*enumerate(map(letter, range(len(runs))))])])


# What makes other numbers of columns than a file has.


def run_page(request: Request) -> Response:
    """The run as it is now; the page of one in progress is continued by events."""
    key = run_key(request)
    snapshot = fresh(request)
    listed = snapshot.find(key)
    if listed is None:
        raise HTTPException(404, f"There is no run {key} in this results folder.")
    run = listed.overview
    continued = run.status in IN_PROGRESS
    record = None if continued else listed.record()
    place = "" if continued else place_among_others(listed, state_of(request).datasets.load)
    return page(
        request,
        "one_run.html",
        verdict=summary_verdict(run) if record is None else run_verdict(record, place),
        title=key,
        key=key,
        status=listed.mark,
        playground=address_of(record.config) if record is not None else "",
        parts=run_parts(listed) if continued else [],
        sections=[] if continued else _sections(request, listed, record, snapshot),
        events=f"{root_of(request)}/runs/{key}/events" if continued else "",
    )


def _sections(
    request: Request, run: Found, record: RunRecord | None, snapshot: Snapshot
) -> list[Section]:
    if record is None:
        why = run.overview.error or "its report cannot be read"
        return [Section("Problem", [Note(f"The run is {run.overview.status}: {why}.", "bad")])]
    same = [r.overview.settings for r in snapshot.runs if r.overview.name == run.overview.name]
    varying = differing([dict(settings) for settings in same if settings])
    load_data = state_of(request).datasets.load
    return [*run_sections(record, run.folder, "run", varying, load_data).sections]


def form(request: Request) -> Response:
    """The form, or why there is none."""
    try:
        content = state_of(request).answers.form(*stored_run(request))
    except (NnrunError, OSError) as error:
        return _problem(error)
    return HTMLResponse(
        rendered("form.html", form=content, key=run_key(request), root=root_of(request))
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
    content = await posted(request)
    return await run_in_threadpool(_answered, request, content)


def _answered(request: Request, content: object) -> Response:
    try:
        folder, record = stored_run(request)
        answered = state_of(request).answers.answer(folder, record, content)
    except (NnrunError, OSError) as error:
        return _problem(error)
    return HTMLResponse(rendered("answer.html", **vars(answered)))


def _problem(error: Exception) -> Response:
    return HTMLResponse(rendered("problem.html", lines=lines_of(error)), 422)
