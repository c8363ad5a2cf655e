"""The outputs of each layer for one row, as pictures and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.nn.signature import Array
from nnrun.reports.charts.pictures import signed_picture
from nnrun.reports.html.blocks import Block, Gallery
from nnrun.reports.numbers import number, plural
from nnrun.reports.summary import layer_kind
from nnrun.reports.tables import Cell, Grid
from nnrun.runs.record import RunRecord

_MOST_CHANNELS = 24
_MOST_NUMBERS = 16
_ACROSS = 16


def layer_blocks(record: RunRecord, layers: Sequence[Array]) -> Iterator[Block]:
    """A block for each layer; few numbers are a table, others pictures."""
    for index, (layer, outputs) in enumerate(zip(record.network["layers"], layers, strict=False)):
        title = f"Layer {index}, {layer_kind(layer)}"
        yield _channels(title, outputs) if outputs.ndim == 3 else _units(title, outputs)


def _channels(title: str, outputs: Array) -> Gallery:
    largest = _largest(outputs)
    pictures = [
        (signed_picture(channel, f"output of channel {index}", largest), f"channel {index}")
        for index, channel in enumerate(outputs[:_MOST_CHANNELS])
    ]
    return Gallery(title, pictures, _note(largest, len(pictures), len(outputs), "channel"))


def _units(title: str, outputs: Array) -> Block:
    values = outputs.reshape(-1)
    if len(values) <= _MOST_NUMBERS:
        header = ["unit", *(str(unit) for unit in range(len(values)))]
        cells = [Cell("output"), *(Cell(number(v), v) for v in values.tolist())]
        return Grid(title, header, [cells])
    largest = _largest(values)
    padded = np.zeros(-(-len(values) // _ACROSS) * _ACROSS)
    padded[: len(values)] = values
    picture = signed_picture(padded.reshape(-1, _ACROSS), f"outputs of {title}", largest)
    note = _note(largest, len(values), len(values), "unit")
    return Gallery(title, [(picture, f"{plural(len(values), 'unit')}, {_ACROSS} in a line")], note)


def _note(largest: float, shown: int, every: int, noun: str) -> str:
    note = f"Red is negative, blue positive, from -{number(largest)} to {number(largest)}."
    return note if shown == every else f"{note} {shown} of {plural(every, noun)} are shown."


def _largest(outputs: Array) -> float:
    known = np.abs(outputs[np.isfinite(outputs)])
    return float(known.max()) if known.size else 1.0
