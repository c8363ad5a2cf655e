"""Predictions for files and pipes, and the labels in them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnrun.models.load import load_model as load
from nnrun.runs.catalog.select import select_run
from nnrun.ui.form import _answer
from tests.cli.conftest import FLOWERS, HOUSES, PRICES
from tests.forging import revise
from tests.lab import write

# `nnrun predict`: files in, files out, and every mistake with its place.


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_columns_are_found_by_name(prices, lab):
    """In another order, without the target, with one that training had not; values in its units."""
    x = [[3, 0, 0, 1], [1, 1, 0, 0]]  # size, then blue, green, red
    write("new.csv", "colour,id,size\nred,a,3\nblue,b,1\n")
    result = lab.ok("predict", "prices", "new.csv")
    assert prices.predict(x).tolist() == [float(row["prediction"]) for row in rows(result.out)]
    assert result.err.startswith("run: prices/s42-")
    assert ["ignored, as in training: id"] == result.err.splitlines()[1:]


def test_classes_come_with_their_probabilities(flowers, lab):
    """A column for each, and numbers by their shortest exact form."""
    x = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    names = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
    lines = [",".join(names), *(",".join(map(str, row)) for row in x)]
    result = lab("predict", "latest", "-", stdin="\n".join(lines))
    found = rows(result.out)
    assert ["prediction", "p_setosa", "p_versicolor", "p_virginica"] == list(found[0])
    assert flowers.predict(x).tolist() == [row["prediction"] for row in found]
    probabilities = [[float(value) for value in list(row.values())[1:]] for row in found]
    assert flowers.predict_proba(x).tolist() == probabilities


def test_npz_in_npz_out(clothes, lab):
    """Raw x, in whatever order its numbers are stored; labels as numbers."""
    x = np.random.default_rng(1).normal(size=(9, 2, 3))
    for order in "CF":
        np.savez("new.npz", x=np.asarray(x, order=order))
        lab.ok("predict", "clothes", "new.npz", "-o", "out.npz")
        with np.load("out.npz") as out:
            assert {"prediction", "probability"} == set(out)
            assert clothes.predict(x).tolist() == out["prediction"].tolist()
            assert "i" == out["prediction"].dtype.kind
            assert clothes.predict_proba(x).tolist() == out["probability"].tolist()


def test_either_kind_goes_through_a_pipe(clothes, start):
    """An archive's directory is at its end, so that it has to be kept."""
    x = np.random.default_rng(1).normal(size=(9, 2, 3))
    np.savez_compressed("new.npz", x=x)
    run = subprocess.run(
        [sys.executable, "-m", "nnrun", "predict", "clothes", "-"],
        input=Path("new.npz").read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    with np.load(io.BytesIO(run.stdout)) as out:
        assert clothes.predict(x).tolist() == out["prediction"].tolist()


def test_what_training_fills_in_may_be_missing_in_an_archive(folder, lab):
    """NaN is filled in as `run.predict` does, and refused where training had none."""
    write("houses.csv", "size,rooms,price\n" + "1,2,5\n3,1,6\n,2,7\n2,3,8\n" * 5)
    columns = "columns: {target: price, missing: {size: {impute: mean}}}"
    config = PRICES.replace("columns: {target: price, categorical: [colour]}", columns)
    lab.ok("train", write("prices.yaml", config))
    x = np.array([[np.nan, 2.0], [2, 1]])
    np.savez("new.npz", x=x)
    result = lab.ok("predict", "prices", "new.npz", "-o", "out.csv")
    found = [float(row["prediction"]) for row in rows(Path("out.csv").read_text())]
    assert load(select_run("prices", Path("results"))).predict(x).tolist() == found
    np.savez("new.npz", x=x[:, ::-1])
    result = lab("predict", "prices", "new.npz")
    message = "error: new.npz: x[0, 1]: nan is not a finite number"
    assert (2, [message]) == (result.code, result.err.splitlines()[1:])


def test_the_name_of_the_output_says_how(clothes, lab):
    """npz in, CSV out; and the other way."""
    x = np.random.default_rng(1).normal(size=(3, 2, 3))
    np.savez("new.npz", x=x)
    lab("predict", "clothes", "new.npz", "-o", "out.csv")
    found = rows(Path("out.csv").read_text())
    assert ["prediction", "p_7", "p_8"] == list(found[0])
    header = ",".join(clothes.layout.columns.features)
    lines = [",".join(map(repr, row.ravel().tolist())) for row in x]
    write("new.csv", "\n".join([header, *lines]))
    lab("predict", "clothes", "new.csv", "-o", "back.npz")
    with np.load("back.npz") as back:
        assert [str(number) for number in back["prediction"]] == [r["prediction"] for r in found]


def test_float32_numbers_are_written_short(folder, lab):
    """Seven digits, not the seventeen of what they are in float64."""
    lab("train", write("flowers.yaml", FLOWERS), "training.dtype=float32")
    np.savez("new.npz", x=np.ones((1, 4)))
    lab("predict", "flowers", "new.npz", "-o", "out.csv")
    cells = list(rows(Path("out.csv").read_text())[0].values())[1:]
    model = load(select_run("flowers", Path("results")))
    assert model.predict_proba(np.ones((1, 4)))[0].tolist() == [np.float32(cell) for cell in cells]
    assert max(map(len, cells)) < 16


VALUES = """
dataset: {path: rows.npz, task: regression, test_size: 4}
network: {sizes: [3, 1], activations: [linear, linear]}
loss: mean_squared
training: {learning_rate: 0.1, iterations: 5, batch_size: 4}
"""


@pytest.mark.parametrize("config", [FLOWERS, VALUES])
def test_predictions_that_are_not_finite_are_counted(config, folder, lab):
    """JSON has null in their place, and a note says so."""
    rng = np.random.default_rng(0)
    np.savez("rows.npz", x=rng.normal(size=(20, 4)), y=rng.normal(size=20))
    lab("train", write("large.yaml", config), "name=large", "training.dtype=float32")
    np.savez("new.npz", x=np.array([[1e300], [1.0], [-1e300]]) * np.ones((3, 4)))

    done = lab("predict", "large", "new.npz", "--json")
    found = done.json

    assert 2 == found["not_finite"]
    assert "2 of 3 predictions are not finite (null in JSON)" in done.err
    assert [False, True, False] == [None not in row.values() for row in found["predictions"]]


def test_scores_are_those_of_the_report(prices, lab):
    """On the rows of the test split, and the target is no feature."""
    result = lab("predict", "prices", "houses.csv", "--score", "--json", "-o", "out.csv")
    found = result.json
    y = np.array([float(row["price"]) for row in rows(HOUSES)])
    predicted = [float(row["prediction"]) for row in rows(Path("out.csv").read_text())]
    assert np.mean((predicted - y) ** 2) == pytest.approx(found["score"]["mse"], rel=1e-13)
    assert {"rows": 12, "output": "out.csv"}.items() <= found.items()
    assert lab.report()["run_id"] == found["run_id"]


def test_scores_of_classes_are_those_of_the_report(clothes, lab):
    """Labels are compared by value, and a table shows what is one number."""
    np.savez("again.npz", **{**np.load("clothes.npz"), "y": np.load("clothes.npz")["y"] + 0.0})
    found = lab.json("predict", "clothes", "again.npz", "--score")
    parts = lab.report()["metrics"]
    right = sum(np.trace(parts[part]["confusion"]) for part in ("train", "test"))
    assert right / 40 == found["score"]["accuracy"]
    shown = lab("predict", "clothes", "again.npz", "--score", "-o", "out.npz").out
    assert ["accuracy", "log"] == [line.split()[0] for line in shown.splitlines()[2:]]


def test_predictions_and_scores_are_apart(prices, lab):
    """Without -o, stdout has predictions alone."""
    result = lab("predict", "prices", "houses.csv", "--score")
    assert 12 == len(rows(result.out))
    assert "rmse" in result.err


def test_no_rows_give_no_predictions(prices, lab):
    """Only the header, so that whatever reads it finds its columns."""
    result = lab("predict", "prices", "-", stdin="size,colour\n")
    assert (0, "prediction\n") == (result.code, result.out)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size,color\n1,red\n", "new.csv:1: there is no column 'colour'; did you mean 'color'?"),
        ("colour\nred\n", "new.csv:1: there is no column 'size'"),
        ("size,colour\n1,red\n2,pink\n", "new.csv:3:colour: 'pink' is none of the categories in "
         "training: blue, green, red"),
        ("size,colour\n1,red\nbig,red\n", "new.csv:3:size: 'big' is not a number"),
        ("size,colour\n1,red\n,red\n", "new.csv:3:size: the cell is blank"),
        ("size,colour\n1,red\n1\n", "new.csv:3: has 1 cell where the header has 2"),
        ("", "new.csv:1: the header row with the column names is missing: the file is empty"),
        ("size,colour\n1,\"red\n", "new.csv:2: is no CSV from here on"),
        ("size,size,colour\n", "new.csv:1:size: 2 columns have this name"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_read_are_reported(prices, lab, text, expected):
    """With line and column; what is there already stays, and nothing else appears."""
    write("new.csv", text)
    write("out.csv", "old")
    assert f"error: {expected}" in lab.refused("predict", "prices", "new.csv", "-o", "out.csv")
    assert "old" == Path("out.csv").read_text()
    assert set(Path().iterdir()) == {
        Path(n) for n in ("results", "new.csv", "out.csv", "houses.csv", "prices.yaml")
    }


@pytest.mark.parametrize("before", [1, 20_000])
def test_a_mistake_leaves_stdout_empty(prices, lab, before):
    """In the first rows or in a later batch: exit code 2 means that nothing was written."""
    text = "size,colour\n" + "1,red\n" * before + "big,red\n"
    lab.refused("predict", "prices", "-", stdin=text)


def test_a_mistake_leaves_a_pipe_empty(prices):
    """Also where the output is a pipe that has a name."""
    write("new.csv", "size,colour\n" + "1,red\n" * 20_000 + "big,red\n")
    command = [sys.executable, "-m", "nnrun", "predict", "prices", "new.csv", "-o", "/dev/stdout"]
    run = subprocess.run(command, capture_output=True, check=False)
    assert (2, b"") == (run.returncode, run.stdout)


def test_large_predictions_wait_on_the_disk(prices, lab, monkeypatch):
    """The same bytes as in a file."""
    monkeypatch.setattr("nnrun.runs.storage.durable._IN_MEMORY", 1000)
    write("new.csv", "size,colour\n" + "1,red\n" * 9000)
    result = lab("predict", "prices", "new.csv")
    lab.ok("predict", "prices", "new.csv", "-o", "out.csv")
    assert Path("out.csv").read_text() == result.out


def test_all_mistakes_come_at_once(prices, lab):
    """Also those of later batches, the first of each column first."""
    lines = ["size,colour", *["1,red"] * 5000, "x,red", *["1,red"] * 5000, "1,pink"]
    write("new.csv", "\n".join(lines))
    errors = lab("predict", "prices", "new.csv").err
    assert "new.csv:5002:size: 'x' is not a number" in errors
    assert "new.csv:10003:colour: 'pink'" in errors


@pytest.mark.parametrize(
    ("arrays", "arguments", "expected"),
    [
        ({"z": np.ones(3)}, (), "new.npz: has no array x"),
        ({"x": np.ones((3, 2, 4))}, (), "new.npz: x: has rows of shape (2, 4) where (1, 2, 3) are"),
        ({"x": np.array([["a"]])}, (), "new.npz: x: holds <U1, not real numbers"),
        ({"x": np.full((2, 6), [[1.0], [np.nan]])}, (), "new.npz: x[1, 0, 0, 0]: nan is not a"),
        ({"x": np.ones((2, 6))}, ("--score",), "new.npz: has no array y"),
        ({"x": np.ones((2, 6)), "y": [7]}, ("--score",), "y: has shape (1,) where (2,) is needed"),
        ({"x": np.ones((2, 6)), "y": [7, 9]}, ("--score",), "y[1]: '9' is none of the classes in"),
    ],
)
def test_arrays_that_do_not_fit_are_reported(clothes, lab, arrays, arguments, expected):
    """With array and row."""
    np.savez("new.npz", **arrays)
    assert expected in lab.refused("predict", "clothes", "new.npz", "-o", "out.npz", *arguments)
    assert not Path("out.npz").exists()


def test_categories_that_training_has_not_seen_are_counted(folder, lab):
    """A line for each column, with examples; as data too, and without the rows put aside."""
    write("houses.csv", HOUSES)
    write("prices.yaml", PRICES.replace("  unknown: error}", "  unknown: ignore}"))
    lab.ok("train", "prices.yaml")
    cells = ["red", "pink", "mauve", "pink", "grey", "beige"]
    write("new.csv", "size,colour\n" + "".join(f"{i},{text}\n" for i, text in enumerate(cells)))
    done = lab("predict", "prices", "new.csv")
    assert (0, 7) == (done.code, len(done.out.splitlines()))
    expected = (
        "colour: 5 cells have a category that training has not seen ('pink', 'mauve', 'grey', …), "
        "predicted as none of the categories\n"
    )
    assert expected in done.err
    write("bad.csv", "size,colour\nx,pink\n1,pink\n2,red\n")
    words = ["--skip-bad", "aside.csv", "-o", "out.csv", "--json"]
    found = lab("predict", "prices", "bad.csv", *words).json
    assert {"colour": {"cells": 1, "examples": ["pink"]}} == found["unseen"]


def test_an_array_without_a_category_is_reported(prices, lab):
    """By its row in the whole array, as a blank cell is reported by its line."""
    x = np.tile([1.0, 0, 0, 1], (9000, 1))
    x[7000, 3] = 0
    np.savez("new.npz", x=x)
    result = lab("predict", "prices", "new.npz")
    expected = "new.npz: x[7000] has 0 in all one-hot columns of 'colour': a blank cell is none of"
    assert (2, "") == (result.code, result.out)
    assert expected in result.err


def test_pickles_are_not_opened(clothes, lab):
    """They could run anything."""
    np.savez("new.npz", x=np.array([{}, {}], dtype=object))
    assert "holds Python objects" in lab.refused("predict", "clothes", "new.npz")


def test_damaged_archives_are_reported(clothes, lab):
    """Wherever they were cut or changed, without a traceback."""
    np.savez_compressed("new.npz", x=np.random.default_rng(0).normal(size=(50, 6)))
    whole = Path("new.npz").read_bytes()
    for place in range(4, len(whole), 331):
        Path("new.npz").write_bytes(whole[:place])
        assert 2 == lab("predict", "clothes", "new.npz", "-o", "o.npz").code
        Path("new.npz").write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        assert lab("predict", "clothes", "new.npz", "-o", "o.npz").code in (0, 2)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("prices", "none.csv"), "none.csv: there is no such file"),
        (("prices", "results"), "results: is not a file"),
        (("prices", "houses.csv", "results"), "results: is not a file of rows"),
        (
            ("prices", "houses.csv", "b.csv"),
            "b.csv: is a second input: one file of rows is predicted at a time; run the command",
        ),
        (
            ("houses.csv", "prices"),
            "'houses.csv' is a file; the run comes first, as in nnrun predict RUN houses.csv",
        ),
        (("price", "houses.csv"), "no run in results is called 'price'; did you mean 'prices'?"),
        (("prices", "houses.csv", "-o", "results"), "-o results: is a folder; name a file in it"),
        (("prices", "houses.csv", "-o", "a/b.csv"), "-o a/b.csv: there is no folder a"),
        (("prices", "houses.csv", "-o", "houses.csv"), "is the input itself; name another file"),
        (("empty", "houses.csv"), "empty/model.safetensors: no trained model is kept there"),
    ],
)
def test_mistakes_of_the_command_are_reported(prices, lab, arguments, expected):
    """With exit code 2, before anything is read."""
    Path("empty").mkdir()
    Path("empty/checkpoint.safetensors").touch()
    assert expected in lab.refused("predict", *arguments)


