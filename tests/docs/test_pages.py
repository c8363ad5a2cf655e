"""Pages of the documentation and lessons of the course: their code, output and numbers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from nnrun.course.files import NUMBERS, configs
from nnrun.plugins import unload
from nnrun.reports.reference.site import LESSONS, PAGES, PICTURES, anchors, lessons, pages
from tests.docs.examples import DOCS, PLACES, ROOT, blocks, commands, read
from tests.forked import nnrun
from tests.lab import invoke, invoke_well, refused
from tests.sweeps.cluster import Cluster

# What the pages show is what happens, and what they lead to is there.

WITH_COMMANDS = [name for name, path in PLACES.items() if [*commands(read(path))]]
CONFIGS = {
    config.partition("\n")[0]: config
    for path in PLACES.values()
    for config in blocks(read(path), "yaml")
}
_ADDRESS = "tcp://scheduler:8786"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_every_file_is_a_page_or_a_picture():
    """None is forgotten in the lists, and none is missing."""
    names = {f"{name}.md" for name in PAGES} | {*PICTURES, "course"}
    assert names == {path.name for path in DOCS.iterdir()}


@pytest.mark.parametrize("page", pages(), ids=PAGES)
def test_a_page_begins_with_what_it_is_about(page):
    """A title, and one sentence that lists of pages show."""
    assert page.title
    first = page.text.split("\n\n")[0]
    assert first == page.topic.summary
    assert first.endswith(".")


def test_every_other_page_leads_to_the_glossary():
    """Lessons, too: in the terminal and on the site."""
    linked = [page.name for page in (*pages(), *lessons()) if "glossary.md)" in page.text]
    assert [name for name in (*PAGES, *LESSONS) if name != "glossary"] == linked


@pytest.mark.parametrize("name", PLACES)
def test_links_lead_somewhere(name):
    """To files that are there, and to headings that they have; pages lead to pages alone."""
    path = PLACES[name]
    for link in _LINK.findall(read(path)):
        if link.startswith("https://"):
            continue
        place, _, anchor = link.partition("#")
        target = path.parent / place if place else path
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(read(target)), link
        if path.parent == DOCS:
            assert target.resolve().parent in (DOCS, DOCS / "course"), link


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_work(name, folder):
    """One after the other, in a folder with the files and runs that they name."""
    text = read(PLACES[name])
    if _ADDRESS in text:
        run_on_a_cluster(text, folder)
        return
    for words in map(with_few_seeds, commands(text)):
        done = invoke(*words)
        assert (words, 0) == (words, done.code), done.said


def with_few_seeds(words: list[str]) -> list[str]:
    """The command with three seeds at most, since more are more of the same; the default is ten."""
    found = [*words]
    if "--beside" in words and "--seeds" not in words:
        return [*words, "--seeds", "3"]
    for at, word in enumerate(words):
        if word == "--seeds":
            found[at + 1] = str(min(int(words[at + 1]), 3))
    return found


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_fit_a_terminal(name):
    """A line is not broken at 80 columns, where `nnrun help` shows the page."""
    lines = [line for block in blocks(read(PLACES[name])) for line in block.splitlines()]
    assert [] == [line for line in lines if len(line) > 78 and name != "README"]


def run_on_a_cluster(text: str, folder: Path) -> None:
    """Those that name a cluster in processes of their own, since Dask would change this one."""
    (folder / "cluster").mkdir()
    cluster = Cluster(folder / "cluster")
    try:
        for shown in map(with_few_seeds, commands(text)):
            if _ADDRESS not in shown:
                done = invoke(*shown)
                assert (shown, 0) == (shown, done.code), done.said
                continue
            words = [cluster.address if word == _ADDRESS else word for word in shown]
            ended = nnrun(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            output, _ = ended.communicate()
            assert (words, 0) == (words, ended.returncode), output
    finally:
        cluster.close()


@pytest.mark.parametrize("tasks", [range(1, 11), [5, 7, 8, 9]], ids=["all", "some"])
def test_an_array_of_jobs_has_the_shards_that_its_tasks_name(tasks, tmp_path):
    """All, or those that a board says are missing: SLURM counts the tasks that are started."""
    shown = blocks(read(PLACES["clusters"]), "text")
    script = next(block for block in shown if "#SBATCH --array=1-10\n" in block)
    command = tmp_path / "nnrun"
    command.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    command.chmod(0o700)
    there = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_COUNT": str(len(tasks))}
    for task in tasks:
        variables = there | {"SLURM_ARRAY_TASK_ID": str(task)}
        told = subprocess.check_output(["bash", "-c", script], env=variables, text=True).split()
        assert ["--shard", f"{task}/10"] == told[-2:]


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_are_valid(name, folder):
    """Each is whole and has its file's name in the first line; the same name is the same text."""
    path = Path(name.removeprefix("# "))
    assert CONFIGS[name] == read(path)
    plugins = (
        word for file in ("squash", "curves", "stripes") for word in ("--plugin", f"{file}.py")
    )
    invoke_well("check", str(path), *plugins)


