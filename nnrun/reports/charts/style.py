"""The look of charts: a style sheet for pages, and one with fixed colours for files."""

from __future__ import annotations

import re

from nnrun.reports.charts.palette import (
    BLUES,
    DASHES,
    SERIES,
    SERIES_ON_DARK,
    ink_on,
    ramp,
)

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
.chart .dark{fill:#000000}
.chart .light{fill:#ffffff}
.chart .end{text-anchor:end}
.chart .mid{text-anchor:middle}
.paper{fill:var(--paper)}
.grid{stroke:var(--rule);stroke-width:1;fill:none}
.axis{stroke:var(--soft);stroke-width:1;fill:none}
.guide{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;fill:none}
.line{stroke:currentColor;stroke-width:2;fill:none;stroke-linejoin:round;stroke-linecap:round}
.thin{stroke:currentColor;stroke-width:1;fill:none}
.area{fill:currentColor;opacity:.16}
.bar{fill:currentColor;opacity:.8}
.dot{fill:currentColor;opacity:.65}
.ring{fill:none;stroke:currentColor;stroke-width:1.5}
.point{fill:currentColor;stroke:var(--paper);stroke-width:1}
.none{fill:var(--paper);stroke:var(--rule)}
.halo{paint-order:stroke;stroke:var(--paper);stroke-width:3;stroke-linejoin:round}
.raster{image-rendering:pixelated}
"""


_AMOUNTS = 16


def amount_class(share: float | None) -> str:
    """The CSS class of a cell whose amount is this share of the largest, for `ON_DARK`."""
    return f"q{round(_AMOUNTS * min(max(share or 0.0, 0.0), 1.0))}"


def _amounts() -> str:
    """The blues in reverse order, since pale colours stand out on a dark page."""
    colours = [ramp(BLUES[::-1], step / _AMOUNTS) or "" for step in range(_AMOUNTS + 1)]
    return "".join(
        f".chart .q{step}{{fill:{colour}}}.chart .q{step}~text{{fill:{ink_on(colour)}}}"
        for step, colour in enumerate(colours)
    )


def _series() -> str:
    colours = (f".k{index}{{color:var(--c{index})}}" for index in range(len(SERIES)))
    dashes = (f".line.d{index}{{stroke-dasharray:{dash}}}" for index, dash in enumerate(DASHES))
    return "\n".join([*colours, *dashes])


# In addition for dark pages.
ON_DARK = _amounts()
# For a page, which defines the variables.
PAGE = f"{_MARKS.strip()}\n{_series()}\n"
# For files, with fixed colours: many programs do not support CSS variables.
STANDALONE = re.sub(r"var\(--(\w+)\)", lambda found: LIGHT[found[1]], PAGE)