def test_rows_that_are_not_there_are_named_beside_a_packed_run(prices, lab):
    """The packed file is the run, and comes first already."""
    lab("pack", "prices", "-o", "prices.zip")
    assert "error: none.csv: there is no such file\n" == lab.refused(
        "predict", "prices.zip", "none.csv"
    )


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_a_name_is_the_newest_run_with_a_model(prices, lab, status):
    """A newer run without one is passed over in one line; `show` has it, as `verify` a diverged."""
    report = next(Path("results").glob("*/*/report.json"))
    folder, newer = report.parent, report.parent.with_name("s9-0123456789")
    shutil.copytree(folder, newer)
    (newer / "model.safetensors").unlink()
    later = "2100-01-01T12:00:00+00:00"
    none = {"status": status, "files": {}, "weights_sha256": None}
    revise(newer / "report.json", run_id=newer.name, started=later, **none)
    line = (
        f"run: prices/{folder.name}, the newest with a model; prices/{newer.name} is newer and "
        "has none\n"
    )
    assert line in lab("predict", "prices", "houses.csv").err
    assert line in lab("export", "prices", "-o", "p.py").err
    assert (status == "failed") == (line in lab("verify", "prices").err)
    assert f"run: prices/{newer.name}, the newest\n" in lab("show", "prices").err
    shutil.rmtree(folder)
    message = f"prices/{newer.name} {status}: no trained model is kept; name another run, as"
    assert message in lab("predict", "prices", "houses.csv").err


