"""The playground, and predictions tried on its page."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from threading import Thread

import numpy as np
import pandas as pd
import pytest
import yaml

import nnrun
from nnrun.characters import escaped
from nnrun.data.builtin.registry import DATASETS
from nnrun.models.load import load_model as load
from nnrun.reports.charts.chart import RED_BLUE, RED_BLUE_ON_DARK
from nnrun.reports.predictions import last_split, prepared_again
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.playing.session import Session
from nnrun.ui.playing.start import DRAWN
from tests.ui.asking import SECRET
from tests.ui.conftest import run_of

# The playground as its page asks for it.

SMALL = {"data": "circles", "edits": {"rows": 60}}


@pytest.fixture
def patient(monkeypatch):
    """Requests for few updates make all of them, however busy the machine is."""
    monkeypatch.setattr(Session.advance, "__defaults__", (60.0,))


def start(asker, **given):
    answer = asker.post("/playground/start", given or SMALL)
    assert 200 == answer.status, answer.text
    return answer.json


def ask(asker, action, session, **given):
    """What comes back for a session."""
    return asker.post(f"/playground/{action}", {"session": session, **given})


def test_the_page_has_its_controls(asker):
    """All data sets, a link from every page, and no style or script of its own."""
    page = asker.get("/playground").text
    assert [f"<option>{name}</option>" in page for name in DRAWN] == [True] * len(DRAWN)
    assert f'<a href="/{SECRET}/playground" aria-current="page">Playground</a>' in page
    assert (0, 0) == (page.count("style="), len(re.findall(r"<script>|onclick", page)))
    assert f'<a href="/{SECRET}/playground">Playground</a>' in asker.get("/runs").text
    for file in re.findall(r'(?:src|href)="(/files/.*?)"', page):
        assert 200 == asker.get(file).status


def test_signs_have_the_colours_of_reports(asker):
    """Red is negative and blue positive, on light and on dark pages."""
    style = asker.get("/files/play.css").text
    found = re.findall(r"--neg:(#\w+);--pos:(#\w+)", style)
    assert [(ramp[0], ramp[-1]) for ramp in (RED_BLUE, RED_BLUE_ON_DARK)] == found
    page = asker.get("/playground").text
    assert re.search(r'class="negative".*> red: negative<', page)
    assert re.search(r'class="positive".*> blue: positive weight;', page)


def test_a_run_of_two_features_has_a_link(asker, results):
    """Others have none; the page asks for the run's session."""
    key = run_of(results, "moons")
    (link,) = re.findall(r'href="/\w+(/playground\?.*?)"', asker.get(f"/runs/{key}").text)
    assert f'data-run="{key}"' in asker.get(link).text
    assert "/playground?" not in asker.get(f"/runs/{run_of(results, 'houses')}").text
    form = start(asker, run=key)["form"]
    assert (key, False, 2) == (form["title"], form["drawn"], form["outputs"])
    assert {"rows", "layers"} <= {*form["fixed"]}


def test_pictures_are_bytes(asker):
    """Of an output and of units: from -1 to 1 as 0 to 254, the top row first."""
    given = start(asker)
    frame = given["frame"]
    output = np.frombuffer(b64decode(frame["outputs"][0]), np.uint8)
    assert (48 * 48, True) == (output.size, bool(output.max() <= 254))
    units = [len(layer["units"]) for layer in frame["layers"]]
    assert [4, 3] == units == [layer["units"] for layer in given["form"]["layers"]]
    first = frame["layers"][0]
    picture = np.frombuffer(b64decode(first["units"][0]["picture"]), np.uint8).reshape(24, 24)
    (along, up), bias = first["weights"][0], first["biases"][0]
    left, _, _, top = given["form"]["extent"]
    value = np.tanh(along * left + up * top + bias)
    largest = max(abs(first["units"][0]["low"]), abs(first["units"][0]["high"]))
    assert round(127 + 127 * value / largest) == pytest.approx(int(picture[0, 0]), abs=8)


