"""What a model does with encoded features of columns before its preprocessing, in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnrun.data.columns.one_hot import OneHot
from nnrun.data.layout import Columns
from nnrun.models.emitters import emitter_of
from nnrun.models.onnx.graph import Graph
from nnrun.models.onnx.steps import DOUBLE, INT64

Emitter = Callable[[Graph, str, Any, range, int, str], str]
"""From a prefix of names, a column, its places in x, the features of x, and x, to the new x."""


def emit(graph: Graph, columns: Columns, x: str) -> str:
    """The features of a table after the checks and changes of each column."""
    if columns.plain:
        return x
    places = columns.places
    width = places[columns.every[-1].name].stop
    for index, column in enumerate(columns):
        emitter = emitter_of(EMITTERS, column.kind, "ONNX")
        x = emitter(graph, f"{column.kind}.{index}", column, places[column.name], width, x)
    return x


def _nothing(graph: Graph, name: str, column: Any, places: range, width: int, x: str) -> str:
    return x


def _one_hot(graph: Graph, name: str, column: OneHot, places: range, width: int, x: str) -> str:
    """Rows with 0 everywhere get the feature that stands for that, are refused, or stay."""
    if column.absent is None and not column.refuses:
        return x
    empty = _empty(graph, name, places, x)
    if column.absent is None:
        return _refuse(graph, column, empty, x)
    place = np.zeros((1, width))
    place[0, places[column.absent]] = 1
    filled = graph.add("Mul", empty, graph.constant(f"{name}.missing", place))
    return graph.add("Add", x, filled)


def _empty(graph: Graph, name: str, places: range, x: str) -> str:
    """1 for rows with 0 in all these places, else 0: (rows, 1), double."""
    constant = graph.constant(f"{name}.places", np.array(places, np.int64))
    found = graph.add("Abs", graph.add("Gather", x, constant, axis=1))
    zero = graph.constant("zero", np.float64(0))
    empty = graph.add("Equal", graph.reduce("ReduceSum", found, [1]), zero)
    return graph.add("Cast", empty, to=DOUBLE)


def _refuse(graph: Graph, column: OneHot, empty: str, x: str) -> str:
    """x, by an operator that fails if a row is empty.

    ONNX has no operator for errors, but an index out of bounds is an error: to each row the number
    at index 0 of [0] is added, to an empty row that at index 1. The operator's name is the message.
    """
    nothing = graph.constant("nothing", np.zeros(1))
    index = graph.add("Cast", empty, to=INT64)
    name = f"a row has 0 in all one-hot columns of '{column.name}'"
    return graph.add("Add", x, graph.add("Gather", nothing, index, title=name))


# An embedding's numbers are indices, which runtimes check themselves.
EMITTERS: dict[str, Emitter] = {
    "number": _nothing,
    "date": _nothing,
    "lag": _nothing,
    "one_hot": _one_hot,
    "embedding": _nothing,
    "target_mean": _nothing,
}
