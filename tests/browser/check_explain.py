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
    assert 8 == words.count(" + ")
    assert 18 == page.locator("td.source").count()
    page.keyboard.press("Escape")
    assert 0 == page.locator("td.source").count()
    page.locator('[data-array="t"] .box').focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.locator("#panel p").inner_text().startswith("t[0, 1] = ")


def test_a_product_of_the_window_shows_its_factors(open_page, page_of):
    """Beside each other are one window of the image, the kernel and their products."""
    page = open_page(page_of("digits_cnn")).page
    article = page.locator("article", has=page.locator('[data-array="products0"]'))
    assert ["window", "kernel", "products"] == article.locator(".array b").all_inner_texts()
    page.locator('[data-array="products0"] td[data-at="1,1"]').click()
    first, second = page.locator("#panel p").inner_text().splitlines()
    assert ", from window[1, 1] = " in first
    assert ", kernel[1, 1] = " in first
    assert " · " in second


def test_weights_that_meet_the_padding_are_no_sources(open_page, tmp_path):
    """At a corner of an image, those weights are marked that are multiplied with a pixel."""
    layers = [
        {"type": "conv2d", "channels": 2, "kernel": 3, "padding": "same"},
        {"type": "flatten"},
        {"type": "dense", "units": 10, "activation": "softmax"},
    ]
    config = {
        "name": "padded",
        "dataset": {"name": "digits"},
        "network": {"layers": layers},
        "loss": "cross_entropy",
        "training": {"learning_rate": 0.1, "iterations": 1},
    }
    file = tmp_path / "padded.html"
    file.write_text(render(explain_config(load_config(config))))
    page = open_page(file).page
    page.locator('[data-array="y0"] td[data-at="0,0,0,0"]').click()
    words = page.locator("#panel p").inner_text()
    assert "4 numbers of x, 4 numbers of weight" in words
    assert 8 == page.locator("td.source").count()


def test_each_layer_of_an_image_network_fits_a_laptop(open_page, page_of):
    """No part of the page is higher than a screen of 1366 by 768, or wider; print crops no box."""
    page = open_page(page_of("digits_cnn"), 1366).page
    page.set_viewport_size({"width": 1366, "height": 768})
    page.locator("td[data-at]").first.wait_for()
    heights = page.locator("article").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert 20 == len(heights)
    assert max(heights) <= 768
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.emulate_media(media="print")
    cropped = "all => all.filter((one) => one.scrollHeight > one.clientHeight).length"
    assert 0 == page.locator(".box").evaluate_all(cropped)


PLANE = {
    "name": "plane",
    "dataset": {"name": "moons", "rows": 80, "features": "standard"},
    "network": {
        "layers": [
            {"type": "dense", "units": 4, "activation": "tanh"},
            {"type": "dense", "units": 2, "activation": "softmax"},
        ]
    },
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.1, "iterations": 200, "batch_size": 8, "engine": "numpy"},
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """The page of a network with two features, with surfaces over its training."""
    file = tmp_path_factory.mktemp("pages") / "plane.html"
    file.write_text(render(explain_config(load_config(PLANE))))
    return file


@pytest.mark.parametrize(("scheme", "width", "scrolls"), [("light", 1280, 0), ("dark", 390, 2)])
def test_surfaces_over_training(open_page, plane, scheme, width, scrolls):
    """Strips fill the page or scroll on a telephone; axe finds nothing, in both schemes."""
    opened = open_page(plane, width, color_scheme=scheme)
    page = opened.page

    page.locator("#section-1 details").first.evaluate("one => { one.open = true; }")
    assert [] == opened.console
    assert 1 == sum(not url.startswith("data:") for url in opened.requests)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [] == [v["id"] for v in Axe().run(page).response["violations"]]
    wider = "all => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert scrolls == page.locator("#section-1 .drawing").evaluate_all(wider)
    label = page.locator("#section-1 svg[role=img]").first.get_attribute("aria-label")
    assert label.startswith("Output over training. Over x1 and x2, at 8 moments of training")


@pytest.mark.parametrize(("scheme", "darker"), [("light", False), ("dark", True)])
def test_pictures_are_dark_on_dark_pages(open_page, plane, scheme, darker):
    """Their colours are inverted there, as those of other pictures of numbers."""
    page = open_page(plane, color_scheme=scheme).page
    image = page.locator("#section-1 image").first
    assert ("none" != image.evaluate("one => getComputedStyle(one).filter")) == darker
