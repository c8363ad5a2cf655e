"""The frame of a chart: its scales in pixels, with ticks, grid lines and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nnrun.reports.charts.scales import Scale
from nnrun.reports.charts.svg import CHARACTER, LINE, Value, element, shortened

SIZE = 480.0, 270.0
"""Of most charts; `TALL` of those that are nearly squares."""
TALL = 480.0, 300.0
_LONGEST_LABEL = 22
# The width of a digit where a page enlarges the text of a chart that it draws small.
_DIGIT = 8.5
_MARGIN = 18.0  # for the half of a number at the right end of the x axis


@dataclass(frozen=True)
class Frame:
    """Two scales and the rectangle of the plot.

    Its edges are in pixels, at the natural size.
    """

    x: Scale
    y: Scale
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: Scale, y: Scale, size: tuple[float, float], ticks: int = 5) -> Frame:
        """A frame of this size with room for the labels of so many ticks of the y axis."""
        labels = tick_labels(y.ticks(ticks))
        longest = max((len(shortened(label, _LONGEST_LABEL)) for label in labels), default=3)
        return cls(x, y, 18 + longest * _DIGIT, 30.0, size[0] - _MARGIN - 2, size[1] - 44)

    def across(self, value: float | None) -> float | None:
        """The x position of a value in pixels; None if the scale has no place for it."""
        place = self.x.place(value)
        return None if place is None else self.left + place * (self.right - self.left)

    def up(self, value: float | None) -> float | None:
        """The y position of a value in pixels, likewise."""
        place = self.y.place(value)
        return None if place is None else self.bottom - place * (self.bottom - self.top)


def x_axis(
    frame: Frame,
    label: str,
    names: Callable[[list[float]], list[str]] | None = None,
    count: int = 6,
    ticks: list[float] | None = None,
) -> Markup:
    """The x axis with its label: ticks at round values, or at those given."""
    ticks = frame.x.ticks(count) if ticks is None else ticks
    texts = (names or tick_labels)(ticks)
    room = (frame.right - frame.left) / max(1, len(ticks))
    parts = []
    for tick, text in zip(ticks, texts, strict=True):
        x = frame.across(tick)
        if x is not None:
            shown = shortened(text, max(3, int(room / CHARACTER)))
            place: dict[str, Value] = {"x": x, "class_": "mid"}
            if x + len(shown) * _DIGIT / 2 > frame.right + _MARGIN:
                place = {"x": frame.right + _MARGIN, "class_": "end"}
            parts.append(element("text", shown, y=frame.bottom + LINE + 2, **place))
    middle = (frame.left + frame.right) / 2
    return element(
        "g",
        element("path", d=f"M{frame.left:.1f} {frame.bottom:.1f}H{frame.right:.1f}", class_="axis"),
        parts,
        element(
            "text", shortened(label, 60), x=middle, y=frame.bottom + 2 * LINE + 8, class_="mid"
        ),
    )


def y_axis(frame: Frame, label: str, count: int = 5) -> Markup:
    """The y axis with a grid line for each tick, and its label above."""
    ticks = frame.y.ticks(count)
    parts = []
    for tick, text in zip(ticks, tick_labels(ticks), strict=True):
        y = frame.up(tick)
        if y is not None:
            d = f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"
            parts.append(element("path", d=d, class_="grid"))
            shown = shortened(text, _LONGEST_LABEL)
            parts.append(element("text", shown, x=frame.left - 6, y=y + 4, class_="end"))
    return element("g", parts, element("text", shortened(label, 60), x=4.0, y=13.0))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Numbers with as few digits as keep them distinct: `0.5`, `10,000`, `1e−7`."""
    for digits in range(4, 18):
        labels = [_label(tick, digits) for tick in ticks]
        if len(set(labels)) == len(labels):
            break
    else:
        labels = [repr(tick) for tick in ticks]
    return labels


def _label(value: float, digits: int) -> str:
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    mantissa, _, power = f"{value:.{digits}g}".partition("e")
    text = f"{mantissa}e{int(power)}" if power else mantissa
    return text.replace("-", "−")
