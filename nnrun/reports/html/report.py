"""The content of a report on stored runs: sections, details of runs, charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from nnrun.reports.html.runs import DAMAGE, RunSections, run_sections
from nnrun.reports.numbers import MISSING, count, number, plural
from nnrun.reports.summary import History
from nnrun.reports.tables import Cell, Grid
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import DAMAGED, RUNNING, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.history import read_history
from nnrun.runs.storage.integrity import changed_file
from nnrun.runs.storage.reading import HISTORY, REPORT, damaged
from nnrun.sweeps.board.stored import StoredBoard, StoredVariant, stored_boards, stored_variants
from nnrun.sweeps.progress import RunScore

_WHY = {RUNNING: "it is in progress"}


@dataclass(frozen=True)
class Limits:
    """The largest content of one file.

    Args:
        rows: of each leaderboard.
        runs: in the list of all runs.
        in_full: runs with details.
        drawn: configs with learning curves, for each leaderboard.
    """

    rows: int = 1000
    runs: int = 2000
    in_full: int = 24
    drawn: int = 12


@dataclass(frozen=True)
class Found:
    """A run folder and what was read from it.

    `record` is None if its report cannot be read.
    """

    folder: Path
    overview: RunSummary
    record: RunRecord | None

    @property
    def key(self) -> str:
        """`name/run id`."""
        if self.record is not None:
            return f"{self.record.name}/{self.record.run_id}"
        return self.overview.label


@dataclass(frozen=True)
class _Sound:
    """A run with a valid report, and its metrics for lists."""

    found: Found
    record: RunRecord
    score: RunScore


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
        self._sound = {run.found.key: run for run in map(_checked, found) if run is not None}
        self.variants = stored_variants(run.record for run in self._sound.values())
        self.boards = [*map(with_own_settings, stored_boards(self.variants, margin))]
        self.in_full = self._chosen()
        self.anchors = {key: f"run-{index}" for index, key in enumerate(self.in_full, start=1)}

    @property
    def title(self) -> str:
        """The name of the experiment, or the number of experiments."""
        names = list(dict.fromkeys(found.key.partition("/")[0] for found in self.found))
        return shortened(names[0] if len(names) == 1 else f"{len(names)} experiments", 100)

    @property
    def counts(self) -> list[tuple[StatusMark, int]]:
        """The number of runs with each status; those with warnings are counted apart."""
        kinds = [self._mark(found).kind for found in self.found]
        words = {"warned": "completed with warnings"}
        return [
            (StatusMark(words.get(kind, kind), kind), kinds.count(kind))
            for kind in dict.fromkeys(sorted(kinds))
        ]

    def sections(self) -> Iterator[Section]:
        """Leaderboards, learning curves and grids, then the list of all runs."""
        histories, faults = self._histories()
        several = len(self.found) > 1
        for board in self.boards if several else ():
            yield Section(
                board_title(board), [*board_blocks(board, self.anchors, self.limits.rows)]
            )
            curves = [*board_curves(board, histories), *_without_curves(board, faults)]
            if curves:
                yield Section(f"Learning curves: {self._of(board)}", curves)
            for name, blocks in grid_blocks(board):
                yield Section(f"Settings of {shortened(name)}", blocks)
        yield Section("All runs" if several else "The run", [*self._list()])

    def _of(self, board: StoredBoard) -> str:
        """The data set, or all that the rows have in common where it has several boards."""
        same = [other for other in self.boards if other.group.dataset == board.group.dataset]
        return shortened(board.group.dataset) if len(same) == 1 else board_title(board)

    def runs(self) -> Iterator[RunSections]:
        """The details of the chosen runs."""
        varying: dict[str, set[str]] = {}
        for variant in self.variants:
            varying.setdefault(variant.name, set()).update(variant.choice)
        members = {
            f"{record.name}/{record.run_id}": variant.number
            for variant in self.variants
            for record in variant.records
        }
        measured: set[int] = set()
        for key in self.in_full:
            run = self._sound[key]
            first = members[key] not in measured
            measured.add(members[key])
            yield run_sections(
                run.record, run.found.folder, self.anchors[key],
                sorted(varying[run.record.name]), self._load_data,
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
        first = best[: self.limits.in_full]
        others = [key for key in self._sound if key not in first]
        return [*first, *others][: self.limits.in_full]

    def _histories(self) -> tuple[Mapping[str, History], Mapping[str, str]]:
        """Those of the configs that are drawn, and what is wrong with those that cannot be."""
        drawn: dict[str, History] = {}
        faults: dict[str, str] = {}
        for board in self.boards:
            for standing in board.standings[: self.limits.drawn]:
                for record in standing.variant.records:
                    key = f"{record.name}/{record.run_id}"
                    folder = self._sound[key].found.folder
                    fault = changed_file(folder, record, (HISTORY,))
                    if fault is None:
                        drawn[key] = read_history(folder)
                    else:
                        faults[key] = fault
        return drawn, faults

    def _list(self) -> Iterator[Block]:
        shown = self.found[: self.limits.runs]
        labels = {
            f"{record.name}/{record.run_id}": variant
            for variant in self.variants
            for record in variant.records
        }
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
        sound = self._sound.get(found.key)
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
            Cell(str(sound.record.seed), sound.record.seed),
            Cell(shortened(sound.record.main_metric, 30)),
            *numbers,
        ]

    def _mark(self, found: Found) -> StatusMark:
        return StatusMark.of(self._status(found), found.overview.warnings)

    def _status(self, found: Found) -> str:
        """The run's status; `damaged` if its report is not valid."""
        if found.record is not None and found.key not in self._sound:
            return DAMAGED
        return shortened(found.overview.status, 20)


def _without_curves(board: StoredBoard, faults: Mapping[str, str]) -> Iterator[Block]:
    """The first run of a leaderboard whose curve is left out, and how many more there are."""
    records = (record for standing in board.standings for record in standing.variant.records)
    keys = (f"{record.name}/{record.run_id}" for record in records)
    first, *others = [key for key in keys if key in faults] or [""]
    if first:
        more = f" ({count(len(others))} more like it)" if others else ""
        yield Note(f"Without {shortened(first)}: {shortened(faults[first])}{more}.", "warning")


def _reason(found: Found, status: str) -> str:
    """Why a run is only in the list."""
    if status == DAMAGED:
        return damaged(found.key, found.overview.error or f"{REPORT} is not what nnrun writes")
    return f"{found.key}: {found.overview.error or _WHY.get(status, status)}"


def _checked(found: Found) -> _Sound | None:
    """The run, if its report has the values that leaderboards and lists need."""
    record = found.record
    if record is None:
        return None
    try:
        score = RunScore.of(record)
        settings_of(record)
        stored_variants([record])
        numbers = (*score.metrics, *score.baseline, score.seconds)
        if not all(isinstance(v, int | float) or v is None for v in numbers):
            return None
        if not isinstance(record.seed, int) or not isinstance(record.status, str):
            return None
    except DAMAGE:
        return None
    return _Sound(found, record, score)