def test_a_session_by_its_page(asker, patient):
    """Play, change, reset, copy: as a page asks for them, one after the other."""
    session = start(asker)["session"]
    frame = ask(asker, "advance", session, updates="epoch").json["frame"]
    assert (3, 1.0) == (frame["iteration"], frame["epoch"])
    frame = ask(asker, "advance", session, updates=2).json["frame"]
    text = ask(asker, "config", session).json["config"]
    run = nnrun.train(yaml.safe_load(text), results=None)
    assert frame["losses"]["test_loss"] == run.history["test_loss"][-1]
    answer = ask(asker, "change", session, edits={"layers": [2]}).json
    assert "fresh weights in layer 0 and the output layer" in answer["said"]
    assert ([2], 5) == (answer["form"]["values"]["layers"], answer["frame"]["iteration"])
    assert 0 == ask(asker, "reset", session).json["frame"]["iteration"]
    assert {} == ask(asker, "close", session).json
    lost = ask(asker, "advance", session, updates=1)
    assert (410, True) == (lost.status, lost.json["lost"])


def test_a_single_feature_is_a_curve(asker):
    """A line for the output and for each unit."""
    frame = start(asker, data="sine")["frame"]
    assert [121] * 2 == [
        len(b64decode(text))
        for text in (frame["outputs"][0], frame["layers"][0]["units"][0]["picture"])
    ]


@pytest.mark.parametrize(
    ("action", "given", "status", "words"),
    [
        ("start", {}, 422, "There is no such data set here"),
        ("start", {"data": "iris"}, 422, "circles, moons"),
        ("start", {"data": ["circles"]}, 422, "no such data set"),
        ("start", {"run": "../../etc"}, 404, '{"error":"There is no such run'),
        ("start", {"run": ["a"]}, 404, "no such run"),
        ("start", {"data": "circles", "edits": [1]}, 422, "a mapping of settings"),
        ("start", {"data": "circles", "edits": {"rows": 10**30}}, 422, "at most 2,000 rows"),
        ("start", {"data": "circles", "edits": {"rate": float("nan")}}, 422, ".nan is not"),
        ("start", [], 422, "A page sends names with values"),
        ("advance", {"session": "x", "updates": 1}, 410, "This playground is gone"),
        ("advance", {}, 410, "gone"), ("change", {"session": {}}, 410, "gone"),
        ("nothing", {}, 404, ""),
    ],
)  # fmt: skip
def test_what_a_page_would_not_send_is_refused(asker, action, given, status, words):
    """With a sentence, whatever it is."""
    answer = asker.post(f"/playground/{action}", given)
    assert (status, True) == (answer.status, words in answer.text), answer.text


@pytest.mark.parametrize("updates", [-1, 10**9, "all", None, True, 1.5, [1]])
def test_updates_are_counted(asker, updates):
    """Other numbers are refused; the network stays where it is."""
    session = start(asker)["session"]
    answer = ask(asker, "advance", session, updates=updates)
    assert (422, True) == (answer.status, "0 to 100,000" in answer.json["error"])
    frame = ask(asker, "advance", session, updates=0).json["frame"]
    assert 0 == frame["iteration"]


def test_many_updates_end_in_time(asker):
    """A request comes back before it has made all that was asked for, and says how many."""
    session = start(asker, data="circles", edits={"rows": 2000, "layers": [16] * 6})["session"]
    answer = ask(asker, "advance", session, updates=100_000).json
    assert 1 <= answer["frame"]["iteration"] < 100_000


def test_a_run_whose_data_are_gone_says_so(results, ask_in, tmp_path):
    """In the words of every command."""
    config = {
        "dataset": {"path": str(tmp_path / "two.csv"), "columns": {"target": "y"}},
        "network": {"sizes": [1], "activations": ["linear"]}, "loss": "mean_squared",
        "training": {"iterations": 1, "learning_rate": 0.1},
    }  # fmt: skip
    (tmp_path / "two.csv").write_text("a,b,y\n" + "1,2,3\n2,3,4.5\n" * 9, encoding="utf-8")
    run = nnrun.train({"name": "two", **config}, results=tmp_path / "results")
    asker, key = ask_in(), f"two/{run.path.name}"
    assert 200 == asker.post("/playground/start", {"run": key}).status
    (tmp_path / "two.csv").unlink()
    answer = ask_in().post("/playground/start", {"run": key})
    assert (422, True) == (answer.status, "are not there" in answer.json["error"])


def test_pages_of_other_servers_train_nothing(asker):
    """And without the token there is no playground."""
    body = json.dumps(SMALL).encode()
    assert (
        403
        == asker.ask("POST", "/playground/start", {"origin": "http://evil.example"}, body).status
    )
    assert 403 == asker.post("/playground/start", SMALL, cookie="").status
    assert 405 == asker.get("/playground/start").status


