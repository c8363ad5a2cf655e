"""The kinds of columns, as a config names them; dates and earlier rows as features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.categories import Embedding, OneHot, TargetMean
from nnrun.data.columns.cell_errors import Problems
from nnrun.data.columns.cells import DateCells, NumberCells
from nnrun.data.columns.column import Column, Number, text_of
from nnrun.data.columns.date_formats import ISO_DATES, DateFormat
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.protocols import ColumnSettings, DatasetSettings, LagSettings
from nnrun.errors import DataError
from nnrun.nn.signature import Array

# Parts of dates as numbers: year, month, hour, …, the days gone by, and positions on a circle.

Times = npt.NDArray[Any]
"""Times as datetime64[us]; NaT where one is missing."""

CYCLIC = "cyclic"
"""Among the parts: periodic ones become a sine and a cosine."""
EPOCH = "2000-01-01"
"""From here on `elapsed` counts days; fixed, so that no row decides it."""
_EPOCH = np.datetime64(EPOCH, "us")
_DAY = np.timedelta64(1, "D")


def _within(times: Times, unit: str, of: str) -> Array:
    """How many whole units a time is into its year, month, day or hour."""
    found: Array = times.astype(f"M8[{unit}]") - times.astype(f"M8[{of}]")
    return found.astype(np.int64)


PARTS: dict[str, Callable[[Times], Array]] = {
    "year": lambda times: times.astype("M8[Y]").astype(np.int64) + 1970,
    "quarter": lambda times: _within(times, "M", "Y") // 3 + 1,
    "month": lambda times: _within(times, "M", "Y") + 1,
    "day": lambda times: _within(times, "D", "M") + 1,
    "dayofyear": lambda times: _within(times, "D", "Y") + 1,
    "weekday": lambda times: (times.astype("M8[D]").astype(np.int64) + 3) % 7,
    "hour": lambda times: _within(times, "h", "D"),
    "minute": lambda times: _within(times, "m", "h"),
    "elapsed": lambda times: (times - _EPOCH) / _DAY,
}
"""Each part of times without NaT; weekdays count from Monday, 0."""
PERIODS = {
    "quarter": (1, 4),
    "month": (1, 12),
    "day": (1, 31),
    "dayofyear": (1, 366),
    "weekday": (0, 7),
    "hour": (0, 24),
    "minute": (0, 60),
}
"""The first value of each periodic part, and how many there are."""


def part_names(parts: Sequence[str]) -> list[str]:
    """The names of the features: those of the parts, or `month_sin` and `month_cos`."""
    names: list[str] = []
    for part in parts:
        if part != CYCLIC:
            on_circle = CYCLIC in parts and part in PERIODS
            names += [f"{part}_sin", f"{part}_cos"] if on_circle else [part]
    return names


def date_parts(local: Times, instants: Times, parts: Sequence[str]) -> Array:
    """The parts of times as features: (rows, features), NaN where a time is missing.

    Args:
        local: the times as they are written, on the clock of their time zone.
        instants: the same in UTC, for `elapsed`.
        parts: names of `PARTS`, in order, and perhaps `cyclic`.
    """
    missing = np.isnat(local)
    columns: list[Array] = [np.empty((len(local), 0))]
    for part in parts:
        if part == CYCLIC:
            continue
        times = np.where(missing, _EPOCH, instants if part == "elapsed" else local)
        values = PARTS[part](times)
        columns.append(
            _circle(*PERIODS[part])[values - PERIODS[part][0]]
            if CYCLIC in parts and part in PERIODS
            else values[:, None].astype(np.float64)
        )
    features = np.hstack(columns)
    features[missing] = np.nan
    return features


def _circle(_: int, count: int) -> Array:
    """Sine and cosine of each value of a periodic part.

    To 12 decimals: the last bits of these functions differ between processors and systems.
    """
    angles = [2 * math.pi * place / count for place in range(count)]
    return np.array([(round(math.sin(a), 12), round(math.cos(a), 12)) for a in angles]) + 0.0


# A column of dates: a feature for each part of them, or two for a part on a circle.


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
        form = {} if self.form.is_iso else {"form": self.form.stored()}
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


# Values of earlier rows as features: what a column had some rows before, in the order of time.


@dataclass(frozen=True)
class Lag(Column):
    """A column of numbers at earlier rows; rows that have too few before them are left out.

    Its cells are read with those of all rows by `History`, which makes the features.

    Args:
        name: `load.lag` for the column `load`.
        of: that column.
        steps: how many rows earlier.
        time: the column of the times of rows.
        group: the column of the groups, each of which has rows of its own; or empty.
        form: how the numbers are written, if not plainly.
        time_form: how the times are written, if they are dates.
    """

    kind: ClassVar[str] = "lag"

    of: str = ""
    steps: tuple[int, ...] = ()
    time: str = ""
    group: str = ""
    form: NumberFormat | None = None
    time_form: DateFormat = ISO_DATES

    @property
    def source(self) -> str:
        return self.of

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.of}.lag_{step}" for step in self.steps)

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> NumberCells:
        role = "lag" if training else "input"
        return NumberCells(self.of, problems, role, fills=True, decimal=decimal, form=self.form)

    def read_values(self, cells: NumberCells, values: Array, decimal: str) -> None:
        raise DataError(
            f"the network takes earlier values of '{self.of}', which `nnrun predict` finds in a "
            f"file; here, give an array with {', '.join(self.feature_names)} among its columns"
        )

    def encode(self, cells: NumberCells) -> Array:
        raise TypeError(f"the lags of '{self.of}' are made by a History")

    def choices(self) -> list[tuple[str, Array]]:
        return []

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {"of": self.of, "steps": list(self.steps), "time": self.time}
        found |= {"group": self.group} if self.group else {}
        found |= {"form": self.form.stored()} if self.form else {}
        return found | ({} if self.time_form.is_iso else {"time_form": self.time_form.stored()})

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        form = state.get("form")
        steps = tuple(int(step) for step in state["steps"])
        if min(steps) < 1:
            raise ValueError(f"there are no {min(steps)} earlier rows")
        changed = {
            "steps": steps,
            "form": form and NumberFormat.from_example(form),
            "time_form": DateFormat.restored(state.get("time_form", "")),
        }
        return cls(name, **state | changed)


class EqualTimes(ValueError):  # noqa: N818  # named as the other errors are
    """Two rows of one time, so that neither is earlier; `rows` are their indices."""

    def __init__(self, first: int, second: int) -> None:
        self.rows = first, second
        super().__init__(f"rows {first} and {second} have the same time")


def lagged(
    values: Array,
    times: npt.NDArray[Any],
    steps: Sequence[int],
    groups: npt.NDArray[Any] | None = None,
) -> Array:
    """Values of the rows this many steps before each row; NaN if there are none.

    Args:
        values: (rows,), in any order; NaN where one is not known.
        times: of each row; all of one group differ.
        steps: how many rows earlier, 1 or more, in the order of time.
        groups: of each row, a number; rows of other groups are not counted.

    Returns: (rows, steps).
    Raises: EqualTimes.
    """
    if groups is None:
        groups = np.zeros(len(values), np.intp)
    order = np.lexsort((times, groups))
    times, groups = times[order], groups[order]
    equal = (times[1:] == times[:-1]) & (groups[1:] == groups[:-1])
    if equal.any():
        place = int(equal.argmax())
        raise EqualTimes(*sorted(order[place : place + 2].tolist()))
    found = np.full((len(values), len(steps)), np.nan)
    for column, step in enumerate(steps):
        same = groups[step:] == groups[:-step]
        found[order[step:][same], column] = values[order[:-step][same]]
    return found


KINDS: dict[str, type[Column]] = {
    kind.kind: kind for kind in (Number, OneHot, Embedding, TargetMean, Date, Lag)
}


def to_json(column: Column) -> Any:
    """The column as JSON; a number with nothing to add is its name."""
    state = column.state()
    if column.kind == Number.kind and not state:
        return column.name
    return {"kind": column.kind, "name": column.name, **state}


def from_json(stored: Any) -> Column:
    """The column that `to_json` described."""
    if not isinstance(stored, Mapping):
        return Number(stored)
    state = {key: value for key, value in stored.items() if key not in ("kind", "name")}
    return KINDS[stored["kind"]].restored(stored["name"], **state)


def category_keys(columns: ColumnSettings) -> dict[str, Sequence[str]]:
    """The columns of categories by the key of the config that names them."""
    return {
        "categorical": columns.categorical,
        "embedding": [*columns.embedding],
        "target_mean": columns.target_mean,
    }


@dataclass(frozen=True)
class Written:
    """How the columns of a file are written.

    Args:
        examples: of columns that are written in their own way, by their names; each or several.
    """

    decimal: str = "."
    examples: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def numbers(self, name: str) -> NumberFormat | None:
        """The format of a column of numbers; None if they are plain."""
        example = self.examples.get(name)
        return None if example is None else NumberFormat.from_example(example, self.decimal)

    def dates(self, name: str) -> DateFormat:
        """The format of a column of dates."""
        example = self.examples.get(name)
        return DateFormat() if example is None else DateFormat.from_example(example)


def planned(
    names: Sequence[str],
    rules: Mapping[str, str],
    config: DatasetSettings,
    columns: ColumnSettings,
    written: Written,
) -> Iterator[Column]:
    """The columns to read, in the order of their features.

    Args:
        names: of the columns of the file to predict from.
        rules: of each, for missing values: `error`, `drop_rows`, or a statistic.
        config: has the parts of those that are dates.
        columns: its block that says which hold categories.
        written: how columns are written.
    """
    one_hot, target_mean = set(columns.categorical), set(columns.target_mean)
    for name in names:
        statistic = "" if rules[name] in ("error", "drop_rows") else rules[name]
        own, given = columns.embedding.get(name), dict[str, Any]()
        given |= {"unknown": config.unknown, "fills": bool(statistic)}
        given["min_count"] = (own and own.min_count) or columns.min_count
        if own is not None:  # it may be listed as categorical, too
            yield Embedding(name, **given, dimensions=own.dimensions)
        elif name in one_hot:
            yield OneHot(name, **given)
        elif name in target_mean:
            yield TargetMean(name, **given)
        elif name in config.dates:
            yield Date(name, tuple(config.dates[name]), statistic, written.dates(name))
        else:
            yield Number(name, statistic, written.numbers(name))


def planned_lags(lags: Mapping[str, LagSettings], time: str, written: Written) -> Iterator[Lag]:
    """The columns of earlier values, whose rows are in the order of a column of times."""
    for name, lag in lags.items():
        yield Lag(
            f"{name}.lag",
            of=name,
            steps=tuple(lag.steps),
            time=time,
            group=lag.group or "",
            form=written.numbers(name),
            time_form=written.dates(time),
        )
