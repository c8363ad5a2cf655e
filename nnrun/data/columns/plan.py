"""The columns that a config names, before the file is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nnrun.data.columns.column import Column
from nnrun.data.columns.date import Date
from nnrun.data.columns.lag import Lag
from nnrun.data.columns.number import Number
from nnrun.data.columns.one_hot import OneHot
from nnrun.data.formats.dates import DateFormat
from nnrun.data.formats.numbers import NumberFormat
from nnrun.data.settings import LagSettings


@dataclass(frozen=True)
class Written:
    """How the columns of a file are written.

    Args:
        decimal: the decimal sign.
        examples: of columns that are written in their own way, by their names.
    """

    decimal: str = "."
    examples: Mapping[str, str] = field(default_factory=dict)

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
    categorical: Collection[str] = (),
    dates: Mapping[str, Sequence[str]] | None = None,
    written: Written | None = None,
) -> Iterator[Column]:
    """The columns to read, in the order of their features.

    Args:
        names: of the columns of the file to predict from.
        rules: of each, for missing values: `error`, `drop_rows`, or a statistic.
        categorical: those that are one-hot encoded.
        dates: the parts of those that are dates.
        written: how columns are written.
    """
    dates, written = dates or {}, written or Written()
    for name in names:
        statistic = "" if rules[name] in ("error", "drop_rows") else rules[name]
        if name in categorical:
            yield OneHot(name, fills=bool(statistic))
        elif name in dates:
            yield Date(name, tuple(dates[name]), statistic, written.dates(name))
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
