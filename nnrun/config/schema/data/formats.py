"""How columns of a CSV file are written: an example of a number or a date for each."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from nnrun.config.schema.base.block import ConfigIssue
from nnrun.config.schema.base.fields import Text
from nnrun.data.formats.dates import DateFormat
from nnrun.data.formats.numbers import NumberFormat

_LIKE_A_DATE = re.compile(r"%[a-zA-Z]|\d([-/.:])\d+\1\d|\d:\d")


def _checked(text: str) -> str:
    """The example, if it shows the format of numbers or of dates."""
    if fault_of(NumberFormat, text) and fault_of(DateFormat, text):
        raise ConfigIssue(fault_of(_meant(text), text)).error()
    return text


def _meant(text: str) -> type[NumberFormat] | type[DateFormat]:
    return DateFormat if _LIKE_A_DATE.search(text) else NumberFormat


def fault_of(form: type[NumberFormat] | type[DateFormat], text: str) -> str:
    """Why a text shows no format of this kind; empty if it shows one."""
    try:
        form.from_example(text)
    except ValueError as error:
        return str(error)
    return ""


Formats = dict[str, Annotated[str, Text(), AfterValidator(_checked)]]
