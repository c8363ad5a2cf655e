"""Rows with 0 in all one-hot columns of a column, in ONNX, as in `nnrun.data.one_hot`."""

from __future__ import annotations

import numpy as np

from nnrun.data.layout import Columns
from nnrun.data.one_hot import OneHot, one_hots
from nnrun.models.onnx.graph import Graph
from nnrun.models.onnx.steps import DOUBLE, INT64


def emit(graph: Graph, columns: Columns, x: str) -> str:
    """Give such rows the category for missing values; if there is none, evaluation fails."""
    for index, group in enumerate(one_hots(columns)):
        empty = _empty(graph, f"one_hot.{index}", group, x)
        if group.missing is None:
            x = _refuse(graph, group, empty, x)
        else:
            place = np.zeros((1, columns.places[columns.features[-1]].stop))
            place[0, group.missing] = 1
            place_name = graph.constant(f"one_hot.{index}.missing", place)
            x = graph.add("Add", x, graph.add("Mul", empty, place_name))
    return x


def _empty(graph: Graph, name: str, group: OneHot, x: str) -> str:
    """1 for rows with 0 in all columns of the group, else 0: (rows, 1), double."""
    places = graph.constant(f"{name}.places", np.array(group.places, np.int64))
    found = graph.add("Abs", graph.add("Gather", x, places, axis=1))
    zero = graph.constant("zero", np.float64(0))
    empty = graph.add("Equal", graph.reduce("ReduceSum", found, [1]), zero)
    return graph.add("Cast", empty, to=DOUBLE)


def _refuse(graph: Graph, group: OneHot, empty: str, x: str) -> str:
    """x, by an operator that fails if a row is empty.

    ONNX has no operator for errors, but an index out of bounds is an error: to each row the number
    at index 0 of [0] is added, to an empty row that at index 1. The operator's name is the message.
    """
    nothing = graph.constant("nothing", np.zeros(1))
    index = graph.add("Cast", empty, to=INT64)
    name = f"a row has 0 in all one-hot columns of '{group.column}'"
    return graph.add("Add", x, graph.add("Gather", nothing, index, title=name))
