"""Tables as data sets: one column is the target, the others are numbers or categories."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.cells.dates import TimeColumn
from nnrun.data.cells.labels import LabelCells
from nnrun.data.cells.numbers import NumberCells, WeightCells
from nnrun.data.cells.part import Cells
from nnrun.data.cells.problems import Problems
from nnrun.data.cells.table import Table
from nnrun.data.columns.joining import joined
from nnrun.data.columns.plan import CategorySettings, Written, planned, planned_lags
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.labels import check_classes
from nnrun.data.layout import Columns
from nnrun.data.readers.formats import stem
from nnrun.data.readers.header import (
    check_columns_in_time,
    check_missing_rules,
    check_separator,
    choose_features,
)
from nnrun.data.readers.history import History, fill, with_lags
from nnrun.data.readers.identifiers import refuse_identifiers
from nnrun.data.readers.tables.opening import open_table
from nnrun.data.settings import LagSettings
from nnrun.errors import DataError


def read_csv(
    path: Path, target: str, *, separator: str | None = None, decimal: str = ".", **options: Any
) -> Dataset:
    """The table in a file as a data set.

    Args:
        path: of the file.
        target: the column to predict.
        separator: of a CSV file; None to detect it from the header.
        decimal: the decimal sign of a CSV file.
        options: of `read_table`.

    Raises: as `read_table` and `open_table` do.
    """
    with open_table(path, separator, decimal) as table:
        return read_table(table, target, **options)


def read_table(
    table: Table,
    target: str,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categories: CategorySettings | None = None,
    task: str | None = None,
    missing: str = "error",
    missing_by_column: Mapping[str, str] | None = None,
    split_by: str = "random",
    split_column: str | None = None,
    weight: str | None = None,
    formats: Mapping[str, str] | None = None,
    dates: Mapping[str, Sequence[str]] | None = None,
    lags: Mapping[str, LagSettings] | None = None,
) -> Dataset:
    """A table with a header row as a data set.

    Args:
        table: it has not been read.
        target: the column to predict.
        features: the columns to predict it from, in order; None takes all others.
        drop: columns to leave out.
        categories: feature columns that hold categories; by default none.
        task: may be left out if the target is text, which means classification.
        missing: the rule for missing values: `error`, `drop_rows`, or a statistic, `mean`, `median`
            or `most_frequent`. With a statistic, missing numbers are NaN in x, which preprocessing
            fills in, and missing categories are a category of their own.
        missing_by_column: rules of single columns.
        split_by: `group` or `time` if rows are split by the values of a column.
        split_column: that column.
        weight: the column of the rows' weights, if there is one.
        formats: an example of a number or date for each column that is written in a way of its own.
        dates: for columns of dates, the parts that are features.
        lags: for columns of numbers, how many rows earlier they are features, in the order of time;
            rows without that many before them are left out.

    Raises: DatasetProblem for columns that do not exist; DataError listing wrong cells, each with
    its place, in files with lines as path:line:column (the header is line 1).
    """
    by_column, decimal = missing_by_column or {}, table.decimal
    dates, lags, written = dates or {}, lags or {}, Written(decimal, formats or {})
    categories = categories or CategorySettings()
    check_separator(table, target)
    check_columns_in_time(table.header, written.examples, dates, lags)
    names = choose_features(
        table.header,
        target,
        features,
        drop,
        categories.keys,
        split_column,
        weight,
        dates,
        lags,
        table.unnamed,
    )
    check_missing_rules(by_column, table.header)
    splitting = [] if split_column is None else [split_column]
    weighing = [] if weight is None else [weight]
    used = (*names, target, *splitting, *weighing)
    rules = {name: by_column.get(name, missing) for name in used}
    problems = table.problems()
    columns = [*planned(names, rules, categories, dates, written)]
    earlier = [*planned_lags(lags, split_column or "", written)]
    cells = [column.reader(problems, decimal, training=True) for column in columns]
    goal = _empty_target(target, task, problems, written)
    split: list[LabelCells | TimeColumn] = [
        TimeColumn(name, problems, decimal, written.dates(name))
        if split_by == "time"
        else LabelCells(name, problems, role="split", decimal=decimal)
        for name in splitting
    ]
    weights = [
        WeightCells(name, problems, "weight", decimal=decimal, form=written.numbers(name))
        for name in weighing
    ]
    leaving = {name for name, rule in rules.items() if rule == "drop_rows"}
    every = [*cells, goal, *split, *weights]
    history = History(earlier, problems, decimal, read=every)
    left_out = _fill(table, every, problems, leaving, history)
    refuse_identifiers(cells, categories.keys)
    learned = [column.learned(read) for column, read in zip(columns, cells, strict=True)]
    layout = Columns((*learned, *earlier), table.separator, decimal)
    dataset = _dataset(table, cells, goal, task, layout, left_out)
    dataset = replace(
        dataset,
        split_values=split[0].positions() if split else None,
        weights=weights[0].features()[:, 0] if weights else None,
    )
    return with_lags(dataset, history) if earlier else dataset


def _empty_target(
    name: str, task: str | None, problems: Problems, written: Written
) -> LabelCells | NumberCells:
    form = written.numbers(name)
    if task == "regression" or (task is None and form is not None):
        return NumberCells(name, problems, "target", decimal=written.decimal, form=form)
    if form is not None:
        message = "the target holds classes, which are text as the file writes them"
        raise DatasetProblem([(("dataset", "columns", "formats", name), message)])
    return LabelCells(name, problems, role="target", decimal=written.decimal)


def _dataset(
    table: Table,
    cells: Sequence[Cells],
    goal: LabelCells | NumberCells,
    task: str | None,
    layout: Columns,
    left_out: list[int],
) -> Dataset:
    y, classes = _target(goal, task, table.path)
    without = f" ({len(left_out)} more left out for missing values)" if left_out else ""
    return Dataset(
        name=stem(table.path),
        task="classification" if classes else "regression",
        x=joined(layout.every[: len(cells)], cells, len(y), table.path, using_up=True),
        y=y,
        classes=classes,
        feature_names=layout.feature_names,
        target_names=(goal.name,),
        sha256=table.sha256,
        description=f"{table.title}: {len(y)} rows{without}, target {goal.name}",
        columns=layout,
        dropped=tuple(left_out),
        target_form=goal.form if isinstance(goal, NumberCells) else None,
    )


def _fill(
    table: Table,
    columns: Sequence[Cells],
    problems: Problems,
    leaving: Container[str],
    history: History,
) -> list[int]:
    """Read all rows, and return the places of those left out."""
    # Where the rest cannot be read, earlier mistakes are reported too.
    count, left_out, end = fill(table, columns, problems, history, leaving)
    for column in columns:
        if isinstance(column, LabelCells):
            column.check_numbers()
    problems.raise_if_any(end)
    if left_out and len(left_out) == count:
        message = f"each of the {len(left_out)} rows of {table.title} has a missing value"
        raise DatasetProblem([(("dataset", "missing"), f"{message}; none would be left")])
    if not count:
        raise DataError(f"{table.path}: there are no rows below the header")
    return left_out


def _target(
    column: LabelCells | NumberCells, task: str | None, path: Path
) -> tuple[npt.NDArray[np.float64] | npt.NDArray[np.int64], tuple[str, ...]]:
    if isinstance(column, NumberCells):
        return column.features(), ()
    if task is None and column.holds_numbers:
        message = (
            f"'{column.name}' holds numbers, which may be values or labels of classes; add "
            "`task: regression` or `task: classification` beside `columns`"
        )
        raise DatasetProblem([(("dataset", "columns"), message)])
    classes, y = column.ordered(), column.positions()
    check_classes(classes, len(y), escaped(f"{path}: column {column.name}", kept=""))
    return y, classes
