"""The picture of a network: its layers from the input down, with shapes and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.chart import CHARACTER, DARK, ON_DARK, PAGE, Chart, Table, element

_TOP, _ROW, _BOX = 34.0, 46.0, 30.0
_LEFT, _RIGHT, _INDENT = 40.0, 270.0, 16.0
_GLYPH, _SHAPE, _PARAMETERS, _BAR, _WIDTH = 286.0, 440.0, 520.0, 532.0, 640.0
_MOST_DOTS, _MOST_MAPS = 9, 4
_DEEPEST = 5  # what is deeper is not indented further


@dataclass(frozen=True)
class Step:
    """A layer, or the end of a block of layers.

    Args:
        words: what it is.
        shape: of its output, (units,) or (channels, height, width).
        shown: the same in words.
        parameters: of its own.
        depth: in how many blocks it is.
        holds: how many of the steps before it are those of its block.
        skips: whether the block's input is added to what its last layer puts out.
    """

    words: str
    shape: Sequence[int]
    shown: str
    parameters: str = ""
    share: float = 0.0
    depth: int = 0
    holds: int = 0
    skips: bool = False


def network_picture(name: str, steps: Sequence[Step], total: str) -> Chart:
    """The picture of a network; the first step is its input."""
    largest = max((step.shape[1] for step in steps if len(step.shape) == 3), default=1)
    marks = [*_heads()]
    for place, step in enumerate(steps):
        marks += _step(place, step, largest)
        if place:
            marks += _way(place, steps)
    height = _TOP + _ROW * len(steps) + 14
    words = f"{total} parameters"
    marks.append(element("text", words, x=_PARAMETERS, y=height - 12, class_="strong end"))
    dark = re.sub(r"var\(--(\w+)\)", lambda found: DARK[found[1]], PAGE) + ON_DARK
    style = element("style", Markup(f"@media (prefers-color-scheme:dark){{{dark}}}"))
    table = Table(
        ["layer", "output", "parameters"], [[s.words, s.shown, s.parameters] for s in steps]
    )
    layers = ", then ".join(f"{step.words} with {step.shown}" for step in steps)
    drawing = Markup("").join([style, *marks])
    return Chart(f"The network {name}", layers, drawing, _WIDTH, height, table, fills=False)


def _heads() -> Iterator[Markup]:
    for words, x, kind in (
        ("layer", _LEFT, "start"), ("output", _SHAPE, "end"), ("parameters", _PARAMETERS, "end"),
    ):  # fmt: skip
        yield element("text", words, x=x, y=18, class_=kind)


def _left(step: Step) -> float:
    return _LEFT + _INDENT * min(step.depth, _DEEPEST)


def _step(place: int, step: Step, largest: int) -> Iterator[Markup]:
    x, top = _left(step), _TOP + _ROW * place
    middle = top + _BOX / 2
    words = shortened(step.words, int((_RIGHT - x - 20) / CHARACTER))
    box = {"x": x, "y": top, "width": _RIGHT - x, "height": _BOX, "rx": 15 if step.holds else 5}
    yield element("rect", class_="none", **box)
    yield element("text", words, x=x + 12, y=middle + 4, class_="name")
    yield from _glyph(step.shape, middle, largest)
    yield element("text", step.shown, x=_SHAPE, y=middle + 4, class_="name end")
    if step.parameters:
        yield element("text", step.parameters, x=_PARAMETERS, y=middle + 4, class_="name end")
        width = max(1.5, (_WIDTH - 12 - _BAR) * step.share)
        bar = {"x": _BAR, "y": middle - 5, "width": width, "height": 10}
        yield element("rect", class_="bar k0", **bar)


def _glyph(shape: Sequence[int], middle: float, largest: int) -> Iterator[Markup]:
    """Squares for channels, as large as their images; dots for units."""
    if len(shape) == 3:
        channels, high, wide = shape
        side = 8 + 16 * sqrt(high / largest)
        for at in reversed(range(min(channels, _MOST_MAPS))):
            size = {"width": min(side * wide / high, 40), "height": side}
            place = {"x": _GLYPH + 5 * at, "y": middle - side / 2 + 2 - 2 * at}
            yield element("rect", class_="point k2", **size, **place)
        return
    units = shape[0]
    dots = units if units <= _MOST_DOTS else _MOST_DOTS - 2
    for at in range(dots):
        yield element("circle", cx=_GLYPH + 4 + 9 * at, cy=middle, r=3.5, class_="point k2")
    if dots < units:
        yield element("text", "…", x=_GLYPH + 2 + 9 * dots, y=middle + 3, class_="name")


def _way(place: int, steps: Sequence[Step]) -> Iterator[Markup]:
    """The arrow from the step before; of a block that skips, the way around it too."""
    step, top = steps[place], _TOP + _ROW * place
    x = (_LEFT + _INDENT * _DEEPEST + _RIGHT) / 2
    yield element("path", d=Markup(f"M{x:g} {top - _ROW + _BOX:g}V{top - 4:g}"), class_="axis")
    yield _head(x, top, "v")
    if step.holds and step.skips:
        start = _TOP + _ROW * (place - step.holds) - (_ROW - _BOX) / 2
        left, middle = _left(step) - 14, top + _BOX / 2
        yield element("path", d=Markup(f"M{x:g} {start:g}H{left:g}V{middle:g}h10"), class_="axis")
        yield _head(left + 14, middle, "h")


def _head(x: float, y: float, direction: str) -> Markup:
    lines = "l-4 -6h8z" if direction == "v" else "l-6 -4v8z"
    return element("path", d=Markup(f"M{x:g} {y:g}{lines}"), class_="arrow")
