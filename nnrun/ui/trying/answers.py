"""Predictions of stored networks for a drawing, or for a row that was typed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from nnrun.data.rows.raw import RawRows
from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import load
from nnrun.models.model import Model
from nnrun.models.writing.columns import cells, spelled
from nnrun.nn.signature import Array
from nnrun.pool.task import LruCache
from nnrun.reports.document import Block
from nnrun.reports.examine import LoadData, last_split, prepared_again
from nnrun.reports.html.layers import traced_blocks
from nnrun.reports.numbers import number
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.integrity import refuse_unusable_model
from nnrun.ui.trying.forms import Form, form_of, is_plain, row_of, takes_images, visible

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
    """Raw rows of a split, and the least and the largest number in the first ones."""

    split: str
    raw: RawRows
    low: float
    high: float


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
            first = rows.raw.between(0, 1)[0]
            plain = takes_images(model) or is_plain(model)
            return form_of(model, first, rows.split, len(rows.raw) if plain else 0)

    def row(self, folder: Path, record: RunRecord, index: int) -> list[float]:
        """A row of the split: pixels as shares of their scale, or the numbers of a table.

        Raises: UsageError if there is no such row.
        """
        with self._lock:
            model, rows = self._model(folder, record), self._data(record)
            if not 0 <= index < len(rows.raw):
                raise UsageError(f"the {rows.split} split has rows 0 to {len(rows.raw) - 1}")
            found = np.asarray(rows.raw.between(index, index + 1)[0], np.float64).reshape(-1)
            if takes_images(model):
                found = ((found - rows.low) / (rows.high - rows.low)).clip(0, 1)
            values: list[float] = found.tolist()
            return values

    def answer(self, folder: Path, record: RunRecord, given: object) -> Answer:
        """The prediction for `pixels`, shares of their scale, or for `cells`, texts.

        Raises: NnrunError if they are not what the network takes.
        """
        with self._lock:
            model = self._model(folder, record)
            x, notes = row_of(model, given)
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
        return self._models.get(key) or self._models.keep(key, load(folder))

    def _data(self, record: RunRecord) -> _Rows:
        key = f"{record.name}/{record.run_id} {record.dataset['sha256']}"
        if key not in self._rows:
            split, part = last_split(prepared_again(record, self._load_data).split)
            some = np.asarray(part.raw.between(0, _ROWS), np.float64)
            low, high = float(np.nanmin(some)), float(np.nanmax(some))
            self._rows[key] = _Rows(split, part.raw, low, high if high > low else low + 1)
        return self._rows.keep(key, self._rows[key])


def _answer(model: Model, outputs: Array, layers: Sequence[Block], notes: Sequence[str]) -> Answer:
    predicted = np.asarray(model.decode(outputs))[0]
    if model.layout.classes:
        chances: list[tuple[str, float]] = []
        if model.probabilistic:
            found = model.probabilities(outputs)[0].tolist()
            chances = [*zip(map(visible, model.layout.classes), found, strict=True)]
        label = visible(str(spelled(np.atleast_1d(predicted))[0]))
        return Answer("class", label, label, chances, layers, notes)
    values = np.atleast_1d(predicted)
    what = ", ".join(map(visible, model.layout.target_names)) or "prediction"
    shown = ", ".join(map(number, values.tolist()))
    return Answer(what, shown, ", ".join(cells(values)), [], layers, notes)
