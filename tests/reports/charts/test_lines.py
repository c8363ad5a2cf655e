"""Lines of many series, of which some are grey, and the mark of a moment."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from nnrun.reports.charts.lines import Series, lines
from nnrun.reports.charts.scatter import predicted_and_true

SVG = "{http://www.w3.org/2000/svg}"


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
