"""The document of an explained update, for every output: forward, loss, backward, step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite

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
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.document import Note
from nnrun.reports.explain.origins import Origin, Source, origins, same
from nnrun.reports.numbers import count, number

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
    """

    key: str
    name: str
    array: Array
    origin: Origin = _GIVEN
    label: str = ""
    whole: bool = False

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


def phases(found: Explanation) -> list[Phase]:
    """All numbers of an update, in the order in which they are computed."""
    update = found.update
    head, loss = update.network.head, update.network.loss
    together = loss.type + (f", together with {head.type}" if head else "")
    roles = [_roles(update, index) for index in range(len(update.layers))]
    outputs = f"outputs: {', '.join(found.classes)}"
    classes = [Note(outputs, "small")] if found.classes else []
    return [
        Phase("Forward", "from the input to the output", [*_forward(update, roles)]),
        Phase("Loss", together, [Part([*classes, *_loss(update)], equation=loss_equation(loss))]),
        Phase("Backward", "from the loss to every parameter", [*_backward(update, roles)]),
        Phase("Step", update.optimizer.type, [*_step(update)]),
    ]


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
    own = {p.short: f"value-{p.name}" for p in trace.parameters}
    # The array that it takes is the output of a layer before it, or the input.
    x = ["x", *(f"y{k}" for k in range(index) if np.array_equal(layers[k].y, trace.x))][-1]
    return {"x": x, "y": f"y{index}", "dy": f"dy{index}", "dx": f"dx{index}", **inside, **own}


def _from(rule: Origin | None, roles: Mapping[str, str]) -> Origin:
    """A rule about roles as one about ids."""
    if rule is None:
        return _GIVEN
    sources = [Source(roles.get(one.array, one.array), one.steps) for one in rule.sources]
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
    products = number_text(float(window.products.sum()))
    said = Note(f"their sum: {products}{more}; y = {number_text(window.total)}")
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
    found = (f"dx{k}" for k in after if np.array_equal(update.layers[k].dx.ravel(), dy))
    return next(found, "dL")


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
    words = f"η = {number(update.learning_rate)}, |g| = {number(update.norm)}"
    if update.clip_norm is not None:
        words += f", at most {number(update.clip_norm)}"
        if update.clipped < 1:
            words += f": g is multiplied by {number(update.clipped)}"
    yield Part([Note(words)], equation=optimizer_equation(update.optimizer))
    for p in (p for trace in update.layers for p in trace.parameters):
        value, gradient = same(f"value-{p.name}", p.value.ndim), f"gradient-{p.name}"
        after = Origin([value, same(gradient, p.value.ndim)])
        before = Numbers(f"before-{p.name}", "before", p.value, Origin([value]))
        yield Part([before, Numbers(f"updated-{p.name}", "after", p.updated, after)], p.name)


def number_text(value: float) -> str:
    """Whole numbers as they are, others in four digits; – for what is not computed."""
    if isfinite(value) and value == round(value) and abs(value) < 1e6:
        return f"{value + 0.0:,.0f}"
    return number(value)
