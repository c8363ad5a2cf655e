"""The HTML report in a browser, and its addresses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import scroll_to, write_report
from tests.lab import invoke, invoke_well
from tests.reports.conftest import with_report
from tests.reports.test_html_page import WORDS

# What a person with a browser finds in a report.

AA = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
BOARD = "table.sortable >> nth=0"
BOARD_PART = "section"
_SHEET = re.compile(rb"/Type\s*/Page[^s]")


def open_everything(page) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")


def test_it_opens_quietly(notebook, open_page) -> None:
    """No message on the console, no request but for the file itself; nor at another width."""
    opened = open_page(notebook)
    open_everything(opened.page)
    for width in (390, 700):
        opened.page.set_viewport_size({"width": width, "height": 900})
        scroll_to(opened.page.locator("footer"))
    scroll_to(opened.page.locator("footer"))
    assert [] == opened.console
    outside = [url for url in opened.requests if not url.startswith("data:image/png")]
    assert [notebook.as_uri()] == outside


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["notebook", "troubled"])
def test_it_is_accessible(request, open_page, which, scheme) -> None:
    """axe-core finds no violation of WCAG 2.1 AA, with everything open."""
    page = open_page(request.getfixturevalue(which), color_scheme=scheme).page
    # Runs have the same kinds of parts: some of them, of different data, stand for all, and so do
    # the first rows of the numbers of a chart.
    some = "runs.filter((_, place) => place % Math.ceil(runs.length / 3))"
    page.eval_on_selector_all("details.run", f"runs => {some}.forEach(run => run.remove())")
    page.eval_on_selector_all(
        ".numbers tr:nth-child(n + 6)", "rows => rows.forEach(row => row.remove())"
    )
    open_everything(page)
    found = Axe().run(page, options=AA).response["violations"]
    assert [] == [(f["id"], [node["html"][:300] for node in f["nodes"][:3]]) for f in found]


@pytest.mark.parametrize("which", ["notebook", "troubled"])
def test_nothing_overflows_a_telephone(request, open_page, which) -> None:
    """At 390 pixels the page is 390 wide; what is wider scrolls within its own frame."""
    page = open_page(request.getfixturevalue(which), width=390).page
    open_everything(page)
    assert 390 == page.evaluate("document.documentElement.scrollWidth")
    wide = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter(e => !e.closest(".scroll, .unseen, svg") && e.getClientRects().length)
            .filter(e => e.getBoundingClientRect().right > 391)
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert [] == wide


def test_a_leaderboard_of_many_settings_fits_a_screen(tmp_path, open_page) -> None:
    """At 1280 pixels nothing scrolls sideways, and three settings take three lines at most."""
    words = ["training.learning_rate=0.1,0.05", "training.batch_size=16,32"]
    words += ["training.optimizer=adam,{type: sgd, momentum: 0.9}"]
    config = Path(__file__).parents[2] / "configs" / "iris_softmax.yaml"
    options = ["--seeds", "3", "--iterations", "20", "--results", str(tmp_path / "results"), "-q"]
    invoke_well("sweep", str(config), *words, *options)
    page = open_page(write_report(tmp_path / "results", tmp_path / "report.html")).page
    board = page.locator(BOARD)
    frame = board.locator("xpath=..")
    assert (8, True) == (
        board.locator("tbody tr").count(),
        frame.evaluate("frame => frame.scrollWidth === frame.clientWidth"),
    )
    lines = "cell => Math.round(cell.querySelector('bdi').getBoundingClientRect().height / 20)"
    heights = [row.evaluate(lines) for row in board.locator("tbody th").all()]
    assert 3 >= max(heights)


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory) -> Path:
    """The report of 24 settings, by crossed seeds."""
    folder = tmp_path_factory.mktemp("many")
    config = Path(__file__).parents[2] / "configs" / "iris_softmax.yaml"
    words = ["training.learning_rate=0.3,0.1,0.03,0.01", "training.batch_size=4,16"]
    words += ["training.optimizer=sgd,adam,{type: sgd, momentum: 0.9}"]
    words += ["sweep.seeds={split: 2, weights: 2}"]
    options = ["--iterations", "20", "--results", str(folder / "results"), "-q"]
    invoke_well("sweep", str(config), *words, *options)
    return write_report(folder / "results", folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_board_of_24_rows_can_be_read(many_rows, open_page, width, scheme) -> None:
    """At 1280 pixels nothing scrolls sideways; on a telephone the board scrolls in its own frame,
    and place, setting and result are in view. axe-core finds nothing wrong with it.
    """
    page = open_page(many_rows, width=width, color_scheme=scheme).page
    board = page.locator(BOARD)
    frame = board.locator("xpath=..")
    assert 24 == board.locator("tbody tr").count()
    assert width == page.evaluate("document.documentElement.scrollWidth")
    fits = frame.evaluate("frame => frame.scrollWidth === frame.clientWidth")
    assert (width == 1280) == fits
    for heading in ("#", "config", "test ± 95%"):
        cell = board.locator("thead th", has_text=heading).first
        assert width >= cell.evaluate("cell => cell.getBoundingClientRect().right")
    assert 1 == board.locator("thead th", has_text="split/weights/both").count()
    # axe-core looks at whatever is on the page before it leaves out what is not in the context.
    page.eval_on_selector_all("details.run, .plots", "all => all.forEach(one => one.remove())")
    found = Axe().run(page, context=BOARD_PART, options=AA).response["violations"]
    assert [] == [(f["id"], [node["html"][:300] for node in f["nodes"][:3]]) for f in found]


def test_the_result_of_a_run_ends_before_its_status(many_rows, open_page) -> None:
    """At 1280 pixels the longest name of a result, of the validation split, is not painted over."""
    page = open_page(many_rows).page
    card = page.locator(".cards .run > summary").first
    card.locator(".result").evaluate("e => { e.textContent = 'validation accuracy 0.9444' }")
    written = """e => {
        const range = document.createRange(); range.selectNodeContents(e)
        return range.getBoundingClientRect()
    }"""
    result = card.locator(".result").evaluate(written)
    status = card.locator(".status").evaluate(written)
    assert result["right"] < status["left"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_leaderboards_with_published_numbers_fit_a_screen(notebook, open_page, scheme) -> None:
    """At 1280 pixels nothing scrolls sideways, whatever the columns."""
    page = open_page(notebook, color_scheme=scheme).page
    boards = page.locator("table.sortable", has_text="published")
    assert 2 <= boards.count()
    for board in boards.all():
        assert board.evaluate("b => b.parentNode.scrollWidth === b.parentNode.clientWidth")


def test_all_content_is_there_without_javascript(notebook, open_page) -> None:
    """The same texts, and both scales; only what is for sorting and switching is missing."""
    plain = open_page(notebook, java_script_enabled=False).page
    scripted = open_page(notebook).page
    assert plain.locator("button, input").count() == 0
    for selector in ("table tr", ".plot", "details.run", "img", ".legend li", "section"):
        assert scripted.locator(selector).count() == plain.locator(selector).count()
    assert plain.locator(".drawing.log").first.is_visible()
    first = plain.locator("details.run").first
    first.locator("summary").first.click()
    expect(first.locator("h4").first).to_be_visible()


def test_a_click_on_a_heading_sorts(notebook, open_page) -> None:
    """Up, then down; numbers as numbers, and what is missing at the end."""
    page = open_page(notebook).page
    board = page.locator("table.sortable", has_text="boston_arch3").first
    button = board.locator("thead th button", has_text="published test")
    column = button.evaluate("b => b.closest('th').cellIndex")

    def values() -> list[str]:
        return board.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()

    button.click()
    assert ["54.84", "58.32", "63.66", "–"] == [v.strip() for v in values()]
    button.click()
    assert ["63.66", "58.32", "54.84", "–"] == [v.strip() for v in values()]
    assert "descending" == board.locator("th[aria-sort]").get_attribute("aria-sort")


def test_words_filter(notebook, open_page) -> None:
    """All words must be in a row, in any order; the box says how many are left."""
    page = open_page(notebook).page
    box = page.get_by_label("Filter Runs")
    rows = page.locator("table.sortable", has_text="digits_cnn/s").first.locator("tbody tr")
    assert 40 == rows.count()
    box.fill("COMPLETED digits_cnn")
    assert 5 == rows.locator("visible=true").count()
    assert "5 of 40" == page.locator(".tools span", has_text="of 40").inner_text()
    box.fill("")
    assert 40 == rows.locator("visible=true").count()


def test_the_legend_switches_lines_off(notebook, open_page) -> None:
    """A config goes from all charts of its leaderboard, and comes back."""
    page = open_page(notebook).page
    plots = page.locator(".plots").first
    button = plots.locator(".legend button").first
    line = plots.locator(".drawing:not(.hide) g.s0").first
    assert line.is_visible()
    button.click()
    assert (False, "false") == (line.is_visible(), button.get_attribute("aria-pressed"))
    button.click()
    assert line.is_visible()


def test_a_button_goes_to_a_log_scale(notebook, open_page) -> None:
    """And back; one of the two is seen at any time."""
    page = open_page(notebook).page
    plots = page.locator(".plots", has=page.locator(".drawing.log")).first
    linear, log = plots.locator(".has-log .drawing").first, plots.locator(".drawing.log").first
    assert (True, False) == (linear.is_visible(), log.is_visible())
    plots.get_by_role("button", name="log scale").click()
    assert (False, True) == (linear.is_visible(), log.is_visible())


def test_hovering_shows_the_values_there(notebook, open_page) -> None:
    """Those of the nearest evaluation, with the names of the lines that have one there."""
    page = open_page(notebook).page
    chart = page.locator(".plot.has-log .drawing svg").first
    scroll_to(chart)
    chart.hover()
    expect(page.locator("#tip")).to_be_visible()
    title, *lines = page.locator("#tip").inner_text().split("\n")
    assert re.fullmatch(r"iteration [\d,]+", title)
    names = page.locator(".plots").first.locator(".legend li").all_inner_texts()
    shown = [re.fullmatch(r"[\d.,]+ +(.+)", line)[1] for line in lines]
    assert 1 <= len(shown)
    assert set(shown) <= {name.strip() for name in names}


def test_a_cell_opens_the_rows_behind_it(notebook, open_page) -> None:
    """Pictures with truth and answer, within a run that was closed."""
    page = open_page(notebook).page
    assert not page.locator(".mistakes img").first.is_visible()
    page.locator("a[href^='#run-']", has_text="s").first.click()
    link = page.locator("svg a[aria-label^='0, '], svg a[aria-label^='1, ']").first
    target = link.get_attribute("href")
    page.locator("details.run", has=page.locator(target)).evaluate("run => { run.open = true; }")
    link.click()
    rows = page.locator(target)
    # The browser says that the address has changed, which opens them, after the click is done.
    expect(rows.locator("img").first).to_be_visible()
    true, said = target.split("-")[-2:]
    caption = rows.locator("figcaption").first.inner_text()
    assert re.search(rf"row \d+: {true} → {said}", caption)


def test_a_cell_of_a_table_opens_its_values(troubled, open_page) -> None:
    """For data without pictures."""
    page = open_page(troubled).page
    target = page.locator("svg a").evaluate_all(
        "links => links.map(a => a.getAttribute('href')).find(h => "
        "document.querySelector(h + ' table'))"
    )
    page.evaluate("hash => { location.hash = hash; }", target)
    expect(page.locator(f"{target} table tbody tr").first).to_be_visible()


def test_hostile_words_do_nothing(results, tmp_path, open_page) -> None:
    """No script runs, nothing is asked for, nothing is left of the page's form."""
    source = next((results / "flowers").iterdir())
    report = json.loads((source / "report.json").read_text())
    for index in range(20):
        words = [f"{WORDS[(index + k) % 10]} {'w' * 10_000 * (k == index % 3)}" for k in range(10)]
        config = json.loads(json.dumps(report["config"]))
        config["dataset"]["columns"] = {"target": words[0]}
        config["published"] = {"source": words[2]}
        data = {**report["dataset"], "name": words[4], "classes": words[5:8]}
        with_report(
            source, tmp_path / "results" / "hostile" / f"s{index}-0000000000", seed=index,
            description=words[3], config=config, dataset=data, error=words[1],
        )  # fmt: skip
    file = write_report(tmp_path / "results", tmp_path / "report.html")
    opened = open_page(file, width=390)
    opened.page.evaluate("() => { window.alert = () => { document.title = 'taken over'; }; }")
    open_everything(opened.page)
    assert [] == opened.console
    assert [] == [url for url in opened.requests if not url.startswith(("file:", "data:"))]
    assert "nnrun" in opened.page.title()
    assert (1, 1) == (opened.page.locator("script").count(), opened.page.locator("style").count())
    assert 390 == opened.page.evaluate("document.documentElement.scrollWidth")


