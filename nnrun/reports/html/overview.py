"""The runs of a report at a glance: which there are, how much is shown, their list, their cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from math import isclose
from pathlib import Path
from typing import NamedTuple

from nnrun.characters import shortened
from nnrun.config.names import SPLITS, is_name
from nnrun.config.settings import setting_words
from nnrun.errors import UsageError
from nnrun.reports.document import PRUNED, Block, Cell, Grid, Note, StatusMark
from nnrun.reports.numbers import MISSING, count, difference, measured, number
from nnrun.reports.row_names import Names, names_of
from nnrun.reports.run_verdict import kind_words
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import is_run_folder, lies_in
from nnrun.runs.catalog.summarize import read_summary
from nnrun.runs.catalog.summary import COMPLETED, DAMAGED, FAULTY, QUEUED, RUNNING, RunSummary
from nnrun.runs.record import Replicate, RunRecord, by_seed
from nnrun.runs.severity import leading
from nnrun.runs.storage.reading import REPORT, damaged, read_run
from nnrun.sweeps.board.best import Searches, is_searched
from nnrun.sweeps.board.rows import Group, Row
from nnrun.sweeps.board.stored import Standing, StoredBoard, ordered_by
from nnrun.sweeps.named_runs import pick_run

ENDED = ("completed", "diverged", "stopped", "failed")
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


PRINTED = Limits(rows=60, runs=100, in_full=0, drawn=8, seeds=20)
"""For several runs on a few sheets of paper."""


class Found(NamedTuple):
    """A run's folder, as a path or as its text, and what is known of the run."""

    place: Path | str
    overview: RunSummary

    @property
    def entry(self) -> RunSummary | None:
        """What boards take of it; None if its report cannot be read."""
        return self.overview if self.overview.is_sound else None

    @property
    def folder(self) -> Path:
        """Made at its first use, since most runs never need it."""
        return Path(self.place)

    @property
    def key(self) -> str:
        """`name/run id`."""
        return self.overview.label

    @property
    def status(self) -> str:
        """How it ended or stands; `damaged` if its report is not valid."""
        ended = self.entry is None and self.overview.status in ENDED
        return DAMAGED if ended else shortened(self.overview.status, 20)

    @property
    def mark(self) -> StatusMark:
        """The status with its number of warnings."""
        return StatusMark.of(self.status, self.overview.warnings)

    @property
    def reason(self) -> str:
        """Why there is no more to show of it."""
        if self.status in FAULTY:
            return damaged(self.key, self.overview.error or f"{REPORT} is not what nnrun writes")
        return f"{self.key}: {self.overview.error or _WHY.get(self.status, self.status)}"

    def record(self) -> RunRecord | None:
        """Its report, read again; None where it has changed since it was listed."""
        run, entry = read_run(self.folder), self.entry
        record = None if run is None or run.problem else run.record
        if record is None or entry is None or record.run_id != entry.run_id:
            return None
        return replace(record, name=entry.name, main_metric=entry.metric or "")


def with_endings(runs: Iterable[Found], searches: Searches) -> list[Found]:
    """The runs, with a status of their own for those that a search ended early."""

    def ended(run: Found) -> Found:
        key = (run.overview.name, run.overview.run_id)
        if key not in searches.early or run.overview.status != "interrupted":
            return run
        return run._replace(overview=run.overview._replace(status=PRUNED))

    return [*map(ended, runs)] if searches.early else [*runs]


def kinds_of(runs: Iterable[Found]) -> Counter[str]:
    """How many runs there are with each kind of mark; most have the same status."""
    same: dict[tuple[object, ...], list[Found]] = {}
    for run in runs:
        status = run.entry is None, run.overview.status, run.overview.warnings
        same.setdefault(status, []).append(run)
    kinds: Counter[str] = Counter()
    for alike in same.values():
        kinds[alike[0].mark.kind] += len(alike)
    return kinds


def find_runs(words: tuple[str, ...], results: Path, order_by: str | None = None) -> list[Found]:
    """The selected runs, each once, by name and id, as this metric orders them.

    Raises:
        UsageError: there is none, or none has the metric.
    """
    if words:
        by_key = {run.key: run for word in words for run in _meant(word, results, order_by)}
        runs = _by_name_and_seed(by_key.values())
    elif not results.is_dir():
        raise UsageError(f"there is no results folder {results}; nnrun train and sweep make it")
    else:
        runs = runs_of(results, (), order_by)
        if not runs:
            raise UsageError(f"there is no run in {results}; nnrun train and sweep put them there")
    ordered_by((run.entry for run in runs if run.entry), order_by)
    return runs


