"""Bars of progress in notebooks.

They are plain HTML that IPython replaces in place. The bars of rich and tqdm there need ipywidgets
and its part for the browser: without it rich warns and tqdm prints text, and files exported from a
notebook show an empty widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from nnrun.characters import clean
from nnrun.reports.boards import incomplete
from nnrun.reports.charts.svg import element
from nnrun.reports.notebook.session import display
from nnrun.reports.numbers import count, plural, remaining
from nnrun.runs.events import Listener

if TYPE_CHECKING:
    from nnrun.runs.record import RunRecord
    from nnrun.sweeps.planning.plan import PlannedRun
    from nnrun.sweeps.progress import SweepProgress
    from nnrun.training.trainer import Progress

# Shorter work shows no bar.
_START_SECONDS = 0.5
_REFRESH_SECONDS = 0.2
_MOST_RUNNING = 8


class NotebookBar:
    """A bar with a line of text, and lines below; it is not seen before half a second."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._next = monotonic() + _START_SECONDS

    def is_due(self) -> bool:
        """Whether it is time to draw it again."""
        return monotonic() >= self._next

    def draw(self, share: float, label: str, figures: str, below: Sequence[str] = ()) -> None:
        """Draw it now."""
        self._next = monotonic() + _REFRESH_SECONDS
        percent = f"{int(100 * share)}%"
        bar = element("progress", percent, value=f"{share:.4f}", max=1, style="width:12em")
        line = element("div", f"{clean(label)} ", bar, f" {percent}, {clean(figures)}")
        lines = (element("div", clean(text)) for text in below)
        self._show(element("div", line, *lines, style="font-variant-numeric:tabular-nums"))

    def close(self) -> None:
        """Remove it."""
        if self._handle is not None:
            self._show("")

    def _show(self, html: str) -> None:
        shown = display().HTML(html)
        if self._handle is None:
            self._handle = display().display(shown, display_id=True)
        else:
            self._handle.update(shown)


class SweepBar(Listener):
    """The bar of a sweep of this many runs, with a line for each run in progress."""

    def __init__(self, runs: int) -> None:
        self._bar = NotebookBar()
        self._runs = runs
        self._begun = monotonic()
        self._running: dict[str, tuple[PlannedRun, Progress]] = {}

    def progressed(self, run: PlannedRun, progress: Progress) -> None:
        self._running[run.key] = run, progress

    def released(self, run: PlannedRun) -> None:
        self._running.pop(run.key, None)

    def ended(
        self, run: PlannedRun, record: RunRecord, progress: SweepProgress, *, trained: bool
    ) -> None:
        self.tick(progress)

    def tick(self, progress: SweepProgress) -> None:
        if not self._bar.is_due():
            return
        shares = {run.label: at.iteration / at.total for run, at in self._running.values()}
        trained = progress.trained + progress.failed + sum(shares.values())
        figures = [f"{count(progress.ended)} of {plural(self._runs, 'run')}", *incomplete(progress)]
        if trained:
            left = (self._runs - progress.ended - sum(shares.values())) / trained
            figures.append(f"{remaining(left * (monotonic() - self._begun))} left")
        below = [f"{label} {int(100 * share)}%" for label, share in shares.items()]
        share = (progress.ended + sum(shares.values())) / max(1, self._runs)
        self._bar.draw(min(share, 1.0), "", ", ".join(figures), below[:_MOST_RUNNING])

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
