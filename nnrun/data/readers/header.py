"""Checks the columns that a config names against the header of a table, and against its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnrun.characters import escaped
from nnrun.data.cells.labels import LabelCells
from nnrun.data.cells.part import Cells
from nnrun.data.cells.table import Table
from nnrun.data.columns.kinds import category_keys
from nnrun.data.dataset import DatasetProblem, Key
from nnrun.data.settings import ColumnSettings, DatasetSettings
from nnrun.errors import MOST_SHOWN, first_of
from nnrun.suggestions import suggestion

_MOST_OF_HEADER = 60
FEWEST = 1000
"""Among fewer different values, a column of categories is never refused."""


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


def check_named(header: Sequence[str], config: DatasetSettings, columns: ColumnSettings) -> None:
    """Raise a DatasetProblem if a key for single columns names one that does not exist."""
    single = {"formats": columns.formats, "missing": config.missing_rules()}
    named: list[tuple[Key, str]] = [
        (("columns", key, name), name) for key, names in single.items() for name in names
    ]
    named += [(("dates", name), name) for name in config.dates]
    named += [(("lags", name), name) for name in config.lags]
    groups = ((name, lag.group) for name, lag in config.lags.items() if lag.group)
    named += [(("lags", name, "group"), group) for name, group in groups]
    known = set(header)
    unknown = [(key, name) for key, name in named if name not in known]
    if unknown:
        raise DatasetProblem([(("dataset", *key), _unknown(name, header)) for key, name in unknown])


def choose_features(table: Table, config: DatasetSettings, columns: ColumnSettings) -> list[str]:
    """The names of the feature columns; raises a DatasetProblem with all contradictions.

    The column that rows are split by is a feature only if it is listed in `features` or `dates`,
    and that of the rows' weights is none. Columns in `lags` are features at earlier rows, and need
    not be features themselves. A column that the file does not name is no feature unless one of
    these names it, since it may hold the numbers of rows.
    """
    header, target, features, drop = table.header, columns.target, columns.features, columns.drop
    split_by, weight, dates = config.split.column, columns.weight, config.dates
    categories = category_keys(columns)
    base: Key = ("dataset", "columns")
    lists = {"features": features or (), "drop": drop, **categories}
    about_dates = [
        (("dataset", "dates", name), f"'{name}' is not among the features")
        for name in dates
        if features is not None and name not in features
    ]
    found: list[tuple[Key, str]] = [*about_dates]
    known, dropped = set(header), set(drop)
    read = {*dates} if table.unnamed is None else {*dates}.union(*categories.values())
    apart = {name for name in (split_by, table.unnamed) if name not in read} | {weight}
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
    if not chosen and not config.lags:
        there = ", ".join(first_of(header))
        message = f"no features are left beside the target; the columns are {there}"
        raise DatasetProblem([(base, escaped(message, kept=""))])
    return chosen


def _unknown(name: str, header: Sequence[str]) -> str:
    return escaped(f"there is no column '{name}'{suggestion(name, header)}", kept="")


def names_rows(different: int, rows: int, fewest: int = FEWEST) -> bool:
    """Whether a column has a value of its own in more than half of the rows."""
    return different > max(fewest, rows / 2)


def refuse_identifiers(cells: Sequence[Cells], categories: Mapping[str, Sequence[str]]) -> None:
    """Refuse categories that are identifiers, before there is a feature for each.

    Args:
        cells: of all columns.
        categories: columns by the key that names them.

    Raises: DatasetProblem with all of them.
    """
    read = {one.name: one for one in cells if isinstance(one, LabelCells)}
    found: list[tuple[Key, str]] = []
    for key, names in categories.items():
        for position, name in enumerate(names):
            different, rows = len(read[name].numbers), len(read[name].values)
            if names_rows(different, rows):
                place: Key = ("dataset", "columns", key, name if key == "embedding" else position)
                message = (
                    f"'{name}' has {different:,} different values in {rows:,} rows: it seems to be "
                    "an identifier, which new rows do not share; leave it out with columns.drop"
                )
                found.append((place, escaped(message, kept="")))
    if found:
        raise DatasetProblem(found)