def test_the_mistake_looks_as_it_is_shown(folder):
    """Place, message, suggestion and caret are those of the README and the tutorial."""
    path = Path("first.yaml")
    path.write_text(read(path).replace("[relu", "[rleu"))
    message = refused("check", str(path))
    lines = [line.strip() for line in message.splitlines()]
    for name in ("README", "tutorial"):
        shown = read(PLACES[name]).partition("first.yaml:3:41")
        shown = (shown[1] + shown[2]).partition("```")[0]
        assert lines == [line.strip() for line in shown.strip().splitlines()]


def run_python(name: str) -> dict[str, object]:
    """What the Python of a page has defined in the end, one piece after the other."""
    names: dict[str, object] = {}
    for code in blocks(read(PLACES[name]), "python"):
        exec(code, names)
    return names


def test_the_python_of_pages_is_known():
    """Each of these has a test below; those about data and series, and files of plugins, write what
    commands name.
    """
    shown = {name for name, path in PLACES.items() if blocks(read(path), "python")}
    assert {"README", "data", "notebooks", "plugins", "results", "series"} == shown


def test_python_of_the_readme_gives_what_it_says(folder):
    """Miles per gallon of one car, and ten seeds of two learning rates."""
    names = run_python("README")
    assert (1,) == names["miles"].shape
    assert [10, 10] == [row.completed for row in names["board"].groups[0].rows]


def test_python_in_the_guide_gives_what_it_says(folder):
    """The sweep of 20 seeds trains ten, since the others were in the sweep before."""
    names = run_python("notebooks")
    assert (1, 1, 4, 4) == names["dx"].shape
    assert (2,) == names["miles"].shape
    assert names["run"].record == names["same"].record
    assert [10, 10] == [row.completed for row in names["board"].groups[0].rows]
    assert 10 == names["more"].trained
    assert [] == [*names["board"].failures, *names["more"].failures]


def test_python_about_plugins_trains_with_one(folder):
    """The blocks that are no files load one and train."""
    try:
        names: dict[str, object] = {}
        for code in blocks(read(PLACES["plugins"]), "python"):
            if not code.startswith("# "):
                exec(code, names)
        assert ["squash"] == [part["name"] for part in names["run"].record.plugins]
    finally:
        unload()


def test_python_about_watched_runs_has_their_numbers(folder):
    """A ratio for each look and parameter, of the run that the page trains."""
    words = ["train", "first.yaml", "training.watch=true"]
    invoke_well(*words)
    watched = run_python("results")["watched"]
    assert (len(watched.iterations), 4) == watched.ratios.shape


def test_files_of_the_repository_are_there():
    """What pages name of it in code, since an installed nnrun has no links to it."""
    named = {
        place
        for name in PAGES
        for place in re.findall(
            r"`((?:results|configs|tests)/[\w/]+(?:\.\w+)?)`", read(PLACES[name])
        )
    }
    assert named
    assert [] == [place for place in named if not (ROOT / place).exists()]


# The lessons of the course: their commands print what they show, and their configs are files.

COURSE = DOCS / "course"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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


def test_a_lesson_is_a_notebook(tmp_path, monkeypatch):
    """With all its text, a cell for each command, and the exercise before its grade."""
    monkeypatch.chdir(tmp_path)
    invoke_well("help", "course", "-o", "notebooks", "--notebooks")
    for page in lessons():
        notebook = json.loads(read(Path("notebooks", f"{page.name}.ipynb")))
        cells = [each["source"] for each in notebook["cells"] if each["cell_type"] == "code"][1:]
        shown = [line for lines, _ in steps(page.text) for line in lines]
        written = [each for each in cells if each.startswith("%%writefile ")]
        assert len(shown) == len(cells) - len(written)
        number = int(page.name.removeprefix("lesson-"))
        for each in written:
            name, _, text = each.removeprefix("%%writefile ").partition("\n")
            assert configs(number)[name] == f"{text}\n"
    assert "--notebooks writes the course" in refused("help", "tutorial", "--notebooks")


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
    done = invoke("help", "lesson-4", COLUMNS="80")
    assert "lesson-4  lesson" == done.out.splitlines()[0]
    assert "nnrun help lesson-5" in " ".join(done.out.split())
    shown = [body for language, body in _BLOCK.findall(lessons()[3].text) if language == "text"]
    assert shown[1] in done.out


def test_lessons_write_their_files(tmp_path, monkeypatch):
    """Their own alone; a second time nothing is overwritten, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    done = invoke_well("init", "--lesson", "3")
    assert "wrote lesson-3.yaml and exercise-3.yaml; now" == done.err.splitlines()[0]
    assert configs(3) == {path.name: read(path) for path in Path().iterdir()}
    Path("lesson-3.yaml").unlink()
    done = invoke("init", "--lesson", "3")
    says = "error: --lesson 3: exercise-3.yaml exists already, and nothing is overwritten\n"
    assert (2, says) == (done.code, done.err)
    assert ["exercise-3.yaml"] == [path.name for path in Path().iterdir()]
    assert "--lesson writes the files of a lesson; leave 'mine' out" in refused(
        "init", "mine", "--lesson", "3"
    )
