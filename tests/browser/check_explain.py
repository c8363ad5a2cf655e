"""The page of `nnrun explain` in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from nnrun.config.load import load_config
from nnrun.explain.update import explain_config
from nnrun.reports.explain.page import render

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """Writes the page of a config that the project ships."""

    def write(name: str) -> Path:
        file = tmp_path_factory.mktemp("pages") / "update.html"
        file.write_text(render(explain_config(load_config(CONFIGS / f"{name}.yaml"))))
        return file

    return write


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_page(open_page, page_of, scheme, width):
    """No message, no request, nothing wider than the window, and axe finds nothing."""
    opened = open_page(page_of("iris_softmax"), width, color_scheme=scheme)
    page = opened.page

    page.locator("td[data-at]").first.wait_for()
    assert [] == opened.console
    assert 1 == len(opened.requests)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [] == [v["id"] for v in Axe().run(page).response["violations"]]


def test_a_number_shows_its_sources(open_page, page_of):
    """A click marks them and writes the sum; Escape ends it; the keys move and choose."""
    page = open_page(page_of("digits_cnn")).page
    page.locator('[data-array="y0"] td[data-at="0,3,2,2"]').click()
    words = page.locator("#panel p").inner_text()
    assert "9 numbers of x, 9 numbers of weight" in words
    assert "(9 products) = " in words
    assert 18 == page.locator("td.source").count()
    page.keyboard.press("Escape")
    assert 0 == page.locator("td.source").count()
    page.locator('[data-array="t"] .box').focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.locator("#panel p").inner_text().startswith("t, the target[0, 1] = ")