def _by_name_and_seed(runs: Iterable[Found]) -> list[Found]:
    return sorted(runs, key=lambda run: (run.overview.name, by_seed(run.overview.run_id)))


def runs_of(results: Path, names: Iterable[str], order_by: str | None) -> list[Found]:
    """The runs of these experiments, by default of all in a results folder."""
    runs = look(results, names, boards=True, order_by=order_by)
    return _by_name_and_seed(Found(f"{results}/{run.label}", run) for run in runs)


def _meant(word: str, results: Path, order_by: str | None) -> Iterator[Found]:
    """The run that an argument names, or all runs in the folder that it names."""
    folder = Path(word)
    if is_name(word) and not folder.exists() and is_searched(results, word):
        folder = results / word  # a search is all of its runs
    if folder.is_dir() and not is_run_folder(folder):
        if is_name(folder.name) and lies_in(folder / "run", results):
            runs = runs_of(results, [folder.name], order_by)
        else:
            paths = sorted({*folder.glob("*"), *folder.glob("*/*")})
            runs = [
                run
                for path in paths
                if path.is_dir() and (run := _look(path, order_by)) is not None
            ]
        if runs:
            yield from runs
            return
    folder = pick_run(word, results)
    only = _look(folder, order_by, placed=lies_in(folder, results))
    if only is not None:
        yield only


def _look(folder: Path, order_by: str | None, *, placed: bool = False) -> Found | None:
    run = read_summary(folder, order_by, placed=placed)
    return None if run is None else Found(folder, run)


_MOST_REASONS = 20