def test_a_run_that_was_interrupted_says_so(prices, lab):
    """Its weights are worth something, but not what its config says."""
    report = next(Path("results").glob("*/*/report.json"))
    revise(report, status="interrupted")
    result = lab.ok("predict", "prices", "houses.csv")
    assert "interrupted: its weights are those of iteration 40\n" in result.err


def test_a_damaged_model_is_reported(prices, lab):
    """With the file's name."""
    model = next(Path("results").glob("*/*/model.safetensors"))
    model.write_bytes(model.read_bytes()[:200])
    result = lab("predict", "prices", "houses.csv")
    message = f"{model.parent} is damaged: model.safetensors is not the file that was written"
    assert (2, "") == (result.code, result.out)
    assert message in result.err


def test_a_closed_pipe_is_no_error(prices, start):
    """`nnrun predict … | head -1` ends quietly."""
    write("new.csv", "size,colour\n" + "1,red\n" * 30_000)
    process = start("predict", "prices", "new.csv")
    assert "prediction\n" == process.stdout.readline()
    process.stdout.close()
    with process.stderr as errors:
        assert 1 == len(errors.read().splitlines())  # which run it is
    assert 0 == process.wait()


def test_after_ctrl_c_nothing_is_left(prices, start):
    """The output appears whole or not at all."""
    process = start("predict", "prices", "-", "-o", "out.csv", stdin=subprocess.PIPE)
    process.stdin.write("size,colour\n" + "1,red\n" * 10_000)
    process.stdin.flush()
    while not list(Path().glob(".out.csv.*")):
        assert process.poll() is None
    process.send_signal(2)
    _, errors = process.communicate()
    assert 130 == process.returncode
    assert "interrupted before the predictions were complete" in errors
    assert [] == list(Path().glob("*out.csv*")) + list(Path().glob(".out.csv*"))