def test_a_playground_writes_nothing(results, asker):
    """The results folder is as it was."""
    before = sorted((str(p), p.stat().st_mtime_ns) for p in results.rglob("*"))
    session = start(asker, run=run_of(results, "moons"))["session"]
    ask(asker, "advance", session, updates=5)
    ask(asker, "config", session)
    assert before == sorted((str(p), p.stat().st_mtime_ns) for p in results.rglob("*"))


def test_tabs_at_once(asker, patient):
    """Two pages that play at the same time have the network of one that plays alone."""
    losses = {}

    def play(name: str) -> None:
        session = start(asker)["session"]
        for _ in range(10):
            frame = ask(asker, "advance", session, updates=3).json["frame"]
            losses[name] = frame["losses"]

    play("alone")
    threads = [Thread(target=play, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert losses["alone"] == losses["first"] == losses["second"]


TABLE = "kind,on,size,y\n" + "".join(
    f"{'ab'[at % 2]},2024-01-{1 + at:02},{at % 5} kg,{at % 3}\n" for at in range(24)
)
TIME = {"split": {"by": "time", "column": "on"}}


@pytest.mark.parametrize(
    "dataset",
    [
        {"columns": {"target": "y", "features": ["kind"], "categorical": ["kind"]}},
        {"columns": {"target": "y", "features": ["kind"], "target_mean": ["kind"]}},
        {"columns": {"target": "y", "features": ["kind"], "embedding": {"kind": 2}}},
        {"columns": {"target": "y", "features": ["size"], "formats": {"size": "1 kg"}}},
        {"columns": {"target": "y", "features": ["on"]}, "dates": {"on": ["day"]}},
        {"columns": {"target": "y", "drop": ["kind", "size"]}, "lags": {"y": [1]}, **TIME},
        "images",
    ],
    ids=["categorical", "target_mean", "embedding", "formats", "dates", "lags", "images"],
)
def test_only_a_run_that_can_start_has_a_link(ask_in, tmp_path, dataset):
    """Encoded columns are no numbers that the data have, and images are no points of a plane."""
    (tmp_path / "y.csv").write_text(TABLE)
    np.savez(tmp_path / "i.npz", x=np.arange(48.0).reshape(24, 1, 1, 2), y=np.arange(24.0))
    layers: list[dict[str, object]] = [{"type": "dense", "units": 1}]
    if dataset == "images":
        layers, dataset = (
            [{"type": "conv2d", "channels": 1, "kernel": 1}, {"type": "flatten"}, *layers],
            {},
        )
    block = {"path": str(tmp_path / ("y.csv" if dataset else "i.npz")), **dataset}
    config = {
        "name": "encoded", "dataset": block, "network": {"layers": layers}, "loss": "mean_squared",
        "training": {"learning_rate": 0.01, "iterations": 2},
    }  # fmt: skip
    nnrun.train(config, results=tmp_path / "results")
    asker, run = ask_in(), run_of(tmp_path / "results", "encoded")
    assert 422 == asker.post("/playground/start", {"run": run, "edits": {}}).status
    assert f"/playground?run={run}" not in asker.get(f"/runs/{run}").text


def test_a_model_of_scikit_learn_is_refused_by_its_name(ask_in, tmp_path):
    """As it is written, also where a sentence would begin."""
    config = {"name": "plain", "dataset": {"name": "moons"}, "beside": "linear"}
    nnrun.train(config, results=tmp_path / "results")
    run = run_of(tmp_path / "results", "plain")
    answer = ask_in().post("/playground/start", {"run": run})
    assert 422 == answer.status
    assert f"as {run}, have no updates" in answer.json["error"]


# Networks that are tried out.

NEEDED = "13 short texts are needed"


def test_a_drawing_is_answered(asker, results):
    """A row of the test split, drawn, gives what the network predicts for it, and its layers."""
    key = run_of(results, "pictures")
    form = asker.get(f"/runs/{key}/form").text
    assert 'data-height="8" data-width="8"' in form
    values = asker.get(f"/runs/{key}/row/3").json["values"]
    assert (64, 0.0, 1.0) == (len(values), min(values), max(values))
    answer = asker.post(f"/runs/{key}/answer", {"pixels": values}).text
    model = load(results / key)
    expected = str(model.predict(16 * np.array(values).reshape(1, 1, 8, 8))[0])
    assert expected == re.search(r"<bdi>(.*?)</bdi></data>", answer)[1]
    titles = ["Layer 0 (conv2d, tanh)", "layer 1 (flatten)", "Layer 2 (dense, softmax)"]
    assert [] == [title for title in titles if title not in answer]
    chances = model.predict_proba(16 * np.array(values).reshape(1, 1, 8, 8))[0]
    (table,) = re.findall(r"<table data-cells.*?</table>", answer, re.DOTALL)
    shown = [float(cell) for cell in re.findall(r"<td>([\d.e-]+)</td>", table)]
    assert shown == pytest.approx([*map(float, chances)], abs=0.006)
    assert 10 == answer.count("<meter")


def test_a_row_is_answered(asker, results):
    """Cells as in a file, in the order of the form, and the value in its own units."""
    key = run_of(results, "houses")
    form = asker.get(f"/runs/{key}/form").text
    names = re.findall(r"<label><bdi>(.*?)</bdi>", form)
    assert [*DATASETS["boston"].load().layout.columns.features] == names
    values = asker.get(f"/runs/{key}/row/0").json["values"]
    answer = asker.post(f"/runs/{key}/answer", {"cells": [f" {v} " for v in values]}).text
    expected = float(load(results / key).predict(np.array([values]))[0])
    assert str(expected) == re.search(r'<data value="(.*?)"', answer)[1]
    found = float(re.search(r"<bdi>(.*?)</bdi></data>", answer)[1])
    assert expected == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize(("dtype", "file"), [("f4", "a.npz"), ("f8", "a.npz"), ("f8", "a.csv")])
def test_an_untouched_row_gives_what_the_run_predicts(ask_in, tmp_path, dtype, file):
    """To the last bit, in the first row of the form and in any that is filled in."""
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(dtype)
    x, y = values[:, :2], values[:, 2]
    lines = [",".join(map(repr, row)) for row in values.tolist()]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,y", *lines]))
    np.savez(tmp_path / "a.npz", x=x, y=y)
    data = {"path": str(tmp_path / file), "task": "regression", "features": "standard"}
    data |= {"columns": {"target": "y"}} if file == "a.csv" else {}
    config = {
        "name": "exact", "dataset": data, "loss": "mean_squared",
        "network": {"sizes": [2, 1], "activations": ["tanh", "linear"]},
        "training": {"learning_rate": 0.1, "iterations": 9, "engine": "numpy"},
    }  # fmt: skip
    results = tmp_path / "results"
    run = nnrun.train(config, results=results)
    key, asker = run_of(results, "exact"), ask_in()
    _, test = last_split(prepared_again(run.record, Datasets().load).split)
    begun = re.findall(r'<input type="text".*?value="(.*?)"', asker.get(f"/runs/{key}/form").text)
    filled = asker.get(f"/runs/{key}/row/1").json["values"]
    for row, cells in enumerate([begun, [*map(str, filled)]]):
        answer = asker.post(f"/runs/{key}/answer", {"cells": cells}).text
        expected = run.predict(test.raw.between(row, row + 1))[0]
        assert str(expected) == re.search(r'<data value="(.*?)"', answer)[1]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["x"] * 13, "&#39;x&#39;"), ([""] * 13, "cell is blank"), (["1"] * 12, NEEDED),
        ([1] * 13, NEEDED), (["1" * 2000] * 13, NEEDED),
        ("1", "There are no cells"), (["nan"] * 13, "nan"), (["<b>"] * 13, "&lt;b&gt;"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_explained(asker, results, cells, words):
    """In words, with the column's name where there is one."""
    answer = asker.post(f"/runs/{run_of(results, 'houses')}/answer", {"cells": cells})
    assert (422, True) == (answer.status, words in answer.text), answer.text
    assert "row 0" not in answer.text


@pytest.mark.parametrize(
    "given",
    [
        {"pixels": [0.5] * 63}, {"pixels": [2.0] * 64}, {"pixels": ["1"] * 64}, {"pixels": 3}, [],
        {"pixels": [float("nan")] * 64}, {"pixels": [True] * 63 + [None]}, {"cells": ["1"] * 64},
        {"pixels": [10**400] * 64},
    ],
)  # fmt: skip
def test_a_wrong_drawing_is_explained(asker, results, given):
    """Whatever a program sends."""
    answer = asker.post(f"/runs/{run_of(results, 'pictures')}/answer", given)
    assert (422, True) == (answer.status, "note bad" in answer.text)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[" * 100_000, 400), (b"\xff", 400), (b" " * (1 << 20) + b"{}", 413)],
)
def test_what_is_no_json_is_refused(asker, results, content, status):
    """With the code for it; nothing is read beyond a megabyte, whatever its length claims."""
    path = f"/runs/{run_of(results, 'pictures')}/answer"
    assert status == asker.post(path, content).status
    assert 413 == asker.post(path, b"{}", content_length=str(1 << 40)).status


def test_a_run_without_a_network_has_no_form(asker, results):
    """It says why."""
    answer = asker.get(f"/runs/{run_of(results, 'wild')}/form")
    assert (422, True) == (answer.status, "no trained model is kept" in answer.text)
    assert 404 == asker.get("/runs/broken/s5-00000000ee/form").status


def test_rows_that_are_not_there_are_explained(asker, results):
    """By the rows that there are."""
    answer = asker.get(f"/runs/{run_of(results, 'pictures')}/row/100000")
    assert (422, "The test split has rows 0 to 179.") == (answer.status, answer.json["error"])


def test_a_changed_network_is_not_loaded(results, ask_in, tmp_path):
    """Nor one whose data are gone, where they are needed for the scale of pixels."""
    key = run_of(results, "pictures")
    folder = tmp_path / "results" / key
    shutil.copytree(results / key, folder)
    asker = ask_in()
    assert 200 == asker.get(f"/runs/{key}/form").status
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    other = ask_in().get(f"/runs/{key}/form")
    assert (422, True) == (other.status, "is not the file that was written" in other.text)


def test_no_control_character_is_shown_and_each_category_can_be_chosen(ask_in, tmp_path):
    """Categories, classes and columns are written out; chosen so, a category is itself."""
    kinds, labels = ["x\x1b[2Jy", "b\x00c", "\u202ed"], ["l\x1b", "m\x9b"]
    rows = "".join(f"{kinds[i % 3]},{labels[i % 2]}\n" for i in range(36))
    (tmp_path / "a.csv").write_text(f"k\x07,y\n{rows}", encoding="utf-8")
    columns = {"target": "y", "categorical": ["k\x07"]}
    config = {
        "name": "steering", "loss": "cross_entropy",
        "dataset": {"path": str(tmp_path / "a.csv"), "columns": columns, "test_size": 6},
        "network": {"sizes": [2], "activations": ["softmax"]},
        "training": {"learning_rate": 0.1, "iterations": 9, "engine": "numpy"},
    }  # fmt: skip
    results = tmp_path / "results"
    run = nnrun.train(config, results=results)
    key, asker = run_of(results, "steering"), ask_in()
    form = asker.get(f"/runs/{key}/form").text
    chosen = re.findall(r'<option value="(.*?)">', form, re.DOTALL)
    assert {escaped(kind) for kind in kinds} == {*chosen}
    for cell in [*chosen, "z\x1b"]:
        answer = asker.post(f"/runs/{key}/answer", {"cells": [cell]}).text
        assert [] == [
            c for c in form + answer if c != "\n" and not (c.isprintable() or c == "\xa0")
        ]
        if cell in chosen:
            kind = next(kind for kind in kinds if escaped(kind) == cell)
            expected = run.predict(pd.DataFrame({"k\x07": [kind]}))[0]
            assert escaped(expected) == re.search(r'<data value="(.*?)"', answer)[1]


def test_a_row_begins_with_usual_values(ask_in, tmp_path):
    """The median of numbers and the most frequent category, where columns are not plain."""
    rows = "".join(f"{k},{n},{n % 3}\n" for n, k in enumerate("abbcabbcabbb", 1))
    (tmp_path / "a.csv").write_text(f"k,n,y\n{rows}")
    columns = {"target": "y", "categorical": ["k"]}
    config = {
        "name": "usual", "loss": "mean_squared",
        "dataset": {"path": str(tmp_path / "a.csv"), "columns": columns, "test_size": 0},
        "network": {"sizes": [1], "activations": ["linear"]},
        "training": {"learning_rate": 0.001, "iterations": 2},
    }  # fmt: skip
    results = tmp_path / "results"
    nnrun.train(config, results=results)
    form = ask_in().get(f"/runs/{run_of(results, 'usual')}/form").text
    assert ["b", "6"] == re.findall(r'<input type="text".*? value="(.*?)"', form)
