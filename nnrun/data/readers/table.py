"""Tables as data sets: one column is the target, the others are numbers or categories."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import Problems
from nnrun.data.columns.cells import LabelCells, NumberCells, TimeColumn, WeightCells
from nnrun.data.columns.column import Column
from nnrun.data.columns.kinds import Date, Written, category_keys, planned, planned_lags
from nnrun.data.columns.table import Cells, Table, Texts
from nnrun.data.dataset import Dataset, DatasetProblem, Key
from nnrun.data.labels import check_classes
from nnrun.data.layout import Columns, joined
from nnrun.data.protocols import ColumnSettings, DatasetSettings
from nnrun.data.readers.history import History, fill, with_lags
from nnrun.data.readers.opening import stem
from nnrun.errors import MOST_SHOWN, DataError, NnrunError, first_of
from nnrun.suggestions import suggestion

# Checks the columns that a config names against the header of a table, and against its cells.

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
    missing = (name for name in config.words_for_missing() if name)
    named: list[tuple[Key, str]] = [
        (("columns", key, name), name) for key, names in single.items() for name in names
    ]
    named += [(("dates", name), name) for name in config.dates]
    named += [(("missing_values", name), name) for name in missing]
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


@dataclass(frozen=True, eq=False)
class OtherColumns:
    """The columns of a table that are not in x as they stand there, read once it is asked for.

    Args:
        again: opens the table.
        names: of the columns.
    """

    again: Callable[[], AbstractContextManager[Table]]
    names: Sequence[str]

    def words(self, sha256: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64] | None:
        """A 64-bit hash of their cells for each row; None if the table is not what it was."""
        found = [np.zeros(0, np.uint64)]
        try:
            with self.again() as table:
                for part in table.parts(dict.fromkeys(self.names, False), table.problems()):
                    hashes = np.zeros(len(part), np.uint64)
                    for name in self.names:
                        cells = Texts.of(part.columns[name])
                        each = [_word(name, text) for text in cells.texts]
                        hashes += np.array(each, np.uint64)[cells.codes]
                    found.append(hashes)
                if table.sha256 != sha256:
                    return None
        except NnrunError:
            return None
        words = np.concatenate(found)
        return words[rows] if len(words) > rows.max() else None


def _word(column: str, text: str) -> int:
    key = f"{len(column)} {column}{text.strip()}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little")


def read_table(
    table: Table,
    config: DatasetSettings,
    again: Callable[[], AbstractContextManager[Table]] | None = None,
) -> Dataset:
    """A table with a header row as a data set.

    Where missing values are filled in, missing numbers are NaN in x, which preprocessing replaces,
    and missing categories are a category of their own.

    Args:
        table: it has not been read.
        config: says what its columns are, and how rows are split.
        again: opens it again, to compare rows in all its columns.

    Raises: DatasetProblem if no columns are named, or some that do not exist; DataError listing
    wrong cells, each with its place, in text as path:line:column (the header is line 1).
    """
    named, decimal = config.columns, table.decimal
    table.missing_values = config.words_for_missing()
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
    layout = Columns(
        (*learned, *earlier), table.separator, decimal, config.encoding, table.missing_values
    )
    dataset = _dataset(table, cells, goal, config.task, layout, left_out)
    dataset = replace(
        dataset,
        split_values=split[0].positions() if split else None,
        weights=weights[0].features()[:, 0] if weights else None,
        others=None if again is None else _others(table, columns, named.target, again),
    )
    return with_lags(dataset, history) if earlier else dataset


def _others(
    table: Table,
    columns: Sequence[Column],
    target: str,
    again: Callable[[], AbstractContextManager[Table]],
) -> OtherColumns | None:
    """The columns beside the features; and dates, of which features hold some parts."""
    whole = {column.source for column in columns if column.kind != Date.kind}
    whole |= {target, table.unnamed or target}  # that of row numbers says nothing of a row
    names = [name for name in table.header if name not in whole]
    return OtherColumns(again, names) if names else None


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
