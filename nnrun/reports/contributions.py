"""What each column adds to single predictions of a network: Shapley values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from nnrun.reports.numbers import measured, number, plural
from nnrun.runs.preparation.prepared import Prepared

MOST_EXACT = 10
"""Columns whose coalitions are all computed; of more, orders of the columns are sampled."""
MOST_BACKGROUND, MOST_ROWS = 100, 100
_SEED, _PAIRS, _FEWEST_PAIRS, _HALF, _ROUNDING = 0, 64, 8, 10, 1e-6
_HEADER = ("column", "value", "", "contribution")
_WORK, _AT_ONCE = 10**8, 1 << 22  # features: of all orders of wide rows, and in memory


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

    def to_dict(self, names: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """All of it as JSON data, the largest contributions first; `names` are of the rows."""
        entries = []
        for row, outputs in enumerate(self.explained):
            name = names[row] if names else {"row": row}
            for output in outputs:
                values = self.values[row, :, output]
                none = [None] * len(values)
                errors = none if self.errors is None else self.errors[row, :, output].tolist()
                keys = ("column", "value", "contribution", "error")
                each = zip(self.columns, self.cells[row], values.tolist(), errors, strict=True)
                columns = [dict(zip(keys, column, strict=True)) for column in each]
                entry = {
                    "output": self.outputs[output],
                    "prediction": float(self.predictions[row, output]),
                    "mean": float(self.mean[output]),
                    "columns": [columns[at] for at in np.argsort(-np.abs(values), kind="stable")],
                }
                entries.append({**name, **entry})
        background = {"rows": self.background, "of": self.training_rows, "seed": _SEED}
        return {"exact": self.errors is None, "background": background, "explained": entries}


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

    Rows are as `Model.rows` returns them; `training_rows` is how many the background was drawn
    from. Of classes the predicted one is explained, or that of the name.

    Raises: UsageError for images, no rows or no such class; NnrunError if predictions are infinite.
    """
    refuse_images(model)
    if not (len(x) and len(background)):
        raise UsageError("explanations need a row at least, and a row to compare with")
    places = places_of(model)
    owner = np.concatenate([np.full(len(place), at) for at, place in enumerate(places.values())])
    predictions = predicted(model, x).astype(np.float64)
    names = output_names(model, predictions.shape[1])
    shown = _shown(model, x, names, class_name)

    def worths(row: Array, coalitions: Array) -> Array:
        """The mean prediction for the background with these columns of the row, for each."""
        step = max(1, _AT_ONCE // background.size)
        parts = []
        for start in range(0, len(coalitions), step):
            of_row = coalitions[start : start + step, owner] > 0
            rows = np.where(of_row[:, np.newaxis], row, background)
            outputs = predicted(model, rows.reshape(-1, len(row)))
            parts.append(outputs.reshape(*rows.shape[:2], -1).mean(axis=1, dtype=np.float64))
        return np.concatenate(parts or [np.empty((0, len(names)))])

    exact = len(places) <= MOST_EXACT
    pairs = min(_PAIRS, max(_FEWEST_PAIRS, _WORK // (len(places) * background.size)))
    with np.errstate(all="ignore"):
        (mean,) = worths(x[0], np.zeros((1, len(places))))
        each = zip(x, predictions, strict=True)
        games = [_Game(partial(worths, row), len(places), mean, whole) for row, whole in each]
        found = np.stack([game.exact() if exact else game.sampled(pairs) for game in games])
    if not np.isfinite(found).all():
        raise NnrunError("predictions for these rows are not finite, so nothing adds up to them")
    errors = None if exact else found[:, 1]
    cells = [[*_cells(model, places, row)] for row in x]
    return Contributions(
        [*places], names, found[:, 0], errors, predictions, mean, len(background), training_rows,
        cells, shown,
    )  # fmt: skip


def refuse_images(model: Model) -> None:
    """Raise a UsageError if the rows of a network are images, which have no columns."""
    if len(model.layout.shape) > 1:
        raise UsageError(
            "predictions are explained by the columns of a table; for images, `nnrun report "
            "--importance` shows which pixels count"
        )


class _Game(NamedTuple):
    """What coalitions of columns are worth: `mean` that of none, `prediction` that of all.

    Both ways to share it return the values and their standard errors: (2, columns, outputs).
    """

    worths: Callable[[Array], Array]
    columns: int
    mean: Array
    prediction: Array

    def exact(self) -> Array:
        """Exact values, from all coalitions."""
        numbers, columns = np.arange(1 << self.columns), range(self.columns)
        members = numbers[:, np.newaxis] >> np.arange(self.columns) & 1
        worths = np.vstack([self.mean, self.worths(members[1:-1]), self.prediction])
        weight = np.array([1 / (self.columns * comb(self.columns - 1, size)) for size in columns])
        values = []
        for column in columns:
            without = numbers[members[:, column] == 0]
            gains = worths[without | 1 << column] - worths[without]
            values.append(weight[members[without].sum(axis=1)] @ gains)
        return np.stack([values, np.zeros_like(values)])

    def sampled(self, pairs: int) -> Array:
        """The means over orders of the columns, each with its reverse."""
        rng, gains = np.random.default_rng(_SEED), []
        for _ in range(pairs):
            first = rng.permutation(self.columns)
            for order in (first, first[::-1]):
                rank = np.argsort(order)
                inner = self.worths(rank < np.arange(1, self.columns)[:, np.newaxis])
                path = np.vstack([self.mean, inner, self.prediction])
                gains.append(np.diff(path, axis=0)[rank])
        means = (np.array(gains[::2]) + np.array(gains[1::2])) / 2
        return np.stack([means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(pairs)])


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


def _cells(model: Model, places: Mapping[str, range], row: Array) -> Iterator[str]:
    """What a row has in each column, in words; empty for dates and earlier values."""
    kinds: Mapping[str, Column] = {column.name: column for column in model.layout.columns}
    for name, place in places.items():
        kind, features = kinds.get(name), row[place.start : place.stop]
        choices = None if kind is None else kind.choices()
        if choices is None:
            yield "(blank)" if np.isnan(features[0]) else f"{features[0]:.6g}"
        else:
            yield next((word for word, other in choices if (other == features).all()), "")


# Rows of a stored run's own data, and sections about predictions.


def background_of(prepared: Prepared) -> tuple[Array, int]:
    """Training rows to compare with, all or always the same sample; and how many there are."""
    train = prepared.split.train
    if len(train) <= MOST_BACKGROUND:
        return train.x, len(train)
    drawn = np.random.default_rng(_SEED).choice(len(train), MOST_BACKGROUND, replace=False)
    return train.take(np.sort(drawn)).x, len(train)


def rows_by_number(prepared: Prepared, wanted: Sequence[int]) -> tuple[Array, list[dict[str, Any]]]:
    """Rows by their numbers in the data, from 1 on, each with the split that it is in.

    Raises: UsageError if a row is in no split.
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


def contribution_sections(data: Mapping[str, Any]) -> Iterator[Section]:
    """A section for each prediction, by what `to_dict` says."""
    how = "They are exact Shapley values."
    if not data["exact"]:
        how = "± is the standard error of sampled orders of the columns."
    some, every = data["background"]["rows"], data["background"]["of"]
    drawn = f"{some} of {every} training rows, drawn at random"
    rows = drawn if some < every else plural(every, "training row")
    for entry in data["explained"]:
        what, start, parts = shortened(entry["output"], 40), entry["mean"], entry["columns"]
        end = number(entry["prediction"])
        labels = [" = ".join(filter(None, (p["column"], p["value"]))) for p in parts]
        amounts = [part["contribution"] for part in parts]
        chart = waterfall(f"Contributions to {what}", labels, amounts, start, what)
        about = f"From {number(start)}, the mean prediction for {rows}, to {end}."
        cause = "They say what the network does with this row, not what causes the value."
        largest = max(map(abs, amounts)) or 1.0
        lines = [[*_line(part, part["contribution"] / largest)] for part in parts]
        table = Grid("Contributions", _HEADER, lines, texts=3, hidden=True)
        place = f" of the {entry['split']} split" if "split" in entry else ""
        yield Section(
            f"Row {entry['row']}{place}: {what} {end}",
            [Note(about), table, Figures([chart]), Note(f"{how} {cause}", "small")],
        )


def _line(part: Mapping[str, Any], share: float) -> Iterator[Cell]:
    yield Cell(shortened(part["column"], 40))
    yield Cell(shortened(part["value"], 30))
    bar = "█" * round(abs(share) * _HALF)
    bar = f"{bar:>{_HALF}}│" if share < 0 else f"{'':>{_HALF}}│{bar}"
    yield Cell(bar, drawing=Markup(""))  # pages have a picture in place of it
    text = f"{'+' * (share > 0)}{measured(part['contribution'], part['error'])}"
    yield Cell(text if abs(share) >= _ROUNDING else "0", part["contribution"])
