"""Class labels: the classes, their order and their names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from nnrun.errors import DataError

MANY = 20

_CODE = re.compile(r"\s*[+-]?0[0-9]")


def number(text: str, decimal: str = ".") -> int | float | None:
    """The number that a text stands for (an int where it can be exact), or None if it is none.

    Whole numbers beyond what a float can be are infinite, as others of that size are. `decimal`
    stands before the decimals; after a comma there, a point makes it no number.
    """
    if "_" in text:  # Python reads 1_000 as a number; in data files it is text
        return None
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
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


def is_code(text: str) -> bool:
    """Whether it is made of digits, with a zero in front, as postal codes are."""
    return len(text) > 1 and text.startswith("0") and text.isdecimal()


def label_number(text: str, decimal: str = ".") -> int | float | None:
    """The number that a label stands for; None too for a code such as 007, which is not 7."""
    return None if _CODE.match(text) else number(text, decimal)


def all_numbers(texts: Iterable[str], decimal: str = ".") -> bool:
    """Whether every label stands for a number; NaN and infinities count as numbers."""
    return all(label_number(text, decimal) is not None for text in texts)


def canonical(text: str, decimal: str = ".") -> str:
    """One spelling for numbers of one value, `1` for `1.0` and `1e0`; other text as it is."""
    value = label_number(text, decimal)
    return text if value is None else str(value)


def ordered_classes(
    texts: Iterable[str], decimal: str = "."
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The classes in order, and the class that each text belongs to.

    If all labels are numbers, they are compared and sorted by value; else all are sorted as text.
    Among numbers, NaN and infinities raise a DataError.
    """
    texts = set(texts)
    if not all_numbers(texts, decimal):
        return tuple(sorted(texts)), {text: text for text in texts}
    values = {text: number(text, decimal) or 0 for text in texts}
    strange = sorted(text for text, value in values.items() if not math.isfinite(value))
    if strange:
        raise DataError(f"'{strange[0]}' is no class label among numbers")
    names = tuple(str(value) for value in sorted(set(values.values())))
    return names, {text: str(value) for text, value in values.items()}


def check_classes(classes: tuple[str, ...], rows: int, what: str) -> None:
    """Raise a DataError if there is a single class, or too many for this number of rows."""
    if len(classes) == 1:
        raise DataError(f"{what} has one class only, '{classes[0]}'; classification needs two")
    if len(classes) > max(MANY, rows / 2):
        raise DataError(
            f"{what} has {len(classes)} different values in {rows} rows, too many for classes; "
            "is it `task: regression`?"
        )