@pytest.mark.parametrize("folds", [False, True])
def test_rows_that_the_run_was_trained_on_are_reported(lab, prices, folds):
    """By the content of the file, with the command for folds; other rows get no word."""
    if folds:
        arguments = ["dataset.folds=3", "dataset.test_size=null"]
        lab.ok("train", "prices.yaml", *arguments)
    write("copy.csv", HOUSES)
    lines = lab("predict", "prices", "copy.csv").err.splitlines()
    trained = 8 if folds else 9
    said = f"copy.csv is the data of this run, which was trained on {trained} of its rows"
    command = "nnrun predict prices --out-of-fold"
    hint = f"`{command}` predicts each row by a run that was not trained on it"
    assert said in lines
    assert folds == (hint in lines)
    write("other.csv", HOUSES + "4,red,9\n")
    assert "the data of this run" not in lab("predict", "prices", "other.csv").err


# A FIFO in the place of a file is refused, without waiting for its other end.

ROWS = "size,colour\n1,red\n2,blue\n"
# Far longer than any of these commands takes: one that waits for ever fails its test.
_PATIENCE = 120

READING = [
    ("check", "f.yaml"),
    ("train", "f.yaml"),
    ("sweep", "f.yaml"),
    ("search", "f.yaml"),
    ("explain", "f.yaml"),
    ("init", "--data", "f.csv"),
    ("check", "f.py"),
    ("predict", "prices", "f.csv"),
    ("predict", "prices", "f.csv", "--skip-bad", "bad.csv"),
    ("predict", "prices", "f.npz"),
    ("sweep", "prices.yaml", "--replication", "--reference", "f.csv"),
]
WRITING = [
    ("predict", "prices", "new.csv", "-o", "f.csv"),
    ("predict", "prices", "new.csv", "--skip-bad", "f.csv"),
    ("export", "prices", "-o", "f.py"),
    ("pack", "prices", "-o", "f.zip"),
    ("report", "-o", "f.html"),
    ("best", "prices", "-o", "f.yaml"),
    ("explain", "prices", "--html", "f.html"),
    ("schema", "-o", "f.json"),
    ("search", "prices.yaml", "--trials", "2", "--export", "f.db"),
]


