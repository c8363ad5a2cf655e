"""The documentation in a browser: what `nnrun help -o` writes."""

from __future__ import annotations

from contextlib import chdir

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from nnrun.reports.reference.site import LESSONS, PAGES
from tests.browser.check_report import AA
from tests.lab import invoke_well


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    invoke_well("help", "-o", str(folder))
    return folder


@pytest.mark.parametrize("name", ["index", *PAGES, *LESSONS, "reference"])
def test_nothing_overflows_a_telephone(open_page, site, name) -> None:
    """At 390 pixels the page is 390 wide; tables and code that are wider scroll by themselves."""
    opened = open_page(site / f"{name}.html", width=390)
    assert 390 == opened.page.evaluate("document.documentElement.scrollWidth")
    assert [] == opened.console
    assert [] == [url for url in opened.requests if not url.startswith("file:")]


def test_the_search_leads_to_a_section(open_page, site) -> None:
    """All words have to be there; a link goes to the heading."""
    page = open_page(site / "index.html").page
    page.get_by_label("Search").fill("baseline useless")
    assert "Nothing has all of these words." == page.locator("#found li").inner_text()
    page.get_by_label("Search").fill("Kingma")
    first = page.locator("#found a").first
    assert "adam (optimizer)" == first.inner_text()
    first.click()
    page.wait_for_url("**/reference.html#optimizer-adam")


def test_without_scripts_there_is_no_search(open_page, site) -> None:
    """The pages are read as they are."""
    page = open_page(site / "tutorial.html", java_script_enabled=False).page
    assert not page.get_by_label("Search").is_visible()
    assert page.get_by_role("heading", name="Install").is_visible()


def test_pages_are_accessible(open_page, site) -> None:
    """axe-core finds no violation of WCAG 2.1 AA, in both colour schemes."""
    for scheme in ("light", "dark"):
        for name in ("index", "tutorial", "config"):
            page = open_page(site / f"{name}.html", color_scheme=scheme).page
            found = Axe().run(page, options=AA).response["violations"]
            assert [] == [(scheme, name, each["id"]) for each in found]


def test_a_telephone_scrolls_code_by_keyboard(open_page, site) -> None:
    """Pages are accessible there too: blocks that are wider than the page can have the focus."""
    for name in ("lesson-7", "reference"):
        page = open_page(site / f"{name}.html", width=390).page
        found = Axe().run(page).response["violations"]
        assert [] == [(name, each["id"]) for each in found]


def test_a_telephone_shows_the_page_before_the_list_of_pages(open_page, site) -> None:
    """The title is near the top, and a link leads to the list."""
    page = open_page(site / "tutorial.html", width=390).page
    assert page.get_by_role("heading", name="Tutorial").bounding_box()["y"] < 200
    page.get_by_role("link", name="Pages", exact=True).click()
    assert page.get_by_role("link", name="Benchmarks", exact=True).is_visible()


def test_lines_do_not_end_within_an_option(open_page, site) -> None:
    """At any width, an option is on one line."""
    page = open_page(site / "tutorial.html", width=390).page
    boxes = "found => found.map(one => one.getClientRects().length)"
    assert {1} == set(page.locator(".option").evaluate_all(boxes))


@pytest.fixture(scope="module", params=["price", "kind"])
def columns_page(request, tmp_path_factory):
    """The page of a small table with numbers, categories, dates and keys."""
    days = pd.date_range("2020-01-01", periods=300).astype(str)
    columns = {
        "id": range(300),
        "day": [*days[::3], *days[1::3], *days[2::3]],
        "town": [f"a town with a long name, {row % 40}" for row in range(300)],
        "size": [row * 7 % 101 + 0.5 if row % 9 else None for row in range(300)],
        "kind": [("low", "high", "<b>")[row * row % 3] for row in range(300)],
        "price": [row * 3 % 17 / 2 for row in range(300)],
    }
    folder = tmp_path_factory.mktemp("page")
    with chdir(folder):
        pd.DataFrame(columns).to_csv("t.csv", index=False)
        invoke_well("init", "--data", "t.csv", "--target", request.param, "--html", "t.html")
    return folder / "t.html"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_page(open_page, columns_page, scheme, width):
    """No message, no request, nothing wider than the window, and axe finds nothing."""
    opened = open_page(columns_page, width, color_scheme=scheme)
    page = opened.page
    assert [] == opened.console
    assert 1 == len(opened.requests)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [] == [v["id"] for v in Axe().run(page).response["violations"]]
