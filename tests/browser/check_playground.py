"""What a person with a browser does in the playground."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import nnrun
from tests.browser.check_report import AA
from tests.browser.check_ui import served
from tests.ui.conftest import run_of
from tests.waiting import until


@pytest.fixture(scope="module")
def address(results) -> Iterator[str]:
    with served(results) as found:
        yield found


def opened(visit, address: str, path: str = "/playground", width: int = 1280, **options):
    """The playground, once its network is drawn."""
    page = visit[0](address, path, width, **options)
    expect(page.locator("#play-said")).to_contain_text("parameters")
    return page


def iteration(page) -> int:
    return int(page.locator("#play-iteration").text_content().replace(",", ""))


@contextmanager
def slow(page) -> Iterator[None]:
    """What the page asks for is not sent before the block ends, or `sent` has sent the first."""
    page.evaluate(
        """() => {
            const send = window.fetch;
            window.held = [];
            window.fetch = async (...words) => {
                await new Promise((done) => held.push(done));
                return send(...words);
            };
            window.end = () => {
                window.fetch = send;
                held.forEach((done) => done());
            };
        }"""
    )
    yield
    page.evaluate("end()")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_it_plays_accessibly_and_quietly(address, visit, scheme, width) -> None:
    """Losses fall while pictures change; axe-core finds no violation of WCAG 2.1 AA; nothing is
    said on the console or asked of others; nothing is wider than a telephone.
    """
    page = opened(visit, address, width=width, color_scheme=scheme)
    picture = "document.getElementById('play-large').toDataURL()"
    before, loss = page.evaluate(picture), float(page.locator("#play-train").text_content())
    page.locator("#play-pace").select_option("most")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-train")).to_have_text(re.compile(r"^0\.[0-2]"))
    page.get_by_role("button", name="Pause").click()
    assert before != page.evaluate(picture)
    assert float(page.locator("#play-train").text_content()) < loss
    page.get_by_text("All weights and ranges as tables").click()
    expect(page.locator(".tables table")).to_have_count(3)
    found = Axe().run(page, options=AA).response["violations"]
    assert [] == [(f["id"], [n["html"][:200] for n in f["nodes"][:3]]) for f in found]
    assert width == page.evaluate("document.documentElement.scrollWidth")
    assert [] == visit[1]


def test_it_works_by_keyboard(address, visit) -> None:
    """Steps, a unit's numbers as in the tables, another width; the focus stays."""
    page = opened(visit, address)
    page.get_by_role("button", name="Step").focus()
    for _ in range(2):
        page.keyboard.press("Enter")
    expect(page.locator("#play-iteration")).to_have_text("2")
    page.get_by_text("All weights and ranges as tables").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tables table")).to_have_count(3)
    page.get_by_role("button", name="layer 0, unit 1", exact=True).focus()
    card = page.locator("#play-unit td").all_text_contents()
    row = page.locator(".tables table").first.locator("tbody tr").nth(1)
    assert card == row.locator("td").all_text_contents()
    expect(page.locator("#play-shown")).to_have_text("Layer 0, unit 1")
    more = page.get_by_role("button", name="One unit more in layer 1")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#play-said")).to_have_text(
        "From iteration 2 on: widths 4, 4. There are fresh weights in layer 1 and the output layer."
    )
    expect(more).to_be_focused()
    assert 11 == page.locator(".unit").count()


def test_a_copied_config_trains_to_the_same_loss(address, visit) -> None:
    """Also from the page of a run; and what is wrong is said, with the value as it was."""
    page = opened(visit, address)
    rate = page.locator("[data-setting=rate]")
    rate.fill("-1")
    rate.press("Enter")
    expect(page.locator("#play-error")).to_contain_text("training.learning_rate: -1 is not")
    expect(rate).to_have_value("0.1")
    page.locator("[data-setting=rows]").fill("100")
    page.locator("[data-setting=rows]").press("Tab")
    expect(page.locator("#play-said")).to_have_text("Training begins with rows 100.")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-epoch")).to_have_text(re.compile(r"^[3-9]|^\d\d"))
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Copy as config").click()
    expect(page.locator("#play-config pre")).to_contain_text("engine: numpy")
    text = page.locator("#play-config pre").text_content()
    run = nnrun.train(yaml.safe_load(text), results=None)
    assert f"test loss {float(run.history['test_loss'][-1])!r}" in text
    last = run.history["iteration"][-1]
    expect(page.locator("#play-iteration")).to_have_text(f"{last:,}")


def test_what_is_wrong_stays_while_it_learns(address, visit) -> None:
    """A refused setting is said until another one is accepted, over all pictures between."""
    page = opened(visit, address)
    page.get_by_role("button", name="Play").click()
    rate = page.locator("[data-setting=rate]")
    rate.fill("-1")
    rate.press("Enter")
    expect(rate).to_have_value("0.1")
    for _ in range(3):
        expect(page.locator("#play-iteration")).not_to_have_text(f"{iteration(page):,}")
    expect(page.locator("#play-error")).to_contain_text("training.learning_rate: -1 is not")
    rate.fill("0.2")
    rate.press("Enter")
    expect(page.locator("#play-error")).to_be_hidden()


