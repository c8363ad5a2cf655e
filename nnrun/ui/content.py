"""The parts of the first page: the report of all runs, those in progress, and the list of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnrun.characters import shortened
from nnrun.config.setting_words import choice_words
from nnrun.config.settings import choice_of
from nnrun.reports.charts.svg import element
from nnrun.reports.document import NOW, RUNS, Cell, Grid, Note, Section, StatusMark
from nnrun.reports.examine import LoadData
from nnrun.reports.html.overview import Found, Limits, kinds_of, with_endings
from nnrun.reports.html.progress import in_progress
from nnrun.reports.html.report import Report
from nnrun.reports.numbers import MISSING, duration, number
from nnrun.reports.progress_words import share_words
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summary import IN_PROGRESS, QUEUED, most_varied
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.sweeps.board.from_store.searched import searches_of
from nnrun.ui.parts import Part, parts_from, rendered
from nnrun.ui.watcher import Snapshot

# A page is drawn again and again: it shows less than a file.
_LIMITS = Limits(rows=200, runs=0, in_full=0, drawn=12, seeds=50)
_MOST_RUNS = 50
COUNTS = "counts"
_WAIT = Part.of("wait", rendered("wait.html", id="wait"))


def overview_parts(snapshot: Snapshot) -> list[Part]:
    """The parts of the first page, in order; the counts come first."""
    if not snapshot.now:  # the folder could not be looked at
        return [*snapshot.results]
    counts, *progress, runs = snapshot.now
    best, others = [*snapshot.results[:1]], [*snapshot.results[1:]]
    return [counts, *best, *progress, *(others if snapshot.drawn else [_WAIT]), runs]


def run_parts(found: Found | None) -> list[Part]:
    """The parts of the page of a run in progress; none once it has ended."""
    if found is None or found.overview.status not in IN_PROGRESS:
        return []
    if found.overview.status == QUEUED:
        note = Note("It waits in a sweep whose workers are busy.")
        return [*parts_from([Section("In progress", [note], NOW)])]
    return [*parts_from(in_progress([found.overview]))]


def draw_now(runs: Sequence[Found], sweeps: Sequence[SweepCounts], missing: str = "") -> list[Part]:
    """The counts, the sweeps and runs in progress, and the newest runs.

    `missing` is the path of the results folder, where there is none.
    """
    statuses = kinds_of(runs)
    counts = rendered(
        "counts.html", total=len(runs), statuses=statuses, sweeps=sweeps, missing=missing
    )
    newest = sorted(runs, key=lambda run: run.overview.started or "", reverse=True)[:_MOST_RUNS]
    shown = table_of(newest, runs, "The newest runs")
    table = rendered("runs_part.html", id=RUNS.lower(), runs=shown, total=len(runs))
    return [
        Part.of(COUNTS, counts, section=False),
        *parts_from(in_progress([run.overview for run in runs])),
        Part.of(RUNS.lower(), table, RUNS),
    ]


def draw(runs: Sequence[Found], sweeps: Sequence[SweepCounts], load_data: LoadData) -> list[Part]:
    """The verdict, and the leaderboards, curves and settings of the runs that have ended."""
    if not runs:
        return []
    report = report_of(runs, load_data, sweeps)
    # They read the data's notes.
    sections = [*report.results(), *report.searches()]
    best = rendered(
        "best.html", title="Best", verdict=report.verdict, data_notes=report.data_notes()
    )
    return [Part.of("best", best.strip(), "Best"), *parts_from(sections)]


def report_of(
    runs: Sequence[Found], load_data: LoadData, sweeps: Sequence[SweepCounts] = ()
) -> Report:
    """The report on these runs, in which each has a page of its own."""
    report = Report(runs, load_data, _LIMITS, sweeps=sweeps)
    report.anchors = {run.key: f"runs/{run.key}" for run in runs}
    return report


_HEADER = ("", "run", "result", "status", "settings", "started", "seed", "training")


def table_of(shown: Sequence[Found], every: Sequence[Found], title: str) -> Grid:
    """A row for each of these runs, described by what a search chose, or by what differs."""
    keys = most_varied([run.overview for run in every])
    searches = searches_of({run.folder.parent for run in shown}, [run.overview for run in every])
    rows = []
    for run in with_endings(shown, searches):
        seen = run.overview
        choice = searches.choices.get((seen.name, seen.run_id))
        rows.append(_row(run, choice or choice_of(seen.settings or {}, keys.get(seen.name, ()))))
    return Grid(title, _HEADER, rows, texts=6, heads=1, hidden=True)


def _row(found: Found, choice: Mapping[str, Any]) -> list[Cell]:
    run, key = found.overview, found.overview.label
    words = choice_words(choice)
    mark = StatusMark.of(run.status, run.warnings)
    result, began = run.result, run.status != QUEUED
    value = MISSING
    if result is not None:
        value = f"{result[0]} {metric_label(str(run.metric))} {number(result[1])}"
    box = element("input", type="checkbox", name="run", value=key, aria_label=f"Compare {key}")
    return [
        Cell("", drawing=box),
        Cell(key, link=f"runs/{key}"),
        Cell(shortened(value, 60)),
        Cell(" ".join([mark.text, *share_words(run.progress)]), kind=f"status {mark.kind}"),
        Cell(shortened(" ".join(words)) or MISSING),
        Cell(MISSING if not began or run.started is None else run.started[:19].replace("T", " ")),
        Cell(MISSING if run.seed is None else str(run.seed)),
        Cell(MISSING if not began or run.seconds is None else duration(run.seconds)),
    ]
