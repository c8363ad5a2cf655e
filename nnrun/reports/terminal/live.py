"""Pictures of work in progress on a terminal, drawn again as it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nnrun.characters import clean, escaped
from nnrun.reports.live.work import Board, Display, Output, Picture, RunAt, run_figures
from nnrun.reports.numbers import count

_REFRESH_SECONDS = 0.1
# Between two drawings goes this many times what one takes: a board of many rows takes long.
_REST = 10
_LABEL_WIDTH = 22
# Terminals print ^C at the cursor: at the end of a full line it would begin another one.
_ROOM = len("^C")
# Narrower terminals show the figures only, or have no rates of runs beside others.
_WIDE, _WIDEST = 58, 98
_BAR = 10
# Columns of a run's figures without a rate; its bar has what the label leaves.
_FIGURES = 48
_MOST_RUNNING = 12
_GAP = 2


class _Drawing(Console):
    """A console that follows the size of the terminal, with room for a ^C behind its lines."""

    @property  # type: ignore[misc]  # one that Console can set as well
    def size(self) -> ConsoleDimensions:
        width, height = super().size
        return ConsoleDimensions(max(1, width - _ROOM), height)


class Terminal(Display):
    """Draws pictures on stderr, and removes them at the end; lines are printed above.

    The loop that works draws, since a thread would disturb its timing.
    """

    def __init__(self, output: Output, delay: float = 0.0) -> None:
        super().__init__(output, delay)
        self.console = _Drawing(file=sys.stderr, markup=False, highlight=False, emoji=False)
        self.live = Live(
            console=self.console, auto_refresh=False, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._widest = 0

    def draw(self, picture: Callable[[int], Picture], *, at_once: bool = False) -> None:
        begun = monotonic()
        if not at_once and begun < self.next:
            return
        with suppress(OSError):  # a terminal that has hung up is no reason to stop work
            now = picture(self.console.width)
            # The figures keep their widest width, so that the bar does not change its length.
            self._widest = max(self._widest, cell_len(now.figures))
            if not self.live.is_started:
                self.live.start()
            self.live.update(Screen(now, self._widest), refresh=True)
        ended = monotonic()
        self.next = max(begun + _REFRESH_SECONDS, ended + _REST * (ended - begun))

    def note(self, text: str) -> None:
        if not self.output.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        if not self.live.is_started:
            self.output.error(text)
            return
        with suppress(OSError):
            self.console.print(escaped(text))

    def close(self) -> None:
        with suppress(OSError):
            self.live.stop()


class Screen:
    """A picture that fits its terminal: `widest` is the room of its figures behind a bar."""

    def __init__(self, picture: Picture, widest: int = 0) -> None:
        self.picture = picture
        self.widest = widest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, width, height = self.picture, options.max_width, options.size.height
        most = max(1, min(_MOST_RUNNING, height // 3))
        shown = now.running[:most]
        yield self._head(width)
        for note in now.notes:
            yield Text(clean(note), no_wrap=True, overflow="ellipsis")
        if shown:
            yield _running(shown, width)
        if len(shown) < len(now.running):
            yield Text(f"… {count(len(now.running) - len(shown))} more", "dim")
        if now.board is not None and len(now.board):
            # The bar, blank lines, and the line of the cursor need room as well.
            rest = height - len(shown) - len(now.notes) - (len(shown) < len(now.running)) - 3
            rest -= len(now.problems) + bool(now.hint)
            yield Text()
            yield table_of(now.board, rest if options.is_terminal else len(now.board), width)
        for problem in now.problems:
            yield Text(clean(problem), "yellow")
        if now.hint:
            yield Text(now.hint, "dim")

    def _head(self, width: int) -> RenderableType:
        now = self.picture
        if now.share is None:
            return Text(now.figures, "bold")
        row = Table.grid(padding=(0, 1), pad_edge=False, expand=True)
        cells: list[RenderableType] = [f"{100 * now.share:>3.0f}%", now.figures]
        if width >= _WIDE:
            if now.label:
                row.add_column(no_wrap=True)
                short = len(now.label) <= _LABEL_WIDTH
                label = now.label if short else now.label[: _LABEL_WIDTH - 1] + "…"
                cells.insert(0, label)
            row.add_column(ratio=1)
            cells.insert(-2, ProgressBar(completed=100 * now.share))
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True, min_width=min(self.widest, width) or None)
        row.add_row(*cells)
        return row


def _running(runs: Sequence[RunAt], width: int) -> RenderableType:
    """A line for each run: label, bar and figures."""
    table = Table.grid(padding=(0, _GAP, 0, 0), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    figures = [run_figures(run, rate=width >= _WIDEST) for run in runs]
    longest = max(cell_len(run.label) for run in runs)
    bars = [_BAR] if width >= longest + _GAP + _BAR + _FIGURES else []
    for _ in range(len(bars) + len(figures[0])):
        table.add_column(no_wrap=True)
    for run, texts in zip(runs, figures, strict=True):
        drawn = [ProgressBar(total=1.0, completed=run.share or 0.0, width=bar) for bar in bars]
        table.add_row(Text(escaped(run.label)), *drawn, *map(Text, texts))
    return table


def table_of(board: Board, most: int, width: int) -> RenderableType:
    """Table of this width, its lines at most `most`; the last line counts the rows left out."""
    shown = most if len(board) <= most else max(0, most - 1)
    lines = [*board.lines(shown)]
    table = Table.grid(padding=(0, _GAP, 0, 0))
    rest = [max(map(cell_len, column)) for column in [*zip(*lines, strict=True)][1:]]
    # The first column is cut to the remaining width.
    left = max(1, width - sum(wide + _GAP for wide in rest) - _GAP)
    for first, *others in lines:
        name = Text(first, "" if others[-1] else "bold")
        name.truncate(left, overflow="ellipsis")
        table.add_row(name, *(Text(other, no_wrap=True) for other in others))
    if len(lines) < len(board) and most > 0:
        table.add_row(Text(f"… {count(len(board) - len(lines))} more", "dim"))
    return table
