"""The playground as its page asks for it."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from threading import Thread

import numpy as np
import pytest
import yaml

import nnrun
from nnrun.reports.charts.chart import RED_BLUE, RED_BLUE_ON_DARK
from nnrun.ui.playing.session import Session
from nnrun.ui.playing.start import DRAWN
from tests.ui.asking import SECRET
from tests.ui.conftest import run_of

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


def test_a_run_of_two_numbers_has_a_link(asker, results):
    """From its page to the playground."""
    run = run_of(results, "moons")
    assert f"/playground?run={run}" in asker.get(f"/runs/{run}").text
