"""What a sweep or a search shows while its runs train: lines, or a view that is drawn again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from nnrun.characters import escaped
from nnrun.cli.output import Output
from nnrun.reports.numbers import plural
from nnrun.reports.terminal.live.progress import (
    LINE_SECONDS,
    LINES_EACH,
    drawing_console,
    draws,
    live_on,
)
from nnrun.runs.events import Listener

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nnrun.sweeps.planning.plan import PlannedRun
    from nnrun.sweeps.progress import SweepProgress

_REFRESH_SECONDS = 0.1
# Between two drawings goes this many times what one takes: a board of many rows takes long.
_REST = 10


class RunLines(Listener):
    """A line for each problem, and for runs or trials that ended; none if the output is quiet."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.printed = 0
        self.next_line = 0.0
        self._waiting = False
        self._retried: dict[str, list[str]] = {}  # labels by reason, since the last tick

    @property
    def is_due(self) -> bool:
        """Whether a line is printed: no more than LINES_EACH were, or none in LINE_SECONDS."""
        return self.printed < LINES_EACH or monotonic() >= self.next_line

    def line(self, text: str, *, last: bool = False) -> None:
        """Print a line if it is due, or the last one."""
        if not (self.is_due or last):
            return
        self.printed += 1
        self.next_line = monotonic() + LINE_SECONDS
        self.output.note(text)

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._print(f"failed: {run.label}: {reason}")

    def retried(self, run: PlannedRun, reason: str) -> None:
        self._retried.setdefault(reason, []).append(run.label)

    def tick(self, progress: SweepProgress) -> None:
        for reason, (first, *others) in self._retried.items():
            more = f" (with {plural(len(others), 'other run')})" if others else ""
            self.warn(f"{first}: {reason}; trying again{more}")
        self._retried.clear()

    def waiting(self, runs: int) -> None:
        if not self._waiting:
            self._waiting = True
            self.warn(f"waiting for {plural(runs, 'run')} that another process is training")

    def stopping(self, runs: int) -> None:
        if runs:
            self.warn(f"stopping: waiting for {plural(runs, 'run')} in progress")

    def warn(self, text: str) -> None:
        if not self.output.quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        self.output.error(text)


class DrawnRuns(RunLines):
    """A view on a terminal, drawn again as things change; lines are printed above it."""

    def start(self) -> None:
        """Begin to draw."""
        self.next_drawing = monotonic() + _REFRESH_SECONDS
        self.console = drawing_console()
        self.live = live_on(self.console, self._render)
        self.live.start()

    def _print(self, text: str) -> None:
        with suppress(OSError):
            self.live.console.print(escaped(text))

    def _draw(self) -> None:
        begun = monotonic()
        if begun >= self.next_drawing:
            with suppress(OSError):  # a terminal that has hung up is no reason to stop work
                self.live.refresh()
            ended = monotonic()
            self.next_drawing = max(begun + _REFRESH_SECONDS, ended + _REST * (ended - begun))

    @staticmethod
    def _overall(share: float, counts: str, width: int | None = None) -> RenderableType:
        """The bar of all work, and counts in a column of at least this width."""
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  # terminals only
        from rich.table import Table  # noqa: PLC0415

        overall = Table.grid(padding=(0, 2, 0, 0), expand=True)
        overall.add_column(ratio=1)
        overall.add_column(no_wrap=True, min_width=width)
        overall.add_row(ProgressBar(completed=100 * share), counts)
        return overall

    def _render(self) -> RenderableType:
        raise NotImplementedError


L = TypeVar("L", bound=RunLines)
V = TypeVar("V", bound=DrawnRuns)


@contextmanager
def drawn_or_lines(
    drawn: Callable[..., V], lines: Callable[..., L], what: object, output: Output, *more: object
) -> Iterator[V | L]:
    """A view on terminals that can redraw, else lines; both are made of the same arguments."""
    if output.quiet or not draws(sys.stderr):
        yield lines(what, output, *more)
        return
    view = drawn(what, output, *more)
    view.start()
    try:
        yield view
    finally:
        with suppress(OSError):
            view.live.stop()
