"""Charts as SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from markupsafe import Markup

from nnrun.reports.boards import scale_of
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import BLUES, CHARACTER, RED_BLUE, Chart, coordinate
from nnrun.reports.charts.lines import Heat, Series, heatmap, lines
from nnrun.reports.charts.scatter import (
    MOST_DOTS,
    bars_of,
    calibration,
    histogram,
    predicted_and_true,
    residuals,
    strip,
    strip_scale,
)
from nnrun.reports.charts.settings import Coordinate, by_setting, parallel, slice_chart
from nnrun.reports.charts.surface import Point, decision_surface

# Every kind of chart is whole: drawing, words and numbers.

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert(1)</script>" onload="x" {{7*7}} </svg> \u202e ' + "w" * 10_000
_DIGIT = 8.5  # wide where a page draws a chart small
EXTREMES = [nan, inf, -inf, 0.0, 1e-300, 1e300]


def curve(name: str = "a", y: list[float] | None = None) -> Chart:
    heights = [3.0, 2.0, 1.0] if y is None else y
    x = [float(index) for index in range(len(heights))]
    low, high = [value - 0.5 for value in heights], [value + 0.5 for value in heights]
    return lines(name, [Series(name, x, heights, low, high)], x_label="iteration", y_label="loss")


def cells(name: str = "a", value: float = 1.0) -> Chart:
    return heatmap(
        name, name, [[value, 0.0], [2.0, 3.0]], [name, "b"], [name, "b"], row_label=name,
        column_label=name, heat=Heat(BLUES, str, links={(0, 1): "there"}),
    )  # fmt: skip


def coordinates(name: str = "a", value: float = 1.0) -> Chart:
    axes = [Coordinate(name, [0.1, 0.2]), Coordinate("b", [name, "x"]), Coordinate("c", [value, 2])]
    return parallel(name, axes, best=1)


def settings(name: str = "a", value: float = 1.0) -> Chart:
    return by_setting(
        name, [0, 1], [value, 2], x_label=name, y_label=name, most=2, names=[name, "b"]
    )


def surface(name: str = "a", value: float = 1.0) -> Chart:
    answers = np.array([[0.0, 1.0], [1.0, 0.0]])
    extent, points = (0.0, value, 0.0, 1.0), [Point(7, value, 0.5, 1)]
    return decision_surface(name, answers, extent, (name, "b"), points, [name, "b"])


CHARTS: dict[str, Callable[[str], Chart]] = {
    "lines": curve,
    "heatmap": cells,
    "parallel": coordinates,
    "by_setting": settings,
    "surface": surface,
    "bars": lambda name: bars_of(name, [name, "b"], [3, 4], name),
    "histogram": lambda name: histogram(name, [0.0, 1.0, 2.0], [3, 4], name, "values"),
    "predicted_and_true": lambda name: predicted_and_true(name, [1.0, 2.0], [1.5, 2.5], [7, 9]),
    "residuals": lambda name: residuals(name, [1.0, 2.0], [0.5, -0.5], [7, 9]),
    "calibration": lambda name: calibration(name, [0.2, 0.9], [0.1, 0.8], [3, 4]),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_says_what_it_shows(chart: Callable[[str], Chart]) -> None:
    """It has a title, a text alternative that ends as a sentence, and a table with numbers."""
    found = chart("weights of layer 0")
    assert "weights of layer 0" == found.title
    assert found.alternative.endswith((".", "weights of layer 0"))
    assert found.table.rows
    assert {len(found.table.header)} == {len(row) for row in found.table.rows}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_file_stands_alone(chart: Callable[[str], Chart]) -> None:
    """It is XML with its title, its style and its alternative, and refers to nothing outside."""
    text = chart("a").file
    root = ET.fromstring(text)
    assert ("a", f"{SVG}style") == (root[0].text, root[1].tag)
    assert (root.get("aria-label") or "").startswith("a. ")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_hostile_names_stay_text(chart: Callable[[str], Chart]) -> None:
    """Neither an element nor a handler comes from a name, and no drawing grows with it."""
    root = ET.fromstring(chart(HOSTILE).file)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    known = {"svg", "title", "style", "rect", "g", "path", "text", "circle", "a", "image"}
    assert set() == tags - known
    assert [] == [key for e in root.iter() for key in e.attrib if key.startswith("on")]
    assert max(len(e.text or "") for e in root.iter(f"{SVG}text")) <= 60


def test_a_file_has_no_style_attributes() -> None:
    """A page's policy refuses them."""
    assert not [chart for chart in CHARTS.values() if " style=" in chart("a").svg]


