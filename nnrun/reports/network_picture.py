"""The picture of a network: its layers from the input down, with shapes and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any, NamedTuple

from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.chart import CHARACTER, DARK, ON_DARK, PAGE, Chart, Table, element
from nnrun.reports.numbers import count, shape
from nnrun.reports.summary import layer_kind

_TOP, _ROW, _BOX, _WIDTH = 34.0, 46.0, 30.0, 640.0
_LEFT, _RIGHT, _ARROW, _INDENT = 40.0, 270.0, 195.0, 16.0
_GLYPH, _SHAPE, _PARAMETERS, _BAR = 286.0, 440.0, 520.0, 96.0
_MOST_UNITS, _MOST_MAPS, _DEEPEST = 9, 4, 5


class _Step(NamedTuple):
    """A layer; of a block of layers, which ends with it, `holds` counts those before it."""

    words: str
    shape: Sequence[int]
    parameters: int
    depth: int = 0
    holds: int = 0
    skips: bool = False


def network_picture(name: str, network: dict[str, Any]) -> Chart:
    """The picture of a network as `describe_network` describes it."""
    steps = [_Step("input", network["input_shape"], 0)]
    for each in network.get("embeddings", []):  # a vector takes the place of the column's number
        width = steps[-1].shape[0] - 1 + each["dimensions"]
        words = f"embedding of {each['column']}, {count(each['entries'])} × {each['dimensions']}"
        steps.append(_Step(words, [width], each["parameters"]))
    steps += _steps(network["layers"], 0)
    largest = max((step.shape[1] for step in steps if len(step.shape) == 3), default=1)
    heads = [
        ("layer", _LEFT, "start"),
        ("output", _SHAPE, "end"),
        ("parameters", _PARAMETERS, "end"),
    ]
    marks = [element("text", words, x=x, y=18, class_=kind) for words, x, kind in heads]
    for place, step in enumerate(steps):
        marks += _marks(step, _TOP + _ROW * place, largest, network["parameters"] or 1)
        marks += _ways(step, _TOP + _ROW * place) if place else ()
    height, total = _TOP + _ROW * len(steps) + 14, f"{count(network['parameters'])} parameters"
    marks.append(element("text", total, x=_PARAMETERS, y=height - 12, class_="strong end"))
    dark = re.sub(r"var\(--(\w+)\)", lambda found: DARK[found[1]], PAGE) + ON_DARK
    style = element("style", Markup(f"@media (prefers-color-scheme:dark){{{dark}}}"))
    rows = [[step.words, shape(step.shape), count(step.parameters)] for step in steps]
    said = ", then ".join(f"{step.words} with {shape(step.shape)}" for step in steps)
    drawing, table = (
        Markup("").join([style, *marks]),
        Table(["layer", "output", "parameters"], rows),
    )
    return Chart(f"The network {name}", said, drawing, _WIDTH, height, table, fills=False)


def _steps(layers: Sequence[dict[str, Any]], depth: int) -> Iterator[_Step]:
    for layer in layers:
        within = layer.get("layers", [])
        inner = [*_steps(within, depth + 1)]
        yield from inner
        own = layer["parameters"] - sum(each["parameters"] for each in within)
        skips = layer["type"] == "residual"
        words = "+ the input of the block" if skips else layer_kind(layer)
        yield _Step(words, layer["output_shape"], own, min(depth, _DEEPEST), len(inner), skips)


def _marks(step: _Step, top: float, largest: int, whole: int) -> Iterator[Markup]:
    x, middle = _LEFT + _INDENT * step.depth, top + _BOX / 2
    words = shortened(step.words, int((_RIGHT - x - 20) / CHARACTER))
    box = {"width": _RIGHT - x, "height": _BOX, "rx": 15 if step.holds else 5}
    yield element("rect", x=x, y=top, class_="none", **box)
    yield element("text", words, x=x + 12, y=middle + 4, class_="name")
    if len(step.shape) == 3:  # squares for channels, as large as their images; dots for units
        channels, high, wide = step.shape
        side = 8 + 16 * sqrt(high / largest)
        size = {"width": min(side * wide / high, 40), "height": side}
        for at in reversed(range(min(channels, _MOST_MAPS))):
            left, up = _GLYPH + 5 * at, middle - side / 2 + 2 - 2 * at
            yield element("rect", x=left, y=up, class_="point k2", **size)
    else:
        units = step.shape[0]
        dots = units if units <= _MOST_UNITS else _MOST_UNITS - 2
        for at in range(dots):
            yield element("circle", cx=_GLYPH + 4 + 9 * at, cy=middle, r=3.5, class_="point k2")
        if dots < units:
            yield element("text", "…", x=_GLYPH + 2 + 9 * dots, y=middle + 3, class_="name")
    yield element("text", shape(step.shape), x=_SHAPE, y=middle + 4, class_="name end")
    if step.parameters:
        number = count(step.parameters)
        yield element("text", number, x=_PARAMETERS, y=middle + 4, class_="name end")
        bar = {"width": max(1.5, _BAR * step.parameters / whole), "height": 10}
        yield element("rect", x=_PARAMETERS + 12, y=middle - 5, class_="bar k0", **bar)


def _ways(step: _Step, top: float) -> Iterator[Markup]:
    """The arrow from the step before; of a block that skips, the way around it too."""
    yield _path(f"M{_ARROW:g} {top - _ROW + _BOX:g}V{top - 4:g}", "axis")
    yield _path(f"M{_ARROW:g} {top:g}l-4 -6h8z", "arrow")
    if step.skips:
        start, middle = top - _ROW * step.holds - (_ROW - _BOX) / 2, top + _BOX / 2
        x = _LEFT + _INDENT * step.depth
        yield _path(f"M{_ARROW:g} {start:g}H{x - 14:g}V{middle:g}h10", "axis")
        yield _path(f"M{x:g} {middle:g}l-6 -4v8z", "arrow")


def _path(way: str, kind: str) -> Markup:
    return element("path", d=Markup(way), class_=kind)
