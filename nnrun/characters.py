"""Characters as terminals and spreadsheets take them: invisible ones, and cells of CSV files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# Characters that show nothing themselves, and change how all else is shown.
#
# Control characters steer terminals, those from U+0080 to U+009F as well as those below U+0020;
# bidi controls turn text around, so that it reads as something else than it is.

BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HIDDEN = re.compile(f"[\x7f-\x9f{BIDI}\u2028\u2029\ufeff]")


def escaped(text: str, kept: str = "\n\t") -> str:
    r"""Text in which everything that is not printable is written out, as `\x1b` or `\u202e`.

    Args:
        text: from wherever.
        kept: what stays as it is all the same.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)


def clean(text: str) -> str:
    """Text on one line: line ends, control and bidi characters become blanks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else " " for c in text)


def shortened(text: str, longest: int = 160) -> str:
    """The text on one line, cut and ended by an ellipsis where it is too long."""
    text = clean(text)
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def hidden_escaped(text: str) -> str:
    r"""Text whose escape sequences are wanted: only what no terminal needs is written out.

    In JSON, too, `\u202e` is another way to write the same.
    """
    if text.isascii() and "\x7f" not in text:
        return text
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


# Lines of CSV files, all of which are written here, and their cells in spreadsheets.

# Starts of formulas, which may call programs and send data.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# The separators that spreadsheets, pandas and nnrun guess; some readers skip blanks after one.
_SPLIT = re.compile(r'[",;|\t\r\n]|^\s')

_NOTHING = '""'


def cell(value: Any) -> Any:
    """The value; text that a spreadsheet would run as a formula is quoted.

    Source: OWASP, "CSV Injection". Numbers stay numbers, the negative ones too.
    """
    if not isinstance(value, str):
        return value
    return f"'{escaped(value, '')}" if value.lstrip(" ").startswith(_FORMULA) else escaped(value)


def quoted(text: str) -> str:
    """A cell of a CSV file, in quotes where some reader would take it for several, or cut it."""
    return '"{}"'.format(text.replace('"', '""')) if _SPLIT.search(text) else text


def csv_line(values: Iterable[Any]) -> str:
    """A row of a CSV file; None is an empty cell, and a row of nothing else is no blank line."""
    texts = (quoted(v) if isinstance(v, str) else "" if v is None else str(v) for v in values)
    return f"{','.join(texts) or _NOTHING}\n"
