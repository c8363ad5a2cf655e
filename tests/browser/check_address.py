"""Moving in a report: its navigation, and addresses that bring back what was open."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from nnrun.cli import cli

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
    CliRunner().invoke(cli, ["sweep", str(config), *words, *options])
    return folder


def write(folder: Path, name: str, *options: str) -> Path:
    file = folder / name
    words = ["report", "--results", str(folder / "results"), "-o", str(file), "-q", *options]
    outcome = CliRunner().invoke(cli, words)
    assert 0 == outcome.exit_code, outcome.output
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
    page.get_by_role("button", name="log scale").first.click()
    page.get_by_label("Filter details of runs").fill("nothing has this")
    none = page.locator("#runs > .tools span")
    assert "none of 24" == none.inner_text()
    link = page.locator("#board td a").first
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
        r"learning_rate=.* batch_size=\d+ seed=\d+\s+test accuracy [\d.]+\s+comp", first
    )


def test_thirty_runs_in_brief_are_six_sheets_at_most(thirty, open_page) -> None:
    """Of A4, with the board, the curves, what the settings did and all runs."""
    page = open_page(write(thirty, "brief.html", "--brief")).page
    sheets = re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4"))
    assert 1 <= len(sheets) <= 6
    assert 30 == page.locator("#runs tbody tr").count()
    assert (True, 0) == (
        page.locator("#curves .plot").count() > 0,
        page.locator("details.run").count(),
    )
