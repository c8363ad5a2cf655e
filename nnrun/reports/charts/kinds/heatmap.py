"""A matrix of numbers as coloured cells, with the scale of its colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import ceil, cos, radians

from markupsafe import Markup

from nnrun.characters import clean, shortened
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.style import STEPS, Ramp, amount_class
from nnrun.reports.charts.svg import CHARACTER, LINE, coordinate, element, width_of
from nnrun.reports.numbers import MISSING

_LONGEST = 26
_LABEL = 16  # of a label beside the names of columns
_GAP = 4.0  # between the names of neighbouring columns
_TALLEST = 30.0
_WIDE = 480.0  # of a map that fills a column of a page
_SCALE, _BAR = 180.0, 9.0  # the size of a scale
_STEEP = 0.87  # the sine of 60°, by which long names of columns are turned
Place = tuple[int, int]


@dataclass(frozen=True)
class _Cells:
    """The grid of cells in pixels; names of columns are `turned` if they are too long."""

    left: float
    top: float
    side: float
    height: float
    turned: bool

    @classmethod
    def of(cls, rows: Sequence[str], columns: Sequence[str], label: str) -> _Cells:
        """The cells for these names, and what the rows are."""
        left = 20 + CHARACTER * max(min(len(label), _LABEL), *map(len, rows))
        side = min(58.0, max(14.0, (_WIDE - left) / max(1, len(columns))))
        longest = max(map(len, columns), default=1)
        turned = longest > 3 and longest * CHARACTER + _GAP > side
        top = 2 * LINE + 8 + turned * (longest * CHARACTER * _STEEP - 8)
        return cls(left, top, side, min(side, _TALLEST), turned)

    def fits(self, text: str) -> bool:
        """Whether a number has room in a cell."""
        return width_of(text) < self.side


@dataclass(frozen=True)
class Heat:
    """How the values of a map are shown.

    Args:
        colours: from the smallest value to the largest.
        text: formats the value of a cell.
        domain: the ends of the colours, instead of those of the values.
        empty: the cells without a colour, by row and column.
        links: the ids that cells link to, likewise.
        written: texts of cells that `text` alone does not give, likewise.
    """

    colours: Ramp
    text: Callable[[float], str]
    domain: tuple[float, float] | None = None
    empty: Callable[[int, int], bool] = lambda row, column: False
    links: Mapping[Place, str] = field(default_factory=dict)
    written: Mapping[Place, str] = field(default_factory=dict)

    def words(self, value: float | None, place: Place) -> str:
        """The text of a cell."""
        return self.written.get(place) or (MISSING if value is None else self.text(value))


def heatmap(
    title: str,
    alternative: str,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_label: str,
    column_label: str,
    heat: Heat,
) -> Chart:
    """A chart of cells, each with its number where there is room."""
    rows, columns = [*map(clean, rows)], [*map(clean, columns)]
    names = [shortened(name, _LONGEST) for name in rows]
    above = [shortened(name, _LONGEST) for name in columns]
    cells = _Cells.of(names, above, row_label)
    scale = Linear.between(heat.domain or (value for line in values for value in line))
    texts = [[heat.words(v, (r, c)) for c, v in enumerate(line)] for r, line in enumerate(values)]
    room = max(3, int((cells.left - 8) / CHARACTER))
    parts = [
        element("text", shortened(column_label, 40), x=cells.left, y=11.0),
        element("text", shortened(row_label, room), x=4.0, y=cells.top - 6),
        *_columns(cells, above),
    ]
    for row, name in enumerate(names):
        y = cells.top + cells.height * (row + 0.5) + 4
        parts.append(element("text", name, x=cells.left - 6, y=y, class_="end name"))
    kinds = {
        (row, column): _kind(heat, (row, column), scale.place(value))
        for row, line in enumerate(values)
        for column, value in enumerate(line)
    }
    parts += _cells(cells, kinds, texts, (rows, columns), heat.links)
    bottom = cells.top + cells.height * len(rows) + 8
    wide = min(_SCALE, max(_SCALE / 2, cells.side * len(columns)))
    if heat.domain or any(value is not None for line in values for value in line):
        parts.append(colour_marks((cells.left, bottom), heat.colours, scale, heat.text, wide))
    right = cells.left + cells.side * len(columns)
    label = cells.left + CHARACTER * min(40, len(column_label))
    width = max(right, label, cells.left + wide, *_ends(cells, above)) + 8
    corner = " \\ ".join(filter(None, (row_label, column_label)))
    table = Table(
        [corner, *columns],
        [[name, *line] for name, line in zip(rows, texts, strict=True)],
        cells=(cells.left, cells.top, cells.side, cells.height),
    )
    return Chart(
        title, alternative, Markup("").join(parts), width, bottom + 32, table, fills=False,
    )  # fmt: skip


def _columns(cells: _Cells, names: Sequence[str]) -> Iterator[Markup]:
    """The names of the columns, or of every other one and fewer where they would touch."""
    longest = max(map(len, names), default=1)
    room = LINE if cells.turned else longest * CHARACTER + _GAP
    for column, name in list(enumerate(names))[:: ceil(room / cells.side)]:
        x, y = cells.left + cells.side * (column + 0.5), cells.top - 6
        if cells.turned:
            turn = f"rotate(-60 {x + 4:.1f} {y:.1f})"
            yield element("text", name, x=x + 4, y=y, class_="start name", transform=turn)
        else:
            yield element("text", name, x=x, y=y, class_="mid name")


def _ends(cells: _Cells, names: Sequence[str]) -> list[float]:
    """Where turned names of columns end on the right; they rise by 60 degrees."""
    middle = cells.left + cells.side / 2 + LINE
    reach = CHARACTER * cos(radians(60))
    ends = [middle + cells.side * column + reach * len(name) for column, name in enumerate(names)]
    return ends if cells.turned else []


def _cells(
    cells: _Cells,
    kinds: Mapping[Place, str],
    texts: Sequence[Sequence[str]],
    names: tuple[Sequence[str], Sequence[str]],
    links: Mapping[Place, str],
) -> list[Markup]:
    """The cells, with their numbers where all of them have room."""
    written = all(map(cells.fits, {*chain(*texts)} - {MISSING}))
    if not links and not written:
        return _merged(cells, kinds)
    parts = []
    for (row, column), kind in kinds.items():
        text = texts[row][column]
        label, link = f"{names[0][row]}, {names[1][column]}: {text}", links.get((row, column))
        parts.append(_cell(cells, (row, column), kind, text * written, label, link))
    return parts


def _kind(heat: Heat, place: Place, share: float | None) -> str:
    blank = share is None or heat.empty(*place)
    return "none" if blank else amount_class(heat.colours, share)


def _cell(
    cells: _Cells, place: Place, kind: str, text: str, label: str, link: str | None
) -> Markup:
    """A cell with its number; a link has a label, since readers of a screen go through links."""
    x, y = cells.left + cells.side * place[1], cells.top + cells.height * place[0]
    size = {"width": cells.side - 1, "height": cells.height - 1}
    parts = [element("rect", x=x, y=y, **size, class_=kind)]
    if text and text != MISSING:
        middle = {"x": x + cells.side / 2, "y": y + cells.height / 2 + 4}
        parts.append(element("text", text, class_="mid cell", **middle))
    if link is None:
        return element("g", parts)
    return element("a", parts, href=f"#{link}", aria_label=shortened(label, 120))


def _merged(cells: _Cells, kinds: Mapping[Place, str]) -> list[Markup]:
    """All cells of one colour as one path, which takes a third of the bytes.

    They are in a group, as the colours of the scale are.
    """
    box = f"h{cells.side - 1:g}v{cells.height - 1:g}h-{cells.side - 1:g}Z"
    paths: dict[str, list[str]] = {}
    for (row, column), kind in kinds.items():
        x, y = cells.left + cells.side * column, cells.top + cells.height * row
        paths.setdefault(kind, []).append(f"M{coordinate(x)} {coordinate(y)}{box}")
    drawn = [element("path", d="".join(d), class_=kind) for kind, d in sorted(paths.items())]
    return [element("g", drawn)]


def colour_marks(
    place: tuple[float, float],
    colours: Ramp,
    scale: Linear,
    text: Callable[[float], str],
    wide: float = _SCALE,
) -> Markup:
    """The colours from one end to the other, with the numbers at both ends and in the middle."""
    (left, top), step = place, wide / (STEPS + 1)
    steps = [
        element(
            "rect", x=left + step * index, y=top, width=step + 0.3, height=_BAR,
            class_=amount_class(colours, index / STEPS),
        )
        for index in range(STEPS + 1)
    ]  # fmt: skip
    edge = element("rect", x=left, y=top, width=wide, height=_BAR, class_="edge")
    # A group of its own, since the colour of a text follows that of the cell before it.
    marks = element("g", steps, edge)
    ends = ((0.0, "start"), (0.5, "mid"), (1.0, "end"))
    words = [text(scale.low * (1 - share) + scale.high * share) for share, _ in ends]
    for (share, side), word in zip(ends, words, strict=True):
        if side != "mid" or (len(set(words)) == 3 and wide == _SCALE):
            marks += element("text", word, x=left + share * wide, y=top + _BAR + 12, class_=side)
    return marks


def colour_scale(colours: Ramp, low: float, high: float, text: Callable[[float], str]) -> Markup:
    """What the colours of pictures mean, as a drawing of its own."""
    parts = colour_marks((2.0, 1.0), colours, Linear(low, high), text)
    label = f"Colours from {text(low)} to {text(high)}"
    return element(
        "svg", parts, viewBox=Markup("0 0 184 26"), width=184.0, height=26.0, role="img",
        class_="chart scale", aria_label=label,
    )  # fmt: skip
