"""A matrix of numbers as coloured cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from markupsafe import Markup

from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.palette import BLUES, ink_on, ramp
from nnrun.reports.charts.scales import Linear
from nnrun.reports.charts.style import amount_class
from nnrun.reports.charts.svg import CHARACTER, LINE, element, shortened
from nnrun.reports.numbers import MISSING

_LONGEST = 16
_GAP = 4.0  # between the names of neighbouring columns
_MOST_TEXT = 26  # from this number of columns on, cells show no numbers


def heatmap(
    title: str,
    alternative: str,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_label: str,
    column_label: str,
    colours: tuple[str, ...],
    text: Callable[[float], str],
    empty: Callable[[int, int], bool] = lambda row, column: False,
    links: dict[tuple[int, int], str] | None = None,
    domain: tuple[float, float] | None = None,
) -> Chart:
    """A chart of cells.

    Colours go from the smallest value to the largest, or from one end of `domain` to the other;
    cells for which `empty` is true have none. `text` formats a value; `links` are the ids that
    cells link to, by (row, column).
    """
    scale = Linear.between(domain or (value for line in values for value in line))
    names = [shortened(name, _LONGEST) for name in rows]
    left = 24 + CHARACTER * max(map(len, names), default=1)
    side = min(46.0, max(14.0, 420 / max(1, len(columns))))
    height = min(side, 34.0)
    top = 2 * LINE + 8
    width = max(
        left + side * len(columns) + 8, left + CHARACTER * min(40, len(column_label)), 180.0
    )
    bottom = top + height * len(rows) + 6
    fits = max(1, int(side / CHARACTER))
    parts = [
        element("text", shortened(column_label, 40), x=left, y=11.0),
        element("text", shortened(row_label, _LONGEST), x=4.0, y=top - 6),
    ]
    longest = min(max(map(len, columns), default=1), 3)
    every = ceil((longest * CHARACTER + _GAP) / side)
    for column, name in list(enumerate(columns))[::every]:
        x = left + side * (column + 0.5)
        shown = shortened(name, max(fits, longest))
        parts.append(element("text", shown, x=x, y=top - 6, class_="mid name"))
    for row, name in enumerate(names):
        y = top + height * row
        parts.append(element("text", name, x=left - 6, y=y + height / 2 + 4, class_="end name"))
        for column, value in enumerate(values[row]):
            label = f"{rows[row]}, {columns[column]}: {MISSING if value is None else text(value)}"
            place = scale.place(value)
            fill = None if empty(row, column) else ramp(colours, place)
            amount = amount_class(place) if fill and colours == BLUES else "" if fill else "none"
            cell = _cell(
                left + side * column, y, side, height, fill, amount, label,
                "" if value is None or len(columns) >= _MOST_TEXT else text(value),
            )  # fmt: skip
            link = (links or {}).get((row, column))
            if link is not None:
                cell = element("a", cell, href=f"#{link}", aria_label=shortened(label, 120))
            parts.append(cell)
    return Chart(
        title, alternative, Markup("").join(parts), width, bottom,
        _table(values, rows, columns, f"{row_label} \\ {column_label}", text), bool(links),
    )  # fmt: skip


def _cell(
    x: float, y: float, width: float, height: float, fill: str | None, amount: str, label: str,
    text: str,
) -> Markup:  # fmt: skip
    size = {"width": width - 1, "height": height - 1}
    area = element("rect", x=x, y=y, **size, fill=fill, class_=amount or None)
    shown = Markup("")
    if text and len(text) * CHARACTER <= width + 4:
        ink = "name" if fill is None else "dark" if ink_on(fill) == "#000000" else "light"
        middle = {"x": x + width / 2, "y": y + height / 2 + 4}
        shown = element("text", text, class_=f"mid {ink}", **middle)
    return element("g", element("title", shortened(label, 200)), area, shown)


def _table(
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    corner: str,
    text: Callable[[float], str],
) -> Table:
    return Table(
        [corner, *columns],
        [
            [name, *(MISSING if value is None else text(value) for value in line)]
            for name, line in zip(rows, values, strict=True)
        ],
    )
