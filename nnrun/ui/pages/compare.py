"""Chosen runs, compared: what differs, and the boards and curves of their settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response

from nnrun.characters import shortened
from nnrun.config.names import SPLITS
from nnrun.errors import UsageError
from nnrun.reports.charts.kinds.lines import Series, lines
from nnrun.reports.comparison import differences, letter, tested
from nnrun.reports.document import Figures, Note, Section
from nnrun.reports.html.overview import Found
from nnrun.reports.summary import curve_names, metric_label
from nnrun.runs.catalog.compare import compare
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.history import read_history
from nnrun.runs.storage.contents.names import HISTORY
from nnrun.runs.storage.integrity import changed_file
from nnrun.sweeps.board.comparison.pair import pair_test
from nnrun.sweeps.board.from_store.stored import stored_variants
from nnrun.sweeps.board.leaderboard import groups_of
from nnrun.ui.content import report_of
from nnrun.ui.pages.base import fresh, page, state_of

_MOST = 26
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)


def compare_page(request: Request) -> Response:
    """Two runs or more, which the address names: `run=NAME/ID`, for each."""
    keys = [*dict.fromkeys(request.query_params.getlist("run"))]
    sections: list[Section] = []
    error = ""
    try:
        found, records = _chosen(request, keys)
        sections += differences(compare(records))
        sections += _curves(found, records)
        alike = _alike(request, found)
        sections += _tested(alike, found)
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
    found = [run for key in keys if (run := snapshot.find(key)) is not None]
    records = [record for run in found if (record := run.record()) is not None]
    if len(records) < len(keys):
        known = {f"{record.name}/{record.run_id}" for record in records}
        key = next(key for key in keys if key not in known)
        raise UsageError(f"{shortened(key)} has no report: it has not ended, or it is damaged.")
    return found, records


def _alike(request: Request, found: Sequence[Found]) -> list[Found]:
    """The stored runs with the settings of these, regardless of their seeds and folds."""
    wanted = [(run.overview.name, dict(run.overview.settings)) for run in found]
    return [
        run
        for run in fresh(request).runs
        if run.entry is not None and (run.overview.name, dict(run.overview.settings)) in wanted
    ]


def _tested(alike: Sequence[Found], found: Sequence[Found]) -> Iterator[Section]:
    variants = stored_variants(run.entry for run in alike if run.entry is not None)
    members = [(variant, variant.scores) for variant in variants if variant.planned]
    groups = groups_of(members)
    if len(members) != 2 or len(groups) != 1:
        return
    first = found[0].key
    members.sort(key=lambda member: all(run.key != first for run in member[0].runs))
    if (test := pair_test(members[0], members[1], groups[0].ordered_by)) is not None:
        yield tested(test)


def _curves(found: Sequence[Found], records: Sequence[RunRecord]) -> Iterator[Section]:
    histories = [
        read_history(run.folder)
        for run, record in zip(found, records, strict=True)
        if changed_file(run.folder, record, (HISTORY,)) is None
    ]
    if len(histories) < len(found):
        yield Section("Curves", [Note("The curve of one of these runs cannot be read.", "bad")])
        return
    names = curve_names(records[0].main_metric, histories)
    charts = [
        lines(
            f"{split} {metric_label(what)}", series, x_label="iteration", y_label=metric_label(what)
        )
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
        yield Section("Curves", [Figures(charts, [*enumerate(map(letter, range(len(found))))])])
