"""Work of many runs: those of a sweep by its events, and the board that forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from math import inf, sqrt
from time import monotonic
from typing import TYPE_CHECKING, Any

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.settings import choice_of, choice_words, parts_apart, telling_first
from nnrun.reports.boards import incomplete
from nnrun.reports.live.work import LINES_EACH, Picture, RunAt, Work
from nnrun.reports.numbers import (
    MISSING,
    count,
    counted,
    duration,
    measured,
    number,
    plural,
    remaining,
)
from nnrun.reports.progress_words import names_of, sweep_line, telling
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summarize import score_of
from nnrun.runs.catalog.summary import QUEUED, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.sweeps.board.means import half_interval
from nnrun.sweeps.planning.plan import Comparable

if TYPE_CHECKING:
    from nnrun.sweeps.active_runs import SweepProgress
    from nnrun.sweeps.planning.plan import PlannedRun
    from nnrun.training.trainer import Progress


_TRUST = 3.0
_SHARE = 0.1


class Runs(Work):
    """The runs of a sweep: how many are done, those in progress, the time left, and the board.

    Args:
        total: the number of runs.
        part: goes before their count.
    """

    def __init__(self, total: int, part: str = "") -> None:
        super().__init__()
        self.total = total
        self.part = part
        self.begun = monotonic()
        self.trained = self.spared = 0.0  # estimated seconds: of runs that ended now, and before
        self.board = FormingRows()
        self.counts: SweepProgress | None = None
        self.most_running = 0  # the most runs that were in progress together

    def progressed(self, run: PlannedRun, progress: Progress) -> None:
        self._waiting = False
        super().progressed(run, progress)
        self.most_running = max(self.most_running, len(self.running))

    def ended(
        self, run: PlannedRun, record: RunRecord, counts: SweepProgress, *, trained: bool
    ) -> None:
        self.counts = counts
        self.board.add(run.variant, score_of(record, run.replicate))
        seconds = run.variant.estimate.seconds
        if trained:
            self.trained += seconds
        else:
            self.spared += seconds
        if trained and record.status == "completed":
            self._line(f"{run.label}: {_result(record)}", first=LINES_EACH)
        self.draw()

    def tick(self, counts: SweepProgress) -> None:
        self.counts = counts
        super().tick(counts)
        if not counts.ended:
            self._line("the first runs are not at their end yet")

    def _line(self, text: str, first: int = 0) -> None:
        counts = self.counts
        assert counts is not None, "it was given"
        done = f"[{self.part}{counted(counts.ended, self.total)}]"
        self.display.line(lambda: f"{done} {text}", first=first, last=not counts.missing)

    def picture(self, width: int) -> Picture:
        done = self.counts.ended if self.counts else 0
        running = [at for _, at in self.running.values()]
        begun = sum(at.share or 0.0 for at in running)
        share = (done + begun) / max(1, self.total)
        return Picture(self.figures(), share, running=running, board=self.board)

    def figures(self) -> str:
        """How many runs are done, how many of them have no result, and the time that is left."""
        done = self.counts.ended if self.counts else 0
        parts = [f"{self.part}{count(done)}/{count(self.total)} runs"]
        if self.counts:
            parts += incomplete(self.counts)
            # Between short runs there are moments without any; the progress of another sweep's runs
            # is not known.
            if (self.most_running or self.trained) and not self._waiting:
                parts.append(f"{remaining(self._left(self.counts))} left")
        return ", ".join(parts)

    def _left(self, counts: SweepProgress) -> float:
        """Seconds left: the plan's estimate, scaled by elapsed over estimated time so far.

        The first runs wait for their workers, so that their times say little: the ratio starts as
        if `_TRUST` seconds, or `_SHARE` of a short plan, had gone as estimated.
        """
        running = self.running.values()
        begun = sum(run.variant.estimate.seconds * (at.share or 0.0) for run, at in running)
        done: float = self.trained + begun
        together = self.most_running or 1  # very short runs are never seen in progress
        trust = min(_TRUST * together, _SHARE * counts.plan.seconds)
        pace = (monotonic() - self.begun + trust / together) / (done + trust)
        return pace * max(counts.plan.seconds - self.spared - done, 0.0)


def _result(record: RunRecord) -> str:
    splits = {split: values for split, values in record.metrics.items() if values}
    parts = [
        f"{split} {metric_label(record.main_metric)} {number(values.get(record.main_metric))}"
        for split, values in reversed(splits.items())
    ]
    warned = [plural(len(record.warnings), "warning")] * bool(record.warnings)
    return ", ".join([*(parts or [MISSING]), duration(record.timing["train_seconds"]), *warned])


@dataclass
class _Row:
    """Running mean and variance of a config (Welford, Technometrics 4, 1962)."""

    variant: Comparable
    overlap: float = 0.0
    ended: int = 0
    diverged: int = 0
    known: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, score: RunSummary, column: int) -> None:
        self.ended += 1
        self.diverged += score.status == "diverged"
        value = score.by_split[column]
        if value is not None and score.status == "completed":
            self.known += 1
            step = value - self.mean
            self.mean += step / self.known
            self.squares += step * (value - self.mean)

    @property
    def cost(self) -> tuple[bool, float]:
        """The sort key, best first, as on the leaderboard."""
        sign = -1 if self.variant.larger_is_better else 1
        return not self.known, sign * self.mean if self.known else inf

    @property
    def result(self) -> str:
        """The mean ± half of its 95% interval."""
        if self.known < 2:
            return number(self.mean) if self.known else MISSING
        sd = sqrt(self.squares / (self.known - 1))
        return measured(self.mean, half_interval(sd, self.known, self.overlap))

    @property
    def runs(self) -> str:
        """The numbers of ended, planned and diverged runs."""
        of = f"{count(self.ended)}/{count(self.variant.planned)}"
        return f"{of}, {count(self.diverged)} diverged" if self.diverged else of


class FormingRows:
    """Means over the seeds so far, by data set, best first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[int, _Row]] = {}

    def add(self, variant: Comparable, score: RunSummary) -> None:
        """Add a run that has ended."""
        split = next(split for split in ("validation", "test", "train") if split in variant.splits)
        rows = self._groups.setdefault(
            (variant.dataset, f"{split} {metric_label(variant.metric)}"), {}
        )
        row = rows.setdefault(variant.number, _Row(variant, variant.overlap.get(split, 0.0)))
        row.add(score, SPLITS.index(split))

    def __len__(self) -> int:
        """How many lines there are."""
        return sum(1 + len(rows) for rows in self._groups.values())

    def lines(self, most: int) -> Iterator[tuple[str, str, str]]:
        """The first lines; others are not put into words, as there may be many."""
        for (dataset, metric), rows in self._groups.items():
            if most <= 0:
                return
            names = {row.variant.name for row in rows.values()}
            alone = len(names) == 1 < len(rows)
            named = alone and dataset not in names
            yield clean(f"{names.pop()} on {dataset}" if named else dataset), metric, ""
            shown = nsmallest(most - 1, rows.values(), key=lambda row: row.cost)
            choices = parts_apart([row.variant.choice for row in shown])
            keys = telling_first(choices)
            for row, choice in zip(shown, choices, strict=True):
                first = {key: choice[key] for key in keys if key in choice}
                words = choice_words(first, keys)
                name = [] if alone and words else [row.variant.name]
                yield clean(" ".join([*name, *words])), row.result, row.runs
            most -= 1 + len(rows)


