"""One file that is safe to open, and the same for the same results."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import textwrap
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from nnrun.reports.html.report import render
from tests.lab import invoke_well
from tests.reports.html.conftest import with_report

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
