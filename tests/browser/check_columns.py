"""The page of `nnrun init --html` in a real browser."""

from __future__ import annotations

from contextlib import chdir

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.lab import invoke_well


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