# Runs that any process trains, followed by their files.

_MOST_SWEEPS = 4
HINT = "q or Ctrl-C ends this view; the runs go on"
Choices = dict[tuple[str, str], Mapping[str, Any]]


@dataclass
class FollowedRuns:
    """What is known of followed runs.

    Args:
        runs: in progress.
        keys: the settings in which runs of each experiment differ.
        rows: of the experiments that have had some.
        ended: how many runs have ended since the view began.
        hint: how to end the view, if it goes on.
        sweeps: in progress.
        chosen: the settings that searches chose, by name and id of their runs.
        problems: which searches cannot be used.
    """

    runs: Sequence[RunSummary] = ()
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows: FormingRows = field(default_factory=FormingRows)
    ended: int = 0
    hint: str = ""
    sweeps: Sequence[SweepCounts] = ()
    chosen: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    problems: Sequence[str] = ()

    def picture(self) -> Picture:
        """Picture that a display draws."""
        choices = self._choices()
        running = telling(self.runs, self.sweeps)
        return Picture(
            self._counts(running),
            notes=[sweep_line(sweep) for sweep in self.sweeps[:_MOST_SWEEPS]],
            running=[self._at(run, choices) for run in running],
            board=self.rows,
            problems=self.problems,
            hint=self.hint,
        )

    def _at(self, run: RunSummary, choices: Choices) -> RunAt:
        at = RunAt(self.label(run, choices))
        if (now := run.progress) is not None:
            at.share, at.rate, at.left, at.losses = now.share, now.rate, now.left, now.losses
        return at

    def _counts(self, shown: Sequence[RunSummary]) -> str:
        of_sweeps = names_of(self.sweeps)
        counted = sum(sweep.running for sweep in self.sweeps)
        alone = sum(run.name not in of_sweeps for run in shown)
        running = alone + max(counted, len(shown) - alone)
        queued = sum(run.status == QUEUED for run in self.runs)
        parts = [f"{count(running)} running"]
        # Later ones have no folder yet; the lines of sweeps count them all.
        parts += [f"next {count(queued)} queued"] * (queued > 0 and not self.sweeps)
        parts += [f"{plural(self.ended, 'run')} ended since"] * bool(self.ended)
        is_any = self.runs or self.ended or self.sweeps
        return ", ".join(parts) if is_any else "no run is in progress"

    def label(self, run: RunSummary, choices: Choices | None = None) -> str:
        """The name where there are several, seed and fold, and the settings that differ."""
        words = choice_words((choices or self._choices())[run.name, run.run_id])
        several = len({run.name for run in self.runs}) > 1 or not words
        fold = [] if run.fold is None else [f"fold={run.fold}"]
        seed = run.run_id.partition("-")[0]
        return clean(" ".join([*([run.name] if several else []), seed, *fold, *words]))

    def _choices(self) -> Choices:
        """Settings that tell each run from the others of its name, by name and id."""
        by_name: dict[str, Choices] = {}
        for run in self.runs:
            keys = self.keys.get(run.name, ()) if run.settings else ()
            key = run.name, run.run_id
            choice = self.chosen.get(key) or choice_of(run.settings, keys)
            by_name.setdefault(run.name, {})[key] = choice
        return {
            key: parts
            for choices in by_name.values()
            for key, parts in zip(choices, parts_apart([*choices.values()]), strict=True)
        }


def state_line(run: RunSummary, status: str) -> str:
    """One run that has changed its state, where lines are not drawn again."""
    result = run.result
    value = "" if result is None else f": {result[0]} {run.metric} {number(result[1])}"
    error = f": {clean(run.error)}" if run.error else ""
    return f"{clean(run.label)} {status}{value or error}"
