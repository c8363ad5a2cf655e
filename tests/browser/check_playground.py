"""The playground in a browser: its engine beside nnrun's, and what a person does with it."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import nnrun
from nnrun.nn.activations import ACTIVATIONS
from nnrun.ui.playground import DRAWN, OPTIMIZERS, address_of, page_alone
from tests.browser.check_report import AA
from tests.waiting import until


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The page as a file."""
    path = tmp_path_factory.mktemp("page") / "playground.html"
    path.write_text(page_alone(), encoding="utf-8")
    return path


@pytest.fixture
def visit(open_page, file):
    """Opens the page with an address; what it says on the console, or asks for, is a mistake."""
    opened = []

    def visited(address: str = "", **options):
        opened.append(open_page(file, **options))
        page = opened[-1].page
        if address:
            page.goto(f"{file.as_uri()}{address}")
            if address.startswith("#"):
                page.reload()  # a # alone opens no page
        expect(page.locator("#play-said")).to_contain_text("parameters")
        return page

    yield visited
    for one in opened:
        assert [] == one.console
        assert {file.as_uri()} == {re.sub("[?#].*", "", url) for url in one.requests}


# The engine: the same numbers as nnrun's.

HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]
RATES = {"sgd": (0.01, 0.1), "momentum": (0.003, 0.03), "adam": (0.001, 0.01)}
UPDATES = 100


def settings_drawn() -> list[tuple[str, dict]]:
    """Fifty settings, which a table spreads over all that there is to choose."""
    rng, drawn = random.Random(0), []
    names = [*DRAWN, "own points"]
    for n in range(50):
        data, optimizer = names[n % len(names)], [*OPTIMIZERS][n % 3]
        layers = [rng.randint(1, 8) for _ in range(rng.randint(0, 3) if n % 5 == 4 else 2)]
        edits = {
            "layers": layers,
            "activation": [HIDDEN[(n + at) % len(HIDDEN)] for at in range(len(layers) or 1)],
            "dropout": rng.choice([0, 0, 0.3]), "optimizer": optimizer,
            "rate": rng.uniform(*RATES[optimizer]), "batch_size": rng.choice([1, 3, 10, 32, 500]),
            "weight_decay": rng.choice([0, 0.001, 0.1]), "seed": rng.choice([0, 42, 2**32 + 5]),
            "test_size": rng.choice([0, 0.25, 0.5, 20]),
        }  # fmt: skip
        if data == "own points":
            edits["points"] = [
                [rng.randint(-100, 100) / 100, rng.randint(-100, 100) / 100, at % 2]
                for at in range(rng.randint(30, 60))
            ]
        else:
            edits |= {"rows": rng.choice([30, 100, 301]), "data_seed": rng.choice([0, 7])}
        if n % 2:
            known = ["x1", "x1x1", "sinx1"]
            known += ["x2", "x2x2", "x1x2", "sinx2"] * (data != "sine")
            edits["features"] = rng.sample(known, rng.randint(1, len(known)))
        drawn.append((data, edits))
    return drawn


TRAINED = """([data, edits, updates]) => {
    const session = new nnrunSession.Session(data, edits), losses = [];
    for (let at = 0; at < updates; at += 1) { session.advance(1); losses.push(session.losses()); }
    const theta = [...session.training.theta];
    return { losses, theta, config: session.config(), table: session.table() };
}"""


def trained_again(found: dict, folder, **more):
    """The run of a page's config, with its table beside it."""
    config = yaml.safe_load(found["config"])
    if found["table"]:
        path = folder / config["dataset"]["path"]
        path.write_text(found["table"])
        config["dataset"]["path"] = str(path)
    config["training"] |= more
    return nnrun.train(config, results=None)


def test_a_hundred_updates_are_those_of_nnrun(visit, tmp_path) -> None:
    """Weights and losses agree to 1e-12 of their size, on fifty settings; so do data, splits,
    first weights, batches and dropout, without which they would not.
    """
    page, settings = visit(), settings_drawn()
    used = {name for _, edits in settings for name in edits["activation"][: len(edits["layers"])]}
    assert {*HIDDEN} == used
    for n, (data, edits) in enumerate(settings):
        found = page.evaluate(TRAINED, [data, edits, UPDATES])
        run = trained_again(found, tmp_path, evaluate_every=1, engine="numpy")
        assert UPDATES == len(found["losses"]) == run.history["iteration"][-1], n
        for name in found["losses"][0]:
            pairs = zip(run.history[name], found["losses"], strict=True)
            for expected, row in pairs:
                assert row[name] == pytest.approx(expected, rel=1e-12, abs=0), (n, name)
        theta = run.network.theta
        assert len(theta) == len(found["theta"])
        assert np.abs(theta - found["theta"]).max() <= 1e-12 * np.abs(theta).max(), n


