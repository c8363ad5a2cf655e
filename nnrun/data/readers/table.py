"""Tables as data sets: one column is the target, the others are numbers or categories."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.cells.dates import TimeColumn
from nnrun.data.cells.labels import LabelCells
from nnrun.data.cells.numbers import NumberCells, WeightCells
from nnrun.data.cells.part import Cells
from nnrun.data.cells.problems import Problems
from nnrun.data.cells.table import Table
from nnrun.data.columns.kinds import Written, category_keys, planned, planned_lags
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.labels import check_classes
from nnrun.data.layout import Columns, joined
from nnrun.data.readers.formats import stem
from nnrun.data.readers.header import (
    check_named,
    check_separator,
    choose_features,
    refuse_identifiers,
)
from nnrun.data.readers.history import History, fill, with_lags
from nnrun.data.settings import DatasetSettings
from nnrun.errors import DataError


def read_table(table: Table, config: DatasetSettings) -> Dataset:
    """A table with a header row as a data set.

    Where missing values are filled in, missing numbers are NaN in x, which preprocessing replaces,
    and missing categories are a category of their own.

    Args:
        table: it has not been read.
        config: says what its columns are, and how rows are split.

    Raises: DatasetProblem if no columns are named, or some that do not exist; DataError listing
    wrong cells, each with its place, in text as path:line:column (the header is line 1).
    """
    named, decimal = config.columns, table.decimal
    if named is None:
        message = "a table needs `columns: {target: …}`, the column to predict"
        raise DatasetProblem([(("dataset", "columns"), message)])
    written, by_column = Written(decimal, named.formats), config.missing_rules()
    check_separator(table, named.target)
    check_named(table.header, config, named)
    names = choose_features(table, config, named)
    splitting = [] if config.split.column is None else [config.split.column]
    weighing = [] if named.weight is None else [named.weight]
    used = (*names, named.target, *splitting, *weighing)
    rules = {name: by_column.get(name, config.missing_rule()) for name in used}
    problems = table.problems()
    columns = [*planned(names, rules, config, named, written)]
    earlier = [*planned_lags(config.lags, config.split.column or "", written)]
    cells = [column.reader(problems, decimal, training=True) for column in columns]
    goal = _empty_target(named.target, config.task, problems, written)
    split: list[LabelCells | TimeColumn] = [
        TimeColumn(name, problems, decimal, written.dates(name))
        if config.split.by == "time"
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
    refuse_identifiers(cells, category_keys(named))
    learned = [column.learned(read) for column, read in zip(columns, cells, strict=True)]
    layout = Columns((*learned, *earlier), table.separator, decimal)
    dataset = _dataset(table, cells, goal, config.task, layout, left_out)
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
