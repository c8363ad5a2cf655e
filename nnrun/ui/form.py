"""A network tried in the browser: its form, the row that was filled in, the answer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Lock

import numpy as np

from nnrun.characters import escaped
from nnrun.data.columns.column import Number
from nnrun.data.columns.kinds import Lag
from nnrun.data.inference.table_rows import table_rows
from nnrun.data.rows import RawRows
from nnrun.errors import DataError, NnrunError, UsageError
from nnrun.models.load import load_model
from nnrun.models.model import Model
from nnrun.models.writing import cells, spelled
from nnrun.nn.signature import Array
from nnrun.pool import LruCache
from nnrun.reports.document import Block
from nnrun.reports.html.layers import traced_blocks
from nnrun.reports.numbers import number
from nnrun.reports.predictions import LoadData, last_split, prepared_again
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import refuse_unusable_model

_MOST_COLUMNS = 400
_MOST_PIXELS = 3 * 256 * 256
_MOST_CHOICES = 200
_LONGEST = 1000


@dataclass(frozen=True)
class Cell:
    """A column of a row: its name, the value to begin with, and what training knew."""

    name: str
    value: str
    choices: Sequence[str] = ()


@dataclass(frozen=True)
class Form:
    """What to ask for.

    Args:
        shape: (channels, height, width) of an image to draw; None for a row to type in.
        cells: of the row.
        split: the split whose rows can be filled in.
        rows: how many it has; 0 where they cannot be.
    """

    shape: tuple[int, ...] | None
    cells: Sequence[Cell] = ()
    split: str = ""
    rows: int = 0


class _Frame:
    """A table of one row, as `table_rows` takes it."""

    def __init__(self, names: Sequence[str], cells: Sequence[str]) -> None:
        self.columns = names
        self._cells = dict(zip(names, cells, strict=True))

    def __getitem__(self, name: str) -> Array:
        return np.array([self._cells[name]], object)


def takes_images(model: Model) -> bool:
    """Whether rows are images, which are drawn."""
    return len(model.layout.shape) == 3


def is_plain(model: Model) -> bool:
    """Whether the features of a row are its cells."""
    return model.layout.columns.plain


def form_of(model: Model, first: Array | None, split: str = "", rows: int = 0) -> Form:
    """The form of a network; `first` has rows to begin with: the first of them where features are
    cells; else the median of each column of numbers, and the most frequent category.

    Raises: UsageError if no form has what it takes.
    """
    if takes_images(model):
        if model.layout.shape[0] not in (1, 3) or prod(model.layout.shape) > _MOST_PIXELS:
            raise UsageError(
                "its images are no drawings of one or three channels; use nnrun predict"
            )
        return Form(model.layout.shape, (), split, rows)
    if any(column.kind == Lag.kind for column in model.layout.columns):
        raise UsageError("it takes values of earlier rows; nnrun predict reads them from a file")
    names = _names(model)
    if len(names) > _MOST_COLUMNS:
        raise UsageError(f"it takes {len(names)} columns; nnrun predict reads them from a file")
    choices = model.layout.columns.categories
    numbers = None if first is None or not is_plain(model) else exact(first[:1].reshape(-1))
    usual = {} if first is None or numbers is not None else _usual(model, first)
    cells = []
    for place, name in enumerate(names):
        shown = [choice for choice in choices.get(name, ()) if choice][:_MOST_CHOICES]
        value = numbers[place] if numbers is not None else usual.get(name, (shown or [""])[0])
        cells.append(Cell(visible(name), visible(value), [*map(visible, shown)]))
    return Form(None, cells, split, rows)


def _usual(model: Model, rows: Array) -> dict[str, str]:
    """A usual value of each column of the file, as the file has it, where that is known."""
    columns, usual = model.layout.columns, {}
    for column, features in columns.parts(rows.reshape(len(rows), -1)):
        if isinstance(column, Number) and column.form is None and not np.isnan(features).all():
            middle = np.nanquantile(features, 0.5, method="lower", axis=0)
            usual[column.source] = exact(middle)[0].replace(".", columns.decimal)
        elif choices := column.choices():
            counts = [(features == values).all(axis=1).sum() for _, values in choices]
            usual[column.source] = choices[int(np.argmax(counts))][0]
    return usual


def visible(text: str) -> str:
    r"""Text as it is shown: what no browser shows, or keeps in a field, as `\x1b`."""
    return escaped(text, kept="")


def exact(values: Array) -> list[str]:
    """The shortest texts that are read as the same float64 numbers: `307`, `17.5`."""
    return [str(float(value)).removesuffix(".0") for value in values]


def row_of(model: Model, posted: object) -> tuple[Array, list[str]]:
    """One raw row (1, *shape) from what was drawn or typed in, and what there is to say about it.

    Raises: DataError if it is not what the network takes.
    """
    key = "pixels" if takes_images(model) else "cells"
    values = posted.get(key) if isinstance(posted, dict) else None
    if not isinstance(values, list):
        raise DataError(f"there are no {key}")
    return (_drawn(model, values), []) if takes_images(model) else _typed(model, values)


def _drawn(model: Model, values: Sequence[object]) -> Array:
    shape = model.layout.shape
    sound = all(isinstance(v, int | float) and 0 <= v <= 1 for v in values)
    if len(values) != prod(shape) or not sound:
        raise DataError(f"{prod(shape)} numbers from 0 to 1 are needed")
    return np.array(values, np.float64).reshape(1, *shape)


def _typed(model: Model, values: Sequence[object]) -> tuple[Array, list[str]]:
    names = _names(model)
    cells = [value for value in values if isinstance(value, str) and len(value) <= _LONGEST]
    if not len(cells) == len(values) == len(names):
        raise DataError(f"{len(names)} short texts are needed")
    if not model.layout.columns.features:
        return model.rows([[_number(*cell) for cell in zip(names, cells, strict=True)]]), []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            row = table_rows(_Frame(names, _meant(model, names, cells)), model.layout)
            assert row is not None  # its columns have names
    except DataError as error:
        raise DataError(str(error).replace("row 0, ", "")) from None
    rows = model.rows(row.reshape(1, *model.layout.shape))
    return rows, [str(warning.message) for warning in caught]


def _meant(model: Model, names: Sequence[str], cells: Sequence[str]) -> list[str]:
    """The cells as files have them, where a category was chosen by the text that shows it."""
    meant = []
    for name, cell in zip(names, (cell.strip() for cell in cells), strict=True):
        categories = model.layout.columns.categories.get(name, ())
        shown = {visible(choice): choice for choice in categories if choice}
        meant.append(cell if cell in categories else shown.get(cell, cell))
    return meant


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{name}: '{text}' is no number") from None


def _names(model: Model) -> list[str]:
    """The columns of the file, or the places of numbers in an array."""
    names = model.layout.columns.features
    return [*names] or [f"number {place}" for place in range(prod(model.layout.shape))]


# Predictions of stored networks for a drawing, or for a row that was typed in.

# Of this many rows, the least and the largest number are the scale of pixels.
_ROWS = 500


@dataclass(frozen=True, eq=False)
class Answer:
    """The output of a network for one row.

    Args:
        what: is predicted: the class, or the name of a target for each number.
        prediction: in words.
        exact: the prediction in all its digits, as `nnrun predict` writes it.
        classes: the probability of each; empty where there are none.
        layers: what comes out of each layer, as blocks of a report.
        notes: what there is to say about the row.
    """

    what: str
    prediction: str
    exact: str
    classes: Sequence[tuple[str, float]]
    layers: Sequence[Block]
    notes: Sequence[str]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Raw rows of a split, the least and the largest number in the first ones, and the first
    training rows.
    """

    split: str
    raw: RawRows
    low: float
    high: float
    train: Array


