"""Pages as HTML: their parts, marks, and links."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import textwrap
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from nnrun.cli.report import find_runs
from nnrun.reports.html.report import Report, render
from nnrun.reports.html.runs import config_blocks
from nnrun.runs.storage.reading import read_run
from nnrun.sweeps.planning.variants import Datasets
from tests.lab import invoke_well
from tests.reports.conftest import with_report

# One file that is safe to open, and the same for the same results.

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "div"),
    *("section", "h1", "h2", "h3", "h4", "p", "ul", "li", "a", "span", "bdi", "code", "pre"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details"),
    *("summary", "dl", "dt", "dd", "img", "script", "wbr", "strong"),
    *("svg", "g", "path", "text", "rect", "circle", "image"),
}
WORDS = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "' onmouseover='alert(1)",
    "{{7*7}}{% raw %}",
    "</svg></table></details>",
    "\u202eright to left\u202c \u05d0\u05d1",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</style><style>*{display:none}",
    "]]>--><!--",
]


class Page(HTMLParser):
    """What a browser would find: elements, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(name, value or "") for name, value in attrs]
        self.inside = tag

    def handle_data(self, data):
        if self.inside not in ("style", "script"):
            self.words.append(data)

    def of(self, name: str) -> list[str]:
        return [value for known, value in self.attributes if known == name]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def test_it_asks_for_nothing_outside(page) -> None:
    """No address of any network, no file: pictures are in it, links lead within it."""
    found = Page(page)
    assert [] == [v for v in found.of("src") if not v.startswith("data:image/png;base64,")]
    assert [] == [v for v in found.of("href") if not v.startswith(("#", "data:image/png;base64,"))]
    plain = re.sub(r"base64,[\w+/=]*", "", page)
    assert not re.search(r"https?:|[^:]//\w|url\(|@import", plain)


def test_its_policy_allows_its_own_style_and_script_alone(page) -> None:
    """By their hashes; there are no style attributes and no handlers that it would refuse."""
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    hashes = []
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        hashes.append(f"{tag}-src &#39;sha256-{digest}&#39;")
    assert "; ".join(["default-src &#39;none&#39;", *hashes, "img-src data:"]) in policy
    found = Page(page)
    assert [] == found.of("style") + [n for n, _ in found.attributes if n.startswith("on")]


def test_every_link_leads_somewhere_and_every_id_is_one(page) -> None:
    """Cells of a confusion matrix and best runs among them."""
    found = Page(page)
    ids, links = found.of("id"), [v[1:] for v in found.of("href") if v.startswith("#")]
    assert len(ids) == len(set(ids))
    assert set() == set(links) - set(ids)
    assert [link for link in links if re.fullmatch(r"run-\d+-\d+-\d+", link)]


def test_the_script_is_small(page) -> None:
    """It is sent with every report."""
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) < 20_000


