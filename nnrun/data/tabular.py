"""CSV files as data sets: one column is the target, the others are numbers or categories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.data.cells import LabelColumn, NumberColumn, Problems
from nnrun.data.csvfile import CsvFile
from nnrun.data.dataset import Dataset, DatasetProblem, Key
from nnrun.data.labels import all_numbers, check_classes
from nnrun.data.layout import Columns
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.opening import open_data
from nnrun.errors import MOST_SHOWN, DataError, first_of
from nnrun.suggestions import suggestion

FEATURE_HINT = "; columns.categorical one-hot encodes a text column, columns.drop leaves it out"
TARGET_HINT = ", and the target of a regression has to be one"


def read_csv(
    path: Path,
    target: str,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    task: str | None = None,
) -> Dataset:
    """A CSV file with a header row as a data set.

    Args:
        path: the file.
        target: the column to predict.
        features: the columns to predict it from, in order; None takes all others.
        drop: columns to leave out.
        categorical: feature columns that hold categories; each is one-hot encoded.
        task: may be left out if the target is text, which means classification.

    Raises: DatasetProblem for columns that do not exist; DataError listing the cells that are
    wrong, each as path:line:column (lines of the file, the header is line 1).
    """
    with open_data(path) as file:
        refuse_if_too_big(2 * path.stat().st_size, str(path))
        table = CsvFile(path, file)
        names = _choose(table.header, target, features, drop, categorical)
        problems, labelled = Problems(path), set(categorical)
        columns: list[NumberColumn | LabelColumn] = [
            LabelColumn(name, problems)
            if name in labelled
            else NumberColumn(name, problems, FEATURE_HINT)
            for name in names
        ]
        goal: NumberColumn | LabelColumn = LabelColumn(target, problems)
        if task == "regression":
            goal = NumberColumn(target, problems, TARGET_HINT)
        _fill(table, [*columns, goal], problems)
    categories = {c.name: c.ordered() for c in columns if isinstance(c, LabelColumn)}
    return _dataset(table, columns, goal, task, Columns(tuple(names), categories))


def _dataset(
    table: CsvFile,
    columns: Sequence[NumberColumn | LabelColumn],
    goal: NumberColumn | LabelColumn,
    task: str | None,
    layout: Columns,
) -> Dataset:
    y, classes = _target(goal, task, table.path)
    return Dataset(
        name=table.path.stem,
        task="classification" if classes else "regression",
        x=joined(columns, len(y), table.path),
        y=y,
        classes=classes,
        feature_names=layout.feature_names,
        target_names=(goal.name,),
        sha256=table.sha256,
        description=f"{table.path.name}: {len(y)} rows, target {goal.name}",
        columns=layout,
    )


def _choose(
    header: tuple[str, ...],
    target: str,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categorical: Sequence[str],
) -> list[str]:
    """The names of the feature columns; raises a DatasetProblem with all that is contradictory."""
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
                # Nobody reads what more than the first ones may have been meant to be.
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
        raise DatasetProblem([(base, message)])
    return chosen


def _unknown(name: str, header: Sequence[str]) -> str:
    return f"there is no column '{name}'{suggestion(name, header)}"


def fill(
    rows: Iterable[tuple[int, list[str]]],
    header: Sequence[str],
    columns: Sequence[NumberColumn | LabelColumn],
    problems: Problems,
) -> int:
    """Read numbered rows of cells into the columns and return how many there are."""
    position = {name: index for index, name in enumerate(header)}
    places = [(position[column.name], column) for column in columns]
    width, count = len(header), 0
    for line, cells in rows:
        count += 1
        if len(cells) != width:
            problems.add(line, "", f"has {len(cells)} cells where the header has {width}")
            continue
        for place, column in places:
            column.add(cells[place], line)
    return count


def _fill(table: CsvFile, columns: Sequence[NumberColumn | LabelColumn], problems: Problems) -> int:
    rows, end = 0, ""
    try:
        rows = fill(table.rows(), table.header, columns, problems)
    except DataError as error:  # the file is broken from there on, but what came before counts
        end = str(error)
    for column in columns:
        if isinstance(column, LabelColumn):
            column.check_numbers()
    problems.raise_if_any(end)
    if not rows:
        raise DataError(f"{table.path}: there are no rows below the header")
    return rows


def _target(
    column: NumberColumn | LabelColumn, task: str | None, path: Path
) -> tuple[npt.NDArray[np.float64] | npt.NDArray[np.int64], tuple[str, ...]]:
    if isinstance(column, NumberColumn):
        return column.features(), ()
    if task is None and all_numbers(column.lines):
        message = f"'{column.name}' holds numbers; say whether this is regression or classification"
        raise DatasetProblem([(("dataset", "task"), message)])
    classes, y = column.ordered(), column.positions()
    check_classes(classes, len(y), f"{path}: column {column.name}")
    return y, classes


def joined(
    columns: Sequence[NumberColumn | LabelColumn], rows: int, path: Path
) -> npt.NDArray[np.float64]:
    """Columns side by side as x: (rows, features)."""
    widths = [len(c.ordered()) if isinstance(c, LabelColumn) else 1 for c in columns]
    refuse_if_too_big(rows * sum(widths) * 8, f"{path}, one-hot encoded,")
    x = np.empty((rows, sum(widths)))
    start = 0
    for column, width in zip(columns, widths, strict=True):
        x[:, start : start + width] = column.features()
        start += width
    return x
