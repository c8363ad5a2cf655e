"""Colours that are distinct for every kind of colour vision, for light and dark pages.

Series: Okabe and Ito, "Color Universal Design" (2008), without its yellow, which is hard to see
on white, and with its orange and its sky blue darker on light pages. Amounts: cividis (Nuñez,
Anderton, Renslow, PLoS ONE 13, 2018) and ColorBrewer's Blues; signs: ColorBrewer's RdBu (Harrower
and Brewer, The Cartographic Journal 40, 2003).
"""

from __future__ import annotations

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
