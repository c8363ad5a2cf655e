"""Progress of a sweep: bars on a terminal, a line for each finished run elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from time import monotonic
from typing import TYPE_CHECKING

from nnrun.characters import escaped
from nnrun.cli.output import Output
from nnrun.cli.run_lines import DrawnRuns, RunLines, drawn_or_lines
from nnrun.reports.boards import incomplete
from nnrun.reports.numbers import MISSING, count, counted, duration, number, plural, remaining
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.live.progress import LINE_SECONDS
from nnrun.runs.catalog.summarize import score_of
from nnrun.runs.events import Listener

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nnrun.runs.record import RunRecord
    from nnrun.sweeps.planning.plan import PlannedRun
    from nnrun.sweeps.progress import SweepProgress
    from nnrun.training.trainer import Progress

# The most runs in progress to show; the leaderboard has the rest of the screen.
_MOST_LINES = 8
_TRUST = 3.0
_SHARE = 0.1


def watching_sweep(runs: int, output: Output, part: str = "") -> AbstractContextManager[Listener]:
    """Shows the progress of a sweep of `runs` runs; `part` goes before their count."""
    return drawn_or_lines(_View, _Lines, runs, output, part)


class _Lines(RunLines):
    """A line for each run that was trained, and for each problem."""

    def __init__(self, runs: int, output: Output, part: str = "") -> None:
        super().__init__(output)
        self.runs = runs
        self.part = part

    def ended(
        self, run: PlannedRun, record: RunRecord, progress: SweepProgress, *, trained: bool
    ) -> None:
        if trained and record.status == "completed":
            self._count(progress, f"{run.label}: {_result(record)}")

    def tick(self, progress: SweepProgress) -> None:
        super().tick(progress)
        self.next_line = self.next_line or monotonic() + LINE_SECONDS
        if progress.ended == 0 and monotonic() >= self.next_line:
            self._count(progress, "the first runs are not at their end yet")

    def _count(self, progress: SweepProgress, text: str) -> None:
        counts = f"[{self.part}{counted(progress.ended, self.runs)}]"
        self.line(f"{counts} {text}", last=not progress.missing)


class _View(DrawnRuns, _Lines):
    """A bar for the sweep, a line for each run in progress, and the leaderboard so far."""

    def __init__(self, runs: int, output: Output, part: str = "") -> None:
        from nnrun.reports.terminal.live.watching import FormingRows  # noqa: PLC0415  # terminals only

        super().__init__(runs, output, part)
        self.begun = monotonic()
        self.trained = self.spared = 0.0  # estimated seconds: of runs that ended now, and before
        self.rows = FormingRows()
        self.progress: SweepProgress | None = None
        self.running: dict[str, tuple[PlannedRun, Progress]] = {}
        self.most_running = 0  # the most runs that were in progress together
        self.waits = False  # for runs of another sweep, whose progress is unknown
        self.widest = 0

    def progressed(self, run: PlannedRun, progress: Progress) -> None:
        self.running[run.key] = (run, progress)
        self.most_running = max(self.most_running, len(self.running))
        self.waits = False
        self._draw()

    def ended(
        self, run: PlannedRun, record: RunRecord, progress: SweepProgress, *, trained: bool
    ) -> None:
        self.rows.add(run.variant, score_of(record, run.replicate))
        if trained:
            self.trained += run.variant.estimate.seconds
        else:
            self.spared += run.variant.estimate.seconds
        self.tick(progress)

    def released(self, run: PlannedRun) -> None:
        self.running.pop(run.key, None)

    def waiting(self, runs: int) -> None:
        self.waits = True
        super().waiting(runs)

    def tick(self, progress: SweepProgress) -> None:
        RunLines.tick(self, progress)
        self.progress = progress
        self._draw()

    def _render(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415  # terminals only
        from rich.text import Text  # noqa: PLC0415

        from nnrun.reports.terminal.live.watching import columns_of  # noqa: PLC0415

        done = self.progress.ended if self.progress else 0
        begun = sum(_share(progress) for _, progress in self.running.values())
        counts = self._counts(done)
        # The counts keep their widest width, so that the bar does not change its length.
        self.widest = max(self.widest, len(counts))
        overall = self._overall((done + begun) / max(1, self.runs), counts, self.widest)
        running = [_line(*each) for each in list(self.running.values())[:_MOST_LINES]]
        # The bar, a blank line, and the line of the cursor need room as well.
        rows = self.rows.table(self.console.height - len(running) - 3, self.console.width)
        lines = [columns_of(running, self.console.width)] if running else []
        return Group(overall, *lines, Text(), rows)

    def _counts(self, done: int) -> str:
        parts = [f"{self.part}{count(done)}/{count(self.runs)} runs"]
        if self.progress:
            parts += incomplete(self.progress)
            # Between short runs there are moments without any.
            if (self.most_running or self.trained) and not self.waits:
                parts.append(f"{remaining(self._left(self.progress))} left")
        return ", ".join(parts)

    def _left(self, progress: SweepProgress) -> float:
        """Seconds left: the plan's estimate, scaled by elapsed over estimated time so far.

        The first runs wait for their workers, so that their times say little: the ratio starts as
        if `_TRUST` seconds, or `_SHARE` of a short plan, had gone as estimated.
        """
        begun = sum(run.variant.estimate.seconds * _share(at) for run, at in self.running.values())
        done = self.trained + begun
        together = self.most_running or 1  # very short runs are never seen in progress
        trust = min(_TRUST * together, _SHARE * progress.plan.seconds)
        pace = (monotonic() - self.begun + trust / together) / (done + trust)
        return pace * max(progress.plan.seconds - self.spared - done, 0.0)


def _share(progress: Progress) -> float:
    return progress.iteration / progress.total


def _line(run: PlannedRun, progress: Progress) -> list[str]:
    speed = progress.iteration / progress.train_seconds if progress.train_seconds else 0.0
    return [
        escaped(run.label),
        f"{100 * progress.iteration // progress.total}%",
        f"{count(round(speed))}/s",
        f"loss {number(progress.loss)}",
    ]


def _result(record: RunRecord) -> str:
    splits = {split: values for split, values in record.metrics.items() if values}
    parts = [
        f"{split} {metric_label(record.main_metric)} {number(values.get(record.main_metric))}"
        for split, values in reversed(splits.items())
    ]
    warned = [plural(len(record.warnings), "warning")] * bool(record.warnings)
    return ", ".join([*(parts or [MISSING]), duration(record.timing["train_seconds"]), *warned])
