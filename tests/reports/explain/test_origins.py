"""Rules about where numbers come from, held against what changes when a number is changed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nnrun.explain.trace import LayerTrace, trace_update
from nnrun.nn import ACTIVATIONS, LOSSES, SGD, Network
from nnrun.nn.layers import (
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Flatten,
    MatMul,
    MaxPool2d,
)
from nnrun.reports.explain.document import Origin, Source, origins

IMAGE, VECTOR = (2, 5, 4), (4,)
LAYERS = {
    "matmul": (MatMul(3), VECTOR),
    "bias": (Bias(), VECTOR),
    "bias per channel": (Bias("channel"), IMAGE),
    "convolution": (Convolution(3, (2, 3)), IMAGE),
    "convolution, stride and padding": (Convolution(2, 3, stride=2, padding=1), IMAGE),
    "convolution, stride": (Convolution(2, (3, 2), stride=(1, 3)), IMAGE),
    "convolution, gaps": (Convolution(2, 1, stride=2), IMAGE),
    "average pooling": (AvgPool2d(2, 1), IMAGE),
    "flatten": (Flatten(), IMAGE),
    "batch norm": (BatchNorm(), IMAGE),
    "tanh": (ACTIVATIONS["tanh"](), VECTOR),
    "softmax": (ACTIVATIONS["softmax"](), VECTOR),
}


def traced(layer, shape) -> LayerTrace:
    network = Network([layer], LOSSES["mean_squared"](), shape)
    network.initialize(rng=np.random.default_rng(0))
    network.theta += np.random.default_rng(1).standard_normal(network.size)
    optimizer = SGD()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, *shape))
    target = rng.standard_normal((3, *network.output_shape))
    found = trace_update(network, optimizer, x, target, learning_rate=0.1)
    return found.layers[0]


def axis(step, at, length, other):
    """The indices that a step takes, as the script of the page reads it."""
    kind, *rest = step
    if kind == "is":
        return [at[rest[0]]]
    if kind == "window":
        k, stride, shift, size = rest
        return [at[k] * stride - shift + i for i in range(size)]
    if kind == "outputs":
        k, stride, shift, size = rest
        return [i for i in range(length) if 0 <= at[k] + shift - i * stride < size]
    if kind == "kernel":
        k, stride, shift, size = rest
        return [j for i in range(other) if 0 <= (j := at[k] + shift - i * stride) < size]
    if kind == "strided":
        k, stride, shift = rest
        return [at[k] - shift + i * stride for i in range(other)]
    return list(range(length))


def entries(source: Source, at, shapes, partner=None) -> list[tuple[int, ...] | None]:
    """The places of a source, in order; None where a window leaves the array."""
    shape = shapes[source.array]
    steps = source.steps or [["all"]] * len(shape)
    others = shapes[partner] if partner else shape
    taken = [axis(s, at, n, o) for s, n, o in zip(steps, shape, others, strict=False)]
    inside = [all(0 <= i < n for i, n in zip(index, shape, strict=True)) for index in
              product(*taken)]  # fmt: skip
    return [index if keep else None for index, keep in zip(product(*taken), inside, strict=True)]


def arrays_of(trace: LayerTrace) -> dict[str, np.ndarray]:
    own = {p.short: p.value for p in trace.parameters}
    return {"x": trace.x, "y": trace.y, "dy": trace.dy, "dx": trace.dx, **own}


def forward(trace: LayerTrace, changed: dict[str, np.ndarray]) -> np.ndarray:
    """y of the layer for a changed input or parameter."""
    layer = trace.layer
    for parameter in layer.parameters:
        parameter.value[...] = changed.get(parameter.name, {p.short: p.value for p in
                                           trace.parameters}[parameter.name])  # fmt: skip
    return layer.forward(changed.get("x", trace.x).copy(), np.random.default_rng(0)).copy()


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "flatten"])
def test_sources_of_the_output(name: str):
    """What changes y[...] is exactly what its rule names."""
    trace = traced(*LAYERS[name])
    arrays = arrays_of(trace)
    shapes = {key: array.shape for key, array in arrays.items()}
    y, rule = forward(trace, {}), origins(trace)["y"]

    for source in rule.sources:
        named = {at: _named(rule, source, at, shapes) for at in np.ndindex(*y.shape)}
        for place in np.ndindex(*shapes[source.array]):
            moved = arrays[source.array].copy()
            moved[place] += 0.01
            changed = forward(trace, {source.array: moved}) != y
            expected = np.array([place in named[at] for at in np.ndindex(*y.shape)])
            assert expected.tolist() == changed.ravel().tolist()


def _named(rule: Origin, source: Source, at, shapes) -> set[tuple[int, ...]]:
    """The entries of a source; in sums of products those that are multiplied with an entry."""
    if not rule.products:
        return {*entries(source, at, shapes)}
    (other,) = (each for each in rule.sources if each is not source)
    own = entries(source, at, shapes, other.array)
    return {a for a, b in zip(own, entries(other, at, shapes, source.array), strict=True) if b}


@pytest.mark.parametrize("name", [name for name in LAYERS if name.startswith("convolution")])
def test_sources_of_the_gradient_of_the_input(name: str):
    """What changes dx[...] of a convolution is exactly what its rule names."""
    trace = traced(*LAYERS[name])
    arrays = arrays_of(trace)
    shapes = {key: array.shape for key, array in arrays.items()}
    rule = origins(trace)["dx"]

    def back(changed):
        forward(trace, {key: value for key, value in changed.items() if key != "dy"})
        return trace.layer.backward(changed.get("dy", trace.dy).copy()).copy()

    dx = back({})
    for source in rule.sources:
        named = {at: _named(rule, source, at, shapes) for at in np.ndindex(*dx.shape)}
        for place in np.ndindex(*shapes[source.array]):
            moved = arrays[source.array].copy()
            moved[place] += 0.01
            changed = back({source.array: moved}) != dx
            expected = np.array([place in named[at] for at in np.ndindex(*dx.shape)])
            assert expected.tolist() == changed.ravel().tolist()


@pytest.mark.parametrize("name", LAYERS)
def test_sums_of_products(name: str):
    """Where a rule says so, entries are the sums of the products of their sources."""
    trace = traced(*LAYERS[name])
    arrays = arrays_of(trace)
    shapes = {key: array.shape for key, array in arrays.items()}
    results = {"y": trace.y, "dx": trace.dx} | {p.short: p.gradient for p in trace.parameters}

    for key, rule in origins(trace).items():
        if rule.products:
            for at in np.ndindex(*results[key].shape):
                actual = _sum(rule, at, arrays, shapes)
                assert results[key][at] == pytest.approx(actual, rel=1e-9, abs=1e-12)


def _sum(rule: Origin, at, arrays, shapes) -> float:
    first, second = rule.sources
    pairs = zip(
        entries(first, at, shapes, second.array),
        entries(second, at, shapes, first.array),
        strict=True,
    )
    return sum(arrays[first.array][a] * arrays[second.array][b] for a, b in pairs if a and b)


def test_every_rule_names_arrays_of_its_layer():
    """Also of layers that are not taken apart."""
    others = {"max pooling": (MaxPool2d(2), IMAGE), "dropout": (Dropout(), VECTOR)}
    for layer, shape in [*LAYERS.values(), *others.values()]:
        trace = traced(layer, shape)
        named = {s.array for rule in origins(trace).values() for s in rule.sources}
        assert named <= arrays_of(trace).keys()
        assert {"y", "dx", *(p.short for p in trace.parameters)} == origins(trace).keys()
