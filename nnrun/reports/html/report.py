"""The content of a report on stored runs: sections, details of runs, charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from nnrun.config.names import SPLITS
from nnrun.config.settings import choice_words
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import LoadData
from nnrun.reports.html.blocks import Block, Note, Section, StatusMark, charts_of
from nnrun.reports.html.board import board_blocks, board_title, with_own_settings
from nnrun.reports.html.curves import board_curves
from nnrun.reports.html.grids import grid_blocks
from nnrun.reports.html.progress import in_progress
from nnrun.reports.html.runs import RunSections, run_sections
from nnrun.reports.numbers import MISSING, count, number, plural
from nnrun.reports.summary import History, metric_label
from nnrun.reports.tables import Cell, Grid
from nnrun.reports.verdict.board import groups_verdict
from nnrun.reports.verdict.lines import Verdict
from nnrun.reports.verdict.run import run_verdict, summary_verdict
from nnrun.runs.catalog.summary import DAMAGED, QUEUED, RUNNING, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.history import read_history
from nnrun.runs.storage.contents.names import HISTORY, REPORT
from nnrun.runs.storage.integrity import changed_file
from nnrun.runs.storage.reading import damaged, read_run
from nnrun.sweeps.board.from_store.entry import RunEntry
from nnrun.sweeps.board.from_store.stored import (
    StoredBoard,
    StoredVariant,
    stored_boards,
    stored_variants,
)

_ENDED = ("completed", "diverged", "stopped", "failed")
_WHY = {RUNNING: "it is in progress", QUEUED: "it waits in a sweep"}


@dataclass(frozen=True)
class Limits:
    """The largest content of one file.

    Args:
        rows: of each leaderboard.
        runs: in the list of all runs.
        in_full: runs with details.
        drawn: configs with learning curves, for each leaderboard.
        seeds: runs of each of these, whose curves are read.
    """

    rows: int = 1000
    runs: int = 2000
    in_full: int = 24
    drawn: int = 12
    seeds: int = 100


@dataclass(frozen=True)
class Found:
    """A run's folder, as a path or as its text, and what is known of the run.

    `entry` is None if its report cannot be read.
    """

    place: Path | str
    overview: RunSummary
    entry: RunEntry | None

    @property
    def folder(self) -> Path:
        """Made when it is used: of most runs it is not."""
        return Path(self.place)

    @property
    def key(self) -> str:
        """`name/run id`."""
        return self.overview.label if self.entry is None else self.entry.key

    def record(self) -> RunRecord | None:
        """Its report, read anew; None where it has changed since it was listed."""
        run, entry = read_run(self.folder), self.entry
        if run is None or run.problem or run.record is None or entry is None:
            return None
        own = run.record.run_id == entry.score.run_id
        return replace(run.record, name=entry.name, main_metric=entry.metric) if own else None


class Report:
    """The content of a report, before it is rendered.

    `margin` is a difference that does not matter, in the units of the metric; `importance` is
    whether to compute which columns count, for one run of each setting.
    """

    def __init__(
        self,
        found: Sequence[Found],
        load_data: LoadData,
        limits: Limits | None = None,
        margin: float | None = None,
        *,
        importance: bool = False,
    ) -> None:
        self.found = found
        self.limits = limits or Limits()
        self._load_data = load_data
        self._importance = importance
        self._sound = {run.key: run for run in found if run.entry is not None}
        self._records: dict[str, RunRecord | None] = {}
        self.variants = stored_variants(run.entry for run in self._sound.values() if run.entry)
        boards = stored_boards(self.variants, margin, self.limits.rows)
        self.boards = [*map(with_own_settings, boards)]
        self.in_full = self._chosen()
        self.anchors = {key: f"run-{index}" for index, key in enumerate(self.in_full, start=1)}

    @property
    def title(self) -> str:
        """The name of the experiment, or the number of experiments."""
        names = list(dict.fromkeys(found.key.partition("/")[0] for found in self.found))
        return shortened(names[0] if len(names) == 1 else f"{len(names)} experiments", 100)

    @property
    def verdict(self) -> Verdict:
        """The lines to read first."""
        if len(self.found) == 1:
            (only,) = self.found
            record = self._record(only.key) if only.key in self._sound else None
            return summary_verdict(only.overview) if record is None else run_verdict(record)
        unlisted = Counter(map(self._status, self.found))
        others = {status: n for status, n in unlisted.items() if status not in _ENDED}
        return groups_verdict([board.group for board in self.boards], others)

    @property
    def counts(self) -> list[tuple[StatusMark, int]]:
        """The number of runs with each status; those with warnings are counted apart."""
        kinds = Counter(self._mark(found).kind for found in self.found)
        words = {"warned": "completed with warnings"}
        return [(StatusMark(words.get(kind, kind), kind), kinds[kind]) for kind in sorted(kinds)]

    def sections(self) -> Iterator[Section]:
        """Leaderboards, learning curves and grids, then the list of all runs."""
        histories, faults = self._histories()
        several = len(self.found) > 1
        yield from in_progress([found.overview for found in self.found])
        for board in self.boards if several else ():
            yield Section(
                board_title(board), [*board_blocks(board, self.anchors, self.limits.rows)]
            )
            curves = [*board_curves(board, histories), *_without_curves(board, faults)]
            if curves:
                curves += self._runs_without_curves(board)
                yield Section(f"Learning curves: {self._of(board)}", curves)
            for name, blocks in grid_blocks(board):
                yield Section(f"Settings of {shortened(name)}", blocks)
        yield Section("All runs" if several else "The run", [*self._list()])

    def _runs_without_curves(self, board: StoredBoard) -> Iterator[Block]:
        drawn = board.standings[: self.limits.drawn]
        if any(len(standing.variant.runs) > self.limits.seeds for standing in drawn):
            yield Note(f"Curves are of the first {count(self.limits.seeds)} runs of each config.")

    def _of(self, board: StoredBoard) -> str:
        """The data set, or all that the rows have in common where it has several boards."""
        same = [other for other in self.boards if other.group.dataset == board.group.dataset]
        return shortened(board.group.dataset) if len(same) == 1 else board_title(board)

    def runs(self) -> Iterator[RunSections]:
        """The details of the chosen runs."""
        varying: dict[str, set[str]] = {}
        for variant in self.variants:
            varying.setdefault(variant.name, set()).update(variant.choice)
        members = {run.key: variant.number for variant in self.variants for run in variant.runs}
        measured: set[int] = set()
        for key in self.in_full:
            record = self._record(key)
            if record is None:
                continue
            first = members[key] not in measured
            measured.add(members[key])
            yield run_sections(
                record, self._sound[key].folder, self.anchors[key],
                sorted(varying[record.name]), self._load_data,
                importance=self._importance and first,
            )  # fmt: skip

    def charts(self) -> Iterator[tuple[str, Chart]]:
        """Every chart with the title of its section."""
        for section in self.sections():
            for block in section.blocks:
                for chart in charts_of(block):
                    yield section.title, chart
        for run in self.runs():
            for section in run.sections:
                for block in section.blocks:
                    for chart in charts_of(block):
                        yield run.name, chart

    def trim(self, in_full: int) -> None:
        """Show details of at most this many runs."""
        self.in_full = self.in_full[:in_full]
        self.anchors = {key: self.anchors[key] for key in self.in_full}

    def _chosen(self) -> list[str]:
        """The runs to show details of: the best of each config first, then the others in order."""
        best = [
            standing.row.best_run
            for board in self.boards
            for standing in board.standings
            if standing.row.best_run is not None
        ]
        keys = dict.fromkeys([*best[: self.limits.in_full], *self._sound])
        return [*islice(filter(self._record, keys), self.limits.in_full)]

    def _record(self, key: str) -> RunRecord | None:
        """The report of a run, read once."""
        if key not in self._records:
            self._records[key] = self._sound[key].record()
        return self._records[key]

    def _histories(self) -> tuple[Mapping[str, History], Mapping[str, str]]:
        """Those of the configs that are drawn, and what is wrong with those that cannot be."""
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
        shown = self.found[: self.limits.runs]
        labels = {run.key: variant for variant in self.variants for run in variant.runs}
        rows = [self._row(found, labels.get(found.key)) for found in shown]
        header = ["run", "config", "status", "seed", "metric", *SPLITS]
        yield Grid("Runs", header, rows, texts=3, sortable=len(rows) > 1, hidden=True)
        if len(shown) < len(self.found):
            left = len(self.found) - len(shown)
            yield Note(f"{count(left)} more runs are left out of this list.", "warning")
        unreadable = [found for found in shown if found.key not in self._sound]
        for found in unreadable[:20]:
            yield Note(f"{shortened(_reason(found, self._status(found)), 400)}.", "warning")
        if len(self.in_full) < len(self._sound):
            yield Note(
                f"Details of {plural(len(self.in_full), 'run')} of {count(len(self._sound))} are "
                "below: the best of each config first, then others in the order of this list. "
                "`nnrun report NAME/ID` shows any other run.",
                "warning",
            )

    def _row(self, found: Found, variant: StoredVariant | None) -> list[Cell]:
        mark = self._mark(found)
        status = Cell(mark.text, kind=f"status {mark.kind}")
        sound = found.entry
        name = Cell(shortened(found.key), link=self.anchors.get(found.key))
        if sound is None:
            blank = [Cell(MISSING)] * 5
            return [name, Cell(MISSING), status, *blank]
        choice = " ".join(choice_words(variant.choice)) if variant else ""
        numbers = [Cell(number(value), value) for value in sound.score.metrics]
        return [
            name,
            Cell(shortened(choice) or MISSING),
            status,
            Cell(str(sound.score.seed), sound.score.seed),
            Cell(shortened(metric_label(sound.metric), 30)),
            *numbers,
        ]

    def _mark(self, found: Found) -> StatusMark:
        return StatusMark.of(self._status(found), found.overview.warnings)

    def _status(self, found: Found) -> str:
        """The run's status; `damaged` if its report is not valid."""
        ended = found.entry is None and found.overview.status in _ENDED
        return DAMAGED if ended else shortened(found.overview.status, 20)


def _without_curves(board: StoredBoard, faults: Mapping[str, str]) -> Iterator[Block]:
    """The first run of a leaderboard whose curve is left out, and how many more there are."""
    runs = (run for standing in board.standings for run in standing.variant.runs)
    first, *others = [run.key for run in runs if run.key in faults] or [""]
    if first:
        more = f" ({count(len(others))} more like it)" if others else ""
        yield Note(f"Without {shortened(first)}: {shortened(faults[first])}{more}.", "warning")


def _reason(found: Found, status: str) -> str:
    """Why a run is only in the list."""
    if status == DAMAGED:
        return damaged(found.key, found.overview.error or f"{REPORT} is not what nnrun writes")
    return f"{found.key}: {found.overview.error or _WHY.get(status, status)}"
