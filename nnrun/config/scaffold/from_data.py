"""A first config for a data file, by rules that use its task, rows and columns alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun.characters import escaped
from nnrun.config.names import is_name
from nnrun.config.scaffold.columns import (
    Lags,
    Proposal,
    category_lines,
    data_as_names,
    dates,
    drop_lines,
    formats,
    guessed,
    is_identifier,
    lags,
    may_be_codes,
    missing_values,
    parts_of,
    proposals,
    read_as,
    reading_of,
    reason,
    width,
    width_of,
)
from nnrun.config.scaffold.defaults import (
    Size,
    aligned,
    array_lines,
    draft_images,
    order_words,
    settings,
    training_rows,
)
from nnrun.config.yaml import Text, parse
from nnrun.config.yaml_scalars import flow
from nnrun.data.encodings import UTF_8
from nnrun.data.readers.npz import read_npz
from nnrun.data.readers.opening import GIVEN, why_no_file
from nnrun.data.readers.opening import stem as stem_of
from nnrun.data.readers.parquet import is_frame
from nnrun.data.readers.profile import FEW_CATEGORIES, ColumnProfile, Reading, Survey, survey
from nnrun.errors import DataError, UsageError, clipped
from nnrun.suggestions import suggestion

_TARGETS = ("target", "label", "class", "y", "outcome", "response", "diagnosis", "species")
_WEIGHTS = ("weight", "weights", "sample_weight", "row_weight", "survey_weight", "case_weight")
_MOST_LISTED = 8
# With more values, some are in the training rows.
_PLENTY = 30


@dataclass(frozen=True)
class Draft:
    """A config, and a line for each choice in it: what it predicts and what it leaves out.

    `table` is what was read of a table, and what was chosen of it; `shown` is its path.
    """

    text: str
    choices: list[str]
    table: tuple[Survey, Choice] | None = None
    shown: str = ""

    def read_as(self, readings: Mapping[str, Reading], results: Mapping[str, str]) -> Draft:
        """The draft of a table with other readings of these columns, and what was measured."""
        assert self.table is not None
        found, choice = self.table
        columns = [
            replace(each, chosen=readings[each.name], results=results.get(each.name, ""))
            if each.name in readings
            else each
            for each in found.columns
        ]
        target = None if choice.guessed else choice.target.name
        return draft_table(replace(found, columns=columns), target, self.shown)


@dataclass(frozen=True)
class Choice:
    """The columns to use of a table; `labels` are empty for regression."""

    target: ColumnProfile
    guessed: bool
    labels: dict[str, int]
    features: list[ColumnProfile]
    dates: list[ColumnProfile]
    dropped: list[ColumnProfile]
    splits: list[Proposal]
    lags: Lags | None = None

    @property
    def task(self) -> str:
        return "classification" if self.labels else "regression"

    @property
    def by_time(self) -> ColumnProfile | None:
        """The column of times that rows are split by, if there is no doubt."""
        sure = (split.column for split in self.splits if split.sure and split.by == "time")
        return next(sure, None)

    @property
    def written(self) -> list[ColumnProfile]:
        """The columns that are read as numbers or dates."""
        target = [] if self.labels else [self.target]
        return [*dict.fromkeys([*self.features, *self.dates, *self.split_by, *target])]

    @property
    def needed(self) -> list[ColumnProfile]:
        """The columns without which a row is left out."""
        return [self.target, *self.split_by]

    @property
    def lagged(self) -> list[int]:
        """The lags of the target that are features."""
        return [*self.lags.steps] if self.lags is not None and self.lags.used else []

    @property
    def split_by(self) -> list[ColumnProfile]:
        """The column that rows are split by, if there is no doubt."""
        return [split.column for split in self.splits if split.sure]


def draft(path: Path, target: str | None, folder: Path) -> Draft:
    """A config for this file.

    Args:
        path: a table or an npz file, or a folder of images.
        target: the column of the table to predict; None to guess.
        folder: of the config.

    Raises:
        DataError: the file cannot be read, or has nothing to predict from.
        UsageError: there is no such column.
    """
    shown = path.as_posix() if not path.is_absolute() else str(path)
    if path.is_absolute() and path.is_relative_to(folder):
        shown = os.path.relpath(path, folder)
    if path.is_dir():
        if target is not None:
            raise UsageError("--target names a column of a table; images have their folders")
        lines, words = draft_images(path, shown)
        return Draft(aligned(lines), words)
    if (wrong := why_no_file(path)) is not None:
        raise UsageError(f"--data: {wrong}")
    if path.suffix.lower() == ".npz":
        if target is not None:
            raise UsageError("--target names a column of a table; in an npz file it is y")
        data = read_npz(path)
        guess = f"it predicts y: {data.task}, a guess from its type (`task` in the config)"
        words = [guess, *(order_words(data.class_counts) if data.classes else ())]
        return Draft(aligned(array_lines(data, shown)), words)
    return draft_table(survey(path), target, shown)


def draft_table(found: Survey, target: str | None, shown: str) -> Draft:
    """A config for a table that was read, which is `shown` as its path; raises as `draft` does."""
    choice = _choose(found, target)
    words = [
        *filter(None, [_part(found), _read(found), _doubt(found), _sheets(found)]),
        *_described(choice),
    ]
    return Draft(aligned(_csv(found, choice, shown)), words, (found, choice), shown)


def _choose(found: Survey, wanted: str | None) -> Choice:
    by_name = {column.name: column for column in found.columns}
    if wanted is not None and wanted not in by_name:
        why = suggestion(wanted, by_name) + (f"; {sheets}" if (sheets := _sheets(found)) else "")
        raise UsageError(f"--target: there is no column '{wanted}'{why}")
    usable = [column for column in found.columns if reading_of(column)]
    target = by_name[wanted] if wanted is not None else _guess(found)
    labels = _classes(target, found)
    splits = [*proposals(found.columns, target)]
    split_by = [split.column.name for split in splits if split.sure]
    features = [
        column
        for column in usable
        if column is not target
        and column.name not in split_by
        and not _is_scarce(column, target, found.rows)
    ]
    dated = [
        column
        for column in found.columns
        if column.kind == "date"
        and column is not target
        and (column.name not in split_by or parts_of(column, splits=True))
    ]
    if not (features or dated or split_by):  # hours and years are in steps of one, too
        counters = ("counter", "rising")
        features = [c for c in found.columns if c.kind in counters and c is not target]
    # Split at random, rows would have dates that are not read as numbers.
    groups = (split.column for split in splits if split.sure and split.by == "group")
    used = {column.name for column in (*features, *dated, target, *groups)}
    dropped = [column for column in found.columns if column.name not in used]
    chosen = Choice(target, wanted is None, labels, features, dated, dropped, splits)
    if chosen.by_time is not None and not labels:
        alone = not (features or dated)
        found_lags = lags(target, chosen.by_time, found.columns, alone=alone)
        chosen = replace(chosen, lags=found_lags)
    if chosen.by_time is not None and (features or dated):
        splits = [
            replace(split, other="if new rows are not later ones", lagged=bool(chosen.lagged))
            for split in splits
        ]
        chosen = replace(chosen, splits=splits)
    if not features and not dated and not chosen.lagged:
        why = f"; left out: {_listed(dropped)}" if dropped else ""
        raise DataError(f"{found.path}: no column is left to predict '{target.name}' from{why}")
    return chosen


def _described(choice: Choice) -> Iterator[str]:
    """The choices in words, a line for each."""
    guess = " (a guess; --target COLUMN says which)" if choice.guessed else ""
    name, why = escaped(choice.target.name, kept=""), _why(choice.target, choice.labels)
    yield f"it predicts {name}{guess}: {choice.task} ({why})"
    if vectors := [column.name for column in read_as(choice.features, "vector")]:
        yield f"it learns vectors for the categories of {_clipped(vectors)}"
    if means := [column.name for column in read_as(choice.features, "mean")]:
        yield f"it takes means of the target for the values of {_clipped(means)}"
    parts = {c.name: parts_of(c, splits=c in choice.split_by) for c in choice.dates}
    if parts:
        listed = [f"{name} ({', '.join(found)})" for name, found in parts.items()]
        yield f"it takes parts of dates: {_clipped(listed)}"
    if choice.lags is not None and choice.lags.used:
        yield choice.lags.words()
    if guesses := guessed([*choice.written]):
        yield f"it guesses the format of {_clipped(guesses)}; a comment has the other one"
    codes = [column.name for column in choice.features if column.holds_codes]
    if codes:
        yield f"it takes as categories, for their leading zeros, {_clipped(codes)}"
    if numbers := [column.name for column in choice.features if may_be_codes(column)]:
        what = f"it takes as numbers what may be codes, {_clipped(numbers)}"
        yield f"{what}; a comment has them as categories"
    if words := [f"{c.name} ({', '.join(c.nulls)})" for c in choice.written if c.nulls]:
        yield f"it takes words as missing values: {_clipped(words)}"
    if choice.dropped:
        yield f"it leaves out {_listed(choice.dropped)}"
    yield from (split.words() for split in choice.splits)
    yield from order_words([*choice.labels.values()])


def _part(found: Survey) -> str:
    """A sentence that the draft looked at the first rows alone."""
    what = f"it looks at the first {found.rows:,} rows alone; what comes later may be different"
    return what * found.is_part


def _read(found: Survey) -> str:
    """A sentence that the encoding is a guess."""
    what = f"it reads the file as {found.encoding}, a guess: the file is not UTF-8"
    return what * (found.encoding != UTF_8)


def _doubt(found: Survey) -> str:
    """A sentence that the first line seems to be data."""
    names = data_as_names(found.columns)
    why = "if so, write a line with names above it"
    return f"its first line seems to be data and no names: {_clipped(names)}; {why}" * bool(names)


def _sheets(found: Survey) -> str:
    """Which sheet of a workbook it reads, where there are several."""
    first, *others = found.sheets or [""]
    how = f"to read another ({_clipped(others)}), save it as a file of its own"
    return f"it reads the first sheet, {_clipped([first])}; {how}" * bool(others)


def _listed(columns: Sequence[ColumnProfile]) -> str:
    names = [f"{column.name} ({reason(column)})" for column in columns[:_MOST_LISTED]]
    more = len(columns) - len(names)
    return _clipped(names) + (f" and {more:,} more" if more else "")


def _clipped(names: Sequence[str]) -> str:
    return clipped(escaped(", ".join(names), kept=""))


def _csv(found: Survey, choice: Choice, shown: str) -> Iterator[str]:
    target, labels, features = choice.target, choice.labels, choice.features
    inputs = sum(width(column, len(labels)) for column in features) + len(choice.lagged)
    inputs += sum(width_of(column, splits=column in choice.split_by) for column in choice.dates)
    needed = choice.needed
    without = sum(column.missing for column in needed)
    without += choice.lags.rows if choice.lags is not None and choice.lags.used else 0
    size = Size(found.rows - without, inputs, [*labels.values()])
    if size.rows < 2:
        raise DataError(f"{found.path}: a single row cannot be split into training and test rows")
    first = "the first " * found.is_part
    extent = f"{first}{found.rows} rows, {len(found.columns)} columns"
    yield f"# Written by `nnrun init` for {escaped(shown, kept='')}: {extent}."
    yield "# Guesses are marked; `nnrun check` checks the config."
    if part := _part(found):
        yield f"# The file is large: {part}."
    if doubt := _doubt(found):
        yield f"# A guess: {doubt}."
    yield ""
    yield "dataset:"
    yield f"  path: {flow(shown)}\trelative to this file"
    yield from _format(found)
    yield "  columns:"
    note = "\ta guess: is this the column to predict?" if choice.guessed else ""
    yield f"    target: {flow(target.name)}{note}"
    yield from category_lines(features, choice.dropped)
    yield from drop_lines(choice.dropped)
    for column in features:
        if column.kind == "number" and column.name.lower() in _WEIGHTS:
            why = "if it is how much each row counts; then it is no feature"
            yield f"    # weight: {flow(column.name)}\t{why}"
    yield from formats([c for c in found.columns if c in choice.written], found.decimal)
    rules = [f"{flow(column.name)}: drop_rows" for column in needed if column.missing]
    if rules:
        yield f"    missing: {{{', '.join(rules)}}}\trows without it are left out"
    yield f"  task: {choice.task}\t{_why(target, labels)}"
    yield from dates(choice.dates, choice.split_by)
    if choice.lags is not None:
        yield choice.lags.line()
    yield from missing_values([*dict.fromkeys([*choice.written, target])], choice.dropped)
    yield from _missing(features, choice.dates, sum(column.missing for column in needed))
    for split in choice.splits:
        yield from split.lines()
    yield from settings(
        size,
        timed=any(split.by == "time" for split in choice.splits),
        numbers=bool(read_as(features, "number") or choice.lagged),
    )


def is_indicated(features: Sequence[ColumnProfile], without: int) -> bool:
    """Whether features say where a number was missing, in rows but for those left out."""
    return any(c.missing >= without + _PLENTY for c in read_as(features, "number"))


def _missing(
    features: Sequence[ColumnProfile], dates: Sequence[ColumnProfile], without: int
) -> Iterator[str]:
    """The lines about blank cells, if there are any."""
    blank = sum(column.missing > 0 for column in (*features, *dates))
    if blank:
        columns = "1 column has" if blank == 1 else f"{blank} columns have"
        yield f"  # {columns} blank cells: numbers are filled in, categories get"
        yield "  # one for what is missing. `drop_rows` would leave such rows out."
        more = ", indicator: true" * is_indicated(features, without)
        yield f"  missing: {{impute: median{more}}}"


def _format(found: Survey) -> Iterator[str]:
    if found.separator is not None:
        yield f"  separator: {flow(found.separator)}"
    if found.decimal != ".":
        yield f"  decimal: {flow(found.decimal)}"
    if found.encoding != UTF_8:
        yield f"  encoding: {found.encoding}\ta guess: the file is not UTF-8"


def _guess(found: Survey) -> ColumnProfile:
    """A column with the name of a target, else the last one that can be predicted.

    Names of identifiers, such as `AirlineID`, come last.
    """
    usable = [column for column in found.columns if column.kind in ("number", "category")]
    if not usable:
        raise DataError(f"{found.path}: no column has several numbers, or few different words")
    named = [column for column in usable if column.name.lower() in _TARGETS]
    others = [column for column in usable if not is_identifier(column.name)] or usable
    few = [c for c in others if c.kind == "number" or c.different <= FEW_CATEGORIES]
    return named[0] if named else (few or others)[-1]


def _is_scarce(column: ColumnProfile, target: ColumnProfile, rows: int) -> bool:
    """Whether all numbers of a column may be in rows that are held out or have no target."""
    rows -= target.missing
    sure = column.numbers - target.missing
    held_out = rows - training_rows(rows)
    return column.kind == "number" and column.missing > 0 and sure <= min(_PLENTY, held_out)


def _classes(target: ColumnProfile, found: Survey) -> dict[str, int]:
    """The labels of a target with their counts; empty for regression."""
    if target.kind in ("number", "key", "rising"):
        return target.labels if target.has_few_values and target.whole == target.numbers else {}
    is_class = target.kind == "category" or target.may_hold_categories
    if is_class and len(target.labels) > 1:
        return target.labels
    name, why = escaped(target.name, kept=""), escaped(reason(target), kept="")
    raise DataError(f"{found.path}: '{name}' cannot be predicted: it is {why}")


def _why(target: ColumnProfile, labels: dict[str, int]) -> str:
    if not labels:
        return "numbers to predict; for labels, classification"
    if target.kind == "category":
        return f"{len(labels)} different {'codes' if target.holds_codes else 'words'}"
    if target.may_hold_categories:
        return f"{len(labels)} different values, some of them text"
    return f"a guess: {len(labels)} different whole numbers; for values, regression"


# A config for a data file with a space to search, by rules that use the file alone.

# A draft has smaller batches where there are fewer than 2,000 rows for training.
_BATCH = 64
_EXPERIMENT = "experiment"


def name_of(data: Path) -> str:
    """The name of an experiment after its data file."""
    stem = re.sub("[^A-Za-z0-9._-]+", "_", stem_of(data))[:100]
    return stem if is_name(stem) else _EXPERIMENT


def searched_content(made: Draft, path: Path) -> dict[str, Any]:
    """The content of a config with a space to search: that of a draft for a file."""
    data = content_of(made, path)
    return {**data, "search": space_of(data)}


def draft_frame(data: Any, target: str | None) -> Draft:
    """A config for a table in memory; raises as `draft` does, UsageError if it is none."""
    if not is_frame(data):
        kinds = "a path, or a table of pandas, polars or pyarrow"
        raise UsageError(f"data={type(data).__name__}: expected {kinds}")
    return draft_table(survey(Path("data"), data), target, GIVEN)


def content_of(made: Draft, path: Path | None) -> dict[str, Any]:
    """The content of the config for a file or a folder, or None for a table in memory."""
    data: dict[str, Any] = parse(Text(made.text, str(path or "data"))).data
    return {"name": _EXPERIMENT if path is None else name_of(path), **data}


def space_of(config: dict[str, Any]) -> dict[str, Any]:
    """What to choose from: the network, its training, and how features are prepared.

    With few rows, a validation split is small: then several judge each trial, unless members have
    validation rows of their own.

    Args:
        config: a draft, as plain values.
    """
    training, layers = config["training"], config["network"]["layers"]
    batch, rate = training["batch_size"], training["learning_rate"]["initial"]
    few = batch < _BATCH
    # A draft without a validation split has so few rows that larger batches may be all of them.
    factors = (0.5, 1, 2, 4) if "validation_size" in config["dataset"] else (0.5, 1)
    space: dict[str, Any] = {
        "training.learning_rate.initial": {"log_uniform": [rate / 20, rate * 5]},
        "training.optimizer.weight_decay": {"log_uniform": [1e-5, 0.1]},
        "training.batch_size": {"choice": [int(batch * factor) for factor in factors]},
    }
    if all(layer["type"] in ("dense", "flatten") for layer in layers):
        space["network.depth"] = {
            "int": [1, 3],
            "units": {"int": [8, 64 if few else 256], "log": True},
            "activation": {"choice": ["relu", "tanh", "gelu"]},
            "dropout": {"choice": [0, 0.1, 0.3]},
        }
    shared = not isinstance(config.get("members"), dict)
    return {"pruning": "median", "seeds": 3 if few and shared else 1, **space}
