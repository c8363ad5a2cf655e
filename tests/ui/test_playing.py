"""The playground, and predictions tried on its page."""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from hashlib import sha256
from html import unescape
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest

import nnrun
from nnrun.characters import escaped
from nnrun.data.builtin.registry import DATASETS
from nnrun.models.load import load_model as load
from nnrun.reports.charts.chart import RED_BLUE, RED_BLUE_ON_DARK
from nnrun.reports.predictions import last_split, prepared_again
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.playground import SCRIPTS, page_alone
from tests.ui.asking import SECRET
from tests.ui.conftest import run_of

# The playground.


def test_the_page_has_its_scripts(asker):
    """And a link from every page; it has no style or script of its own."""
    page = asker.get("/playground").text
    assert f'<a href="/{SECRET}/playground" aria-current="page">Playground</a>' in page
    assert (0, 0) == (page.count("style="), len(re.findall(r"<script>|onclick", page)))
    assert f'<a href="/{SECRET}/playground">Playground</a>' in asker.get("/runs").text
    files = re.findall(rf'(?:src|href)="/{SECRET}(/files/.*?)"', page)
    assert {*SCRIPTS} <= {file.rpartition("/")[2] for file in files}
    assert {200} == {asker.get(file).status for file in files}


def test_signs_have_the_colours_of_reports(asker):
    """Red is negative and blue positive, on light and on dark pages."""
    style = asker.get("/files/play.css").text
    found = re.findall(r"--neg:(#\w+);--pos:(#\w+)", style)
    assert [(ramp[0], ramp[-1]) for ramp in (RED_BLUE, RED_BLUE_ON_DARK)] == found
    page = asker.get("/playground").text
    assert re.search(r'class="negative".*> red: negative<', page)
    assert re.search(r'class="positive".*> blue: positive weight;', page)


def test_the_page_is_a_file_of_its_own():
    """Whose policy allows its own style and script by their digests, and nothing else."""
    page = page_alone()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;;" in policy
    assert policy.startswith("default-src &#39;none&#39;;")
    assert ["data:,"] == re.findall(r'<(?:link|script|img)[^>]*(?:href|src)="(.*?)"', page)


DRAWN_RUN = {
    "name": "small", "dataset": {"name": "spirals", "rows": 90}, "loss": "binary_cross_entropy",
    "network": {"layers": [
        {"type": "dense", "units": 3, "activation": "relu"}, {"type": "dropout", "rate": 0.25},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]},
    "training": {"learning_rate": 0.1, "epochs": 1, "optimizer": "adam", "batch_size": 9},
    "seed": 42,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "repeats"),
    [
        ({}, True), ({"training.epochs": 2, "training.engine": "numpy"}, True),
        ({"dataset.turns": 2.0}, False), ({"dataset.features": "standard"}, False),
        ({"dataset.validation_size": 0.2}, False), ({"loss.label_smoothing": 0.1}, False),
        ({"training.optimizer.beta1": 0.8}, False), ({"training.clip_norm": 1.0}, False),
        ({"training.learning_rate": {"schedule": "cosine", "initial": 0.1}}, False),
        ({"members": 2}, False),
        ({"network.layers.0.units": 17}, False), ({"network.layers.0.bias": False}, False),
        ({"network.initializer": "he_normal"}, False), ({"training.dtype": "float32"}, False),
    ],
    ids=str,
)  # fmt: skip
def test_a_run_that_the_playground_repeats_has_a_link(ask_in, tmp_path, change, repeats):
    """With its settings; one that differs in anything that an update depends on has none."""
    run = nnrun.train(DRAWN_RUN, change, results=tmp_path / "results")
    page = ask_in().get(f"/runs/small/{run.path.name}").text
    assert repeats == ("/playground?" in page)
    if repeats:
        (query,) = re.findall(r'/playground\?(.*?)"', page)
        assert dict(parse_qsl(unescape(query))) == {
            "data": "spirals", "rows": "90", "noise": "0.02", "data_seed": "0",
            "test_size": "0.2", "layers": "3", "activation": "relu", "dropout": "0.25",
            "rate": "0.1", "batch_size": "9", "optimizer": "adam", "weight_decay": "0.0",
            "seed": "42",
        }  # fmt: skip


def test_runs_of_other_data_have_no_link(asker, results):
    """Nor those with residuals, or of scikit-learn's models."""
    for name in ("moons", "houses"):
        assert "/playground?" not in asker.get(f"/runs/{run_of(results, name)}").text


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
