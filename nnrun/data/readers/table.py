"""CSV files as data sets: one column is the target, the others are numbers or categories."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.dataset import Dataset, DatasetProblem, Key
from nnrun.data.labels import check_classes
from nnrun.data.layout import Columns
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.readers.cell_errors import Mistake
from nnrun.data.readers.columns import LabelColumn, NumberColumn, Problems
from nnrun.data.readers.csv_file import CsvFile
from nnrun.data.readers.opening import open_data
from nnrun.errors import MOST_SHOWN, DataError, first_of
from nnrun.suggestions import suggestion

CsvColumn = NumberColumn | LabelColumn
_MOST_OF_HEADER = 60


def read_csv(
    path: Path,
    target: str,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    task: str | None = None,
    missing: str = "error",
    missing_by_column: Mapping[str, str] | None = None,
    separator: str | None = None,
    decimal: str = ".",
) -> Dataset:
    """A CSV file with a header row as a data set.

    Args:
        path: the file.
        target: the column to predict.
        features: the columns to predict it from, in order; None takes all others.
        drop: columns to leave out.
        categorical: feature columns that hold categories; each is one-hot encoded.
        task: may be left out if the target is text, which means classification.
        missing: the rule for missing values: `error`, `drop_rows`, or a statistic, `mean`, `median`
            or `most_frequent`. With a statistic, missing numbers are NaN in x, which preprocessing
            fills in, and missing categories are a category of their own.
        missing_by_column: rules of single columns.
        separator: None to detect it from the header.
        decimal: the decimal sign.

    Raises: DatasetProblem for columns that do not exist; DataError listing wrong cells, each as
    path:line:column (the header is line 1).
    """
    by_column = missing_by_column or {}
    with open_data(path) as file:
        refuse_if_too_big(2 * path.stat().st_size, str(path))
        table = CsvFile(path, file, separator)
        _check_separator(table, target)
        names = _choose(table.header, target, features, drop, categorical)
        _check_names(by_column, table.header)
        rules = {name: by_column.get(name, missing) for name in (*names, target)}
        problems, labelled = Problems(path), set(categorical)
        columns: list[CsvColumn] = [
            LabelColumn(name, problems, fills=_fills(rules[name]), decimal=decimal)
            if name in labelled
            else NumberColumn(name, problems, fills=_fills(rules[name]), decimal=decimal)
            for name in names
        ]
        goal: CsvColumn = LabelColumn(target, problems, role="target", decimal=decimal)
        if task == "regression":
            goal = NumberColumn(target, problems, "target", decimal=decimal)
        leaving = {name for name, rule in rules.items() if rule == "drop_rows"}
        left_out = _fill(table, [*columns, goal], problems, leaving)
    labels = [column for column in columns if isinstance(column, LabelColumn)]
    layout = Columns(
        features=tuple(names),
        categories={column.name: column.ordered() for column in labels},
        imputed={n: rules[n] for n in names if n not in labelled and _fills(rules[n])},
        separator=separator,
        decimal=decimal,
        by_value=tuple(column.name for column in labels if column.holds_numbers),
    )
    return _dataset(table, columns, goal, task, layout, left_out)


def _fills(rule: str) -> bool:
    return rule not in ("error", "drop_rows")


def _dataset(
    table: CsvFile,
    columns: Sequence[CsvColumn],
    goal: CsvColumn,
    task: str | None,
    layout: Columns,
    left_out: int,
) -> Dataset:
    y, classes = _target(goal, task, table.path)
    without = f" ({left_out} more left out for missing values)" if left_out else ""
    return Dataset(
        name=table.path.stem,
        task="classification" if classes else "regression",
        x=joined(columns, len(y), table.path),
        y=y,
        classes=classes,
        feature_names=layout.feature_names,
        target_names=(goal.name,),
        sha256=table.sha256,
        description=f"{table.path.name}: {len(y)} rows{without}, target {goal.name}",
        columns=layout,
        dropped=left_out,
    )


def _check_separator(table: CsvFile, target: str) -> None:
    if table.other_separator is not None and target not in table.header:
        header = table.header[0]
        shown = header if len(header) <= _MOST_OF_HEADER else f"{header[:_MOST_OF_HEADER]}…"
        message = (
            f"there is no column '{target}'; the header is a single one, '{shown}': is it "
            f"another separator, `separator: '{table.other_separator}'`?"
        )
        raise DatasetProblem([(("dataset", "columns", "target"), escaped(message, kept=""))])


def _check_names(named: Iterable[str], header: Sequence[str]) -> None:
    known = set(header)
    unknown = [name for name in named if name not in known]
    if unknown:
        base: Key = ("dataset", "columns", "missing")
        raise DatasetProblem([((*base, name), _unknown(name, header)) for name in unknown])


def _choose(
    header: tuple[str, ...],
    target: str,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categorical: Sequence[str],
) -> list[str]:
    """The names of the feature columns; raises a DatasetProblem with all contradictions."""
    base: Key = ("dataset", "columns")
    lists = {"features": features or (), "drop": drop, "categorical": categorical}
    found: list[tuple[Key, str]] = []
    known, dropped = set(header), set(drop)
    chosen_ones = None if features is None else set(features)
    if target not in known:
        found.append(((*base, "target"), _unknown(target, header)))
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
            elif key == "categorical" and chosen_ones is not None and name not in chosen_ones:
                message = f"'{name}' is not among the features"
            before.add(name)
            if message:
                found.append(((*base, key, position), message))
    if found:
        raise DatasetProblem(found)
    chosen = list(features) if features is not None else list(header)
    chosen = [name for name in chosen if name != target and name not in dropped]
    if not chosen:
        columns = ", ".join(first_of(header))
        message = f"no features are left beside the target; the columns are {columns}"
        raise DatasetProblem([(base, escaped(message, kept=""))])
    return chosen


def _unknown(name: str, header: Sequence[str]) -> str:
    return escaped(f"there is no column '{name}'{suggestion(name, header)}", kept="")


def fill(
    rows: Iterable[tuple[int, list[str]]],
    header: Sequence[str],
    columns: Sequence[CsvColumn],
    problems: Problems,
    leaving: Container[str] = (),
) -> tuple[int, int]:
    """Read numbered rows of cells, with the names of the header, into the columns.

    Rows with a missing value in one of the columns named in `leaving` are left out.

    Returns: The number of rows read, and of those left out.
    """
    position = {name: index for index, name in enumerate(header)}
    places = [(position[column.name], column) for column in columns]
    needed = [(place, column) for place, column in places if column.name in leaving]
    width, count, left_out = len(header), 0, 0
    for line, cells in rows:
        if len(cells) != width:
            count += 1
            text = f"has {len(cells)} cell{'s' * (len(cells) != 1)} where the header has {width}"
            problems.add(line, "", Mistake(text, text))
        elif any(column.is_missing(cells[place]) for place, column in needed):
            left_out += 1
        else:
            count += 1
            for place, column in places:
                column.add(cells[place], line)
    return count, left_out


def _fill(
    table: CsvFile, columns: Sequence[CsvColumn], problems: Problems, leaving: Container[str]
) -> int:
    """Read all rows, and return the number of those left out."""
    rows, left_out, end = 0, 0, ""
    try:
        rows, left_out = fill(table.rows(), table.header, columns, problems, leaving)
    except DataError as error:  # the rest cannot be read; earlier mistakes are reported too
        end = str(error)
    for column in columns:
        if isinstance(column, LabelColumn):
            column.check_numbers()
    problems.raise_if_any(end)
    if left_out and not rows:
        message = f"each of the {left_out} rows of {table.path.name} has a missing value"
        raise DatasetProblem([(("dataset", "missing"), f"{message}; none would be left")])
    if not rows:
        raise DataError(f"{table.path}: there are no rows below the header")
    return left_out


def _target(
    column: CsvColumn, task: str | None, path: Path
) -> tuple[npt.NDArray[np.float64] | npt.NDArray[np.int64], tuple[str, ...]]:
    if isinstance(column, NumberColumn):
        return column.features(), ()
    if task is None and column.holds_numbers:
        message = (
            f"'{column.name}' holds numbers, which this loss and network may take as values or as "
            "labels; add `task: regression` or `task: classification` beside `columns`"
        )
        raise DatasetProblem([(("dataset", "columns"), message)])
    classes, y = column.ordered(), column.positions()
    check_classes(classes, len(y), escaped(f"{path}: column {column.name}", kept=""))
    return y, classes


def joined(columns: Sequence[CsvColumn], rows: int, path: Path) -> npt.NDArray[np.float64]:
    """The columns joined to x: (rows, features)."""
    widths = [len(c.ordered()) if isinstance(c, LabelColumn) else 1 for c in columns]
    refuse_if_too_big(rows * sum(widths) * 8, f"{path}, one-hot encoded,")
    x = np.empty((rows, sum(widths)))
    start = 0
    for column, width in zip(columns, widths, strict=True):
        x[:, start : start + width] = column.features()
        start += width
    return x
