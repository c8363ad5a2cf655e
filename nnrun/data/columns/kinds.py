"""The kinds of columns: as JSON, and as a config names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from nnrun.data.settings import ColumnSettings, DatasetSettings, LagSettings

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
