"""How the output and the hidden units of a watched run came about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nnrun.errors import NnrunError
from nnrun.explain.film import film_of
from nnrun.models.model import Model
from nnrun.models.weights import weights_shapes
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import Predictions
from nnrun.reports.film_charts import film_charts
from nnrun.reports.html.blocks import Block, Figures, Folded, Note
from nnrun.reports.markup import sentence
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.watched import frames

_MOST_UNITS = 16


def film_blocks(
    record: RunRecord, folder: Path, model: Model, predictions: Predictions
) -> Iterator[Block]:
    """The surfaces of a run that was trained with `training.watch`, if rows are one or two numbers.

    Hidden units are closed until a reader opens them.
    """
    try:
        stored = frames(folder, record)
        wanted = weights_shapes(model.network)
        if any({n: a.shape for n, a in weights.items()} != wanted for _, weights in stored):
            raise NnrunError("the weights that were kept on the way are not those of its network")
    except NnrunError as error:
        yield Note(f"How it came about cannot be shown: {shortened(str(error))}.", "bad")
        return
    twin = Model(model.network.copy(), model.preprocessing, model.layout)
    twin.task = model.task
    film = film_of(twin, predictions.dataset, predictions.train, stored)
    if film is None:
        return
    (output, *layers), notes = film_charts(film, _MOST_UNITS)
    yield Figures([output], output.legend)
    if layers:
        left_out = [Note(sentence(note)) for note in notes]
        yield Folded("Hidden units over training", [Figures(layers), *left_out])
