"""Cells of a CSV file as features: what `nnrun.data.cells` does for new rows, a row at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from nnrun.data.cells.cell_errors import MISSING_LABELS, MISSING_NUMBERS


def number(row: Mapping[str, str], name: str, decimal: str = ".", fills: bool = False) -> float:
    """The number in a cell; where training filled in missing ones, NaN for those."""
    text = row[name].strip()
    if fills and text.lower() in MISSING_NUMBERS:
        return math.nan
    plain = text.replace(",", ".") if decimal == "," else text
    try:
        value = math.nan if "_" in text or (decimal == "," and "." in text) else float(plain)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name}: {text!r} is not a number")
    return value


def category(
    row: Mapping[str, str], name: str, known: Sequence[str], decimal: str | None = None
) -> int:
    """The place of a cell's category among the known ones; "" is that for missing values.

    With `decimal`, categories are numbers, of which 7 and 7.0 are the same.
    """
    text = row[name].strip()
    if text not in known:
        if text.lower() in MISSING_LABELS:
            text = ""
        elif decimal is not None:
            text = one_spelling(text, decimal)
    if text not in known:
        raise ValueError(f"{name}: {text!r} is none of the categories in training")
    return known.index(text)


def one_spelling(text: str, decimal: str) -> str:
    """1 for 1.0 and 1e0; other text as it is, and codes such as 007."""
    plain = text.replace(",", ".") if decimal == "," else text
    if re.match("[+-]?0[0-9]", text) or "_" in text or (decimal == "," and "." in text):
        return text
    for kind in (int, float):
        try:
            value = kind(plain)
            return str(int(value)) if value == int(value) else str(value)
        except (ValueError, OverflowError):
            continue
    return text


def one_hot(place: int, width: int) -> list[float]:
    """1 at a place and 0 elsewhere."""
    return [float(index == place) for index in range(width)]