def answer(start, *words: str) -> tuple[int, str]:
    process = start(*words, stdin=subprocess.DEVNULL)
    _, said = process.communicate(timeout=_PATIENCE)
    return process.returncode, said


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_fifo_is_not_read(prices, start, words):
    """Nobody may ever write to it; the message names it, and nothing is written."""
    (name,) = (word for word in words if word.startswith("f."))
    os.mkfifo(name)
    before = sorted(Path().rglob("*"))
    code, said = answer(start, *words)
    assert 2 == code
    assert f"{name}: is a FIFO, not a file" in said.replace(f"{name} is", f"{name}: is")
    assert before == sorted(Path().rglob("*"))


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_fifo_is_not_written_to(prices, start, words):
    """Nobody may ever read from it; the message has the option, and nothing is written."""
    write("new.csv", ROWS)
    os.mkfifo(words[-1])
    before = sorted(Path().rglob("*"))
    code, said = answer(start, *words)
    assert 2 == code
    assert f"error: {words[-2]} {words[-1]}: is a FIFO, not a file; name a file" in said
    assert before == sorted(Path().rglob("*"))


def test_a_fifo_is_a_file_that_is_there(start, folder):
    """`nnrun init` overwrites nothing, and writes into nothing that is there."""
    os.mkfifo("mine.yaml")
    code, said = answer(start, "init", "mine")
    assert 2 == code
    assert "mine.yaml exists already" in said


