"""Comments at the ends of lines, in one column."""

from __future__ import annotations

from collections.abc import Iterable

_WIDEST = 50


def aligned(lines: Iterable[str]) -> str:
    """The lines as text; what follows a tab is a comment.

    Lines that are too wide for the column have their comment right behind them.
    """
    parts = [line.partition("\t") for line in lines]
    widths = [len(line) for line, tab, _ in parts if tab]
    column = max((width for width in widths if width <= _WIDEST), default=0)
    ends = (f"{line:{column}}  # {comment}" if tab else line for line, tab, comment in parts)
    return "\n".join(ends) + "\n"
