"""Maps of cells: their numbers, names and scale."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from nnrun.reports.charts.chart import CHARACTER, RED_BLUE, Chart, coordinate
from nnrun.reports.charts.lines import Heat, heatmap

SVG = "{http://www.w3.org/2000/svg}"


def cells(rows: int, columns: int, name: str = "", **heat) -> Chart:
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
    assert written == len(texts(cells(3, columns), "mid cell"))


def test_a_map_has_a_scale() -> None:
    """Its colours, with the numbers at both ends and in the middle."""
    chart = cells(3, 8)
    ends = texts(chart, "start")[-1:] + texts(chart, "end")[-1:]
    assert ["-1.00", "1.00"] == ends
    assert "0.00" in texts(chart, "mid")
    kinds = {e.get("class") for e in ET.fromstring(chart.file).iter(f"{SVG}rect")}
    assert {f"w{step}" for step in range(17)} <= kinds


@pytest.mark.parametrize("columns", [8, 30])
def test_the_numbers_of_a_scale_have_the_colour_of_text(columns: int) -> None:
    """No cell comes before them in their group: a text after a cell has the colour of its ink."""
    root = ET.fromstring(cells(3, columns).file)
    (group,) = (e for e in root.iter() if any(c.get("class") == "start" for c in e))
    colours = [c.get("class") for c in group if re.fullmatch(r"w\d+", c.get("class") or "")]
    assert [] == colours


def test_every_name_of_a_row_is_whole() -> None:
    """Names of features are what a reader looks for; long names of columns are turned."""
    chart = cells(40, 9, "mean compactness ")
    assert [f"mean compactness {r}" for r in range(40)] == texts(chart, "end name")
    assert [f"mean compactness {c}" for c in range(9)] == texts(chart, "start name")


@pytest.mark.parametrize("columns", [8, 30])
def test_cells_are_where_the_table_says(columns: int) -> None:
    """For what names the cell under the pointer; large maps are drawn colour by colour."""
    chart = cells(3, columns)
    left, top, wide, high = chart.table.cells
    root = ET.fromstring(chart.file)
    found = {(e.get("x"), e.get("y")) for e in root.iter(f"{SVG}rect") if e.get("x")}
    for path in root.iter(f"{SVG}path"):
        found |= set(re.findall(r"M([\d.]+) ([\d.]+)h", path.get("d", "")))
    corners = [(left + wide * c, top + high * r) for c in range(columns) for r in range(3)]
    assert {(coordinate(x), coordinate(y)) for x, y in corners} <= found


def test_a_text_of_a_cell_may_be_given() -> None:
    """Such as a mean in the digits of its own interval."""
    assert "0.1" in texts(cells(2, 2, written={(0, 0): "0.1"}), "mid cell")


def test_turned_names_end_within_the_drawing() -> None:
    """A drawing clips what leaves it."""
    chart = cells(2, 9, "mean fractal dimension ")
    for name in [e for e in ET.fromstring(chart.file).iter(f"{SVG}text") if e.get("transform")]:
        wide = CHARACTER * len(name.text or "") / 2  # the cosine of 60 degrees
        assert float(name.get("x", "")) + wide <= chart.width
