"""The progress of runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import isfinite, log
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Protocol

from nnrun.reports.numbers import count, counted, number, plural, remaining, sparkline
from nnrun.runs.events import Listener

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

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
        bar = _bar()
        try:
            yield _Live(label, bar)
        finally:
            with suppress(OSError):
                bar.stop()


@contextmanager
def watching_all(total: int, output: Output) -> Iterator[Callable[[str], None]]:
    """Show how many runs are done; call the yielded function with the label of each."""
    if output.quiet or total < 2 or not draws(sys.stderr):
        yield _Counted(total, output)
        return
    bar = _bar()
    task = bar.add_task("", total=total, figures=f"0 of {count(total)}")

    def advance(label: str) -> None:
        done = count(round(bar.tasks[task].completed) + 1)
        with suppress(OSError):  # work goes on if the terminal is closed
            bar.update(task, advance=1, figures=f"{done} of {count(total)}: {label}")
            bar.refresh()

    with suppress(OSError):
        bar.start()
    try:
        yield advance
    finally:
        with suppress(OSError):
            bar.stop()


@contextmanager
def watching_checks(output: Output) -> Iterator[Callable[[int], None]]:
    """Show how many settings are checked; call the yielded function after each, with how many there
    are.

    A terminal gets a bar where that takes more than a moment, a log nothing.
    """
    done, drawn = 0, monotonic() + _START_SECONDS - _REFRESH_SECONDS
    bar: Any = None

    def advance(total: int) -> None:
        nonlocal done, drawn, bar
        done += 1
        if monotonic() - drawn < _REFRESH_SECONDS:
            return
        drawn = monotonic()
        with suppress(OSError):  # work goes on if the terminal is closed
            if bar is None:
                bar = _bar()
                bar.add_task("checking", total=total, figures="")
                bar.start()
            figures = f"{count(done)} of {plural(total, 'setting')}"
            bar.update(bar.task_ids[0], completed=done, total=total, figures=figures)
            bar.refresh()

    if output.quiet or not draws(sys.stderr):
        yield lambda total: None
        return
    try:
        yield advance
    finally:
        if bar is not None:
            with suppress(OSError):
                bar.stop()


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


class _Live(Listener):
    """A bar drawn by the training loop itself, since a thread would disturb its timing."""

    def __init__(self, label: str, bar: Bar) -> None:
        self.bar = bar
        self.last = 0.0
        short = label if len(label) <= _LABEL_WIDTH else label[: _LABEL_WIDTH - 1] + "…"
        self.task = bar.add_task(short, total=None, figures="")
        self.figures = RunFigures(draws_curve=bar.console.width > _WIDEST)

    def progressed(self, run: Any, progress: Progress) -> None:
        figures = self.figures(progress)
        if monotonic() - self.last < _REFRESH_SECONDS:
            return
        self.last = monotonic()
        with suppress(OSError):  # work goes on if the terminal is closed
            self._draw(progress, ", ".join(figures))

    def _draw(self, progress: Progress, figures: str) -> None:
        self.bar.start()
        self.bar.update(
            self.task, completed=progress.iteration, total=progress.total, figures=figures
        )
        self.bar.refresh()


def _bar() -> Any:
    from rich.progress import (  # noqa: PLC0415  # terminals only
        BarColumn,
        Progress,
        ProgressColumn,
        TextColumn,
    )

    console = drawing_console()
    columns: list[ProgressColumn] = [
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[figures]}", markup=False),
    ]
    if console.width >= _WIDE:
        columns = [TextColumn("{task.description}", markup=False), BarColumn(None), *columns]
    return Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
