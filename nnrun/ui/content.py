"""The parts of the first page: the report of all runs, and those in progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nnrun.reports.examine import LoadData
from nnrun.reports.html.blocks import Note, Section, StatusMark
from nnrun.reports.html.overview.found import Found, Limits
from nnrun.reports.html.progress import in_progress
from nnrun.reports.html.report import Report
from nnrun.runs.catalog.summary import IN_PROGRESS, QUEUED
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.ui.parts import Part, rendered, section_parts
from nnrun.ui.rows import rows_of
from nnrun.ui.snapshot import Snapshot

# A page is drawn again and again: it shows less than a file.
_LIMITS = Limits(rows=200, runs=0, in_full=0, drawn=12, seeds=50)
_MOST_RUNS = 50
_SHOWN_ELSEWHERE = ("In progress", "All runs", "The run")
COUNTS, VERDICT, RUNS = "counts", "verdict", "runs"
_WAIT = Part.of("wait", rendered("wait.html", id="wait"))


def overview_parts(snapshot: Snapshot) -> list[Part]:
    """The parts of the first page, in order; the counts come first."""
    if not snapshot.now:  # the folder could not be looked at
        return [*snapshot.results]
    counts, *progress, runs = snapshot.now
    return [counts, *progress, *(snapshot.results if snapshot.drawn else [_WAIT]), runs]


def run_parts(found: Found | None) -> list[Part]:
    """The parts of the page of a run in progress; none once it has ended."""
    if found is None or found.overview.status not in IN_PROGRESS:
        return []
    if found.overview.status == QUEUED:
        waits = Section("In progress", [Note("It waits in a sweep whose workers are busy.")])
        return [*section_parts([waits])]
    return [*section_parts(in_progress([found.overview]))]


def draw_now(runs: Sequence[Found], sweeps: Sequence[SweepCounts]) -> list[Part]:
    """The counts, the sweeps and runs in progress, and the newest runs."""
    statuses = Counter(
        StatusMark.of(run.overview.status, run.overview.warnings).kind for run in runs
    )
    counts = rendered("counts.html", total=len(runs), statuses=statuses, sweeps=sweeps)
    newest = sorted(runs, key=lambda run: run.overview.started or "", reverse=True)[:_MOST_RUNS]
    table = rendered("runs_part.html", id=RUNS, rows=rows_of(newest, runs), total=len(runs))
    return [
        Part.of(COUNTS, counts, section=False),
        *section_parts(in_progress([run.overview for run in runs])),
        Part.of(RUNS, table, "Runs"),
    ]


def draw(runs: Sequence[Found], load_data: LoadData) -> list[Part]:
    """The verdict, and the leaderboards, curves and settings of the runs that have ended."""
    report = _report(runs, load_data)
    verdict = rendered("verdict.html", lines=report.verdict.lines if runs else [])
    return [Part.of(VERDICT, verdict, section=False), *section_parts(_results(report))]


def result_sections(runs: Sequence[Found], load_data: LoadData) -> list[Section]:
    """Those of a report; the runs that it names have pages of their own."""
    return _results(_report(runs, load_data))


def _report(runs: Sequence[Found], load_data: LoadData) -> Report:
    report = Report(runs, load_data, _LIMITS)
    report.anchors = {run.key: f"/runs/{run.key}" for run in runs}
    return report


def _results(report: Report) -> list[Section]:
    return [section for section in report.sections() if section.title not in _SHOWN_ELSEWHERE]
