"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from nnrun.characters import clean
from nnrun.reports.tables import Cell, Grid

# The character class comes first, so that texts without such characters are fast to check.
# An underscore within a word is no mark-up.
_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~&_](?:(?<!\w_)|(?!\w))")
# Starts a list, a rule or the underline of a heading, at the start of a line.
_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[-+=]))([.)+=-])(?=[\s=-]|$)")
# Many Markdown readers turn bare addresses into links: matches their first sign behind letters.
_LINK = re.compile(
    r"[:.](?:(?=//)(?:(?<=https:)|(?<=http:)|(?<=ftp:))|(?<=www\.)(?<!\wwww\.))", re.IGNORECASE
)


@lru_cache(maxsize=1024)  # reports of many runs share most of their texts
def escape(text: str) -> str:
    """Text on one line, escaped so that Markdown shows it unchanged, also within a table."""
    shown = _START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", clean(text)))
    return _LINK.sub(r"\\\g<0>", shown)


def sentence(text: str) -> str:
    """The text with a full stop; with a capital, too, unless it begins with a key or a run."""
    first = text.partition(" ")[0]
    key = "/" in first or ("." in first and first.endswith(":"))
    return f"{text[:1] if key else text[:1].upper()}{text[1:].rstrip('.')}."


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table; the first `texts` columns are left-aligned, the others right-aligned."""
    rule = [":--" if index < texts else "--:" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def grid_table(grid: Grid) -> str:
    """A table with its strong cells in bold."""
    rows = [[_cell(cell) for cell in row] for row in grid.rows]
    return table(grid.header, rows, grid.texts)


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return f"**{text}**" if cell.kind == "strong" and text else text


def code(text: str, language: str = "") -> str:
    """A block of code, with a fence longer than any row of backticks in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
