"""`nnrun help`: pages on the terminal, and as a site."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nnrun.cli import COMMANDS
from nnrun.reports.reference.site import LESSONS, PAGES, PICTURES
from nnrun.reports.reference.topics import topics
from tests.lab import invoke

HTML = [f"{name}.html" for name in ("index", *PAGES, *LESSONS, "reference")]


def help_of(*words: str):
    return invoke("help", *words, COLUMNS="100")


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """The site, written into a new folder."""
    monkeypatch.chdir(tmp_path)
    done = help_of("-o", "site")
    assert (0, "wrote site/index.html and what it leads to\n") == (done.code, done.err)
    return Path("site")


class Reader(HTMLParser):
    """What a page refers to, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.files: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.anchors += [names["id"]] if "id" in names else []
        self.links += [names["href"]] if tag == "a" else []
        self.files += [names[key] for key in ("src", "href") if key in names and tag != "a"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_on_the_terminal(name):
    """Its text; in the place of links what to type, in that of pictures what they show."""
    done = help_of(name)
    assert 0 == done.code
    assert f"{name}  page" == done.out.splitlines()[0]
    assert not re.search(r"\]\(|\([\w-]+\.(md|png|svg)\b|<!--", done.out)


def test_links_say_what_to_type():
    """A page by its name for `nnrun help`."""
    assert "See results (nnrun help results)" in " ".join(
        help_of("tutorial").out.replace("see results", "See results").split()
    )
    assert "(Picture: The floors of nnrun" in help_of("inside").out


def test_pages_are_found_by_their_words():
    """Beside the topics of the reference; they stand first in the overview."""
    assert "pages" == help_of().out.split()[0]
    assert "course-notebook  page" in help_of("Jacobian").out
    data = json.loads(help_of("--json").out)
    assert list(PAGES) == [topic["name"] for topic in data if topic["kind"] == "page"]


def test_the_site_is_whole(site):
    """Every link leads to a file of the site and an anchor of it, and nothing is fetched."""
    names = {*HTML, "playground.html"}
    assert {*names, *PICTURES, "site.css", "site.js"} == {path.name for path in site.iterdir()}
    read = {name: Reader(site / name) for name in names}
    for name, page in read.items():
        assert len(page.anchors) == len(set(page.anchors)), name
        files = {*page.files} - {"data:,"}
        assert [] == [file for file in files if not (site / file).is_file()]
        for link in page.links:
            target, _, anchor = link.partition("#")
            assert not anchor or anchor in read[target or name].anchors, link
            assert (target or name) in read, link


def test_the_site_has_the_whole_reference(site):
    """Every topic has its heading and a link to it."""
    text = (site / "reference.html").read_text(encoding="utf-8")
    headings = re.findall(r'<h3 id="([^"]+)">', text)
    assert len(topics()) + len(COMMANDS) == len(headings)
    assert [] == [name for name in headings if f'<a href="#{name}">' not in text]
    assert "x̂ = (x - μ) / sqrt(σ² + ε)" in text


def test_the_search_knows_every_page_and_topic(site):
    """Its entries lead to anchors that are there."""
    script = (site / "site.js").read_text(encoding="utf-8")
    entries = json.loads(script.partition(" = ")[2].partition(";\n")[0])
    read = {name: set(Reader(site / name).anchors) for name in HTML}
    places = [entry["url"].partition("#") for entry in entries]
    assert [] == [place for place in places if place[2] and place[2] not in read[place[0]]]
    assert {*HTML} - {"index.html"} == {place[0] for place in places}
    assert any("Jacobian" in entry["text"] for entry in entries)


def test_the_same_site_twice_is_the_same(site):
    """It can be written again over itself, to the last byte."""
    before = {path.name: path.read_bytes() for path in site.iterdir()}
    assert 0 == help_of("-o", "site").code
    assert before == {path.name: path.read_bytes() for path in site.iterdir()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("dense", "-o", "site"), "-o writes all there is; leave 'dense' out"),
        (("-o", "site.html"), "-o site.html: is the name of a file; name a folder for the site"),
        (("-o", "file"), "-o file: is the name of a file; name a folder for the site"),
        (("-o", "full"), "-o full: holds mine.txt, which is not of the site; name another"),
    ],
)
def test_mistakes_leave_nothing(tmp_path, monkeypatch, words, expected):
    """Exit 2; a folder with other files stays as it is."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    done = help_of(*words)
    assert (2, f"error: {expected}\n") == (done.code, done.err)
    assert {"file", "full"} == {path.name for path in Path().iterdir()}
    assert ["mine.txt"] == [path.name for path in Path("full").iterdir()]