def test_it_prints(notebook, open_page) -> None:
    """On white, with the runs that are open in full, without what is for clicking."""
    page = open_page(notebook, color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ("rgb(255, 255, 255)", False) == (ground, page.locator(".tools").first.is_visible())
    first = page.locator("details.run").first
    closed = len(_SHEET.findall(page.pdf(format="A4")))
    first.evaluate("run => { run.open = true; }")
    assert first.locator("h4").first.is_visible()
    assert closed < len(_SHEET.findall(page.pdf(format="A4")))


# Moving in a report: its navigation, and addresses that bring back what was open.

STATE = """() => ({
  open: [...document.querySelectorAll(".cards > details[open]")].map(one => one.id),
  found: [...document.querySelectorAll("input")].map(one => one.value).filter(Boolean),
  sorted: [...document.querySelectorAll("th[aria-sort]")].map(one => one.cellIndex),
  logs: document.querySelectorAll(".plots .tools [aria-pressed=true]").length,
})"""
NOTHING = {"open": [], "found": [], "sorted": [], "logs": 0}


@pytest.fixture(scope="module")
def thirty(tmp_path_factory) -> Path:
    """The results of ten settings over three seeds, of which one diverges."""
    folder = tmp_path_factory.mktemp("thirty")
    config = Path(__file__).parents[2] / "configs" / "iris_softmax.yaml"
    words = ["training.learning_rate=0.01,0.03,0.1,0.3,1e6", "training.batch_size=4,16"]
    options = ["--seeds", "3", "--iterations", "200", "--results", str(folder / "results"), "-q"]
    invoke("sweep", str(config), *words, *options)
    return folder


def write(folder: Path, name: str, *options: str) -> Path:
    file = folder / name
    words = ["report", "--results", str(folder / "results"), "-o", str(file), "-q", *options]
    invoke_well(*words)
    return file


@pytest.fixture(scope="module")
def report(thirty) -> Path:
    return write(thirty, "report.html")


def address(page) -> str:
    return page.evaluate("location.hash")


def test_each_state_has_an_address(report, open_page) -> None:
    """Going back undoes one step after the other, and the address brings all of it back."""
    page = open_page(report).page
    states = [page.evaluate(STATE)]

    def done(words: str) -> None:
        expect(page).to_have_url(re.compile(words))
        states.append(page.evaluate(STATE))

    page.get_by_label("Filter details of runs").fill("0.1 s")
    done("find")
    page.locator("#board thead th button").first.click()
    done("sort")
    page.get_by_text("By split, all configs in one chart").first.click()
    page.get_by_role("button", name="log scale").first.click()
    done("log0=1")
    page.locator(".cards summary:visible").first.click()
    done("open=")
    assert NOTHING == states[0]
    assert (["0.1 s"], 1, 1, 1) == (
        states[-1]["found"], *(len(states[-1][key]) for key in ("sorted", "open")),
        states[-1]["logs"],
    )  # fmt: skip
    again = open_page(report).page
    again.goto(page.url)
    expect(again.locator(".cards > details[open]")).to_have_count(1)
    assert states[-1] == again.evaluate(STATE)
    for before in reversed(states[:-1]):
        page.go_back()
        page.wait_for_function(
            f"expected => JSON.stringify(({STATE})()) === expected", arg=_json(before)
        )
    for after in states[1:]:
        page.go_forward()
        page.wait_for_function(
            f"expected => JSON.stringify(({STATE})()) === expected", arg=_json(after)
        )


def _json(state: dict[str, object]) -> str:
    import json

    return json.dumps(state, separators=(",", ":"), ensure_ascii=False)


def test_a_link_to_a_run_keeps_all_else(report, open_page) -> None:
    """But a filter that hides the run ends; there is a way back to the list."""
    page = open_page(report).page
    page.get_by_text("By split, all configs in one chart").first.click()
    page.get_by_role("button", name="log scale").first.click()
    page.get_by_label("Filter details of runs").fill("nothing has this")
    none = page.locator("#runs > .tools span")
    assert "none of 24" == none.inner_text()
    link = page.locator("#best th a").first
    target = link.get_attribute("href")
    link.click()
    expect(page.locator(target)).to_be_in_viewport()
    expect(page).to_have_url(re.compile(f"{target}\\?open="))
    assert (1, []) == (page.evaluate(STATE)["logs"], page.evaluate(STATE)["found"])
    page.locator(f"{target} .back").click()
    expect(page.locator("#runs h2")).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_navigation_stays(report, open_page, width) -> None:
    """By the keyboard as well; it marks the part in view, and is one line high."""
    page = open_page(report, width=width).page
    links = page.locator("nav.bar a")
    assert ["↑", "Best", "Board", "Curves", "Settings", "Runs"] == links.all_inner_texts()
    links.nth(5).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#runs h2")).to_be_in_viewport()
    expect(page.locator("nav.bar")).to_be_in_viewport()
    expect(links.nth(5)).to_have_attribute("aria-current", "true")
    bar, heading = (page.locator(s).bounding_box() for s in ("nav.bar", "#runs h2"))
    assert (0, True) == (bar["y"], bar["height"] < 60)
    assert bar["height"] <= heading["y"]
    links.first.click()
    expect(page.locator("h1")).to_be_in_viewport()


def test_cards_are_by_place(report, open_page) -> None:
    """With settings, result and warnings while they are closed."""
    page = open_page(report).page
    places = [int(text) for text in page.locator(".cards .place").all_inner_texts()]
    assert sorted(places) == places
    first = page.locator(".cards summary").first.inner_text()
    assert re.search(
        r"learning rate .* · batch size \d+ seed=\d+\s+test accuracy [\d.]+\s+comp", first
    )


def test_thirty_runs_in_brief_are_a_sheet(thirty, open_page) -> None:
    """Of A4, with the cards alone."""
    page = open_page(write(thirty, "brief.html", "--brief")).page
    sheets = re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4"))
    assert 1 == len(sheets)
    assert ["best"] == page.eval_on_selector_all("main > section", "all => all.map(x => x.id)")
