"""Cells of CSV files that spreadsheets will open."""

from __future__ import annotations

from typing import Any

from nnrun.characters import escaped

# What a spreadsheet takes for the start of a formula, which may call programs and send data.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: Any) -> Any:
    """The value, or where it is text that would be obeyed, text that is only shown.

    Source: OWASP, "CSV Injection". Numbers stay numbers, the negative ones too.
    """
    if not isinstance(value, str):
        return value
    return f"'{escaped(value, '')}" if value.lstrip(" ").startswith(_FORMULA) else escaped(value)
