"""Charts of any kind: a drawing with its title, text alternative and table; files of it alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from markupsafe import Markup, escape

from nnrun.characters import clean, shortened
from nnrun.errors import UsageError

# SVG elements as text; all text that is not `Markup` is escaped.

# Width and height of a character in pixels; generous, since the reader's font is not known.
CHARACTER = 6.6
LINE = 14.0
_SIGN = 4.0

Value = str | float | int | None


def element(name: str, /, *children: str | Iterable[str], **attributes: Value) -> Markup:
    """An element with its children; `class_` is written `class`, `stroke_width` `stroke-width`.

    Attributes that are None are left out. Children are escaped unless they are `Markup`.
    """
    present = {key: value for key, value in attributes.items() if value is not None}
    words = [f" {key.rstrip('_').replace('_', '-')}={_quoted(v)}" for key, v in present.items()]
    parts = [part for c in children for part in ([c] if isinstance(c, str) else c)]
    inner = parts and Markup("").join(p if isinstance(p, Markup) else clean(p) for p in parts)
    start = f"<{name}{''.join(words)}"
    return Markup(f"{start}>{inner}</{name}>" if inner else f"{start}/>")


def width_of(number: str) -> float:
    """The width of a number in pixels; its signs are narrower than its digits."""
    return sum(_SIGN if sign in ".,-−" else CHARACTER for sign in number)


def coordinate(value: float) -> str:
    """A number of pixels rounded to a tenth, without a trailing `.0`.

    Halves are rounded alike where their last digits differ, as between processors.
    """
    text = f"{round(value, 6):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _quoted(value: str | float | int) -> str:
    if isinstance(value, str):
        return f'"{escape(value if isinstance(value, Markup) else clean(value))}"'
    return f'"{coordinate(float(value))}"'


# The look of charts: colours that everybody can tell apart, and style sheets of pages and files.
#
# Series: Okabe and Ito, "Color Universal Design" (2008), without its yellow, which is hard to see
# on white, and with its orange and its sky blue darker on light pages. Amounts: cividis (Nuñez,
# Anderton, Renslow, PLoS ONE 13, 2018) and ColorBrewer's Blues; signs: ColorBrewer's RdBu (Harrower
# and Brewer, The Cartographic Journal 40, 2003).

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


def contrast(colour: str, other: str) -> float:
    """The contrast ratio of two colours by WCAG 2.1, from 1 to 21."""
    light, dark = sorted((_luminance(colour), _luminance(other)), reverse=True)
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
.thin .line{stroke-width:1.1}
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


_LINK = re.compile(r"</?a\b[^>]*>")
_MARGIN = 10.0
# A chart that does not fill its column has text as large as one that does.
_ENLARGED = 1.25
_KEY = 42.0  # the line before a name in a legend, and the space after it


@dataclass(frozen=True)
class Table:
    """The numbers of a chart.

    `places` are the x positions of the rows in the drawing, where they have some, or the y
    positions if they go `down`; `cells`, of a map whose cells are those of the table: left and top
    of the first one, width and height of each.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    places: Sequence[float] = field(default=())
    cells: Sequence[float] = field(default=())
    down: bool = False


