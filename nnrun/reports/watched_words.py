"""What was recorded of a network while it trained, in a table."""

from __future__ import annotations

from math import isfinite

import numpy as np

from nnrun.nn.signature import Array
from nnrun.reports.document import ASKED, Cell, Grid
from nnrun.reports.numbers import MISSING, plural, spread
from nnrun.reports.summary import layer_kind, layers_by_name
from nnrun.runs.record import RunRecord
from nnrun.training.watched import Watched


def looks_line(watched: Watched) -> str:
    """How often it was looked at, and with what."""
    rows = plural(watched.rows, "training row")
    return f"Looked at {plural(len(watched.iterations), 'time')}, each time with {rows}"


def inside_table(watched: Watched, record: RunRecord) -> Grid:
    """A row for each layer: its gradients at both ends of the run, its updates and its units."""
    sizes, ratios = watched.size("output_gradients"), watched.ratios
    units = {unit["layer"]: place for place, unit in enumerate(watched.units)}
    rows = []
    for column, place in enumerate(layer_places(watched)):
        main = main_parameter(watched, place)
        share = units.get(place)
        rows.append(
            [
                Cell(place),
                Cell(layer_kind_of(record, place)),
                _size(sizes[:1, column]),
                _size(sizes[-1:, column]),
                _size(ratios[:, main]) if main is not None else Cell(MISSING),
                *(
                    Cell("")
                    if share is None
                    else _share(float(watched.arrays[f"units.{name}"][-1, share]))
                    for name in ("dead", "saturated")
                ),
            ]
        )
    header = ["#", "layer", "gradient, first", "last", "update/weight", "dead", "saturated"]
    return Grid("Inside while it trained", header, rows, texts=2, hidden=True, level=ASKED)


def layer_places(watched: Watched) -> list[str]:
    """The names of the layers that were looked at."""
    return [str(layer["layer"]) for layer in watched.layers]


def layer_kind_of(record: RunRecord, place: str) -> str:
    """The type of a layer, with its activation; empty where the report has no such layer."""
    layer = layers_by_name(record.network).get(place)
    return "" if layer is None else layer_kind(layer)


def main_parameter(watched: Watched, place: str) -> int | None:
    """The number of a layer's largest parameter, such as its weights; None if it has none."""
    own = [
        (parameter["size"], -number_)
        for number_, parameter in enumerate(watched.parameters)
        if parameter["name"].rpartition(".")[0] == place
    ]
    return -max(own)[1] if own else None


def _size(values: Array) -> Cell:
    """The median of the numbers that are known."""
    known = values[np.isfinite(values)]
    value = float(np.median(known)) if known.size else np.nan
    return Cell(spread(value), value) if isfinite(value) else Cell(MISSING)


def _share(value: float) -> Cell:
    shown = f"{100 * value:.0f}%" if isfinite(value) else MISSING
    return Cell(shown, value if isfinite(value) else None, kind="strong" if value >= 0.5 else "")
