"""The content of a report on stored runs: sections, details of runs, charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice, zip_longest
from math import inf

from markupsafe import Markup

from nnrun import __version__
from nnrun.characters import shortened
from nnrun.reports.board_notes import notes, planned_words
from nnrun.reports.board_verdict import groups_verdict
from nnrun.reports.boards import board_titles, group_blocks
from nnrun.reports.cards import cards
from nnrun.reports.charts.chart import DARK, LIGHT, ON_DARK, PAGE, Chart, variables
from nnrun.reports.document import (
    BOARD,
    CURVES,
    PRUNED,
    RUNS,
    SETTINGS,
    Block,
    Note,
    Section,
    StatusMark,
    Verdict,
    charts_of,
)
from nnrun.reports.html.curves import board_curves, grid_blocks, more_rows_blocks
from nnrun.reports.html.overview import (
    ENDED,
    PRINTED,
    Found,
    Head,
    Limits,
    head_of,
    kinds_of,
    list_blocks,
    placed,
    runs_of,
    with_endings,
)
from nnrun.reports.html.runs import RunSections, in_progress, run_sections
from nnrun.reports.html.searches import search_sections
from nnrun.reports.leaderboard_files import plans_of, sweeps_of
from nnrun.reports.numbers import count, plural
from nnrun.reports.predictions import LoadData
from nnrun.reports.run_verdict import run_verdict, summary_verdict
from nnrun.reports.summary import History
from nnrun.reports.templates import content_policy, environment, resource
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import HISTORY, changed_file, read_history
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.sweeps.board.best import searches_of
from nnrun.sweeps.board.rows import EXPLORED, PLANNED, Group
from nnrun.sweeps.board.stored import StoredBoard, stored_boards, stored_variants

IMPORTANCE_SECONDS = 10.0
"""The time for computing which columns count, in all."""


class Report:
    """The content of a report, before it is rendered.

    Args:
        found: the runs.
        load_data: loads data sets.
        limits: the largest content.
        margin: a difference that does not matter, in the units of the metric.
        importance: whether to compute which columns count, for one run of each setting; by default
            for the best of each board, as far as that takes some seconds in all.
        brief: whether it is for print: without details, where there are several runs.
        sweeps: those in progress, whose next runs have no folder yet.
    """

    def __init__(
        self,
        runs: Sequence[Found],
        load_data: LoadData,
        limits: Limits | None = None,
        margin: float | None = None,
        *,
        importance: bool | None = None,
        brief: bool = False,
        sweeps: Sequence[SweepCounts] = (),
    ) -> None:
        some = {run.key.partition("/")[0]: run for run in runs}  # of each experiment
        self._names = [*some]
        self._experiments = [run.folder.parent for run in some.values()]
        self._searches = searches_of(self._experiments, [run.overview for run in runs])
        searches = self._searches
        self.found = with_endings(runs, searches)
        self._sweeps = sweeps
        self.limits = limits or (PRINTED if brief and len(runs) > 1 else Limits())
        self.brief = brief
        self._load_data = load_data
        self._importance = importance
        self._sound = {run.key: run for run in self.found if run.entry is not None}
        self._records: dict[str, RunRecord | None] = {}
        entries = [run.entry for run in self._sound.values() if run.entry]
        self.variants = stored_variants(entries, searches.choices)
        self._judged, variants = set[str](), self.variants
        if judged := {"/".join(key) for key in searches.judged}:
            final = {entry.name for entry in entries if entry.key not in judged}
            self._judged = {e.key for e in entries if e.key in judged and e.name in final}
        if self._judged:
            compared = [entry for entry in entries if entry.key not in self._judged]
            variants = stored_variants(compared, searches.choices)
        self.boards = stored_boards(variants, margin, self.limits.rows)
        self._roots = [*dict.fromkeys(folder.parent for folder in self._experiments)]
        self._plans, self._damaged = plans_of([board.group for board in self.boards], self._roots)
        self.in_full = self._chosen()
        self.anchors = {key: f"run-{index}" for index, key in enumerate(self.in_full, start=1)}

    @property
    def title(self) -> str:
        """The name of the experiment, or the number of experiments."""
        names = self._names
        return shortened(names[0] if len(names) == 1 else f"{len(names)} experiments", 100)

    @cached_property
    def verdict(self) -> Verdict:
        """The lines to read first."""
        if len(self.found) == 1 and not self._sweeps:
            (only,) = self.found
            record = self._record(only.key) if only.key in self._sound else None
            if record is None:
                return summary_verdict(only.overview)
            return run_verdict(record, place_among_others(only, self._load_data))
        return groups_verdict([board.group for board in self.boards], self._unlisted)

    @cached_property
    def _unlisted(self) -> Counter[str]:
        """The number of runs that are on no board, by their status."""
        unlisted = (
            f for f in self.found if f.entry is None or f.overview.status not in (*ENDED, PRUNED)
        )
        others = Counter(run.status for run in unlisted)
        if self._sweeps:
            others["queued"] = sum(sweep.queued for sweep in self._sweeps)
        return others

    @property
    def cards(self) -> list[Section]:
        """A card for each board, and what there is to say of runs on none; nothing of one run."""
        if len(self.found) == 1 or not self.boards:
            return []
        groups = [board.group for board in self.boards]
        standings = {id(each.row): each for board in self.boards for each in board.standings}
        rest = groups_verdict([], self._unlisted)
        lines = [Note(str(line)) for line in (rest.others, rest.wrong) if line]
        made = cards(
            groups, standings, sweeps_of(groups, self._roots), self.anchors,
            brief=self.brief, unfinished=rest.others is not None,
        )  # fmt: skip
        return [*made, *([Section("Other runs", lines)] if lines else [])]

    @property
    def problems(self) -> list[str]:
        """Why searches, or boards of plans, cannot be used."""
        return [*self._searches.problems.values(), *self._damaged]

    @property
    def counts(self) -> list[tuple[StatusMark, int]]:
        """The number of runs with each status; those with warnings are counted apart."""
        kinds = kinds_of(self.found)
        words = {"warned": "completed with warnings", PRUNED: StatusMark.of(PRUNED).text}
        return [(StatusMark(words.get(kind, kind), kind), kinds[kind]) for kind in sorted(kinds)]

    def sections(self) -> Iterator[Section]:
        """Runs in progress, the results of the others, and the list of all runs."""
        yield from in_progress([run.overview for run in self.found], self._sweeps)
        if self.brief and self.boards and len(self.found) > 1:
            return
        if len(self.found) > 1:
            yield from self.results()
        yield from self.searches()
        if len(self.found) > 1 or not self.in_full:
            yield Section("All runs", [*self._list()], RUNS, folded=True)

    def searches(self) -> Iterator[Section]:
        """The searches that runs come from, one for each experiment that has one."""
        return search_sections(self._searches)

    def results(self) -> Iterator[Section]:
        """Leaderboards, then learning curves, then what the settings of grids did."""
        histories, faults = self._histories()
        titles = board_titles(self.boards)
        legend: dict[str, list[Group]] = {}
        for board, title, plan in zip(self.boards, titles, self._plans, strict=True):
            legend.setdefault(EXPLORED if plan is None else PLANNED, []).append(board.group)
            shown = board.standings[: self.limits.rows]
            table = group_blocks(
                board.group, [standing.row for standing in shown], len(board.standings),
                [standing.scores for standing in shown], self.anchors, title,
            )  # fmt: skip
            said = [] if plan is None else [Note(planned_words(plan[0], [plan[1]]), "small")]
            whole = f"{title}: {plural(len(board.standings), 'setting')}"
            blocks = [*table, *more_rows_blocks(board.group), *said]
            yield Section(whole, blocks, BOARD, folded=True)
        words = [note for basis, groups in legend.items() for note in notes(groups, basis)]
        if words:
            read = [Note(note, "small") for note in dict.fromkeys(words)]
            yield Section("How to read the boards", read, BOARD, folded=True)
        for board, title in zip(self.boards, titles, strict=True):
            curves = [*board_curves(board, histories), *_without_curves(board, faults)]
            if curves:
                drawn = board.standings[: self.limits.drawn]
                if any(len(standing.variant.runs) > self.limits.seeds for standing in drawn):
                    first = count(self.limits.seeds)
                    curves.append(Note(f"Curves are of the first {first} runs of each config."))
                yield Section(
                    f"Learning curves: {self._of(board, title)}", curves, CURVES, folded=True
                )
        for board in self.boards:
            for name, blocks in grid_blocks(board):
                yield Section(f"Settings of {shortened(name)}", blocks, SETTINGS, folded=True)

    def _of(self, board: StoredBoard, title: str) -> str:
        """The data set, or all that the rows have in common where it has several boards."""
        same = [other for other in self.boards if other.group.dataset == board.group.dataset]
        return shortened(board.group.dataset) if len(same) == 1 else title

    def runs(self) -> Iterator[RunSections]:
        """The details of the chosen runs."""
        varying: dict[str, set[str]] = {}
        for variant in self.variants:
            varying.setdefault(variant.name, set()).update(variant.choice)
        places = {place.key: place for place in placed(self.boards, {*self.in_full})}
        groups = [board.group for board in self.boards]
        rows = [row for group in groups for row in group.rows]
        seconds = inf if self._importance else 0.0
        if self._importance is None:
            rows = [row for group in groups if (row := group.first_network)]
            seconds = IMPORTANCE_SECONDS / max(1, len(rows))
        best = {row.best_run for row in rows}
        for key in self.in_full:
            if (record := self._record(key)) is not None:
                yield run_sections(
                    record, self._sound[key].folder, self.anchors[key],
                    sorted(varying[record.name]), self._load_data,
                    place=places[key].words if key in places else "",
                    importance=seconds if key in best else 0.0, brief=self.brief,
                )  # fmt: skip

    def charts(self) -> Iterator[tuple[str, Chart]]:
        """Every chart with the title of its section."""
        parts = ((section.title, section) for section in self.sections())
        of_runs = ((run.name, section) for run in self.runs() for section in run.sections)
        for title, section in chain(parts, of_runs):
            for block in section.blocks:
                yield from ((title, chart) for chart in charts_of(block))

    def heads(self) -> dict[str, tuple[tuple[int, int, int], Head]]:
        """The closed cards of the chosen runs by their anchors, with the order of their places."""
        wanted, alone = set(self.in_full), len({v.name for v in self.variants}) == 1
        places = {place.key: place for place in placed(self.boards, wanted)}
        heads = {}
        for key in self.in_full:
            record, place = self._record(key), places.get(key)
            if record is not None:
                order = (len(self.boards), 0, 0) if place is None else place.order
                heads[self.anchors[key]] = order, head_of(record, place, alone=alone)
        return heads

    def data_notes(self) -> list[tuple[str, str]]:
        """The notes on the data sets of boards and of the runs that were read, by name."""
        notes = {}
        for key in (board.standings[0].row.best_run for board in self.boards):
            if key is not None:
                self._record(key)
        for record in filter(None, self._records.values()):
            if note := str(record.dataset.get("note") or ""):
                notes[shortened(str(record.dataset["name"]))] = shortened(note, 1000)
        return sorted(notes.items())

    def trim(self, in_full: int) -> None:
        """Show details of at most this many runs."""
        self.in_full = self.in_full[:in_full]
        self.anchors = {key: self.anchors[key] for key in self.in_full}

    def _chosen(self) -> list[str]:
        """The runs to show details of: those of the first row of each board, of the second, …"""
        of_boards = [[each.row.best_run for each in board.standings] for board in self.boards]
        best = [run for of_place in zip_longest(*of_boards) for run in of_place if run is not None]
        first = dict.fromkeys(best[: self.limits.in_full])
        keys = chain(first, (key for key in self._sound if key not in first))
        return [*islice(filter(self._record, keys), self.limits.in_full)]

    def _record(self, key: str) -> RunRecord | None:
        """The report of a run, read once."""
        if key not in self._records:
            self._records[key] = self._sound[key].record()
        return self._records[key]

    def _histories(self) -> tuple[Mapping[str, History], Mapping[str, str]]:
        """Histories of the configs that are drawn, and what is wrong with those that cannot be."""
        drawn: dict[str, History] = {}
        faults: dict[str, str] = {}
        for board in self.boards:
            for standing in board.standings[: self.limits.drawn]:
                for run in standing.variant.runs[: self.limits.seeds]:
                    record, folder = self._record(run.key), self._sound[run.key].folder
                    if record is None:
                        continue
                    fault = changed_file(folder, record, (HISTORY,))
                    if fault is None:
                        drawn[run.key] = read_history(folder)
                    else:
                        faults[run.key] = fault
        return drawn, faults

    def _list(self) -> Iterator[Block]:
        loose = [
            run.key
            for variant in self.variants
            for run in variant.runs
            if not variant.planned or (self._judged and run.key in self._judged)
        ]
        others = [run for run in self.found if run.entry is None]
        most = self.limits.runs
        yield from list_blocks(self._sound, others, self.boards, loose, self.anchors, most)
        if len(self.in_full) < len(self._sound) and not self.brief:
            yield Note(
                f"Details of {plural(len(self.in_full), 'run')} of {count(len(self._sound))} are "
                "above: the first rows of every board, then others by name and seed. "
                "nnrun report NAME/ID shows any other run.",
                "warning",
            )


def _without_curves(board: StoredBoard, faults: Mapping[str, str]) -> Iterator[Block]:
    """The first run of a leaderboard whose curve is left out, and how many more there are."""
    rows = board.standings if faults else ()
    runs = (run for standing in rows for run in standing.variant.runs)
    first, *others = [run.key for run in runs if run.key in faults] or [""]
    if first:
        more = f" ({count(len(others))} more like it)" if others else ""
        yield Note(f"Without {shortened(first)}: {shortened(faults[first])}{more}.", "warning")


def place_among_others(run: Found, load_data: LoadData) -> str:
    """The place of a run among all stored runs of its experiment, in words; empty outside of it."""
    folder = run.folder.absolute().parent
    if folder.name != run.overview.name:
        return ""
    stored = runs_of(folder.parent, [folder.name], run.overview.metric)
    boards = Report(stored, load_data, Limits(in_full=0)).boards
    return next((place.words for place in placed(boards, {run.key})), "")


# Renders a report as one self-contained HTML file.

_PACKAGE = "nnrun.reports.html"

# Details of runs beyond this many bytes are left out, so that the file can be mailed.
MOST_BYTES = 2_500_000

# Colours of the page besides those of charts; every text has a contrast of at least 4.5 to 1.
_LIGHT = {
    "link": "#0757a8", "good": "#11633d", "mild": "#8a5300", "bad": "#b3261e",
    "hover": "#f3f5f7", "mark": "#fff6df",
}  # fmt: skip
_DARK = {
    "link": "#79b8ff", "good": "#6fcf97", "mild": "#e8b04a", "bad": "#ff8a80",
    "hover": "#1b222a", "mark": "#2e2712",
}  # fmt: skip


_Rendered = tuple[tuple[int, int, int], Markup, RunSections]


def render(report: Report, most_bytes: int = MOST_BYTES) -> str:
    """The report as HTML: the same bytes for the same results.

    The details of runs take at most `most_bytes`; those of the first run are always shown.
    """
    style, script = page_style(), page_script()
    # First, since it decides which runs the sections can link to.
    runs, left_out = _runs(report, most_bytes)
    parts = parts_of(report.sections())
    if runs and len(report.found) > 1:
        parts.setdefault(RUNS, [])
    page = environment(_PACKAGE).get_template("page.html")
    return page.render(
        report=report,
        verdict=report.verdict,
        cards=report.cards,
        first="Best" if len(report.found) > 1 else "Summary",
        data_notes=report.data_notes() if len(report.found) > 1 else [],
        parts=parts,
        runs=[markup for _, markup, _ in sorted(runs, key=lambda one: one[0])],
        own=runs[0][2] if len(report.found) == 1 and runs else None,
        section_id=section_id,
        left_out=left_out,
        style=Markup(style),
        script=Markup(script),
        policy=content_policy(style, script),
        version=__version__,
        count=count,
        plural=plural,
    )


def parts_of(sections: Iterable[Section]) -> dict[str, list[Section]]:
    """The sections of each part of the page."""
    parts: dict[str, list[Section]] = {}
    for section in sections:
        parts.setdefault(section.part, []).append(section)
    return parts


def section_id(run: RunSections, section: Section) -> str:
    """Id of a section in the details of a run."""
    return "-".join([run.anchor, *section.title.lower().split()])


def _runs(report: Report, most_bytes: int) -> tuple[list[_Rendered], int]:
    """The details of runs with their places, as many as there is room for; how many are left."""
    template = environment(_PACKAGE).get_template("run.html")
    rendered: list[_Rendered] = []
    heads, size = report.heads(), 0
    alone = len(report.found) == 1
    for run in report.runs():
        order, head = heads[run.anchor]
        markup = template.render(run=run, head=head, alone=alone, section_id=section_id)
        size += len(markup.encode())
        if rendered and size > most_bytes:
            break
        rendered.append((order, Markup(markup), run))
    left_out = len(report.in_full) - len(rendered)
    report.trim(len(rendered))
    return rendered, left_out


def page_script() -> str:
    """The script of the page."""
    return "\n".join(resource(_PACKAGE, name) for name in ("page.js", "charts.js", "address.js"))


def page_style() -> str:
    """The style sheet of the page."""
    light, dark = variables(LIGHT | _LIGHT), variables(DARK | _DARK)
    return "\n".join(
        [
            f":root{{{light};color-scheme:light dark}}",
            f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}",
            f"@media print{{:root{{{light};color-scheme:light}}}}",
            *(resource(_PACKAGE, name) for name in ("page.css", "charts.css")),
            PAGE,
            f"@media screen and (prefers-color-scheme:dark){{{ON_DARK}}}",
        ]
    )
