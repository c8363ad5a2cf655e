"""The progress of runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from math import isfinite, log
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Protocol

from nnrun.reports.numbers import count, counted, number, plural, remaining, sparkline
from nnrun.runs.events import Listener

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from nnrun.training.trainer import Progress

_REFRESH_SECONDS = 0.1
# Without a terminal: the first line after this time, then one at most every LINE_SECONDS.
_START_SECONDS = 1.0
LINE_SECONDS = 10.0
# The first of several runs have a line each, however short they are.
LINES_EACH = 20
_LABEL_WIDTH = 22
# Terminals print ^C at the cursor: at the end of a full line it would begin another one.
_ROOM = len("^C")
# Narrower terminals show the figures only.
_WIDE = 60 - _ROOM
# Wider terminals show the curve of the loss too.
_WIDEST = 79 - _ROOM
_CURVE_WIDTH = 12


class Output(Protocol):
    """Where progress is shown."""

    quiet: bool

    def note(self, text: str) -> None:
        """Write a line."""


class Bar(Protocol):
    """A bar with a label before it and figures behind it."""

    def is_due(self) -> bool:
        """Whether it is time to draw it again."""

    def draw(self, share: float, label: str, figures: str) -> None:
        """Draw it now."""


def console_of(stream: IO[str], width: int | None = None) -> Console:
    """A console that shows text as it is: names of runs and files are no markup."""
    from rich.console import Console  # noqa: PLC0415  # `--help` does without

    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def drawing_console() -> Console:
    """A console on stderr for lines that are drawn again, with room for a ^C behind them."""
    from rich.console import Console, ConsoleDimensions  # noqa: PLC0415  # terminals only

    class Drawing(Console):
        """Follows the size of the terminal."""

        @property  # type: ignore[misc]  # one that Console can set as well
        def size(self) -> ConsoleDimensions:
            width, height = super().size
            return ConsoleDimensions(max(1, width - _ROOM), height)

    return Drawing(file=sys.stderr, markup=False, highlight=False, emoji=False)


def draws(stream: IO[str]) -> bool:
    """Whether the stream is a terminal that can redraw lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def watching(label: str, output: Output) -> Iterator[Listener]:
    """Show the progress of a run; a bar is removed at the end."""
    if output.quiet:
        yield Listener()
    elif not draws(sys.stderr):
        yield _Lines(label, output)
    else:
        with closing(TerminalBar()) as bar:
            short = label if len(label) <= _LABEL_WIDTH else label[: _LABEL_WIDTH - 1] + "…"
            yield RunBar(short, bar, draws_curve=bar.console.width > _WIDEST)


@contextmanager
def watching_all(total: int, output: Output) -> Iterator[Callable[[str], None]]:
    """Show how many runs are done; call the yielded function with the label of each."""
    if output.quiet or total < 2 or not draws(sys.stderr):
        yield _Counted(total, output)
        return
    done = 0

    def advance(label: str) -> None:
        nonlocal done
        done += 1
        bar.draw(done / total, "", f"{count(done)} of {count(total)}: {label}")

    with closing(TerminalBar()) as bar:
        bar.draw(0.0, "", f"0 of {count(total)}")
        yield advance


@contextmanager
def watching_checks(output: Output) -> Iterator[Callable[[int], None]]:
    """Show how many settings are checked; call the yielded function after each, with how many there
    are.

    A terminal gets a bar where that takes more than a moment, a log nothing.
    """
    if output.quiet or not draws(sys.stderr):
        yield lambda total: None
        return
    done = 0

    def advance(total: int) -> None:
        nonlocal done
        done += 1
        if bar.is_due():
            figures = f"{count(done)} of {plural(total, 'setting')}"
            bar.draw(done / max(1, total), "checking", figures)

    with closing(TerminalBar(_START_SECONDS)) as bar:
        yield advance


class _Counted:
    """A line for each of the first LINES_EACH runs, then at most one every LINE_SECONDS."""

    def __init__(self, total: int, output: Output) -> None:
        self.total = total
        self.output = output
        self.done = 0
        self._next = 0.0

    def __call__(self, label: str) -> None:
        self.done += 1
        skipped = LINES_EACH < self.done < self.total and monotonic() < self._next
        if self.total > 1 and not skipped:
            self._next = monotonic() + LINE_SECONDS
            self.output.note(f"[{counted(self.done, self.total)}] {label}")