@dataclass(frozen=True)
class Placed:
    """A run, by its `name/run id`, with its row on a board.

    `order` are the numbers of its board, of its row, and of itself within the row.
    """

    key: str
    order: tuple[int, int, int]
    board: StoredBoard
    standing: Standing
    names: Names

    @property
    def place(self) -> str:
        """The rank of its row; empty where none of its runs has completed."""
        rank = self.standing.row.rank
        return "" if rank is None else str(rank)

    @property
    def words(self) -> str:
        """`median of 5 seeds by test mse, whose mean is 9 ± 1; units=32 is better by 2 [1, 3]`.

        The place of a run in its row, and of the row beside the best of the others by the board's
        own comparison; empty where there are no others.
        """
        group, row, run_id = self.board.group, self.standing.row, self.key.rpartition("/")[2]
        column, sign = SPLITS.index(group.ordered_by), -1 if group.larger_is_better else 1
        ordered = sorted(
            (sign * value, run.replicate.order, run.run_id)
            for run in self.standing.scores
            if run.status == COMPLETED and (value := run.by_split[column]) is not None
        )
        ids, summary = [run_id for *_, run_id in ordered], row.summary(group.ordered_by)
        if run_id not in ids or summary is None:
            return ""
        parts, n, at = self._beside(group, row), len(ids), ids.index(run_id)
        if n > 1:
            # The median is the run that NAME/best means.
            place = {0: "best", n // 2: "median", n - 1: "last"}.get(at, f"number {at + 1}")
            of = f"{place} of {count(n)} {'runs' if group.folds else 'seeds'}"
            by = f"{group.ordered_by} {metric_label(group.metric)}"
            parts.insert(0, f"{of} by {by}, whose mean is {measured(summary.mean, summary.half)}")
        return "; ".join(parts)

    def _beside(self, group: Group, row: Row) -> list[str]:
        ranked = [other for other in group.rows if other.mean is not None]
        if row.difference is None or row.mean is None:
            return []
        other = ranked[1] if row is ranked[0] else ranked[0]
        name = self.names.of(other)
        if not isclose(row.mean - (other.mean or 0.0), row.difference, rel_tol=1e-9):
            name = "the best of the others"  # over common seeds, which may be another row
        ends = [row.difference_low, row.difference_high]
        if row.difference < 0:
            ends = [None if end is None else -end for end in reversed(ends)]
        by = difference(abs(row.difference), *ends, plus=False)
        if not row.tied:
            return [f"{name} is better by {by}"]
        if sum(each.tied for each in ranked) == 1:
            return [f"better than {name} by {by}"]
        is_better = (row.difference > 0) == group.larger_is_better
        return [f"no certain difference to {name}: {'better' if is_better else 'worse'} by {by}"]

    @property
    def settings(self) -> str:
        """Settings that the run's row has."""
        return shortened(setting_words(self.names.settings(self.standing.row)))


@dataclass(frozen=True)
class Head:
    """A run in one line, its closed card: the place of its row, its settings and seed, the metric
    that its board is ordered by, its first warning in a few words, and its id.
    """

    place: str
    title: str
    result: str
    problem: str
    name: str


def placed(boards: Sequence[StoredBoard], among: Collection[str] | None = None) -> Iterator[Placed]:
    """The runs on the boards, the best row first; with `among`, those with these keys alone."""
    for first, board in enumerate(boards):
        names = names_of(board.group)
        for second, standing in enumerate(board.standings):
            for third, run in enumerate(standing.variant.runs):
                key = run.key
                if among is None or key in among:
                    yield Placed(key, (first, second, third), board, standing, names)


def head_of(record: RunRecord, place: Placed | None, *, alone: bool) -> Head:
    """The closed card of a run; `alone` is whether all runs are of one experiment."""
    replicate = Replicate.of(record.config, record.seed)
    settings = "" if place is None else place.settings
    name = [] if alone and settings else [shortened(record.name, 60)]
    title = " ".join([*name, *([settings] if settings else []), replicate.words])
    kinds = [str(warning["kind"]) for warning in record.warnings]
    problem = kind_words(leading(kinds)) if kinds and record.status == "completed" else ""
    return Head(
        place="" if place is None else place.place,
        title=shortened(title, 240),
        result=_result(record, place),
        problem=shortened(problem, 80),
        name=shortened(record.run_id if alone else f"{record.name}/{record.run_id}"),
    )


def _result(record: RunRecord, place: Placed | None) -> str:
    split = "test" if place is None else place.board.group.ordered_by
    value = (record.metrics.get(split) or {}).get(record.main_metric)
    if record.status != "completed" or not isinstance(value, int | float):
        return ""
    return f"{split} {shortened(metric_label(record.main_metric), 30)} {number(value)}"


def list_blocks(
    sound: Mapping[str, Found],
    others: Sequence[Found],
    boards: Sequence[StoredBoard],
    loose: Sequence[str],
    anchors: Mapping[str, str],
    most: int,
) -> Iterator[Block]:
    """The table of all runs: those on boards by place, then the others.

    Args:
        sound: the runs with a readable report, by `name/run id`.
        others: those without.
        boards: that runs are on.
        loose: the keys of sound runs on no board.
        anchors: of runs with details on the page, by key.
        most: this many are listed.
    """
    listed = ((sound[place.key], place) for place in placed(boards))
    rest = ((run, None) for run in (*(sound[key] for key in loose), *others))
    rows = [_row(run, place, anchors) for run, place in islice(chain(listed, rest), most)]
    header = ["place", "run", "settings", "status", "seed", "metric", *SPLITS]
    empty = [k for k in range(len(header)) if all(row[k].text == MISSING for row in rows)]
    table = Grid("Runs", header, rows, texts=4, sortable=len(rows) > 1, heads=1, hidden=True)
    yield table.only([k for k in range(len(header)) if k < 4 or k not in empty])
    if left := len(sound) + len(others) - len(rows):
        yield Note(f"{count(left)} more runs are left out of this list.", "warning")
    for run in others[:_MOST_REASONS]:
        yield Note(f"{shortened(run.reason, 400)}.", "warning")


def _row(run: Found, place: Placed | None, anchors: Mapping[str, str]) -> list[Cell]:
    mark, sound = run.mark, run.entry
    status = Cell(mark.text, kind=f"status {mark.kind}")
    name = Cell(shortened(run.key), link=anchors.get(run.key))
    if sound is None:
        return [Cell(MISSING), name, Cell(MISSING), status, *[Cell(MISSING)] * 5]
    rank = None if place is None else place.standing.row.rank
    return [
        Cell((place.place if place else "") or MISSING, rank),
        name,
        Cell((place.settings if place else "") or MISSING),
        status,
        Cell(str(sound.seed), sound.seed),
        Cell(shortened(metric_label(sound.metric or ""), 30)),
        *(Cell(number(value), value) for value in sound.by_split),
    ]