@pytest.mark.parametrize("value", EXTREMES, ids=str)
def test_extreme_numbers_leave_no_nonsense(value: float) -> None:
    """No coordinate is NaN or infinite, whatever the data."""
    drawings = [
        curve("a", [1.0, value, 2.0]),
        lines("a", [Series("a", [0, 1], [value, 1.0])], x_label="x", y_label="y", log=True),
        cells("a", value),
        predicted_and_true("a", [value, 1.0], [1.0, 2.0], [0, 1]),
    ]
    for drawing in drawings:
        for element in ET.fromstring(drawing.file).iter():
            places = [element.get(key, "") for key in ("d", "x", "y", "cx", "cy", "width")]
            assert not [place for place in places if "nan" in place or "inf" in place]


@pytest.mark.parametrize("columns", [10, 26, 32, 100])
def test_names_of_columns_do_not_touch(columns: int) -> None:
    """Where they would, only every other one is written, or fewer."""
    names = [str(column) for column in range(columns)]
    chart = heatmap(
        "a", "a", [[1.0] * columns], ["b"], names, row_label="row", column_label="column",
        heat=Heat(BLUES, str),
    )  # fmt: skip
    texts = [e for e in ET.fromstring(chart.file).iter(f"{SVG}text") if e.text in names]
    header = [e for e in texts if e.get("y") == texts[0].get("y")]
    middles, widths = zip(
        *((float(e.get("x", "0")), CHARACTER * len(e.text or "")) for e in header), strict=True
    )
    gaps = [
        right - left - (wide + wider) / 2
        for left, right, wide, wider in zip(middles, middles[1:], widths, widths[1:], strict=False)
    ]
    assert min(gaps) > 2


@pytest.mark.parametrize("most", [0.0199, 0.05, 0.5, 30.0])
def test_numbers_below_a_setting_of_many_values_do_not_touch(most: float) -> None:
    """Ticks at 1, 2 and 5 of each decade are left out where there is no room for them."""
    x = [0.0001 * (most / 0.0001) ** (k / 99) for k in range(100)]
    chart = by_setting("a", x, x, x_label="x", y_label="y", most=100)
    bottom = [e for e in ET.fromstring(chart.file).iter(f"{SVG}text") if e.get("class") == "mid"]
    found = [(float(e.get("x", "")), len(e.text or "")) for e in bottom if e.text != "x"]
    gaps = [b - a - _DIGIT * (m + n) / 2 for (a, m), (b, n) in pairwise(found)]
    assert len(gaps) >= 1
    assert min(gaps) > 2


def test_names_without_room_side_by_side_are_below_each_other() -> None:
    """Whole, each above the line of its row, which is where readers point."""
    names = ["sgd(momentum=0.9, nesterov=true)", "sgd(momentum=0.9)", "adam(beta1=0.8)", "adam"]
    x = [0.0, 1.0, 2.0, 3.0]
    chart = by_setting("a", x, x, x_label="x", y_label="y", most=9, names=names)
    texts = [*ET.fromstring(chart.file).iter(f"{SVG}text")]
    shown = {e.text: float(e.get("y", "")) for e in texts if e.get("class") == "name"}
    assert names == [*shown]
    assert [8.0] * 4 == [a - b for a, b in zip(chart.table.places, shown.values(), strict=True)]
    assert chart.table.down
    trials = slice_chart("a", x, x, 0, x_label="x", y_label="y", names=names)
    assert trials.table.down
    some = by_setting("a", x, x, x_label="x", y_label="y", most=9, names=["a", "b", "c", "d"])
    assert (False, (480.0, 300.0)) == (some.table.down, (some.width, some.height))


