"""Every kind of chart is whole: drawing, words and numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from markupsafe import Markup

from nnrun.reports.charts.chart import BLUES, CHARACTER, Chart
from nnrun.reports.charts.lines import Heat, Series, heatmap, lines
from nnrun.reports.charts.scatter import calibration, histogram, predicted_and_true, residuals
from nnrun.reports.charts.settings import Coordinate, by_setting, parallel, slice_chart
from nnrun.reports.charts.surface import Point, decision_surface

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
