"""Work in progress as data, and what shows it.

    events ─► Work (the state) ─► Picture (what it comes to now) ─► Display (draws it)

A `Work` is a listener that keeps what its events say. A terminal and a notebook draw its picture
again and again; a log gets a line now and then. A new kind of work gives a picture and lines, a new
display draws pictures: neither knows the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nnrun.reports.numbers import count, counted, number, plural, sparkline
from nnrun.reports.progress_words import pace_words
from nnrun.runs.events import Listener

if TYPE_CHECKING:
    from nnrun.training.trainer import Progress

# The first lines of a log are printed however short the time, then one at most every LINE_SECONDS.
LINES_EACH = 20
LINE_SECONDS = 10.0
_CURVE_WIDTH = 12
# Narrower displays have no curve of the loss.
_WIDEST = 77


class Output(Protocol):
    """Receiver of lines for the user; `quiet` is about notes alone."""

    quiet: bool

    def note(self, text: str) -> None:
        """Write a line, unless it is quiet."""

    def error(self, text: str) -> None:
        """Write a line about what went wrong."""


@dataclass
class RunAt:
    """A run in progress.

    Args:
        label: its name.
        share: of its iterations; None where it has none to count.
        rate: iterations per second since it was first seen; None where that is not known.
        left: seconds, likewise.
        losses: at the last evaluation, by split.
    """

    label: str
    share: float | None = None
    rate: float | None = None
    left: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    _first: tuple[int, float] | None = None
    _curve: list[float] = field(default_factory=list)

    def update(self, progress: Progress) -> None:
        """Take what the run says."""
        now = monotonic()
        self._first = self._first or (progress.iteration, now)
        done, seconds = progress.iteration - self._first[0], now - self._first[1]
        self.rate = done / seconds if done and seconds > 0 else None
        self.left = (progress.total - progress.iteration) / self.rate if self.rate else None
        self.share = progress.iteration / progress.total
        loss = progress.loss
        if loss is not None:
            validation = progress.history[-1].get("validation_loss") if progress.history else None
            others = {} if validation is None else {"validation": validation}
            self.losses = {"train": loss, **others}
            if isfinite(loss) and self._curve[-1:] != [loss]:  # it changes with evaluations only
                self._curve.append(loss)

    def curve(self) -> str:
        """The losses so far as a line of text."""
        if len(self._curve) < 2:
            return ""
        logarithmic = min(self._curve) > 0 and max(self._curve) > 20 * min(self._curve)
        return sparkline(
            [log(v) for v in self._curve] if logarithmic else self._curve, _CURVE_WIDTH
        )


class Board(Protocol):
    """Rows of results so far, best first, for a table of three columns."""

    def __len__(self) -> int: ...

    def lines(self, most: int) -> Iterator[tuple[str, str, str]]:
        """The first ones; a heading has no third column."""


@dataclass
class Picture:
    """What work has come to at one moment.

    Args:
        figures: how far it is, in words.
        share: for a bar; None for no bar.
        label: before the bar.
        notes: lines below.
        running: runs in progress.
        board: results so far.
        problems: what a user should know.
        hint: how to end the view.
    """

    figures: str
    share: float | None = None
    label: str = ""
    notes: Sequence[str] = ()
    running: Sequence[RunAt] = ()
    board: Board | None = None
    problems: Sequence[str] = ()
    hint: str = ""


class Display:
    """Shows notes and errors, and neither pictures nor lines.

    Args:
        output: for lines.
        delay: seconds before the first drawing, or the first line.
    """

    def __init__(self, output: Output, delay: float = 0.0) -> None:
        self.output = output
        self.next = monotonic() + delay

    def draw(self, picture: Callable[[int], Picture], *, at_once: bool = False) -> None:
        """Draw the picture of this width, if it is time to."""

    def line(self, text: Callable[[], str], *, first: int = 0, last: bool = False) -> None:
        """Print a line in a log if it is one of the `first`, the last, or due."""

    def note(self, text: str) -> None:
        """Print a sentence for the user."""
        self.output.note(text)

    def error(self, text: str) -> None:
        """Print what went wrong, also where notes are not wanted."""
        self.output.error(text)

    def close(self) -> None:
        """Remove what is drawn."""


class Log(Display):
    """Prints a line now and then."""

    def __init__(self, output: Output, delay: float = 0.0) -> None:
        super().__init__(output, delay)
        self._printed = 0

    def line(self, text: Callable[[], str], *, first: int = 0, last: bool = False) -> None:
        if not self.output.quiet and (last or self._printed < first or monotonic() >= self.next):
            self._printed += 1
            self.next = monotonic() + LINE_SECONDS
            self.output.note(text())


class Work(Listener):
    """Work in progress; its problems are printed as they happen."""

    # Seconds before the first drawing, and before the first line that is not of a run's end.
    delay = 0.1
    quiet_start = LINE_SECONDS

    def __init__(self) -> None:
        self.display: Display = Display(_Nowhere())
        self.running: dict[str, tuple[Any, RunAt]] = {}
        self._waiting = False
        self._retried: dict[str, list[str]] = {}  # labels by reason, since the last tick

    def picture(self, width: int) -> Picture:
        """What it has come to, for so many columns."""
        raise NotImplementedError

    def draw(self, *, at_once: bool = False) -> None:
        """Draw it if that is due."""
        self.display.draw(self.picture, at_once=at_once)

    def progressed(self, run: Any, progress: Progress) -> None:
        self.running.setdefault(run.key, (run, RunAt(run.label)))[1].update(progress)
        self.draw()

    def released(self, run: Any) -> None:
        self.running.pop(run.key, None)

    def failed(self, run: Any, reason: str) -> None:
        self.display.error(f"failed: {run.label}: {reason}")

    def retried(self, run: Any, reason: str) -> None:
        self._retried.setdefault(reason, []).append(run.label)

    def tick(self, counts: Any) -> None:
        for reason, (first, *others) in self._retried.items():
            more = f" (with {plural(len(others), 'other run')})" if others else ""
            self.warn(f"{first}: {reason}; trying again{more}")
        self._retried.clear()
        self.draw()

    def waiting(self, runs: int) -> None:
        if not self._waiting:
            self._waiting = True
            self.warn(f"waiting for {plural(runs, 'run')} that another process is training")

    def stopping(self, runs: int) -> None:
        if runs:
            self.warn(f"stopping: waiting for {plural(runs, 'run')} in progress")

    def warn(self, text: str) -> None:
        self.display.note(text)


class OneRun(Work):
    """A run by itself: speed, loss with its curve, and time left."""

    quiet_start = 1.0

    def __init__(self, label: str) -> None:
        super().__init__()
        self.at = RunAt(label)

    def progressed(self, run: Any, progress: Progress) -> None:
        self.at.update(progress)
        self.display.line(lambda: self._line(progress))
        self.draw()

    def picture(self, width: int) -> Picture:
        at = self.at
        curve = f" {at.curve()}" if width > _WIDEST and at.curve() else ""
        loss = f"loss {number(at.losses['train'])}{curve}" if at.losses else ""
        rate, left = pace_words(at.rate or 0.0, at.left)
        return Picture(", ".join(filter(None, [rate, loss, left])), at.share, at.label)

    def _line(self, progress: Progress) -> str:
        at = self.at
        if at.rate is None or at.left is None:
            return f"{at.label}: training for {plural(progress.total, 'iteration')}"
        loss = f"loss {number(at.losses['train'])}" if at.losses else ""
        rate, left = pace_words(at.rate, at.left)
        where = f"iteration {count(progress.iteration)} of {count(progress.total)}"
        return f"{at.label}: {', '.join(filter(None, [where, rate, loss, left]))}"


class Steps(Work):
    """Steps that are counted, such as runs that are verified; call it with the label of each."""

    delay = 0.0

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total = total
        self.done = 0
        self._label = ""

    def __call__(self, label: str) -> None:
        self.done += 1
        self._label = f": {label}"
        if self.total > 1:
            counts = f"[{counted(self.done, self.total)}]"
            last = self.done == self.total
            self.display.line(lambda: f"{counts} {label}", first=LINES_EACH, last=last)
            self.draw(at_once=True)  # each takes long

    def picture(self, width: int) -> Picture:
        figures = f"{count(self.done)} of {count(self.total)}{self._label}"
        return Picture(figures, self.done / self.total)


class Checks(Work):
    """Settings that are checked; call it after each with how many there are. A log has no line."""

    delay = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.total = self.done = 0

    def __call__(self, total: int) -> None:
        self.total = total
        self.done += 1
        self.draw()

    def picture(self, width: int) -> Picture:
        figures = f"{count(self.done)} of {plural(self.total, 'setting')}"
        return Picture(figures, self.done / max(1, self.total), "checking")


class _Nowhere:
    """Drops lines."""

    quiet = True

    def note(self, text: str) -> None:
        pass

    def error(self, text: str) -> None:
        pass


def run_figures(run: RunAt, *, rate: bool) -> list[str]:
    """Share, rate, losses and time left of a run, for columns; empty where they are not known."""
    losses = [
        f"{word} {number(run.losses[split])}" if split in run.losses else ""
        for split, word in (("train", "loss"), ("validation", "val"))
    ]
    share = "" if run.share is None else f"{int(100 * run.share)}%"
    pace, left = pace_words(run.rate, run.left)
    return [share, *([pace] if rate else []), *losses, left]


def run_words(run: RunAt) -> str:
    """`iris seed=3 43%, 400/s, loss 0.31, 10 s left`."""
    return f"{run.label} {', '.join(filter(None, run_figures(run, rate=True)))}"


# The IPython session that this process is, if it is one.

Session = Literal["notebook", "terminal", "none"]


def session() -> Session:
    """A notebook, of Jupyter, VS Code or Colab; the terminal of `ipython`; or none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else getattr(ipython, "get_ipython", lambda: None)()
    if shell is None:
        return "none"
    return "notebook" if getattr(shell, "kernel", None) is not None else "terminal"


def display() -> Any:
    """The module by which a notebook shows HTML."""
    from IPython import display as module  # noqa: PLC0415  # notebooks only

    return module
