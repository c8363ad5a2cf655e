"""Places where work in progress is shown: a notebook, a terminal or a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from nnrun.reports.live.work import Log, Output, Work, session


def draws(stream: IO[str]) -> bool:
    """Whether the stream is a terminal that can redraw lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


W = TypeVar("W", bound=Work)


@contextmanager
def shown(work: W, output: Output) -> Iterator[W]:
    """Show work while it goes on, in a notebook, on a terminal or in a log."""
    if not output.quiet and session() == "notebook":
        from nnrun.reports.notebook_blocks import NotebookBar  # noqa: PLC0415  # notebooks only

        work.display = NotebookBar(output)
    elif not output.quiet and draws(sys.stderr):
        from nnrun.reports.terminal.live import Terminal  # noqa: PLC0415  # terminals only

        work.display = Terminal(output, work.delay)
    else:
        work.display = Log(output, work.quiet_start)
    try:
        yield work
    finally:
        work.display.close()
