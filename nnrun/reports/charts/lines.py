"""Charts of lines, and matrices of numbers as coloured cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import ceil, cos, isfinite, radians

from markupsafe import Markup

from nnrun.characters import clean, shortened
from nnrun.reports.charts.axes import (
    SIZE,
    TALL,
    Frame,
    Linear,
    Log,
    Numbers,
    area,
    clipped,
    line,
    rule,
    x_axis,
    y_axis,
)
from nnrun.reports.charts.chart import (
    CHARACTER,
    LINE,
    STEPS,
    Chart,
    Ramp,
    Table,
    Value,
    amount_class,
    coordinate,
    element,
    series_class,
    width_of,
)
from nnrun.reports.numbers import MISSING, number, thinned, to_error

_LONGEST = 26
_LABEL = 16  # of a label beside the names of columns
_GAP = 4.0  # between the names of neighbouring columns
_TALLEST = 30.0
_WIDE = 480.0  # of a map that fills a column of a page
SCALE, BAR = 180.0, 9.0  # the size of a scale
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
    wide = min(SCALE, max(SCALE / 2, cells.side * len(columns)))
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
    """Right end of turned names of columns, which rise by 60 degrees."""
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
    wide: float = SCALE,
) -> Markup:
    """The colours from one end to the other, with the numbers at both ends and in the middle."""
    (left, top), step = place, wide / (STEPS + 1)
    steps = [
        element(
            "rect", x=left + step * index, y=top, width=step + 0.3, height=BAR,
            class_=amount_class(colours, index / STEPS),
        )
        for index in range(STEPS + 1)
    ]  # fmt: skip
    edge = element("rect", x=left, y=top, width=wide, height=BAR, class_="edge")
    # A group of its own, since the colour of a text follows that of the cell before it.
    return element("g", steps, edge) + scale_numbers(place, scale, text, wide)


def scale_numbers(
    place: tuple[float, float], scale: Linear, text: Callable[[float], str], wide: float = SCALE
) -> Markup:
    """The numbers below colours: at both ends, and in the middle where that is another one."""
    (left, top), ends = place, ((0.0, "start"), (0.5, "mid"), (1.0, "end"))
    words = [text(scale.low * (1 - share) + scale.high * share) for share, _ in ends]
    return Markup("").join(
        element("text", word, x=left + share * wide, y=top + BAR + 12, class_=side)
        for (share, side), word in zip(ends, words, strict=True)
        if side != "mid" or (len(set(words)) == 3 and wide == SCALE)
    )


def colour_scale(colours: Ramp, low: float, high: float, text: Callable[[float], str]) -> Markup:
    """What the colours of pictures mean, as a drawing of its own."""
    parts = colour_marks((2.0, 1.0), colours, Linear(low, high), text)
    label = f"Colours from {text(low)} to {text(high)}"
    return element(
        "svg", parts, viewBox=Markup("0 0 184 26"), width=184.0, height=26.0, role="img",
        class_="chart scale", aria_label=label,
    )  # fmt: skip


# Line charts: learning curves with bands around lines, and shares against shares.

_NOTHING = Markup("")
_MOST_NAMED = 6  # in the text alternative


@dataclass(frozen=True)
class Series:
    """One line, with a gap where y is None.

    There is a band from `low` to `high` around it, unless these are empty; `index` selects colour
    and dashes, and a line that is `other` is grey until a reader asks for it. A `thin` line stands
    back behind the others.
    """

    name: str
    x: Sequence[float]
    y: Numbers
    low: Numbers = field(default=())
    high: Numbers = field(default=())
    index: int = 0
    other: bool = False
    thin: bool = False

    @classmethod
    def thinned(
        cls, name: str, x: Sequence[float], y: Sequence[float], index: int, most: int = 60
    ) -> Series:
        """A line of at most this many points, with gaps where numbers are not finite."""
        heights = [value if isfinite(value) else None for value in thinned(y, most)]
        return cls(name, thinned(x, most), heights, index=index)

    @property
    def heights(self) -> list[float | None]:
        """All that has to be within the y scale; bands of grey lines may leave it."""
        bands = () if self.other else (*self.low, *self.high)
        return [*self.y, *bands]


def lines(
    title: str,
    series: Sequence[Series],
    *,
    y_label: str,
    x_label: str = "iteration",
    log: bool = False,
    domain: Sequence[float | None] = (),
    moment: tuple[float, str] | None = None,
    reach: Sequence[float] = (),
    size: tuple[float, float] = SIZE,
) -> Chart:
    """A chart of lines; of lines that cross, the first is in front.

    The y scale holds the values of `domain` instead of those of the lines, so that several charts
    share one; lines end where they leave it. `log` is whether it is logarithmic. There is an
    upright line at a `moment`, which has a few words, such as where training stopped; the x scale
    holds the values of `reach`, too.
    """
    values = domain or [v for s in series for v in s.heights]
    x = Linear.between([*reach, *(x for s in series for x in s.x)])
    frame = Frame.around(x, Log.over(values) if log else Linear.over(values), size)
    words = _line_ends(series, values if log else (), y_label)
    after = _NOTHING
    if moment is not None:
        after = _upright(frame, *moment)
        words += f" At {x_label} {_x(moment[0])}: {moment[1]}."
    return _drawn(title, words, frame, series, (x_label, y_label), size, after=after)


def rates(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    guide: str = "",
    summary: str = "",
) -> Chart:
    """A line for each class over axes from 0 to 1: ROC, precision-recall, gains.

    `guide` says what a point on the dashed diagonal means, empty for no diagonal; `summary` is a
    further sentence of the text alternative.
    """
    scale = Linear(0.0, 1.0)
    frame = Frame.around(scale, scale, TALL)
    diagonal = rule(frame, (0.0, 0.0), (1.0, 1.0)) if guide else _NOTHING
    words = " ".join(filter(None, (_middle(series, x_label, y_label), summary, guide)))
    return _drawn(title, words, frame, series, (x_label, y_label), TALL, diagonal)


def _drawn(
    title: str,
    alternative: str,
    frame: Frame,
    series: Sequence[Series],
    labels: tuple[str, str],
    size: tuple[float, float],
    before: Markup = _NOTHING,
    after: Markup = _NOTHING,
) -> Chart:
    # Of lines that cross, the first series in colour is in front.
    in_front = sorted(series, key=lambda s: s.other)[::-1]
    drawing = y_axis(frame, labels[1]) + x_axis(frame, labels[0], count=5) + before
    drawing += clipped(frame, (_line(frame, s) for s in in_front)) + after
    return Chart(
        title, alternative, drawing, *size, _table(frame, series, labels[0]),
        legend=[(s.index, s.name) for s in series if not s.other],
        grey=sum(s.other for s in series),
    )  # fmt: skip


def _line(frame: Frame, series: Series) -> Markup:
    class_ = series_class(series.index)
    band = area(frame, series.x, series.low, series.high, class_) if series.low else _NOTHING
    drawn = line(frame, series.x, series.y, class_)
    kind = f"series s{series.index}{' other' * series.other}{' thin' * series.thin}"
    return element("g", element("title", series.name), band, drawn, class_=kind)


def _upright(frame: Frame, moment: float, text: str) -> Markup:
    """The line at a moment, with its words above the plot, where they cover no curve."""
    x = frame.across(moment)
    if x is None:
        return _NOTHING
    late = x > (frame.left + frame.right) / 2
    side: dict[str, Value] = {"x": x + 6, "class_": "name"}
    if late:
        side = {"x": x - 6, "class_": "name end"}
    words = element("text", text, y=frame.top - 4, **side)
    line_ = element("path", d=f"M{x:.1f} {frame.top - 3:.1f}V{frame.bottom:.1f}", class_="moment")
    return line_ + words


def _line_ends(series: Sequence[Series], on_log: Numbers, y_label: str) -> str:
    ends = [
        f"{s.name} goes from {number(heights[0])} to {number(heights[-1])}"
        for s in series[:_MOST_NAMED]
        if (heights := [value for value in s.y if value is not None])
    ]
    unseen = sum(value is not None and value <= 0 for value in on_log)
    gap = f" {unseen} values of zero or less have no place on a log scale." if unseen else ""
    if not ends:
        return f"There are no numbers of {y_label} to show."
    return f"{y_label}: {'; '.join(ends)}{_more(series)}.{gap}"


def _middle(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """The height of each line in the middle of its points."""
    heights = [
        f"{s.name} {number(s.y[len(s.y) // 2])} at {number(s.x[len(s.x) // 2])}"
        for s in series[:_MOST_NAMED]
        if s.x
    ]
    return f"{y_label} against {x_label}: {'; '.join(heights)}{_more(series)}."


def _more(series: Sequence[Series]) -> str:
    left = len(series) - _MOST_NAMED
    return f"; and {left} more" if left > 0 else ""


def _table(frame: Frame, series: Sequence[Series], x_label: str) -> Table:
    """A row for each x, a column for each series; of a line with a band, in its digits."""
    places = sorted({x for s in series for x in s.x})
    heights = [_heights(s) for s in series]
    rows = [[_x(x), *(of_series.get(x, MISSING) for of_series in heights)] for x in places]
    spots = [frame.across(x) or 0.0 for x in places]
    return Table([x_label, *(s.name for s in series)], rows, spots)


def _heights(series: Series) -> dict[float, str]:
    if not series.low:
        return {x: number(y) for x, y in zip(series.x, series.y, strict=True)}
    points = zip(series.x, series.y, series.low, series.high, strict=True)
    return {
        x: to_error(y, None if low is None or high is None else (high - low) / 2)
        for x, y, low, high in points
    }


def _x(value: float) -> str:
    return f"{int(value):,}" if value == int(value) and abs(value) < 1e15 else number(value)