def test_the_same_results_make_the_same_bytes(results, tmp_path) -> None:
    """In other processes, whatever their hash seed, their folder and the kernels of their BLAS."""
    moved = tmp_path / "elsewhere"
    subprocess.run(["cp", "-r", str(results), str(moved)], check=True)
    files = []
    for seed, root in (("1", results), ("2", moved)):
        file = tmp_path / f"{seed}.html"
        command = [sys.executable, "-m", "nnrun", "report", "-q", "-o", str(file)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        if seed == "2":  # as on a machine that is older
            environment["OPENBLAS_CORETYPE"] = "Nehalem"
        subprocess.run([*command, "--results", str(root)], check=True, env=environment)
        files.append(file.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("fold", range(4))
def test_hostile_words_stay_words(results, make_report, tmp_path, fold) -> None:
    """200 descriptions, classes, data sets, columns and errors: they add no element."""
    source = next((results / "flowers").iterdir())
    report = json.loads((source / "report.json").read_text())
    root = tmp_path / "results"
    for index in range(10):
        number = 50 * fold + 5 * index
        words = [f"{number + k} {WORDS[(number + k + fold) % 10]}" for k in range(5)]
        words[fold] += "w" * 10_000
        config = json.loads(json.dumps(report["config"]))
        config["dataset"]["columns"] = {"target": words[0], "drop": [words[1]]}
        config["published"] = {"source": words[2]}
        with_report(
            source, root / "hostile" / f"s{index}-00000000{fold}{index}",
            description=words[3], seed=index, config=config,
            dataset={**report["dataset"], "name": words[4], "classes": words[:3]},
            status="failed" if index == 3 else "completed", error=words[1],
            published=[{"metric": f"test_{words[2]}", "published": 1, "ours": 2, "difference": 1}],
            environment={words[0]: words[1], "packages": {words[2]: words[3]}},
        )  # fmt: skip
    text = render(make_report(root))
    found = Page(text)
    assert set() == set(found.tags) - TAGS
    assert (1, 1, 0) == (found.tags["script"], found.tags["style"], text.count("49{%"))
    assert [] == [name for name, _ in found.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in found.text
    assert "{{7*7}}" in found.text
    assert not any(c in text for c in "\u202e\u202d")
    assert len(text) < 3_000_000


def test_hostile_columns_and_classes_stay_words(make_report, tmp_path) -> None:
    """Those of a real table: in what is misclassified, in weights, on axes."""
    names = [f"{index}{word}" for index, word in enumerate(WORDS[:2])]
    lines = [[*names, "side"]]
    lines += [[f"{k % 7}", f"{k % 5}", f"{WORDS[2 + k % 4]}"] for k in range(60)]
    with (tmp_path / "odd.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    config = """
        dataset: {path: odd.csv, columns: {target: side}, task: classification}
        network: {sizes: [3, 4], activations: [tanh, softmax]}
        loss: cross_entropy
        training: {learning_rate: 0.1, iterations: 20, batch_size: 8, engine: numpy}
    """
    (tmp_path / "odd.yaml").write_text(textwrap.dedent(config))
    words = ["train", str(tmp_path / "odd.yaml"), "--results", str(tmp_path / "results"), "-q"]
    invoke_well(*words)
    found = Page(render(make_report(tmp_path / "results")))
    assert set() == set(found.tags) - TAGS
    assert [] == [name for name, _ in found.attributes if name.startswith("on")]
    assert "0<script>alert(1)</script>" in found.text
    assert (
        "predicted as {{7*7}}{% raw %}" in found.text
        or "{{7*7}}{% raw %} predicted as" in found.text
    )


# The parts of a page: what comes first, what is folded, and what is printed in brief.

NOTE = "Feature B encodes the share of Black residents by town"


def links(page: str) -> list[str]:
    bar = page.partition('<nav class="bar"')[2].partition("</nav>")[0]
    return re.findall(r">([^<>]+)</a>", bar)


@pytest.fixture(scope="module")
def houses(results) -> str:
    """The page of the one run on the Boston data."""
    found = find_runs((str(results / "houses"),), results)
    return render(Report(found, Datasets().load))


def test_parts_have_short_names(page, houses) -> None:
    """And the verdict is the first of them; of one run they are the parts of its details."""
    assert ["↑", "Best", "Board", "Curves", "Settings", "Runs"] == links(page)
    parts = ["↑", "Summary", "Result", "Which columns count", "Learning curves", "Predictions"]
    assert parts == links(houses)[:6]


def test_the_verdict_is_first(page, houses) -> None:
    """A card for each board leads the page, of one run its verdict."""
    first = page.partition("<main>")[2].partition('<section id="board">')[0]
    leads = re.findall(r"<h3><bdi>([^<:]+)[^<]*</bdi></h3>", first)
    assert ["boston", "iris", "moons, side", "digits", "Other runs"] == leads
    own = houses.partition("<main>")[2].partition("</section>")[0]
    assert ["Result", "Others"] == re.findall(r"<strong><bdi>([^<]+)</bdi>:</strong>", own)[:2]


@pytest.mark.parametrize("brief", [False, True])
def test_the_note_on_a_data_set_is_in_every_form(results, houses, brief) -> None:
    """Of many runs once beside the verdict, of one with its result; in brief as well."""
    whole = Report(find_runs((), results), Datasets().load, brief=brief)
    first = render(whole).partition("<main>")[2].partition('<section id="board">')[0]
    assert (1, 1) == (first.count(NOTE), houses.count(NOTE))
    alone = Report(find_runs((str(results / "houses"),), results), Datasets().load, brief=brief)
    assert 1 == render(alone).count(NOTE)


def test_in_brief_there_are_no_details(results) -> None:
    """Of several runs; of one, what is seldom read is left out."""
    whole = render(Report(find_runs((), results), Datasets().load, brief=True))
    assert ('<details class="run"' in whole, "Details of" in whole) == (False, False)
    found = find_runs((str(results / "houses"),), results)
    report = Report(found, Datasets().load, brief=True)
    (run,) = report.runs()
    titles = [section.title for section in run.sections]
    assert ["Result", "Learning curves", "Predictions", "Config"] == titles


def test_the_environment_is_folded(houses) -> None:
    """It is there, and closed."""
    fold = re.search(r'<details class="fold">\s*<summary>Environment and digests', houses)
    assert fold is not None
    assert "SHA-256 of the weights" in houses


def test_runs_are_listed_by_place(page) -> None:
    """In the table of all, then those without a place; the closed cards are in the same order."""
    runs = page.partition('<section id="runs">')[2]
    cards = re.findall(r'<summary><span class="place">(\d+)</span>.*?<bdi>(.*?)</bdi>', runs)
    flowers = [int(place) for place, name in cards if name.startswith("flowers")]
    assert (8, sorted(flowers)) == (len(flowers), flowers)
    keys = re.findall(r'<th scope="row">(?:<a [^>]+>)?<bdi>([^</]+/s[^<]+)<', runs)
    unreadable = ["broken/s3-00000000cc", "broken/s4-00000000dd", "broken/s5-00000000ee"]
    assert unreadable == sorted(keys[-3:])


def test_early_stopping_by_its_defaults_is_a_choice(results) -> None:
    """It is off by default, so that a run with it does not look like one without."""
    record = read_run(next((results / "houses").iterdir())).record
    config = json.loads(json.dumps(record.config))
    config["dataset"]["validation_size"] = 0.2
    stopping = {"monitor": "validation_loss", "patience": 5, "restore_best": True}
    config["training"]["early_stopping"] = stopping
    (settings,) = config_blocks(replace(record, config=config), [])
    chosen = {one.key for one in settings.chosen}
    assert {f"training.early_stopping.{key}" for key in stopping} <= chosen