def test_no_file_is_written_to_a_fifo(start, folder):
    """Where files are written, too, and not by the command line alone."""
    script = (
        "from pathlib import Path; from nnrun.runs.storage.durable import write_atomically\n"
        "write_atomically(Path('f'), b'')"
    )
    os.mkfifo("f")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=_PATIENCE, check=False
    )
    assert b"DataError: f: is a FIFO, not a file; name a file" in done.stderr


def shell(words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", words.replace("nnrun", f"{sys.executable} -m nnrun", 1)],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        "nnrun check <(cat flowers.yaml)",
        "nnrun check /dev/stdin < flowers.yaml",
        "nnrun check /dev/stdin < <(cat flowers.yaml)",
        "(cat flowers.yaml > f &); exec 3< f; nnrun check /dev/fd/3",
    ],
)
def test_pipes_of_a_shell_are_configs(flowers, words):
    """What the process was given open is read, whether its writer has ended or not."""
    os.mkfifo("f")
    plain, done = shell("nnrun check flowers.yaml"), shell(words)
    assert (0, plain.stdout.splitlines()[-1]) == (done.returncode, done.stdout.splitlines()[-1])


@pytest.mark.parametrize("rows", ["<(cat new.csv)", "/dev/stdin < <(cat new.csv)"])
@pytest.mark.parametrize("output", [">(cat)", "/dev/stdout"])
def test_pipes_of_a_shell_take_predictions(prices, lab, rows, output):
    """Rows from one, predictions to another, the same as with files."""
    write("new.csv", ROWS)
    expected = lab("predict", "prices", "new.csv").out
    assert expected == shell(f"nnrun predict prices -o {output} {rows} | cat").stdout


