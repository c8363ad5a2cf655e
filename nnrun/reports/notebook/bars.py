"""Bars of progress in notebooks.

They are plain HTML that IPython replaces in place. The bars of rich and tqdm there need ipywidgets
and its part for the browser: without it rich warns and tqdm prints text, and files exported from a
notebook show an empty widget.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from nnrun.characters import clean
from nnrun.reports.charts.svg import element
from nnrun.reports.live.work import Display, Output, Picture, run_words
from nnrun.reports.notebook.session import display

# Shorter work shows no bar.
_START_SECONDS = 0.5
_REFRESH_SECONDS = 0.2
_MOST_RUNNING = 8
_WIDTH = 100


class NotebookBar(Display):
    """A bar with a line of text, and a line for each run in progress."""

    def __init__(self, output: Output) -> None:
        super().__init__(output, _START_SECONDS)
        self._handle: Any = None

    def draw(self, picture: Callable[[int], Picture], *, at_once: bool = False) -> None:
        if monotonic() < self.next:
            return
        self.next = monotonic() + _REFRESH_SECONDS
        now = picture(_WIDTH)
        share = min(now.share or 0.0, 1.0)
        percent = f"{int(100 * share)}%"
        bar = element("progress", percent, value=f"{share:.4f}", max=1, style="width:12em")
        label = f"{clean(now.label)} " if now.label else ""
        line = element("div", label, bar, f" {percent}, {clean(now.figures)}")
        lines = (element("div", clean(run_words(run))) for run in now.running[:_MOST_RUNNING])
        self._show(element("div", line, *lines, style="font-variant-numeric:tabular-nums"))

    def close(self) -> None:
        if self._handle is not None:
            self._show("")

    def _show(self, html: str) -> None:
        shown = display().HTML(html)
        if self._handle is None:
            self._handle = display().display(shown, display_id=True)
        else:
            self._handle.update(shown)
