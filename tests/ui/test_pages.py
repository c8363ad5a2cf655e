"""The pages, as they are answered."""

from __future__ import annotations

import re
import shutil

from nnrun.runs.storage.sealed import sealed_json
from nnrun.ui.watcher import rendered
from tests.ui.asking import SECRET
from tests.ui.conftest import run_of
from tests.waiting import until


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
    """In the words of its space, as the list in the terminal does."""
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
    assert [f"depth={n}" for n in range(8)] == sorted({*re.findall(r"depth=\d", text)})
    assert "learning_rate" not in text.partition("<tbody>")[2]


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
