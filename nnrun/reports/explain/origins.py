"""Which numbers each number of an update is computed from, as rules that a page can follow.

A rule says for one array which part of another one an entry comes from: a step for each axis of the
other array, which takes the index of the entry. Steps are `["is", k]`, the entry's index k;
`["all"]`, the whole axis; `["window", k, stride, shift, size]`, `size` places from
index k · stride - shift on; `["outputs", k, stride, shift, size]`, the places whose windows have
index k in them; `["kernel", k, stride, shift, size]`, where index k is within each of those
windows; `["strided", k, stride, shift]`, every stride-th place from index k - shift on, as many as
the other axis of the products has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nnrun.explain.trace import LayerTrace
from nnrun.nn.layer import Layer
from nnrun.nn.layers.batch_norm import BatchNorm
from nnrun.nn.layers.bias import Bias
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.layers.matmul import MatMul
from nnrun.nn.layers.pooling import Pooling
from nnrun.nn.layers.residual import Residual

Step = list[Any]


class Source(NamedTuple):
    """A part of another array: its name, and a step for each of its axes; all of it without."""

    array: str
    steps: list[Step] | None = None


class Origin(NamedTuple):
    """Where an entry comes from; `products` if it is the sum of the products of two sources."""

    sources: list[Source]
    products: bool = False


Origins = dict[str, Origin]
"""By the array's role: `y`, `dx`, and `weight` for the gradient of that parameter."""

ALL: Step = ["all"]


def IS(axis: int) -> Step:  # noqa: N802  # reads as ALL does
    """The entry's own index of an axis."""
    return ["is", axis]


def same(array: str, dimensions: int) -> Source:
    """The entry at the same place."""
    return Source(array, [IS(axis) for axis in range(dimensions)])


def origins(trace: LayerTrace) -> Origins:
    """The rules for the arrays of a layer, whose names are roles: x, y, dy, dx, weight, bias."""
    for kind, rules in _RULES.items():
        if isinstance(trace.layer, kind):
            return rules(trace)
    return _elementwise(trace)


def _elementwise(trace: LayerTrace) -> Origins:
    """Activations but softmax, dropout; where shapes differ or are mixed, the whole row."""
    if trace.layer.children or trace.layer.parameters or trace.layer.type == "softmax":
        row = [IS(0), *[ALL] * (trace.x.ndim - 1)]
        back = [IS(0), *[ALL] * (trace.y.ndim - 1)]
        own = {p.short: Origin([Source("x"), Source("dy")]) for p in trace.parameters}
        weights = [Source(p.short) for p in trace.parameters]
        return {
            "y": Origin([Source("x", row), *weights]),
            "dx": Origin([Source("dy", back), Source("x", row), *weights]),
            **own,
        }
    if trace.x.shape != trace.y.shape:  # flatten
        return {"y": Origin([Source("x", [["flat"]])]), "dx": Origin([Source("dy", [["flat"]])])}
    n = trace.x.ndim
    return {"y": Origin([same("x", n)]), "dx": Origin([same("dy", n), same("x", n)])}


def _matmul(trace: LayerTrace) -> Origins:
    return {
        "y": Origin([Source("x", [IS(0), ALL]), Source("weight", [ALL, IS(1)])], products=True),
        "dx": Origin([Source("dy", [IS(0), ALL]), Source("weight", [IS(1), ALL])], products=True),
        "weight": Origin([Source("x", [ALL, IS(0)]), Source("dy", [ALL, IS(1)])], products=True),
    }


def _bias(trace: LayerTrace) -> Origins:
    n, kept = trace.x.ndim, len(trace.parameters[0].value.shape)
    own = [IS(axis + 1) for axis in range(kept)]
    summed = [ALL, *[IS(axis) for axis in range(kept)], *[ALL] * (n - 1 - kept)]
    return {
        "y": Origin([same("x", n), Source("bias", own)]),
        "dx": Origin([same("dy", n)]),
        "bias": Origin([Source("dy", summed)]),
    }


def _convolution(trace: LayerTrace) -> Origins:
    layer = trace.layer
    assert isinstance(layer, Convolution)
    (kh, kw), (sh, sw) = layer.kernel, layer.stride
    top, left = (part.start for part in layer.inside[1:])
    window = [IS(0), ALL, ["window", 2, sh, top, kh], ["window", 3, sw, left, kw]]
    outputs = [IS(0), ALL, ["outputs", 2, sh, top, kh], ["outputs", 3, sw, left, kw]]
    within = [ALL, IS(1), ["kernel", 2, sh, top, kh], ["kernel", 3, sw, left, kw]]
    pixels = [ALL, IS(1), ["strided", 2, sh, top], ["strided", 3, sw, left]]
    return {
        "y": Origin([Source("x", window), Source("weight", [IS(1), ALL, ALL, ALL])], products=True),
        "dx": Origin([Source("dy", outputs), Source("weight", within)], products=True),
        "weight": Origin(
            [Source("x", pixels), Source("dy", [ALL, IS(0), ALL, ALL])], products=True
        ),
    }


def _pooling(trace: LayerTrace) -> Origins:
    layer = trace.layer
    assert isinstance(layer, Pooling)
    (kh, kw), (sh, sw) = layer.size, layer.stride
    window = [IS(0), IS(1), ["window", 2, sh, 0, kh], ["window", 3, sw, 0, kw]]
    outputs = [IS(0), IS(1), ["outputs", 2, sh, 0, kh], ["outputs", 3, sw, 0, kw]]
    return {"y": Origin([Source("x", window)]), "dx": Origin([Source("dy", outputs)])}


def _residual(trace: LayerTrace) -> Origins:
    n = trace.x.ndim
    return {"y": Origin([same("x", n), same("f", n)]), "dx": Origin([same("dy", n), same("df", n)])}


def _batch_norm(trace: LayerTrace) -> Origins:
    column = [ALL, IS(1), *[ALL] * (trace.x.ndim - 2)]
    channel = [ALL, IS(0), *[ALL] * (trace.x.ndim - 2)]
    return {
        "y": Origin([Source("x", column), Source("weight", [IS(1)]), Source("bias", [IS(1)])]),
        "dx": Origin([Source("dy", column), Source("x", column), Source("weight", [IS(1)])]),
        "weight": Origin([Source("dy", channel), Source("x", channel)]),
        "bias": Origin([Source("dy", channel)]),
    }


_RULES: dict[type[Layer], Callable[[LayerTrace], Origins]] = {
    MatMul: _matmul,
    Bias: _bias,
    Convolution: _convolution,
    Pooling: _pooling,
    BatchNorm: _batch_norm,
    Residual: _residual,
}