def test_random_numbers_are_those_of_numpy(visit) -> None:
    """Bit for bit, also in streams and in the normal distribution's tail; its other numbers are
    computed by tables that agree to a few parts in 1e13.
    """
    page = visit()
    for seed, key in [(0, []), (42, [1]), (2**53 - 1, [2, 3])]:
        random_ = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
        uniform, order, normal = page.evaluate(
            """([seed, key]) => {
                const random = new nnrunEngine.Generator(seed, ...key);
                return [Array.from({ length: 50 }, () => random.uniform()),
                    random.permutation(777), Array.from({ length: 20_000 }, () => random.normal())];
            }""",
            [seed, key],
        )
        assert random_.random(50).tolist() == uniform
        assert random_.permutation(777).tolist() == order
        expected = random_.standard_normal(20_000)
        assert np.abs(expected).max() > 3.66
        np.testing.assert_allclose(normal, expected, rtol=1e-12)


# What a person does with the page.


def iteration(page) -> int:
    return int(page.locator("#play-iteration").text_content().replace(",", ""))


def put(page, name: str, value: str) -> None:
    page.locator(f"[data-setting={name}]").fill(value)
    page.locator(f"[data-setting={name}]").press("Enter")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("address", ["", "?data=own points#points=1,0,A;0,1,B;1,1,A;0,0,B"])
def test_it_plays_accessibly(visit, address, scheme, width) -> None:
    """Losses fall while pictures change; axe-core finds no violation of WCAG 2.1 AA; nothing is
    wider than a telephone.
    """
    page = visit(address, width=width, color_scheme=scheme)
    picture = "document.getElementById('play-large').toDataURL()"
    before, loss = page.evaluate(picture), float(page.locator("#play-train").text_content())
    page.locator("#play-pace").select_option("most")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-train")).to_have_text(re.compile(r"^(0\.[0-2]|.*e-)"))
    page.get_by_role("button", name="Pause").click()
    assert before != page.evaluate(picture)
    assert float(page.locator("#play-train").text_content()) < loss
    for name in ("All weights and ranges as tables", "The config", "Settings"):
        fold = page.locator("details", has=page.get_by_text(name, exact=True))
        if fold.get_attribute("open") is None:
            fold.locator("summary").click()
    expect(page.locator(".tables table")).to_have_count(3)
    found = Axe().run(page, options=AA).response["violations"]
    assert [] == [(f["id"], [n["html"][:200] for n in f["nodes"][:3]]) for f in found]
    assert width == page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (640, 360), (390, 844)])
def test_play_and_the_network_are_on_the_screen(visit, width, height) -> None:
    """Without scrolling: on a small laptop, at 200% there, and on a telephone."""
    page = visit()
    page.set_viewport_size({"width": width, "height": height})
    page.reload()
    boxes = [page.locator("#play-run"), page.locator("#play-net")]
    assert [True] * 2 == [
        box["y"] >= 0 and box["y"] + box["height"] <= height
        for box in (one.bounding_box() for one in boxes)
    ]


def test_twelve_pages_learn_at_once(visit) -> None:
    """None of them stops another one."""
    pages = [visit() for _ in range(12)]
    for page in pages:
        page.get_by_role("button", name="Play").click()
    for page in pages:
        until(lambda page=page: iteration(page) > 200)
        expect(page.locator("#play-error")).to_be_hidden()


def test_it_works_by_keyboard(visit) -> None:
    """Steps, a unit's numbers as in the tables, another width; the focus stays."""
    page = visit()
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
    choice = page.get_by_label("Activation of layer 1")
    choice.select_option("relu")
    expect(page.locator("#play-said")).to_contain_text("activation tanh, relu. All weights stay.")
    expect(page.locator("[data-setting=activation]")).to_have_value("")
    box = page.get_by_role("checkbox", name="x1·x2")
    box.focus()
    page.keyboard.press("Space")
    expect(page.locator("#play-said")).to_contain_text("fresh weights in layer 0.")
    expect(page.get_by_role("checkbox", name="x1·x2")).to_be_focused()
    assert 12 == page.locator(".unit").count()


