"""Reports in a real browser: Chromium from the distribution, without a network.

What drives it is imported where it is used: plain `pytest` may come by here without having it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab import invoke_well
from tests.reports.conftest import train_everything

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Browsers show no error of this kind that no script throws, such as a loop of observed sizes.
_ERRORS = "addEventListener('error', (event) => console.log(event.message))"


@dataclass
class Opened:
    """A page, and what it has said and asked for."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a busy machine may take its time
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        yield started
        started.close()


_PARTS = "main > section > details.part"


@pytest.fixture
def open_page(browser):
    """Opens a file, and what its parts fold; options are those of a browser's context, such as
    `color_scheme`.
    """
    contexts = []

    def opened(file: Path, width: int = 1280, **options) -> Opened:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        context.add_init_script(_ERRORS)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.console.append(message.text))
        found.page.on("pageerror", lambda error: found.console.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(file.as_uri())
        found.page.eval_on_selector_all(_PARTS, "all => all.forEach((one) => { one.open = true; })")
        return found

    yield opened
    for context in contexts:
        context.close()


def scroll_to(element) -> None:
    """Scroll an element into view, and wait for what scrolling hides: that comes a frame later."""
    element.evaluate(
        """one => {
            one.scrollIntoView({block: 'center'});
            return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }"""
    )


@pytest.fixture(scope="session")
def cookies() -> dict[str, list]:
    """Cookies of each address, which is for the first browser that opens it."""
    return {}


@pytest.fixture
def visit(browser, cookies):
    """Opens an address; what the page says and asks for outside of the server is collected."""
    contexts, said = [], []

    def visited(address: str, path: str = "/", width: int = 1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.add_cookies(cookies.get(address, []))
        context.add_init_script(_ERRORS)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: request.url.startswith((address, "data:")) or said.append(request.url),
        )
        page.goto(f"{address}{path.removeprefix('/')}")
        page.wait_for_selector("header")  # of the page that the first one leads to
        cookies[address] = context.cookies()
        return page

    yield visited, said
    for context in contexts:
        context.close()


def write_report(results: Path, file: Path) -> Path:
    invoke_well("report", "--results", str(results), "-o", str(file), "-q")
    return file


@pytest.fixture(scope="session")
def notebook(tmp_path_factory) -> Path:
    """The report of the notebook's eight experiments over five seeds."""
    folder = tmp_path_factory.mktemp("notebook")
    configs = Path(__file__).parents[2] / "configs"
    words = [str(configs / f"{name}.yaml") for name in NOTEBOOK]
    results = folder / "results"
    invoke_well("sweep", *words, "--seeds", "5", "--results", str(results), "-q")
    return write_report(results, folder / "report.html")


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """Runs of every kind, those that came to grief among them."""
    return train_everything(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def troubled(results, tmp_path_factory) -> Path:
    """The report of runs that came to grief in every way, with grids and two features."""
    return write_report(results, tmp_path_factory.mktemp("troubled") / "report.html")


NOTEBOOK = [
    *("boston_linear", "boston_arch1", "boston_arch2", "boston_arch3"),
    *("iris_softmax", "digits_arch1", "digits_arch2", "digits_cnn"),
]
# A browser that asks nobody for anything.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def program() -> str:
    """The distribution's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "this needs Chromium: apt-get install chromium"
    return found
