"""Cells of CSV files that spreadsheets will open."""

from __future__ import annotations

from typing import Any

from nnrun.characters import escaped

# Starts of formulas, which may call programs and send data.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: Any) -> Any:
    """The value; text that a spreadsheet would run as a formula is quoted.

    Source: OWASP, "CSV Injection". Numbers stay numbers, the negative ones too.
    """
    if not isinstance(value, str):
        return value
    return f"'{escaped(value, '')}" if value.lstrip(" ").startswith(_FORMULA) else escaped(value)