class _Pace:
    """Iterations per second since the first call, and seconds left."""

    def __init__(self) -> None:
        self.start: tuple[int, float] | None = None

    def __call__(self, progress: Progress) -> tuple[float, float]:
        now = monotonic()
        if self.start is None:
            self.start = (progress.iteration, now)
        done, seconds = progress.iteration - self.start[0], now - self.start[1]
        speed = done / seconds if seconds > 0 else 0.0
        return speed, (progress.total - progress.iteration) / speed if speed else float("inf")


class _Lines(Listener):
    """A line soon after the start and one now and then, so that log files show progress."""

    def __init__(self, label: str, output: Output) -> None:
        self.label = label
        self.output = output
        self.pace = _Pace()
        self.next = monotonic() + _START_SECONDS

    def progressed(self, run: Any, progress: Progress) -> None:
        speed, left = self.pace(progress)
        if monotonic() >= self.next:
            self.next = monotonic() + LINE_SECONDS
            if not speed:
                self.output.note(
                    f"{self.label}: training for {plural(progress.total, 'iteration')}"
                )
                return
            loss = "" if progress.loss is None else f"loss {number(progress.loss)}, "
            self.output.note(
                f"{self.label}: iteration {count(progress.iteration)} of {count(progress.total)}, "
                f"{count(round(speed))}/s, {loss}{remaining(left)} left"
            )


class RunFigures:
    """The figures beside a bar: speed, loss with its curve, and time left."""

    def __init__(self, *, draws_curve: bool) -> None:
        self.draws_curve = draws_curve
        self.losses: list[float] = []
        self._pace = _Pace()

    def __call__(self, progress: Progress) -> list[str]:
        speed, left = self._pace(progress)
        self._remember(progress.loss)
        figures = [f"{count(round(speed))}/s"]
        if progress.loss is not None:
            figures.append(f"loss {number(progress.loss)}{self._curve()}")
        if speed:
            figures.append(f"{remaining(left)} left")
        return figures

    def _remember(self, loss: float | None) -> None:
        """Keep the loss if it is new; it changes with each evaluation only."""
        if loss is not None and isfinite(loss) and self.losses[-1:] != [loss]:
            self.losses.append(loss)

    def _curve(self) -> str:
        if not self.draws_curve or len(self.losses) < 2:
            return ""
        logarithmic = min(self.losses) > 0 and max(self.losses) > 20 * min(self.losses)
        values = [log(loss) for loss in self.losses] if logarithmic else self.losses
        return f" {sparkline(values, _CURVE_WIDTH)}"


class RunBar(Listener):
    """The bar of a run, on a terminal or in a notebook."""

    def __init__(self, label: str, bar: Bar, *, draws_curve: bool = True) -> None:
        self._label = label
        self._bar = bar
        self._figures = RunFigures(draws_curve=draws_curve)

    def progressed(self, run: Any, progress: Progress) -> None:
        figures = self._figures(progress)
        if self._bar.is_due():
            share = progress.iteration / progress.total
            self._bar.draw(share, self._label, ", ".join(figures))


class TerminalBar:
    """A bar drawn by the loop that works, since a thread would disturb its timing.

    Args:
        delay: seconds in which it is not due.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self.console = drawing_console()
        self._next = monotonic() + delay
        self._live: Any = None

    def is_due(self) -> bool:
        """Whether it is time to draw it again."""
        return monotonic() >= self._next

    def draw(self, share: float, label: str, figures: str) -> None:
        """Draw it now."""
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  # terminals only
        from rich.table import Table  # noqa: PLC0415

        self._next = monotonic() + _REFRESH_SECONDS
        row = Table.grid(padding=(0, 1), pad_edge=False, expand=True)
        cells: list[Any] = [f"{100 * share:>3.0f}%", figures]
        if self.console.width >= _WIDE:
            row.add_column(no_wrap=True)
            row.add_column(ratio=1)
            cells = [label, ProgressBar(completed=100 * share), *cells]
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True)
        row.add_row(*cells)
        with suppress(OSError):  # work goes on if the terminal is closed
            if self._live is None:
                self._live = live_on(self.console)
                self._live.start()
            self._live.update(row, refresh=True)

    def close(self) -> None:
        """Remove it."""
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()


def live_on(console: Console, render: Callable[[], RenderableType] | None = None) -> Live:
    """What is drawn on a console when asked to, and is gone at the end."""
    from rich.live import Live  # noqa: PLC0415  # terminals only

    return Live(
        console=console,
        get_renderable=render,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
