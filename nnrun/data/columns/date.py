"""A column of dates: a feature for each part of them, or two for a part on a circle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar, Self

from nnrun.data.cells.dates import DateCells
from nnrun.data.cells.problems import Problems
from nnrun.data.columns.column import Column, text_of
from nnrun.data.columns.date_parts import CYCLIC, PARTS, date_parts, part_names
from nnrun.data.formats.dates import ISO_DATES, DateFormat
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Date(Column):
    """Parts of dates as numbers; those of missing dates are refused, or filled in by a statistic.

    Args:
        wanted: names of `PARTS`, and perhaps `cyclic`.
        statistic: `mean`, `median` or `most_frequent`, or empty.
        form: how dates are written.
        zoned: whether they have a time zone; None before a file is read.
    """

    kind: ClassVar[str] = "date"

    wanted: tuple[str, ...] = ()
    statistic: str = ""
    form: DateFormat = ISO_DATES
    zoned: bool | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{part}" for part in part_names(self.wanted))

    @property
    def imputed(self) -> Mapping[int, str]:
        return dict.fromkeys(range(self.width), self.statistic) if self.statistic else {}

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> DateCells:
        role, fills = "feature" if training else "input", bool(self.statistic)
        return DateCells(self.source, problems, self.form, role, fills=fills, zoned=self.zoned)

    def learned(self, cells: DateCells) -> Self:
        return replace(self, zoned=cells.zoned)

    def read_values(self, cells: DateCells, values: Array, decimal: str) -> None:
        if values.dtype.kind == "M":
            values = values.astype("datetime64[us]").astype(object)
        for row, value in enumerate(values.tolist()):
            text = text_of(value)
            if text and isinstance(value, date):
                cells.add_date(_as_datetime(value), text, row)
            else:
                cells.add(text, row)

    def encode(self, cells: DateCells) -> Array:
        return date_parts(cells.local, cells.instants, self.wanted)

    def choices(self) -> list[tuple[str, Array]]:
        return []

    def state(self) -> dict[str, Any]:
        statistic = {"statistic": self.statistic} if self.statistic else {}
        form = {"form": self.form.codes} if self.form.codes else {}
        zoned = {} if self.zoned is None else {"zoned": self.zoned}
        return {"wanted": list(self.wanted), **statistic, **form, **zoned}

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        wanted, form = tuple(state["wanted"]), DateFormat.restored(state.get("form", ""))
        if not {*wanted} <= {*PARTS, CYCLIC}:
            raise ValueError(f"dates have no parts {wanted}")
        return cls(name, wanted, state.get("statistic", ""), form, state.get("zoned"))


def _as_datetime(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
