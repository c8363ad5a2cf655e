"""Results folders that are not what nnrun writes: each page is answered, and nothing changes."""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path

import pytest

from nnrun.ui.access import HEADERS
from nnrun.ui.pages import ROUTES
from tests.reports.html.conftest import with_report
from tests.reports.html.test_page import WORDS
from tests.ui.asking import ORIGIN
from tests.ui.conftest import run_of

RUN = "s1-0000000000"


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "report.json")


def fifo_of_progress(folder: Path) -> None:
    os.mkfifo(folder / ".progress.json.partial")
    os.mkfifo(folder / "checkpoint.safetensors")


def link(folder: Path) -> None:
    (folder / "report.json").symlink_to("/etc/passwd")


def loop(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to(folder)


def device(folder: Path) -> None:
    (folder / "report.json").symlink_to("/dev/zero")


def huge(folder: Path) -> None:
    with (folder / "report.json").open("wb") as file:
        file.truncate(1 << 40)


def deep(folder: Path) -> None:
    (folder / "report.json").write_text("[" * 100_000)


def a_folder(folder: Path) -> None:
    (folder / "report.json").mkdir()


@pytest.mark.parametrize("make", [fifo, fifo_of_progress, link, loop, device, huge, deep, a_folder])
def test_odd_files_harm_nothing(ask_in, tmp_path, make):
    """The pages are answered, the run is shown as what it is, and no secret of the disk is."""
    folder = tmp_path / "results" / "odd" / RUN
    folder.mkdir(parents=True)
    make(folder)
    asker = ask_in()
    found = [
        asker.get(path) for path in ("/", "/runs", f"/runs/odd/{RUN}", f"/runs/odd/{RUN}/form")
    ]
    assert {200, 404} >= {page.status for page in found[:3]}
    assert [] == [page for page in found if "root:" in page.text]
    assert 200 == found[0].status


def test_names_and_texts_are_texts(results, ask_in, tmp_path):
    """Markup in every text of a report stays text, on every page."""
    source = results / run_of(results, "flowers")
    report = json.loads((source / "report.json").read_text())
    root = tmp_path / "results"
    for index, word in enumerate(WORDS):
        config = json.loads(json.dumps(report["config"]))
        config["published"] = {"source": word}
        data = {**report["dataset"], "name": word, "classes": [word, "a", "b"]}
        with_report(
            source, root / "hostile" / f"s{index}-0000000000", seed=index, description=word,
            config=config, dataset=data, error=word,
        )  # fmt: skip
    asker = ask_in()
    asker.get("/")
    asker.watcher.fresh(drawn_within=20)
    keys = [f"hostile/s{index}-0000000000" for index in range(2)]
    paths = ["/", "/runs", f"/compare?run={keys[0]}&run={keys[1]}", *(f"/runs/{k}" for k in keys)]
    paths += [f"/runs?words={word}".replace("#", "%23").replace("%", "%25") for word in WORDS]
    for path in paths:
        text = asker.get(path).text
        for word in (w for w in WORDS if "<" in w):
            assert word not in text, (path, word)
        assert html.escape("<script") in text or "<script>" not in text
        assert text.count("<script") <= 3


ODD = [
    "-1", "9" * 4301, "9" * 9, "1e5", "nan", "%D9%A3", "%C2%B2", "%00", "%0a", "%2e%2e", "..", ".",
    "a%2fb", "%ff", "a" * 5000, "%5c", "%3f", "%F0%9F%98%80", "<b>", "{x}", "~", "*", "",
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_odd_addresses_have_answers(asker, results, route):
    """No name, number or query is an error of the server; all answers have the same headers."""
    key = dict(zip(("name", "run_id"), run_of(results, "pictures").split("/"), strict=True))
    names = re.findall(r"{(\w+)}", route.path)
    paths = [route.path.format(**{**key, **dict.fromkeys(names, odd)}) for odd in ODD if names]
    if "{number}" in route.path:
        paths += [route.path.format(**key, number=odd) for odd in ODD]
    if route.path in ("/runs", "/compare", "/playground"):
        texts = [*ODD, "a=" + "9" * 5000, "a=" + "[" * 900, "=", "a=1e999", "seed=%26a+%2aa"]
        names = ("words", "page", "order", "run", "data")
        paths += [f"{route.path}?{name}={odd}" for name in names for odd in texts]
    method = "POST" if "POST" in route.methods else "GET"
    headers = {**ORIGIN, "content-length": "2"}
    found = {path: asker.ask(method, path, headers, b"{}") for path in paths}
    assert [] == [path[:99] for path, answer in found.items() if answer.status >= 500]
    assert [] == [
        path[:99] for path, answer in found.items() if not HEADERS.items() <= answer.headers.items()
    ]


@pytest.mark.parametrize("number", ["9" * 4301, "9" * 10, "-1", "%D9%A3", "1.0", "x"])
def test_a_row_has_a_number(asker, results, number):
    """Thousands of digits, and what is none, are no row."""
    assert 404 == asker.get(f"/runs/{run_of(results, 'pictures')}/row/{number}").status


def tree(root: Path) -> dict[str, tuple[int, int, bytes | None]]:
    return {
        str(path): (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else None,
        )
        for path in [root, *root.rglob("*")]
    }


def test_the_folder_stays_as_it_is(results, ask_in):
    """Every page, answer and event of a server changes no file and no time in the folder."""
    before = tree(results)
    asker = ask_in(results)
    for name in ("flowers", "pictures", "houses", "broken", "wild", "moons"):
        key = run_of(results, name)
        for path in (f"/runs/{key}", f"/runs/{key}/form", f"/runs/{key}/row/0"):
            asker.get(path)
    key = run_of(results, "pictures")
    assert 200 == asker.post(f"/runs/{key}/answer", {"pixels": [0.5] * 64}).status
    ids = sorted(place.name for place in (results / "flowers").iterdir())
    asker.get("/compare?" + "&".join(f"run=flowers/{one}" for one in ids))
    asker.get("/runs?order=result")
    asker.watcher.fresh(drawn_within=20)
    asker.events("/events", lambda events: len(events) == 1)
    assert before == tree(results)
