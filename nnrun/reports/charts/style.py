"""The look of charts: colours that everybody can tell apart, and style sheets of pages and files.

Series: Okabe and Ito, "Color Universal Design" (2008), without its yellow, which is hard to see
on white, and with its orange and its sky blue darker on light pages. Amounts: cividis (Nuñez,
Anderton, Renslow, PLoS ONE 13, 2018) and ColorBrewer's Blues; signs: ColorBrewer's RdBu (Harrower
and Brewer, The Cartographic Journal 40, 2003).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

Colour = tuple[int, int, int]
Ramp = tuple[str, ...]

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b97f00", "#2f96d0")
# With the two blues exchanged, since the dark one is hard to see on a dark page.
SERIES_ON_DARK = ("#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#0072b2")
# Lines of one colour differ in their dashes.
DASHES = ("none", "7 3", "2 3", "9 3 2 3")

BLUES = (
    "#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6",
    "#4292c6", "#2171b5", "#08519c", "#08306b",
)  # fmt: skip
CIVIDIS = (
    "#00224e", "#1a386f", "#434e6c", "#61656f", "#7d7c78",
    "#9b9476", "#bcae6c", "#dec958", "#fee838",
)  # fmt: skip
RED_BLUE = (
    "#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7",
    "#d1e5f0", "#92c5de", "#4393c3", "#2166ac",
)  # fmt: skip
GREYS = ("#000000", "#ffffff")
# What ramps are on a dark page: what is next to zero is next to its colour.
BLUES_ON_DARK = BLUES[::-1]
RED_BLUE_ON_DARK = (
    "#ff9d8a", "#d96450", "#9c3a35", "#562a2c", "#1d242c",
    "#1f3d59", "#2a66a0", "#4c97d1", "#93cbff",
)  # fmt: skip


def series_class(index: int) -> str:
    """The classes of the style sheet for the series with this number."""
    return f"k{index % len(SERIES)} d{index // len(SERIES) % len(DASHES)}"


def ramp(colours: tuple[str, ...], share: float | None) -> str | None:
    """The colour at this share (0 to 1) of a ramp; None if the share is not a finite number."""
    if share is None or not isfinite(share):
        return None
    position = min(max(share, 0.0), 1.0) * (len(colours) - 1)
    index = min(int(position), len(colours) - 2)
    start, end = rgb(colours[index]), rgb(colours[index + 1])
    mixed = (round(a + (b - a) * (position - index)) for a, b in zip(start, end, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def ink_on(colour: str) -> str:
    """Black or white: the one with the greater contrast (WCAG 2.1) on this colour."""
    return "#000000" if contrast(colour, "#000000") > contrast(colour, "#ffffff") else "#ffffff"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours by WCAG 2.1, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def rgb(colour: str) -> Colour:
    """`#rrggbb` as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in rgb(colour))
    )  # fmt: skip
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# The CSS variables that charts take from the page around them.
LIGHT = {
    "ink": "#1b1f24",
    "soft": "#57606a",
    "rule": "#d0d7de",
    "paper": "#ffffff",
    **{f"c{index}": colour for index, colour in enumerate(SERIES)},
}
DARK = {
    "ink": "#e6edf3",
    "soft": "#9da7b3",
    "rule": "#363d46",
    "paper": "#12161b",
    **{f"c{index}": colour for index, colour in enumerate(SERIES_ON_DARK)},
}

