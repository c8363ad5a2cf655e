"""A report over stored runs: what is in it, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnrun.config.names import SPLITS
from nnrun.config.settings import choice_words
from nnrun.reports.charts.chart import Chart
from nnrun.reports.html.blocks import Block, Cell, Grid, Note, Section, charts_of, text_of
from nnrun.reports.html.board import Board, board_blocks, boards_of
from nnrun.reports.html.curves import History, board_curves
from nnrun.reports.html.grids import grid_blocks
from nnrun.reports.html.runs import DAMAGE, LoadData, RunSections, run_sections
from nnrun.reports.numbers import MISSING, count, number, plural
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import DAMAGED, INTERRUPTED, RUNNING, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.history import read_history
from nnrun.runs.storage.integrity import changed_file
from nnrun.runs.storage.reading import HISTORY, REPORT, damaged
from nnrun.sweeps.board.stored import StoredVariant, stored_variants
from nnrun.sweeps.progress import RunScore

_WHY = {RUNNING: "it is in progress", INTERRUPTED: "it goes on from its checkpoint"}


@dataclass(frozen=True)
class Limits:
    """How much goes into one file.

    Args:
        rows: of each leaderboard.
        runs: in the list of all runs.
        in_full: runs that are shown with all their charts.
        drawn: configs whose learning curves are drawn.
    """

    rows: int = 1000
    runs: int = 2000
    in_full: int = 24
    drawn: int = 12


@dataclass(frozen=True)
class Found:
    """A run folder with what was read there.

    Args:
        folder: where it lies.
        overview: what it is, at a glance.
        record: its report, where that is whole.
    """

    folder: Path
    overview: RunSummary
    record: RunRecord | None

    @property
    def key(self) -> str:
        """Name and id."""
        if self.record is not None:
            return f"{self.record.name}/{self.record.run_id}"
        return self.overview.label


@dataclass(frozen=True)
class _Sound:
    """A run whose report holds what it should, with the numbers that lists show."""

    found: Found
    record: RunRecord
    score: RunScore


class Report:
    """All that a report says; markup comes later.

    Args:
        found: the runs, in the order in which they are listed.
        load_data: loads data sets, or has them already.
        limits: how much is shown.
        margin: a difference that does not matter, in the units of the metric.
    """

    def __init__(
        self,
        found: Sequence[Found],
        load_data: LoadData,
        limits: Limits | None = None,
        margin: float | None = None,
    ) -> None:
        self.found = found
        self.limits = limits or Limits()
        self._load_data = load_data
        self._sound = {run.found.key: run for run in map(_checked, found) if run is not None}
        self.variants = stored_variants(run.record for run in self._sound.values())
        self.boards = boards_of(self.variants, margin)
        self.in_full = self._chosen()
        self.anchors = {key: f"run-{index}" for index, key in enumerate(self.in_full, start=1)}

    @property
    def title(self) -> str:
        """What it is about."""
        names = list(dict.fromkeys(found.key.partition("/")[0] for found in self.found))
        return text_of(names[0] if len(names) == 1 else f"{len(names)} experiments", 100)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many runs there are of each status."""
        statuses = [self._status(found) for found in self.found]
        return [(status, statuses.count(status)) for status in dict.fromkeys(sorted(statuses))]

    def sections(self) -> Iterator[Section]:
        """All that compares runs: leaderboards, learning curves, grids; then the list of all."""
        histories, faults = self._histories()
        several = len(self.found) > 1
        for board in self.boards if several else ():
            yield Section(board.title, [*board_blocks(board, self.anchors, self.limits.rows)])
            curves = [*board_curves(board, histories), *_without_curves(board, faults)]
            if curves:
                yield Section(f"Learning curves: {self._of(board)}", curves)
            for name, blocks in grid_blocks(board):
                yield Section(f"Settings of {text_of(name)}", blocks)
        yield Section("All runs" if several else "The run", [*self._list()])

    def _of(self, board: Board) -> str:
        """The data set, or all that the rows have in common where it has several boards."""
        same = [other for other in self.boards if other.group.dataset == board.group.dataset]
        return text_of(board.group.dataset) if len(same) == 1 else board.title

    def runs(self) -> Iterator[RunSections]:
        """The runs that are shown in full."""
        varying: dict[str, set[str]] = {}
        for variant in self.variants:
            varying.setdefault(variant.name, set()).update(variant.choice)
        for key in self.in_full:
            run = self._sound[key]
            yield run_sections(
                run.record, run.found.folder, self.anchors[key],
                sorted(varying[run.record.name]), self._load_data,
            )  # fmt: skip

    def charts(self) -> Iterator[tuple[str, Chart]]:
        """Every chart with the part of the report that it stands in."""
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
        """Show no more than so many runs in full."""
        self.in_full = self.in_full[:in_full]
        self.anchors = {key: self.anchors[key] for key in self.in_full}

    def _chosen(self) -> list[str]:
        """The runs to show in full: the best of each config first, then the others in order."""
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
        troubles = [found for found in shown if found.key not in self._sound]
        for found in troubles[:20]:
            yield Note(f"{text_of(_trouble(found, self._status(found)), 400)}.", "warning")
        if len(self.in_full) < len(self._sound):
            yield Note(
                f"{plural(len(self.in_full), 'run')} of {count(len(self._sound))} are shown in "
                "full below: the best of each config first, then others in the order of this "
                "list. `nnrun report NAME/ID` shows any other.",
                "warning",
            )

    def _row(self, found: Found, variant: StoredVariant | None) -> list[Cell]:
        status = self._status(found)
        sound = self._sound.get(found.key)
        name = Cell(text_of(found.key), link=self.anchors.get(found.key))
        if sound is None:
            blank = [Cell(MISSING)] * 5
            return [name, Cell(MISSING), Cell(status, kind=f"status {_class(status)}"), *blank]
        choice = " ".join(choice_words(variant.choice)) if variant else ""
        numbers = [Cell(number(value), value) for value in sound.score.metrics]
        return [
            name,
            Cell(text_of(choice) or MISSING),
            Cell(status, kind=f"status {_class(status)}"),
            Cell(str(sound.record.seed), sound.record.seed),
            Cell(text_of(sound.record.main_metric, 30)),
            *numbers,
        ]

    def _status(self, found: Found) -> str:
        """What a run is, as its folder has it."""
        if found.record is not None and found.key not in self._sound:
            return DAMAGED
        return text_of(found.overview.status, 20)


def _without_curves(board: Board, faults: Mapping[str, str]) -> Iterator[Block]:
    """The first run of a leaderboard whose curve is left out, and how many more there are."""
    records = (record for standing in board.standings for record in standing.variant.records)
    keys = (f"{record.name}/{record.run_id}" for record in records)
    first, *others = [key for key in keys if key in faults] or [""]
    if first:
        more = f" ({count(len(others))} more like it)" if others else ""
        yield Note(f"Without {text_of(first)}: {text_of(faults[first])}{more}.", "warning")


def _trouble(found: Found, status: str) -> str:
    """Why a run is in the list alone."""
    if status == DAMAGED:
        return damaged(found.key, found.overview.error or f"{REPORT} is not what nnrun writes")
    return f"{found.key}: {found.overview.error or _WHY.get(status, status)}"


def _class(status: str) -> str:
    return status if status.isalpha() else DAMAGED


def _checked(found: Found) -> _Sound | None:
    """The run, if its report holds what leaderboards and lists need."""
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