def test_labels_of_a_coordinate_end_before_the_next_one() -> None:
    """Axes are as far apart as the longest value needs."""
    name = "sgd(momentum=0.9, nesterov=true)"
    axes = [Coordinate("a", [name, "b"]), Coordinate("c", [1.0, 2.0])]
    drawing = ET.fromstring(parallel("title", axes, best=0).file)
    (start, *_) = [e for e in drawing.iter(f"{SVG}text") if e.text == name]
    place = [float(e.get("x", "")) for e in drawing.iter(f"{SVG}text") if e.text == "c"]
    assert float(start.get("x", "")) + CHARACTER * len(name) < place[0]


def test_a_setting_of_too_many_values_says_how_many_are_listed() -> None:
    """From the first to the last; each has a row, a ring and all of its runs."""
    x, y = [1.0, 2.0, 3.0, 4.0, 5.0] * 2, [float(k) for k in range(10)]
    chart = by_setting("a", x, y, x_label="x", y_label="y", most=3)
    assert chart.alternative.endswith(" 3 of 5 values are listed.")
    assert [["1", "2"], ["3", "2"], ["5", "2"]] == [[*row[:2]] for row in chart.table.rows]
    assert 3 + 3 == chart.svg.count("<circle")


@pytest.mark.parametrize(
    ("low", "high"), [(-0.4745, 0.4517), (-8.014, 4.145), (0.0, 2.838), (-1e-9, 3e-9), (2e5, 9e6)]
)
def test_a_histogram_has_three_ticks_or_more(low: float, high: float) -> None:
    """Its ends are those of the data: with a single tick inside there would be no scale."""
    chart = histogram("a", [low, (low + high) / 2, high], [3, 4], "x", "values")
    bottom = [e for e in ET.fromstring(chart.file).iter(f"{SVG}text") if e.get("class") == "mid"]
    labels = [e.text or "" for e in bottom if e.text != "x"]
    assert len(labels) >= 3
    assert "…" not in "".join(labels)


def test_a_line_is_broken_where_there_is_no_number() -> None:
    """Two segments and a lone point: two moves of the pen, and a dot."""
    chart = curve("a", [1.0, 2.0, nan, 3.0, 4.0, nan, 5.0])
    root = ET.fromstring(chart.file)
    paths = [e.get("d", "") for e in root.iter(f"{SVG}path") if "line" in e.get("class", "")]
    assert ([2], 1) == ([path.count("M") for path in paths], len([*root.iter(f"{SVG}circle")]))


def test_rows_of_a_table_know_their_place() -> None:
    """For what shows values near the pointer: from the left edge of the plot to its right."""
    chart = curve()
    first, middle, last = chart.table.places
    assert first < middle < last < chart.width
    assert [["0", "3.00"], ["1", "2.00"], ["2", "1.00"]] == [*map(list, chart.table.rows)]


def test_what_has_no_place_on_a_log_scale_is_reported() -> None:
    """A reader of the alternative knows as much as one who sees the gap."""
    chart = lines("a", [Series("a", [0, 1], [0.0, 1.0])], x_label="x", y_label="y", log=True)
    assert "1 values of zero or less have no place on a log scale." in chart.alternative


def test_cells_with_links_are_no_single_image() -> None:
    """Screen readers would not find the links within one."""
    whole = cells()
    plain = replace(whole, drawing=Markup("<path/>"))
    roles = [ET.fromstring(chart.svg).get("role") for chart in (whole, plain)]
    assert ["group", "img"] == roles


def test_a_file_has_no_links() -> None:
    """What they lead to is in a page; cells are there all the same."""
    chart = cells()
    found = [*ET.fromstring(chart.file).iter()]
    assert (1, 0) == (chart.svg.count("<a "), sum(e.tag == f"{SVG}a" for e in found))
    corners = [e for e in found if e.tag == f"{SVG}rect" and e.get("height") == "29"]
    assert 4 == len(corners)


def test_a_file_has_its_legend() -> None:
    """Below the drawing, a name for each of several lines; on a page it stands beside them."""
    series = [Series(f"line {k}", [0.0, 1.0], [1.0, k], index=k) for k in range(9)]
    chart = lines("a", series, x_label="x", y_label="y")
    root = ET.fromstring(chart.file)
    names = [e.text for e in root.iter(f"{SVG}text") if (e.text or "").startswith("line")]
    assert [f"line {k}" for k in range(9)] == names
    assert float((root.get("viewBox") or "").split()[3]) > chart.height
    assert "line 8</text>" not in chart.svg


