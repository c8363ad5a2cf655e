"""The document of an explained update, for every output: forward, loss, backward, step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from nnrun.explain.trace import (
    LayerTrace,
    ParameterTrace,
    UpdateTrace,
    equations,
    loss_equation,
    middle_window,
    optimizer_equation,
)
from nnrun.explain.update import Explanation
from nnrun.nn.gradient_check import TOLERANCE
from nnrun.nn.layer import Layer
from nnrun.nn.layers.batch_norm import BatchNorm
from nnrun.nn.layers.bias import Bias
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.layers.matmul import MatMul
from nnrun.nn.layers.pooling import Pooling
from nnrun.nn.layers.residual import Residual
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.document import Note
from nnrun.reports.numbers import count, number

# A rule says for one array which part of another one an entry comes from: a step for each axis of
# the other array, which takes the index of the entry. Steps are `["is", k]`, the entry's index k;
# `["all"]`, the whole axis; `["window", k, stride, shift, size]`, `size` places from
# index k · stride - shift on; `["outputs", k, stride, shift, size]`, the places whose windows have
# index k in them; `["kernel", k, stride, shift, size]`, where index k is within each of those
# windows; `["strided", k, stride, shift]`, every stride-th place from index k - shift on, as many
# as the other axis of the products has.

Step = list[Any]


class Source(NamedTuple):
    """A part of another array: its name, and a step for each of its axes; all of it without."""

    array: str
    steps: list[Step] | None = None


class Origin(NamedTuple):
    """Source of an entry; `products` if it is the sum of the products of two sources."""

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
        gradients = {p.short: Origin([Source("x"), Source("dy")]) for p in trace.parameters}
        weights = [Source(p.short) for p in trace.parameters]
        return {
            "y": Origin([Source("x", row), *weights]),
            "dx": Origin([Source("dy", back), Source("x", row), *weights]),
            **gradients,
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
    n, axes = trace.x.ndim, len(trace.parameters[0].value.shape)
    entry = [IS(axis + 1) for axis in range(axes)]
    summed = [ALL, *[IS(axis) for axis in range(axes)], *[ALL] * (n - 1 - axes)]
    return {
        "y": Origin([same("x", n), Source("bias", entry)]),
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


# What happens in an update, phase by phase.

_GIVEN = Origin([])  # from no other numbers


@dataclass(frozen=True)
class Numbers:
    """An array, and which numbers of others each of its numbers comes from.

    Args:
        key: its id.
        name: in sentences, such as `x`.
        array: the numbers.
        origin: rules whose sources are ids; without any the numbers are given.
        label: above it, in place of its name.
        whole: whether it is never shortened.
        rows, columns: the names of its rows or columns, where they are features.
    """

    key: str
    name: str
    array: Array
    origin: Origin = _GIVEN
    label: str = ""
    whole: bool = False
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The words above it."""
        return self.label or self.name


@dataclass(frozen=True)
class Part:
    """What happens in one layer, or to one parameter: an equation, then numbers and remarks."""

    items: Sequence[Numbers | Note]
    title: str = ""
    equation: str = ""

    @property
    def arrays(self) -> list[Numbers]:
        """The numbers alone."""
        return [item for item in self.items if isinstance(item, Numbers)]

    @property
    def notes(self) -> list[Note]:
        """The remarks alone."""
        return [item for item in self.items if isinstance(item, Note)]


@dataclass(frozen=True)
class Phase:
    """Forward, Loss, Backward or Step, with a few words about it."""

    name: str
    about: str
    parts: Sequence[Part]

    @property
    def title(self) -> str:
        """The heading."""
        return f"{self.name}: {self.about}"


def phases(explained: Explanation) -> list[Phase]:
    """All numbers of an update, in the order in which they are computed."""
    update = explained.update
    head, loss = update.network.head, update.network.loss
    together = loss.type + (f", together with {head.type}" if head else "")
    roles = [_roles(update, index) for index in range(len(update.layers))]
    outputs = f"outputs: {', '.join(explained.classes)}"
    classes = [Note(outputs, "small")] if explained.classes else []
    found = [
        Phase("Forward", "from the input to the output", [*_forward(update, roles)]),
        Phase("Loss", together, [Part([*classes, *_loss(update)], equation=loss_equation(loss))]),
        Phase("Backward", "from the loss to every parameter", [*_backward(update, roles)]),
        Phase("Step", update.optimizer.type, [*_step(update)]),
    ]
    return [_with_features(phase, explained, roles) for phase in found]


