"""Pages of `nnrun ui`, also of hostile results."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from nnrun.reports.html.overview import Found
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.sealed import sealed_json
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.ui.access import HEADERS
from nnrun.ui.pages import ROUTES
from nnrun.ui.watcher import Snapshot, counted, draw_now, overview_parts, rendered
from tests.reports.conftest import with_report
from tests.reports.test_html_page import WORDS
from tests.ui.asking import ORIGIN, SECRET
from tests.ui.conftest import run_of
from tests.waiting import until

# The pages, as they are answered.


def test_the_first_page_is_the_report(asker, results):
    """Counts, leaderboards and curves as in the file, and the newest runs; links lead to pages."""
    page = asker.get("/")
    assert (200, "text/html; charset=utf-8") == (page.status, page.headers["content-type"])
    asker.watcher.fresh(drawn_within=20)
    text = asker.get("/").text
    for words in ("17 runs", "iris", "Learning curves", "Settings of flowers", 'class="chart'):
        assert words in text, words
    assert f'href="runs/{run_of(results, "houses")}"' in text
    assert not re.search(r'(href|src)="https?:', text)


def test_a_run_has_a_page(asker, results):
    """With its parts as in the file."""
    key = run_of(results, "pictures")
    text = asker.get(f"/runs/{key}").text
    for words in (key, ">Result<", ">Learning curves<", ">Predictions<", ">Config<", 'id="try"'):
        assert words in text, words


def test_every_run_has_a_page_whatever_became_of_it(asker, results):
    """Damaged, failed, interrupted, diverged."""
    for name in ("broken", "wild"):
        for folder in (results / name).iterdir():
            page = asker.get(f"/runs/{name}/{folder.name}")
            assert (200, True) == (page.status, folder.name in page.text)


def test_what_is_not_there_is_said(asker):
    """With a page and its code, also where no run could be called so."""
    paths = ["/none", "/runs/flowers/s1-0000000000", "/runs/flowers/x", "/runs/..%2f/s1-0000000000",
             "/files/..%2fpage.html", "/runs/.hidden/s1-0000000000"]  # fmt: skip
    for path in paths:
        assert 404 == asker.get(path).status, path


def found_runs(text: str) -> list[str]:
    return re.findall(r'name="run" value="([^"]+)"', text)


def test_runs_are_found_by_words_and_settings(asker):
    """All words in any order; `key=value` as with `nnrun ls --where`."""
    every = found_runs(asker.get("/runs").text)
    assert 17 == len(every) == len({*every})
    some = found_runs(asker.get("/runs?words=flow+COMPLETED").text)
    assert [key for key in every if key.startswith("flowers/")] == some
    half = found_runs(asker.get("/runs?words=flowers+learning_rate%3D0.1").text)
    assert (4, True) == (len(half), {*half} < {*some})
    assert ["wild"] == [k.split("/")[0] for k in found_runs(asker.get("/runs?words=diverged").text)]
    assert "None of 17 runs." in asker.get("/runs?words=nothing").text


def test_a_setting_that_no_run_has_is_said(asker):
    """In words, and no run is shown."""
    page = asker.get("/runs?words=learning_rat%3D1")
    assert (200, []) == (page.status, found_runs(page.text))
    assert "no run has a &#39;learning_rat&#39;" in page.text


def test_runs_of_a_search_show_what_it_chose(results, ask_in, tmp_path):
    """In the words of its space."""
    folder = tmp_path / "results" / "flowers"
    shutil.copytree(results / "flowers", folder)
    names = sorted(place.name for place in folder.iterdir())
    parts = [
        {"choice": {"network.depth": n}, "run_ids": [name], "status": "stopped", "value": None}
        for n, name in enumerate(names)
    ]
    lists = {"trials": parts, "random": [], "finalists": []}
    about = {"schema_version": 1, "metric": "accuracy", "larger_is_better": True}
    found = {**about, **lists, "board": None, "test": None, "winner": None}
    (folder / "search.json").write_bytes(sealed_json(found))
    text = ask_in().get("/runs").text
    assert [f"depth {n}" for n in range(8)] == sorted({*re.findall(r"depth \d", text)})
    assert "learning rate" not in text.partition("<tbody>")[2]


def test_runs_are_ordered(asker):
    """By name, by result, or the newest first; of nonsense, something is shown."""
    named = found_runs(asker.get("/runs?order=name").text)
    best = found_runs(asker.get("/runs?order=result&words=flowers").text)
    assert named == sorted(named, key=lambda key: key.split("-")[0])
    accuracies = re.findall(r"test accuracy ([\d.]+)", asker.get("/runs?order=result").text)
    assert (8, True) == (len(best), [*map(float, accuracies)] != [])
    for query in ("order=x&page=0", "page=99999999999999", "page=-1", "page=x"):
        assert 17 == len(found_runs(asker.get(f"/runs?{query}").text)), query


def test_runs_are_compared(asker, results):
    """What differs, their curves, and the board of their settings."""
    ids = sorted(place.name for place in (results / "flowers").iterdir())[:2]
    text = asker.get("/compare?" + "&".join(f"run=flowers%2F{one}" for one in ids)).text
    for words in ("Settings", "Results", "Curves", "test accuracy", "Learning curves"):
        assert words in text, words
    assert 2 == len(re.findall(rf'<li><a href="/{SECRET}/runs/flowers/', text))


def test_what_cannot_be_compared_is_said(asker, results):
    """One run, none, too many, damaged or invented ones."""
    good = run_of(results, "houses")
    for keys, words in [
        ([], "0 are chosen"),
        ([good], "1 are chosen"),
        ([good, "a/<b>"], "a/&lt;b&gt; has no report"),
        ([good, "broken/s3-00000000cc"], "has no report"),
        ([f"a/{n}" for n in range(40)], "40 are chosen"),
    ]:
        page = asker.get("/compare?" + "&".join(f"run={key}" for key in keys))
        assert (200, True) == (page.status, words in page.text), (keys, page.text)


def test_styles_and_scripts_are_files(asker):
    """Of the types that browsers demand."""
    for name, kind in (("page.css", "text/css"), ("ui.js", "text/javascript")):
        answer = asker.get(f"/files/{name}")
        assert (200, f"{kind}; charset=utf-8") == (answer.status, answer.headers["content-type"])


def test_an_empty_folder_has_a_page(ask_in):
    """Also one that does not exist yet, which is not made."""
    asker = ask_in()
    for path in ("/", "/runs"):
        page = asker.get(path)
        assert (200, True) == (page.status, "There is no run yet" in page.text)
    assert "0 runs" in asker.get("/").text


def test_a_folder_that_is_not_there_is_said(ask_in, tmp_path):
    """Where it was moved away; once it is back and was looked at, it is not said any more."""
    asker, root = ask_in(), tmp_path / "results"
    text = f"there is no folder <bdi>{root}</bdi> now"
    assert text in asker.get("/").text
    root.mkdir()
    until(lambda: text not in asker.get("/").text)


def test_counts_of_many_runs_have_commas():
    """That of each status as that of all."""
    statuses = {"completed": 2000, "failed": 1}
    text = rendered("counts.html", total=2001, statuses=statuses, sweeps=(), missing="")
    assert "2,001 runs" in text
    assert ">2,000 completed<" in text


def test_a_sweep_says_how_many_of_its_runs_are_running(tmp_path):
    """The header counts them as its line does; other runs in progress count by themselves."""
    states = {"a": ["completed", "running", "running", "queued"], "b": ["running", "completed"]}
    runs = [
        Found(tmp_path, RunSummary(name, f"s{n}-0123456789", status, seed=n, rows=(1,)))
        for name, statuses in states.items()
        for n, status in enumerate(statuses)
    ]
    sweep = SweepCounts(["a"], total=9, done=1, failed=0, running=1)
    assert {"completed": 2, "running": 2} == counted(runs, [sweep])
    text = str(overview_parts(Snapshot(runs, [sweep], draw_now(runs, [sweep])))[0].html)
    assert "4 runs" in text
    assert "sweep of a: 1 of 9 done, 1 running, 7 queued" in text


def test_sections_are_there_before_there_are_runs():
    """So that none moves when the first runs come."""
    parts = overview_parts(Snapshot(now=draw_now([], []), drawn=True))
    assert ["counts", "best", "now", "runs"] == [part.id for part in parts]


def test_a_view_has_the_name_of_its_address(asker):
    """As text, on each page with a title."""
    for path in ("/", "/runs", "/compare"):
        text = asker.get(f"{path}?name=%3Cb%3EMine").text
        assert "<h1><bdi>&lt;b&gt;Mine</bdi></h1>" in text


# Results folders that are not what nnrun writes: each page is answered, and nothing changes.

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
