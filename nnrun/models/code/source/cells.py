"""Cells of a CSV file as features: what `nnrun.data.columns.cells` does, a row at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from nnrun.data.columns.cell_errors import MISSING_LABELS, MISSING_NUMBERS
from nnrun.data.columns.date_formats import read_date
from nnrun.data.columns.number_formats import read_amounts

UNSEEN: dict[str, int] = {}
"""How many cells of each column had a category that training has not seen."""


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
    row: Mapping[str, str],
    name: str,
    known: Sequence[str],
    others: Sequence[str] = (),
    otherwise: int | None = None,
    decimal: str | None = None,
) -> int:
    """The place of a cell's category among the known ones; "" is that for missing values.

    All `others` have the place after the last one; any category that is neither is at `otherwise`,
    or a mistake. With `decimal`, categories are numbers: 7 and 7.0 are the same.
    """
    text = row[name].strip()
    if text not in known:
        if text.lower() in MISSING_LABELS:
            text = ""
        elif decimal is not None:
            text = one_spelling(text, decimal)
    if text in known:
        return known.index(text)
    if text in others:
        return len(known)
    if text == "":
        cell = row[name].strip()
        what = f"{cell!r} stands for a missing value" if cell else "the cell is blank"
        raise ValueError(f"{name}: {what}; training had no such rows")
    if otherwise is None:
        raise ValueError(f"{name}: {text!r} is none of the categories in training")
    UNSEEN[name] = UNSEEN.get(name, 0) + 1
    return otherwise


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


def without_words(
    row: Mapping[str, str], words: Mapping[str, Sequence[str | float | None]], decimal: str
) -> dict[str, str]:
    """The row with a blank where a word stands for a missing value, or a number of its value.

    The words under "" are those of every column; all are in lower case.
    """
    found = dict(row)
    for name, cell in row.items():
        text = cell.strip().lower()
        some = (*words.get("", ()), *words.get(name, ()))
        if text and (text in some or plain_number(text, decimal) in some):
            found[name] = ""
    return found


def plain_number(text: str, decimal: str) -> float | None:
    """The finite number that a text is; None if it is another text."""
    plain = text.replace(",", ".") if decimal == "," else text
    try:
        value = math.nan if "_" in text or (decimal == "," and "." in text) else float(plain)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def one_hot(place: int, width: int) -> list[float]:
    """1 at a place and 0 elsewhere."""
    return [float(index == place) for index in range(width)]


def amount(
    row: Mapping[str, str],
    name: str,
    forms: Sequence[tuple[str, str, str, str, str]],
    fills: bool = False,
) -> float:
    """The number in a cell that is written in groups or with a unit, by patterns and signs."""
    text = row[name].strip()
    if fills and text.lower() in MISSING_NUMBERS:
        return math.nan
    value = read_amounts(text, forms)
    if value is None or not math.isfinite(value):
        raise ValueError(f"{name}: {text!r} is not a number as in training")
    return value


def date(
    row: Mapping[str, str],
    name: str,
    patterns: Sequence[str],
    parts: Sequence[tuple[str, int, int]],
    fills: bool = False,
    zoned: bool | None = None,
) -> list[float]:
    """Parts of the date in a cell: each as a number, or by its first value and period as a sine
    and a cosine. Dates are written as a pattern says, or in ISO form if it is empty; all with a
    time zone, or all without.
    """
    text = row[name].strip()
    missing = fills and text.lower() in MISSING_NUMBERS
    time = datetime(2000, 1, 1) if missing else read_date(text, patterns)
    if time is None:
        raise ValueError(f"{name}: {text!r} is not a date as in training")
    if zoned is not None and not missing and (time.tzinfo is not None) != zoned:
        without = "without" if zoned else "with"
        raise ValueError(f"{name}: {text!r} is {without} a time zone, unlike those in training")
    features: list[float] = []
    for part, first, period in parts:
        value = date_part(time, part)
        angle = 2 * math.pi * (value - first) / (period or 1)
        circle = [round(math.sin(angle), 12), round(math.cos(angle), 12)]
        features += circle if period else [value]
    return [math.nan] * len(features) if missing else features


def date_part(time: datetime, part: str) -> float:
    """A part of a time as a number; days gone by count from 2000, in UTC."""
    if part == "elapsed":
        instant = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (instant - datetime(2000, 1, 1, tzinfo=UTC)) / timedelta(days=1)
    if part == "quarter":
        return (time.month + 2) // 3
    if part == "weekday":
        return time.weekday()
    value: int = time.timetuple().tm_yday if part == "dayofyear" else getattr(time, part)
    return value