@dataclass(frozen=True)
class Chart:
    """A drawing with its description for readers who cannot see it.

    Args:
        drawing: marks and axes, without the `svg` element around them, in pixels of its natural
            size.
        fills: whether a page draws it as wide as its column, rather than at its natural size.
        legend: the number and name of each series; pages show it once for several charts.
        grey: how many more series are drawn in grey.
        log: the same on a logarithmic scale, which readers can switch to.
    """

    title: str
    alternative: str
    drawing: Markup
    width: float
    height: float
    table: Table
    fills: bool = True
    legend: Sequence[tuple[int, str]] = ()
    grey: int = 0
    log: Chart | None = None

    @property
    def svg(self) -> Markup:
        """The chart for a page that has the charts' style sheet."""
        # Screen readers skip the parts of an image, but must find its links.
        role = "group" if _LINK.search(self.drawing) else "img"
        return self._svg(self.height, self.drawing, role, 1.0 if self.fills else _ENLARGED)

    @property
    def file(self) -> str:
        """A complete SVG file with its own colours and legend."""
        legend, height = self._legend()
        content = (
            element("title", self.title),
            element("style", Markup(STANDALONE)),
            element("rect", width=self.width, height=height, class_="paper"),
            # The targets of links are not in this file.
            Markup(_LINK.sub("", self.drawing)),
            legend,
        )
        drawing = self._svg(height, content, "img", xmlns="http://www.w3.org/2000/svg")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}\n'

    def _legend(self) -> tuple[Markup, float]:
        """The legend below the drawing, and the height of drawing and legend."""
        entries = [(series_class(index), name) for index, name in self.legend]
        entries += [("grey", f"{self.grey} more")] if self.grey else []
        if len(entries) < 2:
            return Markup(""), self.height
        x, y = _MARGIN, self.height + LINE
        parts = []
        for kind, name in entries:
            shown = shortened(name, min(60, int((self.width - _KEY) / CHARACTER)))
            wide = _KEY + len(shown) * CHARACTER
            if x > _MARGIN and x + wide > self.width:
                x, y = _MARGIN, y + LINE
            key = Markup(f"M{x:g} {y - 4:g}h20")
            parts.append(element("path", d=key, class_=f"line {kind}"))
            parts.append(element("text", shown, x=x + 26, y=y, class_="name"))
            x += wide
        return Markup("").join(parts), y + _MARGIN

    def _svg(
        self,
        height: float,
        content: str | Sequence[str],
        role: str,
        scale: float = 1.0,
        **attributes: str,
    ) -> Markup:
        box = Markup(f"0 0 {self.width:g} {height:g}")
        label = clean(f"{self.title}. {self.alternative}")
        return element(
            "svg",
            content,
            viewBox=box,
            width=scale * self.width,
            class_="chart fills" if self.fills else "chart",
            role=role,
            aria_label=label,
            **attributes,
        )


FORMATS = ("svg", "pdf", "png")

_MOST_CHARACTERS = 60
_PIXELS = 3  # of a PNG per pixel of the chart: about 288 per inch


def figure_files(
    charts: Iterable[tuple[str, Chart]], form: str = "svg"
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files; a name has a number, the section and the title of the chart.

    Args:
        charts: each chart with the section of the report that it is in.
        form: one of `FORMATS`.

    Raises:
        UsageError: the format needs a package that is not installed.
    """
    convert = _converter(form)
    for number, (part, chart) in enumerate(charts, start=1):
        yield f"{number:03d}-{_slug(f'{part} {chart.title}')}.{form}", convert(chart.file)


def _slug(text: str) -> str:
    """The text in characters that every file system allows."""
    words = (word.strip(".") for word in re.findall(r"[a-z0-9.]+", text.lower()))
    return "-".join(filter(None, words))[:_MOST_CHARACTERS].strip("-.")


def _converter(form: str) -> Callable[[str], bytes]:
    if form == "svg":
        return str.encode
    try:
        import cairosvg  # noqa: PLC0415  # an optional package, for PDF and PNG only
    except ImportError:
        raise UsageError(f"{form} files need an extra: pip install 'nnrun[figures]'") from None
    except OSError as error:  # the package is installed, but not the system's cairo library
        reason = str(error).splitlines()[0]
        message = f"{form} files need the cairo library (on Debian, libcairo2): {reason}"
        raise UsageError(message) from None
    if form == "pdf":
        return lambda svg: bytes(cairosvg.svg2pdf(bytestring=svg.encode()))
    return lambda svg: bytes(cairosvg.svg2png(bytestring=svg.encode(), scale=_PIXELS))
