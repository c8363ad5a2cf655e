"""Class labels: the classes, their order and their names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from nnrun.errors import DataError

MANY = 20

_CODE = re.compile(r"\s*[+-]?0[0-9]")


def number(text: str) -> int | float | None:
    """The number that a text stands for (an int if it is whole), or None if it is not a number.

    Whole numbers beyond the range of floats are infinite, like others of that size.
    """
    if "_" in text:  # Python reads 1_000 as a number; in data files it is text
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return value
    try:
        return int(text)
    except ValueError:
        return int(value) if value.is_integer() else value


def label_number(text: str) -> int | float | None:
    """The number that a label stands for; None also for a code such as 007, which is not 7."""
    return None if _CODE.match(text) else number(text)


def all_numbers(texts: Iterable[str]) -> bool:
    """Whether every label stands for a number; NaN and infinities count as numbers."""
    return all(label_number(text) is not None for text in texts)


def canonical(text: str) -> str:
    """One text for all numbers of the same value: `1` for `1.0` and `1e0`; other text unchanged."""
    value = label_number(text)
    return text if value is None else str(value)


def ordered_classes(texts: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The classes in order, and the class of each text.

    If all labels are numbers, they are compared and sorted by value; else all are sorted as text.
    Among numbers, NaN and infinities raise a DataError.
    """
    texts = set(texts)
    if not all_numbers(texts):
        return tuple(sorted(texts)), {text: text for text in texts}
    values = {text: number(text) or 0 for text in texts}
    strange = sorted(text for text, value in values.items() if not math.isfinite(value))
    if strange:
        raise DataError(f"'{strange[0]}' is no class label among numbers")
    names = tuple(str(value) for value in sorted(set(values.values())))
    return names, {text: str(value) for text, value in values.items()}


def check_classes(classes: tuple[str, ...], rows: int, what: str) -> None:
    """Raise a DataError if there is a single class, or too many for this number of rows."""
    if len(classes) == 1:
        raise DataError(f"{what} has one class only, '{classes[0]}'; there is nothing to tell")
    if len(classes) > max(MANY, rows / 2):
        raise DataError(
            f"{what} has {len(classes)} different values in {rows} rows, too many for classes; "
            "is it `task: regression`?"
        )
