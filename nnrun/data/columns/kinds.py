"""The kinds of columns, and columns as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnrun.data.columns.column import Column
from nnrun.data.columns.date import Date
from nnrun.data.columns.embedding import Embedding
from nnrun.data.columns.lag import Lag
from nnrun.data.columns.number import Number
from nnrun.data.columns.one_hot import OneHot
from nnrun.data.columns.target_mean import TargetMean
from nnrun.data.labels import all_numbers

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


def from_older(stored: Mapping[str, Any]) -> list[Column]:
    """The columns of a model of before there was a table of kinds."""
    categories: Mapping[str, list[str]] = stored["categories"]
    imputed = stored.get("imputed", {})
    # The oldest do not have `by_value`.
    numbers = [name for name, known in categories.items() if all_numbers(filter(None, known))]
    by_value = stored.get("by_value", numbers)
    return [
        OneHot(name, tuple(categories[name]), name in by_value)
        if name in categories
        else Number(name, imputed.get(name, ""))
        for name in stored["columns"]
    ]