# Lines of many series, of which some are grey, and the mark of a moment.


def many(**more) -> ET.Element:
    """Two series in colour and one in grey, which has a wide band."""
    series = [
        Series("a", [0, 1], [1.0, 2.0], index=0),
        Series("b", [0, 1], [2.0, 1.0], index=1),
        Series("c", [0, 1], [1.5, 1.5], [-90.0, -90.0], [90.0, 90.0], index=2, other=True),
    ]
    return ET.fromstring(lines("t", series, x_label="x", y_label="y", **more).file)


def test_grey_lines_are_behind_those_in_colour() -> None:
    """And of those in colour, the first is in front."""
    groups = [e.get("class") for e in many().iter(f"{SVG}g") if "series" in (e.get("class") or "")]
    assert ["series s2 other", "series s1", "series s0"] == groups


def test_the_band_of_a_grey_line_does_not_stretch_the_scale() -> None:
    """It is not seen until a reader asks for it."""
    labels = [e.text for e in many().iter(f"{SVG}text") if e.get("class") == "end"]
    assert ["1", "1.2", "1.4", "1.6", "1.8", "2"] == labels


def test_a_file_names_the_lines_in_colour_and_counts_the_others() -> None:
    """A reader of a paper cannot point at them."""
    names = [e.text for e in many().iter(f"{SVG}text") if e.get("class") == "name"]
    assert ["a", "b", "1 more"] == names


def test_a_moment_is_an_upright_line_with_words_above() -> None:
    """At its place; the words are above the plot, where they cover no curve."""
    root = many(moment=(0.75, "weights kept"))
    (rule,) = (e.get("d", "") for e in root.iter(f"{SVG}path") if e.get("class") == "moment")
    x, top = map(float, re.findall(r"[\d.]+", rule)[:2])
    (words,) = (e for e in root.iter(f"{SVG}text") if e.text == "weights kept")
    axis = next(e.get("d", "") for e in root.iter(f"{SVG}path") if e.get("class") == "axis")
    left, right = (float(n) for n in re.findall(r"M([\d.]+).*H([\d.]+)", axis)[0])
    assert abs(left + 0.75 * (right - left) - x) < 0.11
    assert float(words.get("y", "")) < top
    assert "At x 0.7500: weights kept." in (root.get("aria-label") or "")


@pytest.mark.parametrize("last", [1_000, 10_000, 100_000])
def test_the_last_number_below_is_whole(last: int) -> None:
    """Also where a page enlarges its text, as on a telephone, it ends within the drawing."""
    chart = lines("t", [Series("a", [0, last], [0.0, 1.0])], x_label="x", y_label="y")
    number = f"{last:,}"
    found = [e for e in ET.fromstring(chart.file).iter(f"{SVG}text") if e.text == number]
    right = [float(e.get("x", "")) + (e.get("class") == "mid") * 4.25 * len(number) for e in found]
    assert [True] == [place <= chart.width for place in right]


def test_numbers_of_a_line_with_a_band_have_its_digits() -> None:
    """Those of half its band, as means have beside their intervals."""
    one = Series("a", [0, 1], [0.123456, 0.5], [0.0, None], [0.2, None])
    chart = lines("t", [one], x_label="x", y_label="y")
    assert [["0", "0.12"], ["1", "0.5000"]] == [list(row) for row in chart.table.rows]


def test_true_and_predicted_have_one_scale() -> None:
    """The same ticks, as far apart across as up; the points and the rows of the table agree."""
    chart = predicted_and_true("t", [1.0, 4.0, 2.0], [30.0, 2.0, 4.0], [7, 9, 3])
    root = ET.fromstring(chart.file)
    ends = [e for e in root.iter(f"{SVG}text") if e.get("class") == "end"]
    mids = [e for e in root.iter(f"{SVG}text") if e.get("class") == "mid" and e.text != "true"]
    assert [e.text for e in ends] == [e.text for e in mids]
    up = float(ends[0].get("y", "")) - float(ends[-1].get("y", ""))
    across = float(mids[-1].get("x", "")) - float(mids[0].get("x", ""))
    assert abs(up - across) < 0.2
    assert (3, ["7", "9", "3"]) == (
        len([*root.iter(f"{SVG}circle")]),
        [row[0] for row in chart.table.rows],
    )


