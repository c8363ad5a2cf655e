"""The keys of `dataset` about dates and earlier rows, and about how columns are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator

from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import Integer, Listed, OneOf, Text
from nnrun.data.columns.date_parts import CYCLIC, PARTS, PERIODS
from nnrun.data.formats.dates import DateFormat
from nnrun.data.formats.numbers import NumberFormat
from nnrun.data.readers.formats import names_table

_LIKE_A_DATE = re.compile(r"%[a-zA-Z]|\d([-/.:])\d+\1\d|\d:\d")
CATEGORIES = ("categorical", "embedding", "target_mean")
"""The keys of `columns` that name columns of categories."""
PART_NAMES = (*PARTS, CYCLIC)
Dates = dict[
    str,
    Annotated[
        list[Annotated[str, OneOf(PART_NAMES, "a part of a date")]], Listed("parts of dates")
    ],
]
Steps = Annotated[list[Annotated[int, Integer(ge=1)]], Listed("numbers of rows")]


def _checked(text: str) -> str:
    """The example, if it shows the format of numbers or of dates."""
    if _fault(NumberFormat, text) and _fault(DateFormat, text):
        meant = DateFormat if _LIKE_A_DATE.search(text) else NumberFormat
        raise ConfigIssue(_fault(meant, text)).error()
    return text


def _fault(form: type[NumberFormat] | type[DateFormat], text: str) -> str:
    try:
        form.from_example(text)
    except ValueError as error:
        return str(error)
    return ""


Formats = dict[str, Annotated[str, Text(), AfterValidator(_checked)]]


class LagConfig(Block):
    """Values that a column has some rows earlier, in the order of time."""

    noun: ClassVar[str] = "lags"
    must_be: ClassVar[str] = "a list like [1, 24] or a mapping like {steps: [1, 24], group: shop}"

    steps: Steps
    """How many rows earlier; 24 is a day where rows are hours."""
    group: Annotated[str, Text()] | None = None
    """The column that says which series a row belongs to, if there are several, such as shops:
    rows are counted within each."""


def _listed(value: Any) -> Any:
    """A list, as a mapping."""
    return {"steps": value} if isinstance(value, list | tuple) else value


Lags = dict[
    str, Annotated[LagConfig, BeforeValidator(_listed, json_schema_input_type=LagConfig | Steps)]
]


def contradictions(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Mistakes in how these keys and others of a `dataset` block go together."""
    columns, split = (
        found if isinstance(found, dict) else {}
        for found in (data.get("columns"), data.get("split"))
    )
    dates, lags = (
        found if isinstance(found, dict) else {} for found in (data.get("dates"), data.get("lags"))
    )
    yield from _about_dates(dates, columns)
    yield from _about_formats(dates, columns, split)
    if lags and split.get("by") != "time":
        message = "earlier rows need an order: add `split: {by: time, column: …}`; a random split "
        message += "would train on what comes after the rows that are tested"
        yield ConfigIssue(message, ("lags",), "key")
    for name, lag in lags.items():
        steps = lag.get("steps") if isinstance(lag, dict) else lag
        if isinstance(steps, list) and len({*map(str, steps)}) < len(steps):
            yield ConfigIssue("a number of rows stands twice", ("lags", name))
    if not names_table(data):
        for key in ("dates", "lags"):
            if data.get(key):
                yield ConfigIssue(f"{key} are for tables only", (key,), "key")


def _about_dates(dates: dict[str, Any], columns: dict[str, Any]) -> Iterator[ConfigIssue]:
    taken = {"target": "is the target", "weight": "has the weights of rows"}
    listed = {**dict.fromkeys(CATEGORIES, "is categorical"), "drop": "is dropped"}
    for name, parts in dates.items():
        reasons = [why for key, why in taken.items() if columns.get(key) == name]
        lists = ((columns.get(key), why) for key, why in listed.items())
        reasons += [why for names, why in lists if isinstance(names, list | dict) and name in names]
        if reasons:
            yield ConfigIssue(
                f"'{name}' {reasons[0]}, so it has no parts of dates", ("dates", name), "key"
            )
        if isinstance(parts, list) and len({*map(str, parts)}) < len(parts):
            yield ConfigIssue("a part stands twice", ("dates", name))
        elif isinstance(parts, list) and _is_empty({*map(str, parts)}):
            message = f"'{CYCLIC}' is a way to take the others: add one of {', '.join(PERIODS)}"
            yield ConfigIssue(message, ("dates", name))


def _is_empty(parts: set[str]) -> bool:
    """Whether none of the parts is periodic; an unknown one may be."""
    return CYCLIC in parts and parts <= {*PART_NAMES} - {*PERIODS}


def _about_formats(
    dates: dict[str, Any], columns: dict[str, Any], split: dict[str, Any]
) -> Iterator[ConfigIssue]:
    formats = columns.get("formats")
    listed = [found for key in CATEGORIES if isinstance(found := columns.get(key), list | dict)]
    words = {name for names in listed for name in names if isinstance(name, str)}
    for name, example in formats.items() if isinstance(formats, dict) else ():
        if not isinstance(example, str):
            continue
        place = ("columns", "formats", name)
        timed = split.get("by") == "time" and split.get("column") == name
        if name in words:
            yield ConfigIssue(
                f"'{name}' is categorical: it is text, as the file writes it", place, "key"
            )
        elif name in dates or timed:
            if (fault := _fault(DateFormat, example)) and not _fault(NumberFormat, example):
                yield ConfigIssue(fault, place)
        elif _fault(NumberFormat, example) and not _fault(DateFormat, example):
            message = f"this is a date; dates: {{{name}: [month, weekday]}} makes features of dates"
            yield ConfigIssue(message, place)
