"""The layers as ONNX operators: one emitter for each type.

An emitter appends the operators that compute y from x in evaluation mode, and returns y's name.
ONNX too has rows first, and images as (channels, height, width).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnrun.models.emitters import EXPORTED, emitter_of, own_form
from nnrun.models.onnx.graph import Graph
from nnrun.models.onnx.steps import INT64
from nnrun.models.weights import Names
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import Sequential

Emitter = Callable[[Graph, Names, Any, str], str]


def emit(graph: Graph, names: Names, layer: Layer, x: str) -> str:
    """Append a layer of any type; raises a UsageError if the type has no emitter."""
    own = own_form(layer, "onnx")
    if own is not None:
        written: str = own(graph, names, x)
        return written
    return emitter_of(EMITTERS, layer.type, "ONNX")(graph, names, layer, x)


def _stack(graph: Graph, names: Names, stack: Sequential, x: str) -> str:
    """Append the layers of a sequence within a layer."""
    for layer in stack.layers:
        x = emit(graph, names, layer, x)
    return x


def _matmul(graph: Graph, names: Names, layer: Any, x: str) -> str:
    return graph.add("MatMul", x, graph.weight(names[layer.w], layer.w.value))


def _bias(graph: Graph, names: Names, layer: Any, x: str) -> str:
    return graph.add("Add", x, graph.weight(names[layer.b], layer.b.value.reshape(layer.view)))


def _convolution(graph: Graph, names: Names, layer: Any, x: str) -> str:
    _, rows, columns = layer.inside
    _, height, width = layer.padded
    return graph.add(
        "Conv",
        x,
        graph.weight(names[layer.w], layer.w.value),
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=[rows.start, columns.start, height - rows.stop, width - columns.stop],
    )


def _pooling(operator: str) -> Emitter:
    def emitter(graph: Graph, names: Names, layer: Any, x: str) -> str:
        return graph.add(operator, x, kernel_shape=layer.size, strides=layer.stride)

    return emitter


def _batch_norm(graph: Graph, names: Names, layer: Any, x: str) -> str:
    values = (layer.gamma.value, layer.beta.value, *layer.buffers.values())
    parts = (layer.gamma, layer.beta, *layer.buffers.values())
    weights = [graph.weight(names[part], value) for part, value in zip(parts, values, strict=True)]
    return graph.add("BatchNormalization", x, *weights, epsilon=layer.epsilon)


def _residual(graph: Graph, names: Names, layer: Any, x: str) -> str:
    return graph.add("Add", x, _stack(graph, names, layer.inner, x))


def _embedding(graph: Graph, names: Names, layer: Any, x: str) -> str:
    parts = {}
    for source, target in layer.copies:
        places = np.arange(source.start, source.stop)
        name = f"features.{source.start}_{source.stop}"
        parts[target.start] = graph.add("Gather", x, graph.constant(name, places), axis=1)
    for w, table, target in zip(layer.w, layer.tables, layer.vectors, strict=True):
        place = graph.constant(f"place.{table.place}", np.array(table.place))
        numbers = graph.add("Cast", graph.add("Gather", x, place, axis=1), to=INT64)
        vectors = graph.weight(names[w], w.value)
        parts[target.start] = graph.add("Gather", vectors, numbers, axis=0)
    return graph.add("Concat", *(parts[start] for start in sorted(parts)), axis=1)


EMITTERS: dict[str, Emitter] = {
    "matmul": _matmul,
    "bias": _bias,
    "convolution": _convolution,
    "max_pool2d": _pooling("MaxPool"),
    "avg_pool2d": _pooling("AveragePool"),
    "flatten": lambda graph, names, layer, x: graph.add("Flatten", x, axis=1),
    "embedding": _embedding,
    "dropout": lambda graph, names, layer, x: x,
    "batch_norm": _batch_norm,
    "residual": _residual,
    **dict.fromkeys(EXPORTED, lambda graph, names, layer, x: EXPORTED[layer.type].onnx(graph, x)),
}