# Labels among which are whole numbers and fractions: one spelling wherever they are text.

CONFIG = """
name: sizes
dataset: {path: sizes.csv, columns: {target: size}, task: classification, folds: 3}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.5, iterations: 200, engine: numpy}
"""
LABELS = ("1", "10.0", "2.50")
SPELLED = {"1", "10", "2.5"}
NAMES = ["p_1", "p_2.5", "p_10"]


@pytest.fixture
def labelled(lab):
    """A run of all folds, and rows of each class to predict."""
    table = [(n % 3, LABELS[n % 3]) for n in range(30)]
    write("sizes.csv", "a,size\n" + "".join(f"{a},{label}\n" for a, label in table))
    write("sizes.yaml", CONFIG)
    lab.ok("sweep", "sizes.yaml", "-q")
    return write("new.csv", "a\n0\n1\n2\n-1e9\n")


@pytest.mark.parametrize("words", [["new.csv"], ["--out-of-fold"]])
def test_tables_spell_labels_as_their_columns(labelled, lab, words):
    """Text as in the header, and the same numbers in JSON."""
    shown = lab("predict", "sizes", *words).out
    table = [*csv.DictReader(io.StringIO(shown))]
    assert NAMES == [name for name in table[0] if name.startswith("p_")]
    assert SPELLED == {row["prediction"] for row in table}
    assert SPELLED == {row.get("target", row["prediction"]) for row in table}
    lab("predict", "sizes", *words, "-o", "out.json")
    with open("out.json") as file:
        values = json.load(file)
    assert SPELLED == {str(row["prediction"]) for row in values}


def test_scripts_spell_labels_so(labelled, lab):
    """Their CSV is that of `nnrun predict`, with a probability of 1.0 as it is."""
    lab("export", "sizes", "-o", "sizes.py")
    ran = [sys.executable, "sizes.py", labelled]
    text = subprocess.run(ran, capture_output=True, text=True, check=True).stdout
    assert lab("predict", "sizes", labelled).out == text
    table = [*csv.DictReader(io.StringIO(text))]
    assert SPELLED == {row["prediction"] for row in table}
    assert "1.0" in {row[name] for row in table for name in NAMES}


def test_the_live_page_spells_labels_so(labelled):
    """The class that it answers with is one of those that have a probability."""
    model = load(next(Path("results/sizes").iterdir()))
    answers = [_answer(model, model.outputs([[a]]), [], []) for a in (0, 1, 2)]
    assert SPELLED == {answer.prediction for answer in answers}
    assert SPELLED == {name for name, _ in answers[0].classes}
