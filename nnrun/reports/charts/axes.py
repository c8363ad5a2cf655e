"""The frame of a chart: where its scales lie on the paper, with ticks, grid lines and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nnrun.reports.charts.scales import Scale
from nnrun.reports.charts.svg import CHARACTER, LINE, element, group, shortened

WIDTH, HEIGHT = 360.0, 232.0
_LONGEST_LABEL = 22


@dataclass(frozen=True)
class Frame:
    """Two scales on a piece of paper.

    Args:
        x: the scale from left to right.
        y: the scale from bottom to top.
        left: where the plot begins; units are pixels at the natural size.
        top: likewise.
        right: where it ends.
        bottom: likewise.
    """

    x: Scale
    y: Scale
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(
        cls,
        x: Scale,
        y: Scale,
        *,
        labels: Sequence[str] = (),
        width: float = WIDTH,
        height: float = HEIGHT,
        below: float = 40.0,
    ) -> Frame:
        """A frame that fills the paper, but for room for these labels of the y axis."""
        longest = max((len(shortened(label, _LONGEST_LABEL)) for label in labels), default=3)
        return cls(x, y, 22 + longest * CHARACTER, 20.0, width - 20, height - below)

    def across(self, value: float | None) -> float | None:
        """Where a value of the x scale lies; None if it has no place."""
        place = self.x.place(value)
        return None if place is None else self.left + place * (self.right - self.left)

    def up(self, value: float | None) -> float | None:
        """Where a value of the y scale lies."""
        place = self.y.place(value)
        return None if place is None else self.bottom - place * (self.bottom - self.top)


def x_axis(
    frame: Frame,
    label: str,
    names: Callable[[list[float]], list[str]] | None = None,
    count: int = 6,
    ticks: list[float] | None = None,
) -> Markup:
    """Ticks along the bottom, at round values or at those given, and what they count."""
    ticks = frame.x.ticks(count) if ticks is None else ticks
    texts = (names or tick_labels)(ticks)
    room = (frame.right - frame.left) / max(1, len(ticks))
    parts = []
    for tick, text in zip(ticks, texts, strict=True):
        x = frame.across(tick)
        if x is not None:
            shown = shortened(text, max(3, int(room / CHARACTER)))
            parts.append(element("text", shown, x=x, y=frame.bottom + LINE, class_="mid"))
    middle = (frame.left + frame.right) / 2
    return group(
        element("path", d=f"M{frame.left:.1f} {frame.bottom:.1f}H{frame.right:.1f}", class_="axis"),
        parts,
        element(
            "text", shortened(label, 60), x=middle, y=frame.bottom + 2 * LINE + 4, class_="mid"
        ),
    )


def y_axis(
    frame: Frame,
    label: str,
    names: Callable[[list[float]], list[str]] | None = None,
    count: int = 5,
) -> Markup:
    """Ticks along the left with a grid line each, and what they measure, above."""
    ticks = frame.y.ticks(count)
    parts = []
    for tick, text in zip(ticks, (names or tick_labels)(ticks), strict=True):
        y = frame.up(tick)
        if y is not None:
            d = f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"
            parts.append(element("path", d=d, class_="grid"))
            shown = shortened(text, _LONGEST_LABEL)
            parts.append(element("text", shown, x=frame.left - 6, y=y + 4, class_="end"))
    return group(parts, element("text", shortened(label, 60), x=4.0, y=11.0))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Numbers with as many digits as tell them apart: `0.5`, `10,000`, `1e−7`."""
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