def _with_features(
    phase: Phase, explained: Explanation, roles: Sequence[Mapping[str, str]]
) -> Phase:
    """The names of features beside the input, and beside the weights by which it is multiplied."""
    features, layers = explained.features, explained.update.layers
    first = [k for k, role in enumerate(roles) if features and role["x"] == "x"]
    columns = {*("x" for _ in features[:1]), *(f"dx{k}" for k in first)}
    products = [layers[k] for k in first if isinstance(layers[k].layer, MatMul)]
    rows = tuple(f"-{p.name}" for trace in products for p in trace.parameters)

    def named(item: Numbers | Note) -> Numbers | Note:
        if isinstance(item, Numbers) and item.key in columns:
            return replace(item, columns=features)
        if isinstance(item, Numbers) and item.key.endswith(rows):
            return replace(item, rows=features)
        return item

    parts = [replace(part, items=[named(item) for item in part.items]) for part in phase.parts]
    return replace(phase, parts=parts)


def _roles(update: UpdateTrace, index: int) -> dict[str, str]:
    """The id of each array of a layer by its role in rules.

    Of a layer with others inside, `f` is the output of the last of them, and `df` the gradient of
    the first.
    """
    trace, layers = update.layers[index], update.layers
    after = enumerate(layers[index + 1 :], index + 1)
    run = [*takewhile(lambda one: one[1].place.startswith(f"{trace.place}."), after)]
    ends = [i for i, t in run if "." not in t.place.removeprefix(f"{trace.place}.")]
    inside = {"f": f"y{ends[-1]}", "df": f"dx{run[0][0]}"} if ends else {}
    values = {p.short: f"value-{p.name}" for p in trace.parameters}
    # The array that it takes is the output of a layer before it, or the input.
    x = ["x", *(f"y{k}" for k in range(index) if np.array_equal(layers[k].y, trace.x))][-1]
    return {"x": x, "y": f"y{index}", "dy": f"dy{index}", "dx": f"dx{index}", **inside, **values}


def _from(rule: Origin | None, roles: Mapping[str, str]) -> Origin:
    """A rule about roles as one about ids."""
    if rule is None:
        return _GIVEN
    sources = [Source(roles.get(s.array, s.array), s.steps) for s in rule.sources]
    return Origin(sources, rule.products)


def layer_title(trace: LayerTrace) -> str:
    """Place, type and shapes: `0 matmul  13 → 13`."""
    before, after = (shape_text(array.shape[1:]) for array in (trace.x, trace.y))
    return f"{trace.place} {trace.layer.type}  {before} → {after}"


def _forward(update: UpdateTrace, roles: Sequence[Mapping[str, str]]) -> Iterator[Part]:
    yield Part([Numbers("x", "x", update.x, label="x, the input")])
    for index, trace in enumerate(update.layers):
        y = _from(origins(trace)["y"], roles[index])
        items = [
            *(Numbers(f"value-{p.name}", p.short, p.value) for p in trace.parameters),
            Numbers(f"y{index}", "y", trace.y, y),
        ]
        yield Part(items, layer_title(trace), equations(trace.layer).forward)
        yield from _window(trace, index)


def _window(trace: LayerTrace, index: int) -> Iterator[Part]:
    """How one number of a convolution comes about; nothing of other layers."""
    window = middle_window(trace)
    if window is None:
        return
    factors = [same(f"{name}{index}", 2) for name in ("window", "kernel")]
    origins_of = {"window": _GIVEN, "kernel": _GIVEN, "products": Origin(factors, products=True)}
    arrays = [
        Numbers(f"{name}{index}", name, getattr(window, name), origin, whole=True)
        for name, origin in origins_of.items()
    ]
    others = window.others
    more = "" if others is None else f", and {number_text(others)} from the other channels"
    first, *products = window.products.ravel()
    signed = (f" {'-' if v < 0 else '+'} {number_text(abs(v))}" for v in products)
    total = number_text(float(window.products.sum()))
    words = f"their sum: {number_text(first)}{''.join(signed)} = {total}"
    said = Note(f"{words}{more}; y = {number_text(window.total)}")
    yield Part([*arrays, said], f"y{list(window.place)}, one window")