_MARKS = """
.chart{font:11px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;color:var(--ink)}
.chart text{fill:var(--soft);unicode-bidi:isolate}
.chart .name{fill:var(--ink)}
.chart .strong{fill:var(--ink);font-weight:600}
.chart .start{text-anchor:start}
.chart .end{text-anchor:end}
.chart .mid{text-anchor:middle}
.chart .paper{fill:var(--paper)}
.chart .grid{stroke:var(--rule);stroke-width:1;fill:none}
.chart .axis{stroke:var(--soft);stroke-width:1;fill:none}
.chart .ticks{stroke:var(--soft);stroke-width:1;stroke-opacity:.6;fill:none}
.chart .arrow{fill:currentColor;stroke:none}
.chart .guide{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;fill:none}
.chart .moment{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 3;fill:none}
.chart .line{stroke:currentColor;stroke-width:2;fill:none}
.chart .line{stroke-linejoin:round;stroke-linecap:round}
.chart .area{fill:currentColor;opacity:.16}
.chart .bar{fill:currentColor;opacity:.8}
.chart .dot{fill:currentColor;opacity:.65}
.chart .ring{fill:none;stroke:currentColor;stroke-width:1.5}
.chart .point{fill:currentColor;stroke:var(--paper);stroke-width:1}
.chart .none{fill:var(--paper);stroke:var(--rule)}
.chart .edge{fill:none;stroke:var(--rule)}
.other .line,.chart .line.grey{stroke:var(--soft);stroke-width:1;stroke-opacity:.7}
.other .point{fill:var(--soft)}
.other .area{opacity:0}
.other.lit .line{stroke:currentColor;stroke-opacity:1}
.other.lit .point{fill:currentColor}
.other.lit .area{opacity:.16}
.other.near .line{stroke:currentColor;stroke-opacity:1}
.other.near .area{opacity:.16}
.lit .line,.near .line{stroke-width:3.5}
.chart .halo{fill:var(--paper);stroke:var(--paper);stroke-width:6;stroke-linejoin:round}
.chart .raster{image-rendering:pixelated}
.chart .spots{stroke:currentColor;stroke-width:3.5;stroke-linecap:round;fill:none}
"""


STEPS = 16
# The letter of the classes of a ramp's colours, and the ramp on dark pages.
# Lines whose amount is a number have the letter y.
_RAMPS: dict[Ramp, tuple[str, Ramp]] = {
    BLUES: ("q", BLUES_ON_DARK),
    RED_BLUE: ("w", RED_BLUE_ON_DARK),
    CIVIDIS: ("v", CIVIDIS),
}


def amount_class(colours: Ramp, share: float | None) -> str:
    """The class of a cell with the colour at this share (0 to 1) of a ramp."""
    return f"{_RAMPS[colours][0]}{round(STEPS * min(max(share or 0.0, 0.0), 1.0))}"


def amount_line_class(share: float) -> str:
    """The class of a line with the colour at this share of the ramp of amounts."""
    return f"y{round(STEPS * min(max(share, 0.0), 1.0))}"


def _amounts(letter: str, colours: Ramp) -> str:
    steps = [ramp(colours, step / STEPS) or "" for step in range(STEPS + 1)]
    names = [f".chart .{letter}{step}" for step in range(STEPS + 1)]
    return "".join(
        f"{name}{{fill:{colour}}}{name}~text{{fill:{ink_on(colour)}}}"
        for name, colour in zip(names, steps, strict=True)
    )


def _amount_lines(start: float, end: float) -> str:
    """The colours of lines whose amount is a number, within this part of the ramp."""
    steps = [ramp(CIVIDIS, start + (end - start) * step / STEPS) for step in range(STEPS + 1)]
    return "".join(f".chart .y{step}{{stroke:{colour}}}" for step, colour in enumerate(steps))


def _series() -> str:
    colours = (f".k{index}{{color:var(--c{index})}}" for index in range(len(SERIES)))
    dashes = (f".line.d{index}{{stroke-dasharray:{dash}}}" for index, dash in enumerate(DASHES))
    return "\n".join([*colours, *dashes])


def _ramps(dark: bool) -> str:
    """The colours of amounts; of lines, without those that are hard to see on the page."""
    cells = (_amounts(kind, other if dark else r) for r, (kind, other) in _RAMPS.items())
    return "".join(cells) + (_amount_lines(0.35, 1.0) if dark else _amount_lines(0.0, 0.8))


def variables(colours: Mapping[str, str]) -> str:
    """The CSS variables with these values."""
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


# In addition for dark pages.
ON_DARK = f"{_ramps(dark=True)}.chart .ramp{{filter:invert(1) hue-rotate(180deg)}}"
# For a page, which defines the variables.
PAGE = f"{_MARKS.strip()}\n{_series()}\n{_ramps(dark=False)}\n"
# For files, with fixed colours: many programs do not support CSS variables.
STANDALONE = re.sub(r"var\(--(\w+)\)", lambda found: LIGHT[found[1]], PAGE)
