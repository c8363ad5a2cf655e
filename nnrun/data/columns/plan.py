"""The columns that a config names, before the file is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nnrun.data.columns.column import Column
from nnrun.data.columns.date import Date
from nnrun.data.columns.embedding import Embedding
from nnrun.data.columns.lag import Lag
from nnrun.data.columns.number import Number
from nnrun.data.columns.one_hot import OneHot
from nnrun.data.columns.target_mean import TargetMean
from nnrun.data.formats.dates import DateFormat
from nnrun.data.formats.numbers import NumberFormat
from nnrun.data.settings import LagSettings


@dataclass(frozen=True)
class CategorySettings:
    """The columns of categories, and what becomes of rare and of unknown categories.

    Args:
        one_hot: columns that are one-hot encoded.
        embedding: those whose vectors are learned, with the vectors' length and, if it differs, the
            column's own `min_count`.
        target_mean: those that become means of the target.
        min_count: training rows that a category must have.
        unknown: `error`, `ignore` or `most_frequent`.
    """

    one_hot: Sequence[str] = ()
    embedding: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    target_mean: Sequence[str] = ()
    min_count: int = 1
    unknown: str = "ignore"

    @property
    def keys(self) -> dict[str, Sequence[str]]:
        """The columns by the key of the config that names them."""
        return {
            "categorical": self.one_hot,
            "embedding": [*self.embedding],
            "target_mean": self.target_mean,
        }

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        return {key: set(names) for key, names in self.keys.items()}

    def column(self, name: str, *, fills: bool) -> Column | None:
        """A column, if it holds categories; with `fills`, missing ones are one of their own."""
        given: dict[str, Any] = {"unknown": self.unknown, "fills": fills}
        given["min_count"] = self.min_count
        if name in self._names["categorical"]:
            return OneHot(name, **given)
        if name in self._names["target_mean"]:
            return TargetMean(name, **given)
        if name not in self.embedding:
            return None
        dimensions, own = self.embedding[name]
        return Embedding(
            name, **given | {"min_count": own or self.min_count}, dimensions=dimensions
        )


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
    categories: CategorySettings,
    dates: Mapping[str, Sequence[str]] | None = None,
    written: Written | None = None,
) -> Iterator[Column]:
    """The columns to read, in the order of their features.

    Args:
        names: of the columns of the file to predict from.
        rules: of each, for missing values: `error`, `drop_rows`, or a statistic.
        categories: those that hold categories.
        dates: the parts of those that are dates.
        written: how columns are written.
    """
    dates, written = dates or {}, written or Written()
    for name in names:
        statistic = "" if rules[name] in ("error", "drop_rows") else rules[name]
        category = categories.column(name, fills=bool(statistic))
        if category is not None:
            yield category
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
