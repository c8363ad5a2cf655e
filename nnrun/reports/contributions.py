"""What each column adds to single predictions of a network: Shapley values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.data.columns.column import Column
from nnrun.errors import NnrunError, UsageError
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.reports.charts.scatter import waterfall
from nnrun.reports.document import Cell, Figures, Grid, Note, Section
from nnrun.reports.importance import output_names, places_of, predicted
from nnrun.reports.numbers import count, measured, number, plural
from nnrun.runs.preparation.prepared import Prepared

MOST_EXACT = 10
"""Columns whose coalitions are all computed; of more, orders of the columns are sampled."""
MOST_BACKGROUND = 100
MOST_ROWS = 100
_SEED, _PAIRS, _FEWEST_PAIRS = 0, 64, 8
_WORK = 10**8  # features that the orders of wide rows are limited to
_AT_ONCE = 1 << 22  # features in memory
_SHOWN, _HALF, _ROUNDING = 15, 10, 1e-6


class Part(NamedTuple):
    """A column, what the row has in it, and what that adds, with its standard error if sampled."""

    column: str
    value: str
    contribution: float
    error: float | None


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each column adds to predictions: they add up to prediction minus `mean`.

    Args:
        columns: of the table, each with all of its features.
        outputs: classes, by their probability, or targets in their own units.
        values: (rows, columns, outputs).
        errors: their standard errors, where orders of the columns were sampled; else None.
        predictions: (rows, outputs).
        mean: the mean prediction for the background, (outputs,).
        background: how many rows that is.
        training_rows: how many it was drawn from; None for rows of the caller.
        cells: what rows have in each column, in words.
        explained: for each row the numbers of the outputs that are shown.
    """

    columns: Sequence[str]
    outputs: Sequence[str]
    values: Array
    errors: Array | None
    predictions: Array
    mean: Array
    background: int
    training_rows: int | None
    cells: Sequence[Sequence[str]]
    explained: Sequence[Sequence[int]]

    def parts(self, row: int, output: int) -> list[Part]:
        """The columns, the one that adds or takes most first."""
        values = self.values[row, :, output].tolist()
        none = [None] * len(values)
        errors = none if self.errors is None else self.errors[row, :, output].tolist()
        parts = map(Part, self.columns, self.cells[row], values, errors)
        return sorted(parts, key=lambda part: -abs(part.contribution))

    def to_dict(self, names: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """All of it as JSON data; `names` are those of the rows."""
        background = {"rows": self.background, "of": self.training_rows, "seed": _SEED}
        explained = [
            {
                **(names[row] if names else {"row": row}),
                "output": self.outputs[output],
                "prediction": float(self.predictions[row, output]),
                "mean": float(self.mean[output]),
                "columns": [part._asdict() for part in self.parts(row, output)],
            }
            for row, outputs in enumerate(self.explained)
            for output in outputs
        ]
        return {"exact": self.errors is None, "background": background, "explained": explained}


def contributions(
    model: Model,
    x: Array,
    background: Array,
    training_rows: int | None = None,
    class_name: str | None = None,
) -> Contributions:
    """Shapley values of the columns, for each row of x.

    The worth of some columns is the mean prediction for the background, where all of its rows have
    these columns of the row (Strumbelj and Kononenko, Knowledge and Information Systems 41, 2014).

    Args:
        model: of a table; columns are as they are before preprocessing.
        x: rows as `Model.rows` returns them.
        background: likewise.
        training_rows: how many it was drawn from.
        class_name: the class whose probability is explained; by default the predicted one.

    Raises:
        UsageError: rows are images or none, or there is no such class.
        NnrunError: a prediction is no finite number.
    """
    refuse_images(model)
    if not (len(x) and len(background)):
        raise UsageError("explanations need a row at least, and a row to compare with")
    places = places_of(model)
    owner = np.concatenate([np.full(len(place), at) for at, place in enumerate(places.values())])
    game = _Game(model, background, owner, len(places))
    predictions = predicted(model, x).astype(np.float64)
    names = output_names(model, predictions.shape[1])
    shown = _shown(model, x, names, class_name)
    (mean,) = game.worths(background[0], np.zeros((1, len(places))))
    estimate = _exact if len(places) <= MOST_EXACT else _sampled
    with np.errstate(all="ignore"):
        found = [estimate(game, *pair, mean) for pair in zip(x, predictions, strict=True)]
    values = np.stack([each for each, _ in found])
    if not np.isfinite(values).all():
        raise NnrunError("predictions for these rows are not finite, so nothing adds up to them")
    errors = [error for _, error in found if error is not None]
    cells = [_cells(model, places, row) for row in x]
    return Contributions(
        [*places], names, values, np.stack(errors) if errors else None, predictions, mean,
        len(background), training_rows, cells, shown,
    )  # fmt: skip


def refuse_images(model: Model) -> None:
    """Raise a UsageError if the rows of a network are images, which have no columns."""
    if len(model.layout.shape) > 1:
        raise UsageError(
            "predictions are explained by the columns of a table; for images, `nnrun report "
            "--importance` shows which pixels count"
        )


class _Game(NamedTuple):
    """What coalitions of columns are worth; `owner` has the column of each feature."""

    model: Model
    background: Array
    owner: Array
    columns: int

    def worths(self, row: Array, coalitions: Array) -> Array:
        """The mean prediction for the background with these columns of the row, for each."""
        step = max(1, _AT_ONCE // self.background.size)
        parts = []
        for start in range(0, len(coalitions), step):
            of_row = coalitions[start : start + step, self.owner] > 0
            rows = np.where(of_row[:, np.newaxis], row, self.background)
            outputs = predicted(self.model, rows.reshape(-1, len(row)))
            parts.append(outputs.reshape(*rows.shape[:2], -1).mean(axis=1, dtype=np.float64))
        return np.concatenate(parts)


def _exact(game: _Game, row: Array, prediction: Array, mean: Array) -> tuple[Array, None]:
    """Shapley values from all coalitions: (columns, outputs)."""
    columns = game.columns
    numbers = np.arange(1 << columns)
    members = numbers[:, np.newaxis] >> np.arange(columns) & 1
    inner = game.worths(row, members[1:-1]) if columns > 1 else np.empty((0, len(mean)))
    worths = np.vstack([mean, inner, prediction])
    weight = np.array([1 / (columns * comb(columns - 1, size)) for size in range(columns)])
    values = []
    for column in range(columns):
        without = numbers[members[:, column] == 0]
        gains = worths[without | 1 << column] - worths[without]
        values.append(weight[members[without].sum(axis=1)] @ gains)
    return np.stack(values), None


def _sampled(game: _Game, row: Array, prediction: Array, mean: Array) -> tuple[Array, Array]:
    """The mean over orders of the columns and their reverses, and its standard error."""
    columns, rng = game.columns, np.random.default_rng(_SEED)
    pairs = min(_PAIRS, max(_FEWEST_PAIRS, _WORK // (columns * game.background.size)))
    gains = np.empty((pairs, columns, len(mean)))
    for pair in range(pairs):
        first = rng.permutation(columns)
        both = []
        for order in (first, first[::-1]):
            rank = np.argsort(order)
            inner = game.worths(row, rank < np.arange(1, columns)[:, np.newaxis])
            both.append(np.diff(np.vstack([mean, inner, prediction]), axis=0)[rank])
        gains[pair] = np.mean(both, axis=0)
    return gains.mean(axis=0), gains.std(axis=0, ddof=1) / np.sqrt(pairs)


def _shown(model: Model, x: Array, names: Sequence[str], wanted: str | None) -> list[list[int]]:
    if wanted is not None:
        if not isinstance(model.task, Classification):
            raise UsageError(f"there is no class '{wanted}': this is a regression")
        if (label := model.layout.label(wanted)) not in names:
            raise UsageError(f"there is no class '{wanted}'; there are {', '.join(names)}")
        return [[names.index(label)]] * len(x)
    if isinstance(model.task, Classification):
        return [[int(best)] for best in model.task.decode(model.evaluate(x))]
    return [[*range(len(names))]] * len(x)


def _cells(model: Model, places: Mapping[str, range], row: Array) -> list[str]:
    """What a row has in each column, in words; empty for dates and earlier values."""
    kinds: Mapping[str, Column] = {column.name: column for column in model.layout.columns}
    return [_cell(kinds.get(name), row[at.start : at.stop]) for name, at in places.items()]


def _cell(kind: Column | None, features: Array) -> str:
    if kind is not None and kind.kind == "one_hot":
        names = (kind.feature_names[at] for at in np.flatnonzero(features))
        return next(names, "").removeprefix(f"{kind.name}=")
    choices = None if kind is None else kind.choices()
    if choices is None:
        return "(blank)" if np.isnan(features[0]) else f"{features[0]:.6g}"
    return next((name for name, other in choices if np.array_equal(other, features)), "")


# Rows of a stored run's own data.


def background_of(prepared: Prepared) -> tuple[Array, int]:
    """Training rows to compare with, all or always the same sample; and how many there are."""
    train = prepared.split.train
    if len(train) <= MOST_BACKGROUND:
        return train.x, len(train)
    drawn = np.random.default_rng(_SEED).choice(len(train), MOST_BACKGROUND, replace=False)
    return train.take(np.sort(drawn)).x, len(train)


def rows_by_number(prepared: Prepared, wanted: Sequence[int]) -> tuple[Array, list[dict[str, Any]]]:
    """Rows by their numbers in the data, from 1 on, each with the split that it is in.

    Raises:
        UsageError: a row is in no split.
    """
    split, numbers = prepared.split, prepared.dataset.row_numbers
    places = {
        int(number): (name, part, at)
        for name, part in {"train": split.train, **split.held_out}.items()
        for at, number in enumerate(numbers[part.rows])
    }
    if (lacking := next((row for row in wanted if row not in places), None)) is not None:
        raise UsageError(f"--row {lacking}: the run has no such row in any of its splits")
    rows = [places[row] for row in wanted]
    x = np.concatenate([part.take(np.array([at])).x for _, part, at in rows])
    return x, [{"row": row, "split": places[row][0]} for row in wanted]


# A table for each prediction, and a picture.


def contribution_sections(
    of: Contributions, names: Sequence[Mapping[str, Any]], *, full: bool = False
) -> Iterator[Section]:
    """A section for each prediction; without `full`, small contributions are summed up."""
    how = "They are exact Shapley values."
    if of.errors is not None:
        how = "± is the standard error of sampled orders of the columns."
    rows = plural(of.training_rows or of.background, "training row" if of.training_rows else "row")
    if of.background < (of.training_rows or 0):
        rows = f"{of.background} of {rows}, drawn at random"
    for row, name in enumerate(names):
        place = f" of the {name['split']} split" if "split" in name else ""
        for output in of.explained[row]:
            what, start = shortened(of.outputs[output], 40), float(of.mean[output])
            end, parts = number(of.predictions[row, output]), of.parts(row, output)
            if len(parts) > _SHOWN + 1 and not full:
                rest = sum(part.contribution for part in parts[_SHOWN:])
                others = f"the other {count(len(parts) - _SHOWN)} columns"
                parts = [*parts[:_SHOWN], Part(others, "", rest, None)]
            labels = [f"{p.column} = {p.value}" if p.value else p.column for p in parts]
            amounts = [part.contribution for part in parts]
            chart = waterfall(f"Contributions to {what}", labels, amounts, start, what)
            about = f"From {number(start)}, the mean prediction for {rows}, to {end}."
            cause = "They say what the network does with this row, not what causes the value."
            yield Section(
                f"Row {name['row']}{place}: {what} {end}",
                [Note(about), _table(parts), Figures([chart]), Note(f"{how} {cause}", "small")],
            )


def _table(parts: Sequence[Part]) -> Grid:
    largest = max(abs(part.contribution) for part in parts) or 1.0
    rows = [
        [
            Cell(shortened(part.column, 40)),
            Cell(shortened(part.value, 30)),
            # Pages have a picture in place of it.
            Cell(_bar(part.contribution / largest), drawing=Markup("")),
            Cell(_amount(part, largest), part.contribution),
        ]
        for part in parts
    ]
    header = ["column", "value", "", "contribution"]
    return Grid("Contributions", header, rows, texts=3, hidden=True)


def _amount(part: Part, largest: float) -> str:
    if abs(part.contribution) < _ROUNDING * largest:
        return "0"
    text = measured(part.contribution, part.error)
    return f"+{text}" if part.contribution > 0 else text


def _bar(share: float) -> str:
    """A bar to the left or to the right of a middle line."""
    bar = "█" * round(abs(share) * _HALF)
    return f"{bar:>{_HALF}}│" if share < 0 else f"{'':>{_HALF}}│{bar}"
