"""The columns that a config names, before the file is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nnrun.data.columns.column import Column
from nnrun.data.columns.number import Number
from nnrun.data.columns.one_hot import OneHot


def planned(
    names: Sequence[str], rules: Mapping[str, str], categorical: Collection[str] = ()
) -> Iterator[Column]:
    """The columns to read, in the order of their features.

    Args:
        names: of the columns of the file to predict from.
        rules: of each, for missing values: `error`, `drop_rows`, or a statistic.
        categorical: those that are one-hot encoded.
    """
    for name in names:
        statistic = "" if rules[name] in ("error", "drop_rows") else rules[name]
        if name in categorical:
            yield OneHot(name, fills=bool(statistic))
        else:
            yield Number(name, statistic)
