"""The lessons of the course: their commands print what they show, and their configs are files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from nnrun.course.files import NUMBERS, configs
from nnrun.plugins import unload
from nnrun.reports.reference.site import anchors, lessons
from tests.docs.examples import DOCS, blocks, read
from tests.lab import invoke, invoke_well, refused

COURSE = DOCS / "course"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_REST = "…"


def steps(text: str) -> list[tuple[list[str], list[str]]]:
    """Commands, each block with the lines that the last of it prints; these may be none."""
    found: list[tuple[list[str], list[str]]] = []
    for language, body in _BLOCK.findall(text):
        if language == "":
            found.append((body.splitlines(), []))
        elif language == "text" and found and not body.startswith("nnrun "):
            found[-1] = (found[-1][0], body.splitlines())
    return found


def unprinted(shown: list[str], printed: str) -> list[str]:
    """The shown lines that are not printed in this order.

    Lines stand next to each other, or have … between them; at the end of a line it stands for more.
    """
    lines, at, free = [line.rstrip() for line in printed.splitlines()], 0, True
    for index, line in enumerate(shown):
        if line == _REST:
            free = True
            continue
        whole = not line.endswith(_REST)
        part = line.removesuffix(_REST).rstrip()
        found = next(
            (
                place
                for place in range(at, len(lines) if free else min(at + 1, len(lines)))
                if (lines[place] == part if whole else lines[place].startswith(part))
            ),
            None,
        )
        if found is None:
            return shown[index:]
        at, free = found + 1, False
    return []


@pytest.fixture
def plugins():
    """Unloads what a lesson loads."""
    yield
    unload()


@pytest.mark.parametrize("number", NUMBERS)
def test_commands_print_what_is_shown(number, tmp_path, monkeypatch, plugins):
    """In a clean folder and 80 columns; those whose error is shown fail, and no others do."""
    monkeypatch.chdir(tmp_path)
    for lines, shown in steps(read(COURSE / f"lesson-{number}.md")):
        for index, line in enumerate(lines):
            done = invoke(*shlex.split(line)[1:], COLUMNS="80")
            mine = shown if index == len(lines) - 1 else []
            fails = any(shows.startswith("error: ") for shows in mine)
            assert (line, fails) == (line, done.code != 0), done.said
            assert [] == unprinted(mine, done.said), done.said


@pytest.mark.parametrize("number", NUMBERS)
def test_the_config_is_the_file(number):
    """A lesson shows the config that `nnrun init` writes."""
    (shown,) = blocks(read(COURSE / f"lesson-{number}.md"), "yaml")
    name, _, text = shown.partition("\n")
    assert configs(number)[name.removeprefix("# ")] == text


def test_every_file_belongs_to_a_lesson():
    """None is forgotten, and none is missing."""
    names = {name for number in NUMBERS for name in (*configs(number), f"lesson-{number}.md")}
    assert names == {path.name for path in COURSE.iterdir()}


@pytest.mark.parametrize("page", lessons(), ids=lambda page: page.name)
def test_a_lesson_is_a_page(page):
    """A title, a first sentence, blocks that fit a terminal, and links that lead somewhere."""
    assert page.title.startswith(f"Lesson {page.name.removeprefix('lesson-')}: ")
    assert page.text.split("\n\n")[0] == page.topic.summary
    fixed = [line for _, body in _BLOCK.findall(page.text) for line in body.splitlines()]
    assert [] == [line for line in fixed if len(line) > 80]
    for link in _LINK.findall(page.text):
        place, _, anchor = link.partition("#")
        target = (COURSE / place).resolve()
        assert target.is_file(), link
        assert target.parent in (DOCS, COURSE), link
        assert not anchor or anchor in anchors(read(target)), link


def test_lines_are_compared():
    """Of the comparison itself: order, neighbours, and what is left out."""
    printed = "one\ntwo  \nthree\nfour"
    assert [] == unprinted(["one", "two", "…", "fo…"], printed)
    assert ["three"] == unprinted(["one", "three"], printed)
    assert ["one"] == unprinted(["two", "…", "one"], printed)
    assert ["thre"] == unprinted(["…", "thre"], printed)


def test_the_course_lists_its_lessons():
    """In order, each once."""
    links = re.findall(r"course/(lesson-\d+)\.md", read(DOCS / "course.md"))
    assert [page.name for page in lessons()] == links


def test_a_lesson_is_found_on_the_terminal():
    """By its name, with its text."""
    done = invoke("help", "lesson-3", COLUMNS="80")
    assert "lesson-3  lesson" == done.out.splitlines()[0]
    assert "nnrun help lesson-4" in " ".join(done.out.split())
    shown = [body for language, body in _BLOCK.findall(lessons()[2].text) if language == "text"]
    assert shown[1] in done.out


def test_lessons_write_their_files(tmp_path, monkeypatch):
    """Their own alone; a second time nothing is overwritten, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    done = invoke_well("init", "--lesson", "2")
    assert "wrote lesson-2.yaml and exercise-2.yaml; now" == done.err.splitlines()[0]
    assert configs(2) == {path.name: read(path) for path in Path().iterdir()}
    Path("lesson-2.yaml").unlink()
    done = invoke("init", "--lesson", "2")
    says = "error: --lesson 2: exercise-2.yaml exists already, and nothing is overwritten\n"
    assert (2, says) == (done.code, done.err)
    assert ["exercise-2.yaml"] == [path.name for path in Path().iterdir()]
    assert "--lesson writes the files of a lesson; leave 'mine' out" in refused(
        "init", "mine", "--lesson", "2"
    )
