"""Charts of any kind: a drawing with its title, text alternative and table; files of it alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from nnrun.characters import clean, shortened
from nnrun.errors import UsageError
from nnrun.reports.charts.style import STANDALONE, series_class
from nnrun.reports.charts.svg import CHARACTER, LINE, element

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
