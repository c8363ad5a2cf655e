"""The runs that a report is about, by the words for them, and how much of them it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from nnrun.characters import shortened
from nnrun.config.names import is_name
from nnrun.errors import UsageError
from nnrun.reports.document import PRUNED, StatusMark
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import is_run_folder, lies_in
from nnrun.runs.catalog.summarize import read_summary
from nnrun.runs.catalog.summary import DAMAGED, FAULTY, QUEUED, RUNNING, RunSummary
from nnrun.runs.identity import by_seed
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.names import REPORT
from nnrun.runs.storage.reading import damaged, read_run
from nnrun.sweeps.board.from_store.searched import Searches, is_searched
from nnrun.sweeps.board.from_store.stored import ordered_by
from nnrun.sweeps.picking import pick_run

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
        if run is None or run.problem or run.record is None or entry is None:
            return None
        own = run.record.run_id == entry.run_id
        return replace(run.record, name=entry.name, main_metric=entry.metric or "") if own else None


def with_endings(runs: Iterable[Found], searches: Searches) -> list[Found]:
    """The runs, with a status of their own for those that a search ended early."""

    def ended(run: Found) -> Found:
        own = (run.overview.name, run.overview.run_id)
        if own not in searches.early or run.overview.status != "interrupted":
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
    for found in same.values():
        kinds[found[0].mark.kind] += len(found)
    return kinds


def find_runs(words: tuple[str, ...], results: Path, order_by: str | None = None) -> list[Found]:
    """The selected runs, each once, by name and id, as this metric orders them.

    Raises:
        UsageError: there is none, or none has the metric.
    """
    found = _found(words, results, order_by)
    ordered_by((one.entry for one in found if one.entry), order_by)
    return found


def _found(words: tuple[str, ...], results: Path, order_by: str | None) -> list[Found]:
    if not words:
        if not results.is_dir():
            raise UsageError(f"there is no results folder {results}; nnrun train and sweep make it")
        found = _inside(results, (), order_by)
        if not found:
            raise UsageError(f"there is no run in {results}; nnrun train and sweep put them there")
        return found
    by_key = {one.key: one for word in words for one in _meant(word, results, order_by)}
    return sorted(by_key.values(), key=_order)


def _order(found: Found) -> tuple[str, tuple[int, str]]:
    name, _, run_id = found.key.partition("/")
    return name, by_seed(run_id)


def _inside(results: Path, names: Iterable[str], order_by: str | None) -> list[Found]:
    """The runs of these experiments, by default of all in a results folder."""
    runs = look(results, names, boards=True, order_by=order_by)
    found = (Found(f"{results}/{run.label}", run) for run in runs)
    return sorted(found, key=lambda one: (one.overview.name, by_seed(one.overview.run_id)))


def _meant(word: str, results: Path, order_by: str | None) -> Iterator[Found]:
    """The run that an argument names, or all runs in the folder that it names."""
    folder = Path(word)
    if is_name(word) and not folder.exists() and is_searched(results, word):
        folder = results / word  # a search is all of its runs
    if folder.is_dir() and not is_run_folder(folder):
        if is_name(folder.name) and lies_in(folder / "run", results):
            found = _inside(results, [folder.name], order_by)
        else:
            paths = sorted({*folder.glob("*"), *folder.glob("*/*")})
            found = [
                one
                for path in paths
                if path.is_dir() and (one := _look(path, order_by)) is not None
            ]
        if found:
            yield from found
            return
    folder = pick_run(word, results)
    only = _look(folder, order_by, placed=lies_in(folder, results))
    if only is not None:
        yield only


def _look(folder: Path, order_by: str | None, *, placed: bool = False) -> Found | None:
    run = read_summary(folder, order_by, placed=placed)
    return None if run is None else Found(folder, run)
