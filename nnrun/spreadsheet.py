"""Lines of CSV files, all of which are written here, and their cells in spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nnrun.characters import escaped

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
