"""Values of Python and NumPy as cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.cells.part import Numbers, Texts
from nnrun.data.columns.column import text_of
from nnrun.errors import DataError, first_of


def text(value: Any) -> str:
    """The text of a value as a CSV file would have it; blank for a missing one."""
    if isinstance(value, datetime):
        if value != value:  # noqa: PLR0124 - NaT of pandas
            return ""
        at_midnight = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if at_midnight else value.isoformat()
    return value.isoformat() if isinstance(value, date) else text_of(value)


def has_times(values: Iterable[Any]) -> bool:
    """Whether some are dates whose text has a time of day."""
    return any(isinstance(value, datetime) and "T" in text(value) for value in values)


def cells_of(values: Sequence[Any], as_numbers: bool) -> Numbers | Texts:
    """A column of values of Python."""
    if not as_numbers:
        return Texts.of(map(text, values))
    numbers, odd = np.full(len(values), np.nan), dict[int, str]()
    for row, value in enumerate(values):
        number = _number(value)
        if math.isfinite(number):
            numbers[row] = number
        else:
            odd[row] = text(value)
    return Numbers(numbers, odd)


def _number(value: Any) -> float:
    """A finite number, or NaN."""
    if not isinstance(value, Real | np.bool_) and not hasattr(value, "as_tuple"):  # a Decimal
        return math.nan
    try:
        return float(value)
    except (OverflowError, ValueError):
        return math.nan


def cells_of_array(values: npt.NDArray[Any]) -> Numbers:
    """A column of numbers of NumPy."""
    numbers = values.astype(np.float64)
    odd = np.flatnonzero(~np.isfinite(numbers))
    return Numbers(numbers, {int(row): text_of(numbers[row]) for row in odd})


def checked_header(names: Iterable[Any], where: str) -> tuple[str, ...]:
    """The names of columns; raises a DataError for those without a name or with the same."""
    header = [str(name).strip() if name is not None else "" for name in names]
    problems = [
        f"{where}: column {number} has no name"
        for number, name in enumerate(header, 1)
        if not name or "\0" in name
    ]
    problems += [
        f"{where}:{escaped(name, kept='')}: {count} columns have this name"
        for name, count in Counter(header).items()
        if name and count > 1
    ]
    if not header:
        problems = [f"{where}: there are no columns"]
    if problems:
        raise DataError("\n".join(first_of(problems)))
    return tuple(header)
