"""Checks the columns that a config names against the header of a CSV file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from nnrun.characters import escaped
from nnrun.data.cells.table import Table
from nnrun.data.dataset import DatasetProblem, Key
from nnrun.data.settings import LagSettings
from nnrun.errors import MOST_SHOWN, first_of
from nnrun.suggestions import suggestion

_MOST_OF_HEADER = 60


def check_separator(table: Table, target: str) -> None:
    """Raise a DatasetProblem if the file seems to have another separator."""
    if table.other_separator is not None and target not in table.header:
        header = table.header[0]
        shown = header if len(header) <= _MOST_OF_HEADER else f"{header[:_MOST_OF_HEADER]}…"
        message = (
            f"there is no column '{target}'; the header is a single one, '{shown}': is it "
            f"another separator, `separator: '{table.other_separator}'`?"
        )
        raise DatasetProblem([(("dataset", "columns", "target"), escaped(message, kept=""))])


def check_missing_rules(named: Iterable[str], header: Sequence[str]) -> None:
    """Raise a DatasetProblem if `columns.missing` names a column that does not exist."""
    known = set(header)
    unknown = [name for name in named if name not in known]
    if unknown:
        base: Key = ("dataset", "columns", "missing")
        raise DatasetProblem([((*base, name), _unknown(name, header)) for name in unknown])


def check_columns_in_time(
    header: Sequence[str],
    formats: Iterable[str],
    dates: Iterable[str],
    lags: Mapping[str, LagSettings],
) -> None:
    """Raise a DatasetProblem if formats, dates or lags name a column that does not exist."""
    named: list[tuple[Key, str]] = [(("columns", "formats", name), name) for name in formats]
    named += [(("dates", name), name) for name in dates]
    named += [(("lags", name), name) for name in lags]
    named += [(("lags", name, "group"), lag.group) for name, lag in lags.items() if lag.group]
    known = set(header)
    unknown = [(key, name) for key, name in named if name not in known]
    if unknown:
        raise DatasetProblem([(("dataset", *key), _unknown(name, header)) for key, name in unknown])


def choose_features(
    header: tuple[str, ...],
    target: str,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    split_by: str | None = None,
    weight: str | None = None,
    dates: Collection[str] = (),
    lags: Collection[str] = (),
    unnamed: str | None = None,
) -> list[str]:
    """The names of the feature columns; raises a DatasetProblem with all contradictions.

    `categories` has columns by the key that names them. `split_by` names the column that rows are
    split by; it is a feature only if it is listed in `features` or `dates`. `weight` names the
    column of the rows' weights, which is no feature. Columns in `lags` are features at earlier
    rows, and need not be features themselves. A column that the file does not name is no feature
    unless one of these names it, since it may hold the numbers of rows.
    """
    base: Key = ("dataset", "columns")
    lists = {"features": features or (), "drop": drop, **categories}
    about_dates = [
        (("dataset", "dates", name), f"'{name}' is not among the features")
        for name in dates
        if features is not None and name not in features
    ]
    found: list[tuple[Key, str]] = [*about_dates]
    known, dropped = set(header), set(drop)
    read = {*dates} if unnamed is None else {*dates}.union(*categories.values())
    apart = {name for name in (split_by, unnamed) if name not in read} | {weight}
    chosen = [name for name in header if name not in apart] if features is None else [*features]
    chosen_ones = set(chosen)
    for place, column in (
        (("columns", "target"), target),
        (("split", "column"), split_by),
        (("columns", "weight"), weight),
    ):
        if column is not None and column not in known:
            found.append((("dataset", *place), _unknown(column, header)))
    for key, names in lists.items():
        before: set[str] = set()
        for position, name in enumerate(names):
            message = ""
            if name not in known:
                # Suggestions take time, and only the first problems are shown.
                message = _unknown(name, header if len(found) < MOST_SHOWN else ())
            elif name == target:
                message = f"'{name}' is the target"
            elif name in before:
                message = f"'{name}' is listed twice"
            elif key != "drop" and name in dropped:
                message = f"'{name}' is also under drop"
            elif key in categories and name not in chosen_ones:
                message = f"'{name}' is not among the features"
                message += ", as rows are split by it; `features` may name it" * (name == split_by)
            before.add(name)
            if message:
                found.append(((*base, key, name if key == "embedding" else position), message))
    if found:
        raise DatasetProblem(found)
    chosen = [name for name in chosen if name != target and name not in dropped]
    if not chosen and not lags:
        columns = ", ".join(first_of(header))
        message = f"no features are left beside the target; the columns are {columns}"
        raise DatasetProblem([(base, escaped(message, kept=""))])
    return chosen


def _unknown(name: str, header: Sequence[str]) -> str:
    return escaped(f"there is no column '{name}'{suggestion(name, header)}", kept="")