def _loss(update: UpdateTrace) -> Iterator[Numbers | Note]:
    head, last, n = update.network.head, len(update.layers) - 1, update.output.ndim
    z = Origin([same(f"y{last}" if update.layers else "x", n)])
    if head is None:
        yield Numbers("z", "y", update.output, z, "y, the prediction")
    else:
        yield Numbers("z", "z", update.output, z, "z, the output of the last layer")
        row = Source("z", [["is", 0], *[["all"]] * (n - 1)])
        p = Origin([row if head.type == "softmax" else same("z", n)])
        yield Numbers("p", "p", update.prediction, p, f"p = {head.type}(z), the prediction")
    yield Numbers("t", "t", update.target, label="t, the target")
    sources = [same("p" if head else "z", n), same("t", n)]
    if update.weight is not None:
        yield Numbers("w", "w", update.weight, label="w, the weight of the row")
        sources.append(Source("w", [["is", 0], ["all"]]))
    yield Note(f"L = {number(update.loss)}")
    yield Numbers("dL", "dL/dz" if head else "dL/dy", update.dy, Origin(sources))


def _backward(update: UpdateTrace, roles: Sequence[Mapping[str, str]]) -> Iterator[Part]:
    for index, trace in reversed([*enumerate(update.layers)]):
        rules = origins(trace)
        dy = Origin([Source(_upstream(update, index), [["flat"]])])
        items: list[Numbers | Note] = [Numbers(f"dy{index}", "dL/dy", trace.dy, dy)]
        for p in trace.parameters:
            gradient = _from(rules.get(p.short), roles[index])
            items += [
                Numbers(f"gradient-{p.name}", f"dL/d{p.short}", p.gradient, gradient),
                Numbers(f"numerical-{p.name}", "by differences", p.numerical),
                Note(f"{p.short}: {agreement(p)}", "small"),
            ]
        items.append(Numbers(f"dx{index}", "dL/dx", trace.dx, _from(rules["dx"], roles[index])))
        yield Part(items, layer_title(trace), equations(trace.layer).backward)


def _upstream(update: UpdateTrace, index: int) -> str:
    """The id of the gradient that reaches a layer: that of a later layer, or of the loss."""
    dy = update.layers[index].dy.ravel()
    after = range(index + 1, len(update.layers))
    same_gradients = (f"dx{k}" for k in after if np.array_equal(update.layers[k].dx.ravel(), dy))
    return next(same_gradients, "dL")


# Differences of a loss that is not large are rounded to less.
_ROUNDING = 1e-10


def agreement(parameter: ParameterTrace) -> str:
    """How far both gradients differ, in a line."""
    size, compared = parameter.gradient.size, parameter.compared
    if not compared:
        return "no entry could be compared"
    which = "all" if compared == size else f"{count(compared)} of {count(size)}"
    entries = f"{which} entries" if size > 1 else "its entry"
    if parameter.worst > TOLERANCE and parameter.difference < _ROUNDING:
        return f"{entries} compared; largest difference {parameter.difference:.1e}, by rounding"
    return f"{entries} compared; largest difference {parameter.worst:.1e} of the largest gradient"


def _step(update: UpdateTrace) -> Iterator[Part]:
    signs = "".join(f"{sign} = {value:g}, " for sign, value in update.settings.items())
    words = f"η = {number(update.learning_rate)}, {signs}|g| = {number(update.norm)}"
    if update.clip_norm is not None:
        words += f", at most {number(update.clip_norm)}"
        if update.clipped < 1:
            words += f": g is multiplied by {number(update.clipped)}"
    yield Part([Note(words)], equation=optimizer_equation(update.optimizer))
    for p in (p for trace in update.layers for p in trace.parameters):
        moments = [*_moments(p)]
        of = [f"value-{p.name}", *(each.key for each in moments[len(moments) // 2 :])]
        sources = [
            same(key, p.value.ndim) for key in (of if moments else [*of, f"gradient-{p.name}"])
        ]
        before = Numbers(f"before-{p.name}", "before", p.value, Origin(sources[:1]))
        after = Numbers(f"updated-{p.name}", "after", p.updated, Origin(sources))
        yield Part([before, *moments, after], p.name)


def _moments(p: ParameterTrace) -> Iterator[Numbers]:
    """Moments with a hat come from those without, and these from the gradient."""
    for sign, array in p.moments.items():
        source = sign[0] if len(sign) > 1 and sign[0] in p.moments else "gradient"
        origin = Origin([same(f"{source}-{p.name}", array.ndim)])
        yield Numbers(f"{sign}-{p.name}", sign, array, origin)


def number_text(value: float) -> str:
    """Whole numbers as they are, others in four digits; – for what is not computed."""
    if isfinite(value) and value == round(value) and abs(value) < 1e6:
        return f"{value + 0.0:,.0f}"
    return number(value)