class Answers:
    """Loads networks, keeps the last ones, and predicts with one at a time.

    `load_data` loads the data of runs, for rows to begin with and the scale of pixels.
    """

    def __init__(self, load_data: LoadData) -> None:
        self._load_data = load_data
        self._models: LruCache[Model] = LruCache()
        self._rows: LruCache[_Rows] = LruCache()
        self._lock = Lock()

    def form(self, folder: Path, record: RunRecord) -> Form:
        """What to ask for.

        Raises: NnrunError if there is no network, or it takes what no form has.
        """
        with self._lock:
            model = self._model(folder, record)
            try:
                rows = self._data(record)
            except (NnrunError, OSError):
                if takes_images(model):  # there is no scale of pixels
                    raise
                return form_of(model, None)
            plain = takes_images(model) or is_plain(model)
            first = rows.raw.between(0, 1) if plain else rows.train
            return form_of(model, first, rows.split, len(rows.raw) if plain else 0)

    def row(self, folder: Path, record: RunRecord, index: int) -> list[float]:
        """A row of the split: pixels as shares of their scale, or the numbers of a table.

        Raises: UsageError if there is no such row.
        """
        with self._lock:
            model, rows = self._model(folder, record), self._data(record)
            if not 0 <= index < len(rows.raw):
                raise UsageError(f"the {rows.split} split has rows 0 to {len(rows.raw) - 1}")
            numbers = np.asarray(rows.raw.between(index, index + 1)[0], np.float64).reshape(-1)
            if takes_images(model):
                numbers = ((numbers - rows.low) / (rows.high - rows.low)).clip(0, 1)
            values: list[float] = numbers.tolist()
            return values

    def answer(self, folder: Path, record: RunRecord, posted: object) -> Answer:
        """The prediction for `pixels`, shares of their scale, or for `cells`, texts.

        Raises: NnrunError if they are not what the network takes.
        """
        with self._lock:
            model = self._model(folder, record)
            x, notes = row_of(model, posted)
            notes = [*map(visible, notes)]
            if takes_images(model):
                rows = self._data(record)
                x = rows.low + x * (rows.high - rows.low)
            outputs = model.outputs(x)
            layers = [*traced_blocks(record, model, model.rows(x), ["output"])]
            return _answer(model, outputs, layers, notes)

    def _model(self, folder: Path, record: RunRecord) -> Model:
        key = f"{folder} {record.weights_sha256}"
        if key not in self._models:
            refuse_unusable_model(folder, record)
        return self._models.get(key) or self._models.keep(key, load_model(folder))

    def _data(self, record: RunRecord) -> _Rows:
        key = f"{record.name}/{record.run_id} {record.dataset['sha256']}"
        if key not in self._rows:
            parts = prepared_again(record, self._load_data).split
            split, part = last_split(parts)
            train = np.asarray(parts.train.raw.between(0, min(len(parts.train), _ROWS)))
            some = np.asarray(part.raw.between(0, _ROWS), np.float64)
            low, high = float(np.nanmin(some)), float(np.nanmax(some))
            self._rows[key] = _Rows(split, part.raw, low, high if high > low else low + 1, train)
        return self._rows.keep(key, self._rows[key])


def _answer(model: Model, outputs: Array, layers: Sequence[Block], notes: Sequence[str]) -> Answer:
    predicted = np.asarray(model.decode(outputs))[0]
    if model.layout.classes:
        chances: list[tuple[str, float]] = []
        if model.probabilistic:
            probabilities = model.probabilities(outputs)[0].tolist()
            chances = [*zip(map(visible, model.layout.classes), probabilities, strict=True)]
        label = visible(str(spelled(np.atleast_1d(predicted))[0]))
        return Answer("class", label, label, chances, layers, notes)
    values = np.atleast_1d(predicted)
    what = ", ".join(map(visible, model.layout.target_names)) or "prediction"
    shown = ", ".join(map(number, values.tolist()))
    return Answer(what, shown, ", ".join(cells(values)), [], layers, notes)