def test_a_line_ends_where_it_leaves_its_scale() -> None:
    """A drawing in the drawing cuts it and its band, with room for the width of a line."""
    one = Series("a", [0, 1, 2], [0.0, 1e250, 0.5], [0.0, 0.0, 0.0], [0.0, 1e250, 1.0])
    chart = lines("t", [one], x_label="x", y_label="y", domain=(0.0, 1.0))
    inner = ET.fromstring(chart.file).find(f"{SVG}svg")
    top, height = float(inner.get("y", "")), float(inner.get("height", ""))
    assert (26, chart.height - 40) == (top, top + height)
    paths = [path.get("d", "") for path in inner.iter(f"{SVG}path")]
    assert 2 == len(paths)
    assert all(len(number) < 9 for path in paths for number in re.findall(r"[-0-9.]+", path))


# Maps of cells: their numbers, names and scale.


def grid_of(rows: int, columns: int, name: str = "", **heat) -> Chart:
    values = [[(r - c) / 8 for c in range(columns)] for r in range(rows)]
    names = [[f"{name}{index}" for index in range(n)] for n in (rows, columns)]
    return heatmap(
        "t", "t", values, *names,
        row_label="feature", column_label="unit",
        heat=Heat(RED_BLUE, lambda v: f"{v:.2f}", (-1.0, 1.0), **heat),
    )  # fmt: skip


def texts(chart: Chart, kind: str) -> list[str]:
    found = ET.fromstring(chart.file).iter(f"{SVG}text")
    return [e.text or "" for e in found if e.get("class") == kind]


@pytest.mark.parametrize(("columns", "written"), [(8, 24), (30, 0)])
def test_all_cells_have_their_numbers_or_none_has(columns: int, written: int) -> None:
    """Negative numbers are longer: a map that shows only the others would mislead."""
    assert written == len(texts(grid_of(3, columns), "mid cell"))


def test_a_map_has_a_scale() -> None:
    """Its colours, with the numbers at both ends and in the middle."""
    chart = grid_of(3, 8)
    ends = texts(chart, "start")[-1:] + texts(chart, "end")[-1:]
    assert ["-1.00", "1.00"] == ends
    assert "0.00" in texts(chart, "mid")
    kinds = {e.get("class") for e in ET.fromstring(chart.file).iter(f"{SVG}rect")}
    assert {f"w{step}" for step in range(17)} <= kinds


@pytest.mark.parametrize("columns", [8, 30])
def test_the_numbers_of_a_scale_have_the_colour_of_text(columns: int) -> None:
    """No cell comes before them in their group: a text after a cell has the colour of its ink."""
    root = ET.fromstring(grid_of(3, columns).file)
    (group,) = (e for e in root.iter() if any(c.get("class") == "start" for c in e))
    colours = [c.get("class") for c in group if re.fullmatch(r"w\d+", c.get("class") or "")]
    assert [] == colours


def test_every_name_of_a_row_is_whole() -> None:
    """Names of features are what a reader looks for; long names of columns are turned."""
    chart = grid_of(40, 9, "mean compactness ")
    assert [f"mean compactness {r}" for r in range(40)] == texts(chart, "end name")
    assert [f"mean compactness {c}" for c in range(9)] == texts(chart, "start name")


@pytest.mark.parametrize("columns", [8, 30])
def test_cells_are_where_the_table_says(columns: int) -> None:
    """For what names the cell under the pointer; large maps are drawn colour by colour."""
    chart = grid_of(3, columns)
    left, top, wide, high = chart.table.cells
    root = ET.fromstring(chart.file)
    found = {(e.get("x"), e.get("y")) for e in root.iter(f"{SVG}rect") if e.get("x")}
    for path in root.iter(f"{SVG}path"):
        found |= set(re.findall(r"M([\d.]+) ([\d.]+)h", path.get("d", "")))
    corners = [(left + wide * c, top + high * r) for c in range(columns) for r in range(3)]
    assert {(coordinate(x), coordinate(y)) for x, y in corners} <= found


