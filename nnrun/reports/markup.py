"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

# Each begins with the characters that it is about: where there are none, a text is passed quickly.
# An underscore within a word is no mark-up.
_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~&_](?:(?<!\w_)|(?!\w))")
# What starts a list, draws a rule or underlines a heading, at the start of a line.
_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[-+=]))([.)+=-])(?=[\s=-]|$)")
# What many readers of Markdown make a link of, though nothing marks it as one, at its first sign
# behind letters.
_LINK = re.compile(
    r"[:.](?:(?=//)(?:(?<=https:)|(?<=http:)|(?<=ftp:))|(?<=www\.)(?<!\wwww\.))", re.IGNORECASE
)


@lru_cache(maxsize=1024)  # reports of many runs have most of their texts in common
def escape(text: str) -> str:
    """Text on one line that is shown as it is: no mark-up, HTML or link, no end of a cell."""
    plain = text
    if not text.isprintable():
        plain = "".join(c if c.isprintable() else " " for c in text)
    shown = _START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", plain))
    return _LINK.sub(r"\\\g<0>", shown)


def sentence(text: str) -> str:
    """The text with a capital at its start and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table; the first `texts` columns to the left, the numbers after them to the right."""
    rule = [":--" if index < texts else "--:" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def code(text: str, language: str = "") -> str:
    """A block of code, fenced by more backticks than it holds in a row."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
