"""An explained update as one self-contained page, in which each number shows its sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
from markupsafe import Markup

from nnrun import __version__
from nnrun.explain.equations import equations, loss_equation, middle_window, optimizer_equation
from nnrun.explain.film import Film
from nnrun.explain.numerical import shown
from nnrun.explain.trace import LayerTrace, ParameterTrace, UpdateTrace
from nnrun.explain.update import Explanation
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.charts.style import DARK, LIGHT, ON_DARK, PAGE, variables
from nnrun.reports.document import Figures
from nnrun.reports.explain.origins import Origin, Source, origins, same
from nnrun.reports.explain.terminal import agreement, layer_title, number_text, step_words
from nnrun.reports.film_charts import film_charts
from nnrun.reports.numbers import number
from nnrun.reports.templates import content_policy, environment, resource

_PACKAGE, _CHARTS = "nnrun.reports.explain", "nnrun.reports.html"
# Of larger arrays the ends of every axis are shown.
_MOST = 8192
# Pictures of more hidden units are left out; one takes about six thousand bytes.
_MOST_UNITS = 128


@dataclass
class Block:
    """A part of the page: a heading, an equation, arrays by id, and a remark below them."""

    title: str
    equation: str = ""
    arrays: list[str] = field(default_factory=list)
    remark: str = ""


@dataclass
class Section:
    """Forward, Loss, Backward or Step."""

    key: str
    title: str
    blocks: list[Block]


def render(found: Explanation) -> str:
    """The page: the same bytes for the same update."""
    page = _Page(found)
    sections = [page.forward(), page.loss(), page.backward(), page.step()]
    style, script = _style(found.film), resource(_PACKAGE, "explain.js")
    data = json.dumps(page.arrays, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    template = environment(_PACKAGE, _CHARTS).get_template("explain.html")
    return template.render(
        found=found,
        sections=sections,
        film=None if found.film is None else _film(found.film),
        names={key: array["name"] for key, array in page.arrays.items()},
        data=Markup(data.replace("<", "\\u003c")),
        style=Markup(style),
        script=Markup(script),
        policy=content_policy(style, script),
        version=__version__,
    )


def _film(film: Film) -> tuple[list[Figures], list[str]]:
    charts, notes = film_charts(film, _MOST_UNITS)
    output, *layers = charts
    return [Figures([output], output.legend), Figures(layers)], notes


def _style(film: Film | None) -> str:
    own = resource(_PACKAGE, "explain.css")
    if film is None:
        return own
    light, dark = variables(LIGHT), f":root{{{variables(DARK)}}}{ON_DARK}"
    on_dark = f"@media screen and (prefers-color-scheme:dark){{{dark}}}"
    return "\n".join([f":root{{{light}}}", resource(_CHARTS, "charts.css"), PAGE, on_dark, own])


class _Page:
    """Collects the arrays of the page, by id."""

    def __init__(self, found: Explanation) -> None:
        self.found = found
        self.update: UpdateTrace = found.update
        self.arrays: dict[str, Any] = {}
        self._roles = [self._roles_of(i, t) for i, t in enumerate(self.update.layers)]

    def _roles_of(self, index: int, trace: LayerTrace) -> dict[str, str]:
        """The id of each array of a layer by its role in rules."""
        own = {p.short: f"value-{p.name}" for p in trace.parameters}
        return {"x": self._input_id(index), "y": f"y{index}", "dy": f"dy{index}",
                "dx": f"dx{index}", **self._inside(index), **own}  # fmt: skip

    def _inside(self, index: int) -> dict[str, str]:
        """Of a layer with others inside: the output of the last, the gradient of the first."""
        inside = f"{self.update.layers[index].place}."
        after = enumerate(self.update.layers[index + 1 :], index + 1)
        run = [*takewhile(lambda one: one[1].place.startswith(inside), after)]
        ends = [i for i, trace in run if "." not in trace.place.removeprefix(inside)]
        return {"f": f"y{ends[-1]}", "df": f"dx{run[0][0]}"} if ends else {}

    def _input_id(self, index: int) -> str:
        """Of the array that a layer takes: the output of the layer before it, or the input."""
        x = self.update.layers[index].x
        for before in range(index - 1, -1, -1):
            y = self.update.layers[before].y
            if y.shape == x.shape and np.array_equal(y, x):
                return f"y{before}"
        return "x"

    def forward(self) -> Section:
        blocks = [Block("x, the input", arrays=[self._add("x", "x", self.update.x)])]
        for index, trace in enumerate(self.update.layers):
            rules, roles = origins(trace), self._roles[index]
            block = Block(layer_title(trace), equations(trace.layer).forward)
            for parameter in trace.parameters:
                key = f"value-{parameter.name}"
                block.arrays.append(self._add(key, parameter.short, parameter.value))
            block.arrays.append(self._add(f"y{index}", "y", trace.y, rules["y"], roles))
            block.remark = _window_words(trace)
            blocks.append(block)
        return Section("forward", "Forward", blocks)

    def loss(self) -> Section:
        update = self.update
        head, loss = update.network.head, update.network.loss
        last = {"z": f"y{len(update.layers) - 1}" if update.layers else "x", "p": "p", "t": "t"}
        block = Block(loss.type + (f", together with {head.type}" if head else ""))
        block.equation = loss_equation(loss)
        n = update.output.ndim
        if head is not None:
            whole_row = Source("z", [["is", 0], *[["all"]] * (n - 1)])
            row = Origin([whole_row if head.type == "softmax" else same("z", n)])
            block.arrays.append(self._add("p", f"p = {head.type}(z)", update.prediction, row, last))
        block.arrays.append(self._add("t", "t, the target", update.target))
        sources = [same("p" if head else "z", n), same("t", n)]
        if update.weight is not None:
            block.arrays.append(self._add("w", "w, the weight of the row", update.weight))
            sources.append(Source("w", [["is", 0], ["all"]]))
        name = "dL/dz" if head else "dL/dy"
        block.arrays.append(self._add("dL", name, update.dy, Origin(sources), last))
        block.remark = f"L = {number(update.loss)}"
        if self.found.classes:
            block.remark += f"; outputs: {', '.join(self.found.classes)}"
        return Section("loss", "Loss", [block])

    def backward(self) -> Section:
        blocks = []
        for index, trace in reversed([*enumerate(self.update.layers)]):
            rules, roles = origins(trace), self._roles[index]
            block = Block(layer_title(trace), equations(trace.layer).backward)
            comes = Origin([Source(self._upstream(index), [["flat"]])])
            block.arrays.append(self._add(f"dy{index}", "dL/dy", trace.dy, comes))
            for parameter in trace.parameters:
                rule = rules.get(parameter.short)
                key, name = f"gradient-{parameter.name}", f"dL/d{parameter.short}"
                block.arrays.append(self._add(key, name, parameter.gradient, rule, roles))
                key = f"numerical-{parameter.name}"
                block.arrays.append(self._add(key, "by differences", parameter.numerical))
            block.arrays.append(self._add(f"dx{index}", "dL/dx", trace.dx, rules["dx"], roles))
            block.remark = " ".join(f"{p.short}: {agreement(p)}." for p in trace.parameters)
            blocks.append(block)
        return Section("backward", "Backward", blocks)

    def _upstream(self, index: int) -> str:
        """The id of the gradient that reaches a layer: that of a later layer, or of the loss."""
        dy = self.update.layers[index].dy
        for after in range(index + 1, len(self.update.layers)):
            dx = self.update.layers[after].dx
            if dx.size == dy.size and np.array_equal(dx.ravel(), dy.ravel()):
                return f"dx{after}"
        return "dL"

    def step(self) -> Section:
        optimizer = self.update.optimizer
        blocks = [Block(optimizer.type, optimizer_equation(optimizer))]
        blocks[0].remark = step_words(self.update)
        for parameter in self._parameters():
            n = parameter.value.ndim
            before, gradient = f"value-{parameter.name}", f"gradient-{parameter.name}"
            rule = Origin([same(before, n), same(gradient, n)])
            after = self._add(f"updated-{parameter.name}", "after", parameter.updated, rule)
            again = self._add(f"before-{parameter.name}", "before", parameter.value,
                              Origin([same(before, n)]))  # fmt: skip
            blocks.append(Block(parameter.name, arrays=[again, after]))
        return Section("step", "Step", blocks)

    def _parameters(self) -> Iterator[ParameterTrace]:
        for trace in self.update.layers:
            yield from trace.parameters

    def _add(
        self,
        key: str,
        name: str,
        array: Array,
        origin: Origin | None = None,
        roles: dict[str, str] | None = None,
    ) -> str:
        axes = None if array.size <= _MOST else [shown(size) for size in array.shape]
        kept = array if axes is None else array[np.ix_(*axes)]
        self.arrays[key] = {
            "name": name,
            "shape": array.shape,
            "size": shape_text(array.shape),
            "axes": axes,
            "data": [_short(v) for v in kept.ravel().tolist()],
            "from": [
                {"array": (roles or {}).get(source.array, source.array), "steps": source.steps}
                for source in (origin.sources if origin else ())
            ],
            "products": bool(origin and origin.products),
        }
        return key


def _short(value: float) -> float | None:
    """Seven digits, which the page shows at most."""
    return float(f"{value:.7g}") if np.isfinite(value) else None


def _window_words(trace: LayerTrace) -> str:
    """How a number of a convolution comes about, in a line."""
    window = middle_window(trace)
    if window is None:
        return ""
    pairs = zip(window.window.ravel().tolist(), window.kernel.ravel().tolist(), strict=True)
    terms = " + ".join(f"{number_text(a)} · {number_text(b)}" for a, b in pairs)
    channel, row, column = window.place
    others = (
        "" if window.others is None else f" + {number_text(window.others)} of the other channels"
    )
    return f"y[{channel}, {row}, {column}] = {terms}{others} = {number_text(window.total)}"