CHANGED = """edits => {
    const session = new nnrunSession.Session("circles", { optimizer: "adam" });
    const weights = () => session.training.layers.map(
        ({ weight, end }) => [session.training.theta, session.training.memory.mean].map(
            (array) => String(array && array.slice(weight, end))));
    session.advance(25);
    const before = weights(), order = session.training.block.join();
    session.change(edits);
    const after = weights();
    return {
        same: after.map((layer, at) => layer.map((text, k) => text === (before[at] || [])[k])),
        iteration: session.training.iteration, order: session.training.block.join() === order,
        listed: session.config().includes("#   iteration 25: "),
    };
}"""
STAYS, FRESH, FORGETS = [True, True], [False, False], [True, False]


@pytest.mark.parametrize(
    ("edits", "same", "order"),
    [
        ({"rate": 1}, [STAYS] * 3, True), ({"activation": ["relu"]}, [STAYS] * 3, True),
        ({"weight_decay": 1}, [STAYS] * 3, True), ({"dropout": 0.5}, [STAYS] * 3, True),
        ({"noise": 0.5}, [STAYS] * 3, True), ({"batch_size": 7}, [STAYS] * 3, False),
        ({"rows": 50}, [STAYS] * 3, False), ({"optimizer": "momentum"}, [FORGETS] * 3, True),
        ({"layers": [4, 5]}, [STAYS, FRESH, FRESH], True),
        ({"features": ["x1", "x2", "x1x2"]}, [FRESH, STAYS, STAYS], True),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_keeps_what_fits(visit, edits, same, order) -> None:
    """Weights and the optimizer's memory in layers of the same shape, and the order of the rows;
    the config lists the change.
    """
    found = visit().evaluate(CHANGED, edits)
    assert {"same": same, "iteration": 25, "order": order, "listed": True} == found


def test_another_seed_starts_over(visit) -> None:
    """With no change to list."""
    found = visit().evaluate(CHANGED, {"seed": 1})
    assert (0, False) == (found["iteration"], found["listed"])


def test_a_config_is_filled_when_opened_and_trains_to_the_same_loss(visit, tmp_path) -> None:
    """As it is shown; a pause fills it again. What is wrong is said, with the value as it was."""
    page = visit()
    put(page, "rate", "-1")
    expect(page.locator("#play-error")).to_have_text("Learning rate: a number above 0 is needed.")
    expect(page.locator("[data-setting=rate]")).to_have_value("0.1")
    put(page, "rows", "100")
    expect(page.locator("#play-said")).to_have_text("Training begins with rows 100.")
    expect(page.locator("#play-error")).to_be_hidden()
    text = page.locator("#play-config pre").first
    page.get_by_text("The config", exact=True).click()
    expect(text).to_contain_text("iterations: 1000")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-epoch")).to_have_text(re.compile(r"^[3-9]|^\d\d"))
    page.get_by_role("button", name="Pause").click()
    expect(text).to_contain_text(f"iterations: {iteration(page)}\n")
    run = trained_again({"config": text.text_content(), "table": ""}, tmp_path)
    shown = float(re.search(r"test loss (\S+)", text.text_content())[1])
    assert shown == pytest.approx(run.history["test_loss"][-1], rel=1e-9)
    again = visit(f"?{address_of(run.record.config)}")
    for control in page.locator("[data-setting]").all():
        name = control.get_attribute("data-setting")
        assert control.input_value() == again.locator(f"[data-setting={name}]").input_value()


def test_points_are_drawn_by_the_mouse(visit, tmp_path) -> None:
    """Or typed; the config names a table of them, and the address has them after a reload."""
    page = visit("#data=own points&layers=3")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play-error")).to_contain_text("Draw four points or more")
    large = page.locator("#play-large")
    large.scroll_into_view_if_needed()
    for which, x, y in (("A", 0.25, 0.5), ("A", 0.3, 0.6), ("B", 0.75, 0.5)):
        page.locator("#play-which").select_option(f"adds {which}")
        box = large.bounding_box()  # a message above may have gone
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    typed = page.locator("#play-points")
    expect(typed).to_have_value(re.compile(r"^-0.5,0,A\n-0.4,-0.2,A\n0.5,0,B$"))
    typed.fill(typed.input_value() + "\n0.4, 0.2, B")
    typed.blur()
    expect(page.locator("#play-said")).to_contain_text("4 points")
    page.get_by_role("button", name="Step").click()
    page.get_by_text("The config", exact=True).click()
    config, table = page.locator("#play-config pre").all_text_contents()
    run = trained_again({"config": config, "table": table}, tmp_path)
    shown = float(re.search(r"train loss (\S+)", config)[1])
    assert shown == pytest.approx(run.history["train_loss"][-1], rel=1e-12)
    page.reload()
    expect(typed).to_have_value("-0.5,0,A\n-0.4,-0.2,A\n0.5,0,B\n0.4,0.2,B")
    page.locator("#play-which").select_option("removes")
    large.scroll_into_view_if_needed()
    box = large.bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    expect(typed).to_have_value("-0.4,-0.2,A\n0.5,0,B\n0.4,0.2,B")


@pytest.mark.parametrize("mark", ["?", "#"])
def test_settings_are_in_the_address(visit, mark) -> None:
    """It begins with them, also after a reload; those that cannot be used are said and left out."""
    page = visit(f"{mark}data=xor&layers=2,3,2&rate=0.5&noise=0.25&activation=linear")
    expect(page.locator("#play-data")).to_have_value("xor")
    expect(page.locator("[data-setting=noise]")).to_have_value("0.25")
    expect(page.locator("[data-setting=activation]")).to_have_value("linear")
    expect(page.locator("#play-depth")).to_have_text("3")
    put(page, "batch_size", "5")
    expect(page).to_have_url(re.compile(r"\bbatch_size=5$"))
    page.reload()
    expect(page.locator("[data-setting=batch_size]")).to_have_value("5")
    expect(page.locator("#play-depth")).to_have_text("3")
    page = visit(f"{mark}data=moons&layers=a&rate=x&noise=0.5")
    expect(page.locator("#play-error")).to_contain_text("each layer needs 1 to 16 units")
    expect(page.locator("#play-error")).to_contain_text("Learning rate: a number above 0")
    expect(page.locator("[data-setting=noise]")).to_have_value("0.5")
    assert 10 == page.locator(".unit").count()
    page = visit(f"{mark}data=iris")
    expect(page.locator("#play-error")).to_contain_text("there are circles, moons")


def test_what_is_typed_stays_while_it_learns(visit) -> None:
    """Pictures and other changes leave it, and Play is not undone."""
    page = visit("#data=sine")
    page.get_by_role("button", name="Play").click()
    batch = page.locator("[data-setting=batch_size]")
    batch.fill("")
    batch.press_sequentially("3")
    before = iteration(page)
    until(lambda: iteration(page) > before)
    batch.press_sequentially("2")
    batch.press("Enter")
    expect(page).to_have_url(re.compile(r"batch_size=32$"))
    page.locator("#play-data").select_option("xor")
    expect(page).to_have_url(re.compile(r"data=xor&batch_size=32$"))
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_network_that_diverges_pauses(visit) -> None:
    """With what has happened in words, at its last sound update; who wants less motion sees fewer
    pictures.
    """
    page = visit("#data=sine", reduced_motion="reduce")
    page.evaluate(
        "window.drawn = []; new MutationObserver(() => { drawn.push(performance.now()); }).observe("
        "document.getElementById('play-iteration'), { childList: true })"
    )
    page.get_by_role("button", name="Play").click()
    until(lambda: page.evaluate("drawn.length > 2"))
    assert 1000 < page.evaluate("drawn[2] - drawn[0]")  # twice as long, but for drawing itself
    page.locator("[data-setting=activation]").select_option("relu")
    expect(page.locator("#play-said")).to_contain_text("All weights stay.")
    put(page, "rate", "1e200")
    expect(page.locator("#play-error")).to_have_text(re.compile("diverged at iteration"))
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    at, back = (
        int(text.replace(",", ""))
        for text in re.findall(r"iteration ([\d,]+)", page.locator("#play-error").text_content())
    )
    assert at - 1 == back == iteration(page)
    axis, highest = page.locator("#play-curve"), page.locator("#play-curve text").first
    assert axis.bounding_box()["x"] <= highest.bounding_box()["x"]


def test_a_network_goes_back_to_its_last_sound_update(visit) -> None:
    """Not to the last picture before, and with that update's weights."""
    page = visit()
    trouble, iterations, weights, again = page.evaluate(
        """() => {
            const made = () => new nnrunSession.Session("sine", { rate: 0.12, layers: [3],
                activation: ["square"] });
            const session = made(), other = made();
            session.advance(1000);
            other.advance(session.training.iteration);
            return [session.trouble, session.training.iteration, [...session.training.theta],
                [...other.training.theta]];
        }"""
    )
    assert 1 < iterations < 1000
    assert f"diverged at iteration {iterations + 1}," in trouble
    assert weights == again