def test_changes_of_layers_add_up(address, visit) -> None:
    """Also those that are made before the first one is answered."""
    page = opened(visit, address, "/playground?layers=3,2")
    more = page.get_by_role("button", name="Add a hidden layer")
    wider = page.get_by_role("button", name="One unit more in layer 0")
    with slow(page):
        for button in (more, more, wider, wider):
            button.click()
    expect(page).to_have_url(re.compile(r"\blayers=5(,|%2C)2(,|%2C)2(,|%2C)2$"))
    expect(page.locator("#play-depth")).to_have_text("4")


def test_an_answer_leaves_what_is_typed(address, visit) -> None:
    """Answers to two settings come while a third one is typed; the focus stays there."""
    page = opened(visit, address)
    rate, batch = (page.locator(f"[data-setting={name}]") for name in ("rate", "batch_size"))
    with slow(page):
        page.get_by_role("button", name="One unit more in layer 0").click()
        rate.fill("0.2")
        rate.press("Tab")
        expect(batch).to_be_focused()
        batch.press_sequentially("3")
    expect(page.locator("#play-said")).to_contain_text("learning rate 0.2")
    batch.press_sequentially("2")
    batch.press("Enter")
    expect(page).to_have_url(re.compile("&rate=0.2&batch_size=32$"))


def test_what_is_pressed_last_counts(address, visit) -> None:
    """Settings of the data before do not come along, and Play is not undone."""
    page = opened(visit, address)
    with slow(page):
        page.locator("[data-setting=noise]").fill("0.25")
        page.locator("[data-setting=noise]").press("Enter")
        page.locator("#play-data").select_option("xor")
        page.get_by_role("button", name="Play").click()
    expect(page).to_have_url(re.compile("data=xor$"))
    expect(page.locator("#play-iteration")).not_to_have_text("0")
    page.get_by_role("button", name="Pause").click()


def test_play_after_a_pause_is_as_fast_as_before(address, visit) -> None:
    """Though the pause has ended before the update that was under way."""
    page = opened(visit, address)
    page.locator("#play-pace").select_option("1")
    with slow(page):
        for name in ("Play", "Pause", "Play"):
            page.get_by_role("button", name=name).click()
        page.evaluate("held[0]()")
        expect(page.locator("#play-iteration")).to_have_text("1")
        # After what was set to come sooner.
        page.evaluate("new Promise((done) => setTimeout(done, 100))")
        page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Copy as config").click()
    expect(page.locator("#play-config pre")).to_contain_text("engine: numpy")
    assert 2 == iteration(page)


def test_settings_are_in_the_address(address, visit) -> None:
    """It begins with them, also after a reload; those that cannot be used are said and left out."""
    page = opened(visit, address, "/playground?data=xor&layers=2,3,2&rate=0.5&noise=0.25")
    expect(page.locator("#play-data")).to_have_value("xor")
    expect(page.locator("[data-setting=noise]")).to_have_value("0.25")
    expect(page.locator("#play-depth")).to_have_text("3")
    page.locator("[data-setting=batch_size]").fill("5")
    page.locator("[data-setting=batch_size]").press("Enter")
    expect(page).to_have_url(re.compile("&batch_size=5$"))
    page.reload()
    expect(page.locator("[data-setting=batch_size]")).to_have_value("5")
    page = opened(visit, address, "/playground?data=moons&layers=a&rate=x")
    expect(page.locator("#play-said")).to_contain_text("needs 1 to 16 units")
    assert 9 == page.locator(".unit").count() - 1


def test_a_run_goes_on_as_a_session_of_its_own(address, results, visit) -> None:
    """From the link on its page; it is given back when the page is left."""
    page = visit[0](address, f"/runs/{run_of(results, 'moons')}")
    with page.expect_response("**/playground/start") as started:
        page.get_by_role("link", name="Train it in the playground").click()
    session = started.value.json()["session"]
    expect(page.locator("#play-said")).to_contain_text(run_of(results, "moons"))
    rows = page.locator("[data-setting=rows]")
    expect(rows).to_be_disabled()
    assert "varies" != rows.get_attribute("placeholder")
    origin = "/".join(address.split("/")[:3])
    options = {"data": {"session": session, "updates": 0}, "headers": {"origin": origin}}
    ask = partial(page.request.post, f"{address}playground/advance", **options)
    assert 200 == ask().status
    page.get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{address}runs")
    until(lambda: 410 == ask().status)


def test_a_network_that_diverges_pauses(address, visit) -> None:
    """With what has happened in words; who wants less motion sees fewer pictures."""
    page = opened(visit, address, reduced_motion="reduce")
    page.locator("#play-data").select_option("sine")
    expect(page.locator("#play-said")).to_contain_text("sine: 200 rows")
    page.evaluate(
        "window.drawn = []; new MutationObserver(() => { drawn.push(performance.now()); }).observe("
        "document.getElementById('play-iteration'), { childList: true })"
    )
    page.get_by_role("button", name="Play").click()
    until(lambda: page.evaluate("drawn.length > 2"))
    assert 1000 < page.evaluate("drawn[2] - drawn[0]")  # twice as long, but for drawing itself
    page.locator("[data-setting=activation]").select_option("relu")
    expect(page.locator("#play-said")).to_contain_text("All weights stay.")
    page.locator("[data-setting=rate]").fill("1000000")
    page.locator("[data-setting=rate]").press("Enter")
    expect(page.locator("#play-error")).to_have_text(re.compile("diverged", re.IGNORECASE))
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    axis, highest = page.locator("#play-curve"), page.locator("#play-curve text").first
    assert axis.bounding_box()["x"] <= highest.bounding_box()["x"]
