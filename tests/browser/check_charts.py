"""Charts and figures in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.check_report import AA, open_everything
from tests.browser.conftest import scroll_to, write_report
from tests.lab import invoke_well

# What charts do in a browser: columns, tips beside them, grey lines, the dark page, telephones.

OVERLAP = """() => {
    const [one, other] = ["#tip", "[data-shown]"].map(
        (name) => document.querySelector(name).getBoundingClientRect());
    return one.left < other.right && other.left < one.right
        && one.top < other.bottom && other.top < one.bottom;
}"""


TOGETHER = "By split, all configs in one chart"


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    """The report of six learning rates over three seeds, one of them far off."""
    folder = tmp_path_factory.mktemp("grid")
    config = Path(__file__).parents[2] / "configs" / "iris_softmax.yaml"
    rates = "training.learning_rate=3,1,0.3,0.1,0.03,0.0001"
    options = ["--seeds", "3", "--iterations", "200", "--results", str(folder / "results"), "-q"]
    invoke_well("sweep", str(config), rates, *options)
    return write_report(folder / "results", folder / "report.html")


def point_at(page, chart, across: float, down: float) -> None:
    """Move the pointer over a chart, which is then known to `OVERLAP`."""
    chart.evaluate("one => { one.dataset.shown = 1; }")
    page.mouse.move(0, 0)
    expect(page.locator("#tip")).to_be_hidden()
    scroll_to(chart)
    box = chart.bounding_box()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    expect(page.locator("#tip")).to_be_visible()


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (390, 1)])
def test_charts_fill_the_page(grid, open_page, width, columns) -> None:
    """In two columns, or one on a telephone: the last chart ends where the page does."""
    page = open_page(grid, width=width).page
    page.get_by_text(TOGETHER).first.click()
    figures = page.locator(".figures.c2").first
    boxes = [plot.bounding_box() for plot in figures.locator("> .plot").all()]
    frame = figures.bounding_box()
    assert columns == len({round(box["x"]) for box in boxes})
    right = max(box["x"] + box["width"] for box in boxes)
    assert right == pytest.approx(frame["x"] + frame["width"], abs=1)
    assert frame["width"] > width - 60
    chart = figures.locator(".drawing:not(.hide) svg").first.bounding_box()
    assert chart["width"] == pytest.approx(boxes[0]["width"], abs=1)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_tip_covers_nothing_of_its_chart(grid, open_page, width) -> None:
    """Wherever the pointer is: it is beside the chart, or above or below it."""
    page = open_page(grid, width=width).page
    chart = page.locator(".plot .drawing:not(.hide) svg").first
    for across, down in ((0.3, 0.3), (0.9, 0.8), (0.5, 0.5)):
        point_at(page, chart, across, down)
        assert not page.evaluate(OVERLAP)


def test_a_grey_line_is_called_up_by_pointing(grid, open_page) -> None:
    """Its name and value come first in the tip, and it is in colour while it is pointed at."""
    page = open_page(grid).page
    page.get_by_text(TOGETHER).first.click()
    line = page.locator("svg g.other").first
    soft = line.locator("path.line").evaluate("path => getComputedStyle(path).stroke")
    end = line.locator("path.line").evaluate(
        """path => {
            const point = path.getPointAtLength(path.getTotalLength() / 2);
            const svg = path.ownerSVGElement, view = svg.viewBox.baseVal;
            return [point.x / view.width, point.y / view.height];
        }"""
    )
    point_at(page, page.locator(".plot .drawing svg", has=page.locator("g.other")).first, *end)
    near = page.locator("#tip .near").inner_text()
    name = page.locator("svg g.near title").first.text_content()
    assert near.endswith(name)
    lit = page.locator("svg g.near path.line").first
    assert soft != lit.evaluate("path => getComputedStyle(path).stroke")


def test_a_grey_line_is_called_up_by_the_keyboard(grid, open_page) -> None:
    """While its name has the focus; a key keeps it in colour."""
    page = open_page(grid).page
    page.get_by_text(TOGETHER).first.click()
    plots = page.locator(".plots", has=page.locator(".legend.others")).first
    button = plots.locator(".legend.others button").first
    index = button.evaluate("one => one.closest('li').dataset.s")
    line = plots.locator(f"g.s{index}").first
    plots.locator(".legend:not(.others) button").last.focus()
    page.keyboard.press("Tab")
    expect(line).to_have_class(f"series s{index} other lit")
    page.keyboard.press("Tab")
    expect(line).to_have_class(f"series s{index} other")
    button.press("Enter")
    page.keyboard.press("Tab")
    expect(line).to_have_class(f"series s{index} other lit")


def test_a_tip_names_the_row_of_a_point(troubled, open_page) -> None:
    """By its number in the data set, with what is true and what was predicted."""
    page = open_page(troubled).page
    open_everything(page)
    chart = page.locator(".plot svg:has(g.rows)").first
    dot = chart.locator("circle").first
    place = dot.evaluate(
        "dot => { const box = dot.ownerSVGElement.viewBox.baseVal;"
        " return [dot.cx.baseVal.value / box.width, dot.cy.baseVal.value / box.height]; }"
    )
    point_at(page, chart, *place)
    row = page.locator(".plot:has(g.rows) tbody tr").first.locator("td").all_inner_texts()
    expected = [f"{n} {v}" for n, v in zip(("row", "true", "predicted"), row, strict=True)]
    assert expected == page.locator("#tip").inner_text().split("\n")


def test_a_tip_names_the_row_of_a_setting(tmp_path, open_page) -> None:
    """Values with long names are below each other."""
    config = Path(__file__).parents[2] / "configs" / "iris_softmax.yaml"
    values = "sgd,{type: sgd, momentum: 0.9, nesterov: true},adam"
    options = ["--seeds", "2", "--iterations", "20", "--results", str(tmp_path / "results"), "-q"]
    words = ["sweep", str(config), f"training.optimizer={values}", *options]
    invoke_well(*words)
    page = open_page(write_report(tmp_path / "results", tmp_path / "report.html"), width=390).page
    plot = page.locator("#settings .plot").first
    names = plot.locator("tbody tr td:first-child").all_text_contents()
    assert {"sgd", "sgd(momentum=0.9, nesterov=true)", "adam"} == {*names}
    for place, name in enumerate(names):
        point_at(page, plot.locator("svg").first, 0.5, 0.05 + 0.23 * (place + 0.5))
        assert f"optimizer {name}" == page.locator("#tip").inner_text().split("\n")[0]


def test_a_tip_names_a_cell(grid, troubled, open_page) -> None:
    """By the names of its row and its column, which a narrow map may not show whole."""
    page = open_page(troubled).page
    open_everything(page)
    plot = page.locator(".plot.map:has(th:text-is('feature \\\\ unit'))").first
    left, top, wide, high = map(float, plot.locator("table").get_attribute("data-cells").split())
    chart = plot.locator(".drawing svg")
    box = chart.evaluate("one => [one.viewBox.baseVal.width, one.viewBox.baseVal.height]")
    point_at(page, chart, (left + 1.5 * wide) / box[0], (top + 2.5 * high) / box[1])
    value, feature, unit = page.locator("#tip").inner_text().split("\n")
    names = plot.locator("tbody tr").nth(2).locator("td").all_text_contents()
    assert [f"feature {names[0]}", "unit 1", names[2]] == [feature, unit, value]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_in_maps_can_be_read(troubled, open_page, scheme) -> None:
    """Every one has a contrast of 4.5 to 1 with the colour of its cell, as it is drawn."""
    page = open_page(troubled, color_scheme=scheme).page
    open_everything(page)
    pairs = page.eval_on_selector_all(
        ".map g:has(> text.cell), .map a:has(> text.cell)",
        """all => [...new Set(all.map((one) => ["rect", "text"].map((name) =>
            getComputedStyle(one.querySelector(name)).fill).join("|")))]""",
    )
    assert len(pairs) > 20
    assert min(contrast_of(*pair.split("|")) for pair in pairs) >= 4.5


def contrast_of(*colours: str) -> float:
    """The contrast of two colours as browsers write them."""
    from nnrun.reports.charts.chart import contrast

    hexes = [
        "#" + "".join(f"{int(part):02x}" for part in colour[4:-1].split(",")) for colour in colours
    ]
    return contrast(hexes[0], hexes[1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_accessible(grid, open_page, scheme) -> None:
    """axe-core finds nothing wrong with charts, legends and tips; the alternatives are there."""
    page = open_page(grid, color_scheme=scheme).page
    page.eval_on_selector_all(
        "details.run, table.sortable", "all => all.forEach(one => one.remove())"
    )
    point_at(page, page.locator(".plot .drawing:not(.hide) svg").first, 0.5, 0.5)
    found = Axe().run(page, context=".plots", options=AA).response["violations"]
    assert [] == [(f["id"], [node["html"][:300] for node in f["nodes"][:3]]) for f in found]
    labels = page.locator(".drawing > svg").evaluate_all(
        "all => all.map(one => one.getAttribute('aria-label').length)"
    )
    assert min(labels) > 40


def test_a_table_says_that_it_scrolls(grid, open_page) -> None:
    """On a telephone, where it is wider than the screen; on a wide page nothing says so."""
    words = "one => getComputedStyle(one, '::before').content"
    for width, expected in ((390, '"more columns →"'), (1280, "none")):
        page = open_page(grid, width=width).page
        frame = page.locator(".scroll:has(table.sortable)").first
        expect(frame).to_have_class("scroll more" if width == 390 else "scroll")
        assert expected == frame.evaluate(words)


def test_an_arrow_is_drawn_inside_its_strip(grid, open_page) -> None:
    """Where an interval leaves it: none is cut off."""
    page = open_page(grid).page
    cut = page.locator("td .strip .arrow").evaluate_all(
        """all => all.map((one) => {
            const arrow = one.getBoundingClientRect();
            const strip = one.closest("svg").getBoundingClientRect();
            return arrow.left >= strip.left && arrow.right <= strip.right;
        })"""
    )
    assert {True} == set(cut)


# Figures for papers, which need a library of the system, as the browser does.


@pytest.mark.parametrize(("form", "start"), [("pdf", b"%PDF-"), ("png", b"\x89PNG")])
def test_figures_for_papers(results, tmp_path, form, start) -> None:
    """As PDF and PNG, drawn from the same SVG: every chart of classes and of a regression."""
    runs = [str(results / name) for name in ("moons", "houses")]
    options = ["--figures", str(tmp_path), "--format", form]
    invoke_well("report", *runs, *options)
    files = list(tmp_path.iterdir())
    assert {f".{form}"} == {file.suffix for file in files}
    assert len(files) > 30
    assert all(file.read_bytes().startswith(start) for file in files)