def test_a_text_of_a_cell_may_be_given() -> None:
    """Such as a mean in the digits of its own interval."""
    assert "0.1" in texts(grid_of(2, 2, written={(0, 0): "0.1"}), "mid cell")


def test_turned_names_end_within_the_drawing() -> None:
    """A drawing clips what leaves it."""
    chart = grid_of(2, 9, "mean fractal dimension ")
    for name in [e for e in ET.fromstring(chart.file).iter(f"{SVG}text") if e.get("transform")]:
        wide = CHARACTER * len(name.text or "") / 2  # the cosine of 60 degrees
        assert float(name.get("x", "")) + wide <= chart.width


# Strips in the rows of a table: what is on their scale, and arrows to what is not.


def places(drawing: str, kind: str) -> list[float]:
    """Where the paths of a class begin."""
    found = [e.get("d", "") for e in ET.fromstring(drawing).iter() if e.get("class") == kind]
    return [float(x) for d in found for x in re.findall(r"M([\d.]+)", d)]


def test_a_strip_has_a_dot_for_each_seed() -> None:
    """Those that have a place on its scale."""
    drawing = strip([0.2, 0.4, 5.0, nan], Linear(0.0, 10.0), 0.1, 0.5, 0.3)
    assert 3 == drawing.count("<circle")


@pytest.mark.parametrize(
    ("values", "ends", "expected"),
    [
        ([0.5], (0.4, 0.6), []),
        ([0.0, 1.0], (0.0, 1.0), []),
        ([0.5], (-0.4, 0.6), ["left"]),
        ([0.5], (0.4, 1.6), ["right"]),
        ([0.5], (-1.0, 2.0), ["left", "right"]),
        ([0.5, 3.0], (None, None), ["right"]),
    ],
)
def test_an_arrow_says_that_something_is_beyond(values, ends, expected) -> None:
    """At the end that an interval or a run leaves, and at no other; dots are inside alone."""
    drawing = strip(values, Linear(0.0, 1.0), *ends, 0.5)
    found = ["left" if x < 60 else "right" for x in places(drawing, "arrow k0")]
    assert (expected, sum(v <= 1 for v in values)) == (found, drawing.count("<circle"))


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([25.67, 26.9, 54.22, 54.39, 54.46, 55.3, 57.51, 57.61, 66.19, 67.24], (25.67, 67.24)),
        ([1.0, 1.1, 1.2, 1.3, 100.0], (1.0, 1.3)),
    ],
)
def test_the_scale_leaves_out_what_would_crush_the_others(values, ends) -> None:
    """Alone; a run that is merely far from the others has its dot."""
    scale = scale_of(values)
    assert [0.0, 1.0] == [round(scale.place(end), 2) for end in ends]


def test_ticks_are_those_of_the_head() -> None:
    """The numbers above the column are at the ticks of its strips, with room between them."""
    scale = Linear(0.62, 0.987)
    head = [e for e in ET.fromstring(strip_scale(scale)).iter() if e.text and e.get("x")]
    numbers = [float(e.text or "") for e in head]
    ticks = places(strip([0.7], scale, None, None, 0.7), "ticks")[1:]
    assert [float(e.get("x", "")) for e in head] == ticks
    assert all(scale.low <= n <= scale.high for n in numbers)
    assert min(b - a for a, b in pairwise(ticks)) > 20


def test_a_strip_of_many_runs_says_their_range() -> None:
    """Dots are of the first runs alone; the label and the arrows are of all."""
    drawing = strip([0.2] * MOST_DOTS + [0.1, 3.0], Linear(0.0, 1.0), None, None, 0.2)
    assert MOST_DOTS == drawing.count("<circle")
    label = ET.fromstring(drawing).get("aria-label")
    assert f"{MOST_DOTS + 2} values from 0.1000 to 3.000" == label
    assert 1 == len(places(drawing, "arrow k0"))


def test_a_strip_says_its_interval() -> None:
    """For readers who cannot see it, and for the tip of those who can."""
    drawing = strip([0.2, 0.4], Linear(0.0, 1.0), 0.1, 0.5, 0.3)
    label = ET.fromstring(drawing).get("aria-label")
    expected = "2 values from 0.2000 to 0.4000; 95% interval of the mean from 0.1000 to 0.5000"
    assert expected == label
