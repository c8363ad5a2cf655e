"""The steps of preprocessing as ONNX operators, in float64 as in training.

A threshold or a mean rounded to float32 would put some rows on its other side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnrun.models.emitters import emitter_of, is_scaler, own_form_of_step
from nnrun.models.onnx.graph import Graph

Emitter = Callable[[Graph, str, Any, str], str]


def emit(graph: Graph, name: str, step: Any, x: str) -> str:
    """Append a step, whose arrays have this prefix; raises a UsageError if it has no emitter."""
    own = own_form_of_step(step, "onnx")
    if own is not None:
        written: str = own(graph, name, x)
        return written
    kind = "standard" if is_scaler(step) else step.name
    return emitter_of(EMITTERS, kind, "ONNX")(graph, name, step, x)


def _affine(graph: Graph, name: str, step: Any, x: str) -> str:
    shift = graph.constant(f"{name}.shift", step.shift)
    scale = graph.constant(f"{name}.scale", step.scale)
    return graph.add("Div", graph.add("Sub", x, shift), scale)


def _binarize(graph: Graph, name: str, step: Any, x: str) -> str:
    threshold = graph.constant(f"{name}.threshold", np.float64(step.threshold))
    return graph.add("Cast", graph.add("GreaterOrEqual", x, threshold), to=DOUBLE)


def _impute(graph: Graph, name: str, step: Any, x: str) -> str:
    return graph.add("Where", graph.add("IsNaN", x), graph.constant(f"{name}.fill", step.fill), x)


def _l2(graph: Graph, name: str, step: Any, x: str) -> str:
    """Rows are divided by their largest entry first, as in `nnrun.data.preprocessing.steps.L2`."""
    flat = graph.add("Flatten", x, axis=1)
    scaled = _divided(graph, flat, graph.reduce("ReduceMax", graph.add("Abs", flat), [1]))
    squares = graph.reduce("ReduceSum", graph.add("Mul", scaled, scaled), [1])
    divided = _divided(graph, scaled, graph.add("Sqrt", squares))
    return graph.add("Reshape", divided, graph.add("Shape", x))


def _divided(graph: Graph, x: str, by: str) -> str:
    """x / by, and x where by is 0."""
    zero, one = graph.constant("zero", np.float64(0)), graph.constant("one", np.float64(1))
    return graph.add("Div", x, graph.add("Where", graph.add("Greater", by, zero), by, one))


def invert(graph: Graph, name: str, scaling: Any, y: str) -> str:
    """Convert y back to the units before scaling."""
    shift = graph.constant(f"{name}.shift", scaling.shift)
    scale = graph.constant(f"{name}.scale", scaling.scale)
    return graph.add("Add", graph.add("Mul", y, scale), shift)


FLOAT, DOUBLE, INT64 = 1, 11, 7  # of TensorProto.DataType

EMITTERS: dict[str, Emitter] = {
    "l2": _l2,
    "binarize": _binarize,
    "standard": _affine,
    "per_channel": _affine,
    "minmax": _affine,
    "impute": _impute,
}
