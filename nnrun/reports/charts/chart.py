"""What a chart is, whatever it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from nnrun.reports.charts.style import STANDALONE
from nnrun.reports.charts.svg import clean, element


@dataclass(frozen=True)
class Table:
    """The numbers of a chart.

    Args:
        header: a name for each column.
        rows: of texts, as long as the header.
        places: for charts of lines, where each row lies in the drawing, in its units from the left.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    places: Sequence[float] = field(default=())


@dataclass(frozen=True)
class Chart:
    """A drawing with all that is needed to understand it without seeing it.

    Args:
        title: what is shown, in a few words.
        alternative: what there is to see, in a sentence or two.
        drawing: the marks and axes, without the element around them.
        width: of the drawing, in its own units: a pixel each, at its natural size.
        height: likewise.
        table: its numbers.
        interactive: whether there are links among the marks.
    """

    title: str
    alternative: str
    drawing: Markup
    width: float
    height: float
    table: Table
    interactive: bool = False

    @property
    def svg(self) -> Markup:
        """For a page that has the charts' style sheet."""
        return self._svg(self.drawing)

    @property
    def file(self) -> str:
        """A whole SVG file, with its colours in it."""
        title, style = element("title", self.title), element("style", Markup(STANDALONE))
        paper = element("rect", width=self.width, height=self.height, class_="paper")
        drawing = self._svg(title, style, paper, self.drawing, xmlns="http://www.w3.org/2000/svg")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}\n'

    def _svg(self, *content: str, **attributes: str) -> Markup:
        # The parts of an image are hidden from screen readers, which links must not be.
        role = "group" if self.interactive else "img"
        box = Markup(f"0 0 {self.width:g} {self.height:g}")
        label = clean(f"{self.title}. {self.alternative}")
        return element(
            "svg", *content, viewBox=box, width=self.width, class_="chart", role=role,
            aria_label=label, **attributes,
        )  # fmt: skip
