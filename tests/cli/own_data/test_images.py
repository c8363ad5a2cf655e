"""Images from a folder to predictions, as a user goes: init, train, predict, verify, report."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nnrun import load
from nnrun.cli import cli
from tests.cli.conftest import write

CLASSES = ("dark", "light")


def draw(folder, count=15, side=12, mode="RGB", wrong=()):
    """Bright and dark images of noise; some are in the folder of the other class."""
    for number in range(count * 2):
        label = CLASSES[number % 2]
        file = Path(folder, CLASSES[1 - number % 2] if number in wrong else label, f"{number}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(100, size=(side, side, 3))
        pixels += 150 if label == "light" else 0
        Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(file)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """A folder with images, its drafted config, and a short run of it."""
    place = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        draw("lamps", wrong=(0, 29))
        for words in (["init", "--data", "lamps/"], ["train", "lamps.yaml", "training.epochs=4"]):
            done = CliRunner().invoke(cli, words)
            assert 0 == done.exit_code, done.output
    return place


@pytest.fixture
def lamps(trained_once, folder, monkeypatch):
    """A copy of it, as the current folder."""
    copy = folder / "copy"
    shutil.copytree(trained_once, copy)
    monkeypatch.chdir(copy)
    return copy


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_have_the_file_the_class_and_probabilities(lamps, nnrun):
    """Of one file, of several, and of folders with all that is in them."""
    (row,) = rows_of(nnrun("predict", "lamps", "lamps/dark/2.png").stdout)
    assert ["file", "prediction", "p_dark", "p_light"] == [*row]
    assert ("lamps/dark/2.png", "dark") == (row["file"], row["prediction"])
    assert 1 == pytest.approx(float(row["p_dark"]) + float(row["p_light"]), abs=1e-6)
    several = nnrun("predict", "lamps", "lamps/dark/2.png", "lamps/light")
    files = [row["file"] for row in rows_of(several.stdout)]
    assert ["lamps/dark/2.png", *sorted(map(str, Path("lamps/light").iterdir()))] == files
    whole = nnrun("predict", "lamps", "lamps", "-o", "found.csv")
    assert (0, "") == (whole.exit_code, whole.stdout)
    assert 30 == len(rows_of(Path("found.csv").read_text()))


def test_predictions_are_those_of_the_arrays(lamps, nnrun):
    """Files are decoded and stretched as in training."""
    run = load("latest")
    image = Image.open("lamps/light/3.png").resize((40, 30))
    image.save("other.png")
    x = np.asarray(Image.open("lamps/light/3.png")).transpose(2, 0, 1)[None]
    (row,) = rows_of(nnrun("predict", "lamps", "lamps/light/3.png").stdout)
    assert run.predict_proba(x)[0].tolist() == pytest.approx(
        [float(row["p_dark"]), float(row["p_light"])], abs=1e-6
    )
    assert run.predict(x.transpose(0, 2, 3, 1)).tolist() == [row["prediction"]]
    assert ["light"] == [
        row["prediction"] for row in rows_of(nnrun("predict", "lamps", "other.png").stdout)
    ]


def test_json_has_an_object_for_each_file(lamps, nnrun):
    """With the path, the class and its probabilities; npz has the paths as an array."""
    found = json.loads(nnrun("predict", "lamps", "lamps/dark/2.png", "--json").stdout)
    assert 1 == found["rows"]
    (row,) = found["predictions"]
    assert ("lamps/dark/2.png", "dark") == (row["file"], row["prediction"])
    nnrun("predict", "lamps", "lamps/dark/2.png", "-o", "one.npz")
    assert ["lamps/dark/2.png"] == np.load("one.npz")["file"].tolist()


def test_the_score_is_by_the_folders(lamps, nnrun):
    """Two images are in the wrong one; a folder that is no class is an error."""
    done = nnrun("predict", "lamps", "lamps", "--score", "--json", "-o", "all.csv")
    assert round(28 / 30, 4) == round(json.loads(done.stdout)["score"]["accuracy"], 4)
    shutil.copytree("lamps/dark", "new")
    done = nnrun("predict", "lamps", "new", "--score")
    assert 2 == done.exit_code
    assert "its folder 'new' is none of the classes in training: dark, light" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.png"], "nowhere.png: does not exist"),
        (["lamps.yaml", "lamps"], "lamps.yaml: cannot be read: it is no PNG"),
        (["results"], "results: has no images (PNG, JPEG"),
        (["lamps", "--id", "x"], "--id is for the rows of a table; images have their files"),
        (["lamps", "--skip-bad", "x.csv"], "--skip-bad is for the rows of a table"),
        (["-"], "<stdin>: images cannot come from stdin; this run was trained on a folder"),
        (["rows.csv"], "rows.csv: is no image; this run was trained on a folder"),
    ],
)
def test_other_inputs_are_refused(lamps, nnrun, words, message):
    """Nothing is written, and the exit code is 2."""
    write("rows.csv", "a,b\n1,2\n")
    done = nnrun("predict", "lamps", *words)
    assert (2, "") == (done.exit_code, done.stdout)
    assert message in done.stderr


def test_a_missing_folder_is_found_where_it_was_named(lamps, nnrun):
    """In the argument, though the block of images is in the file."""
    done = nnrun("check", "lamps.yaml", "dataset.images.folder=nope")
    assert 2 == done.exit_code
    assert "argument 'dataset.images.folder=nope': dataset.images.folder: " in done.stderr


def test_runs_on_arrays_take_no_images(folder, nnrun):
    """The range of their values is not known."""
    text = "dataset: {name: digits}\nnetwork: {sizes: [10], activations: [softmax]}\n"
    text += "loss: cross_entropy\ntraining: {learning_rate: 0.1, iterations: 1}\n"
    nnrun("train", write("flat.yaml", text))
    draw("lamps", 1)
    done = nnrun("predict", "flat", "lamps")
    assert 2 == done.exit_code
    assert "this run was not trained on a folder of images" in done.stderr


def test_the_report_shows_images_as_they_are(lamps, nnrun):
    """Those in the wrong folder, in colours, by the names of their files."""
    done = nnrun("report", "lamps", "-o", "report.html")
    assert 0 == done.exit_code, done.output
    page = Path("report.html").read_text()
    run = load("latest").record
    wrong = sum(map(sum, run.metrics["test"]["confusion"])) * (1 - run.metrics["test"]["accuracy"])
    shown = re.findall(r'alt="((?:dark|light)/\d+\.png): a (\w+), predicted as (\w+)"', page)
    assert round(wrong) == len(shown)
    assert {"dark/29.png", "light/0.png"} >= {file for file, _, _ in shown}


def test_a_run_verifies_where_the_files_are_the_same(lamps, nnrun):
    """Another pixel is other data, which the message says."""
    assert 0 == nnrun("verify", "lamps").exit_code
    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save("lamps/dark/2.png")
    done = nnrun("verify", "lamps")
    assert (3, True) == (done.exit_code, "its data have changed" in done.output)


def test_exports_take_arrays_of_the_declared_shape(lamps, nnrun):
    """(rows, channels, height, width), in bytes, as raw rows are."""
    assert 0 == nnrun("export", "lamps", "-o", "lamps.py").exit_code
    text = Path("lamps.py").read_text()
    assert "(rows, 3, 12, 12)" in text
    names: dict = {}
    exec(compile(text, "lamps.py", "exec"), names)
    x = np.asarray(Image.open("lamps/light/3.png")).transpose(2, 0, 1)[None]
    assert load("latest").predict(x).tolist() == names["predict"](x).tolist()


@pytest.mark.parametrize(
    ("side", "count", "mode", "expected"),
    [
        (8, 4, "L", ["size: 8", "mode: gray", "channels: 8", 1, "shift: 1"]),
        (28, 30, "RGB", ["size: 28", "mode: rgb", "channels: 8", 2, "shift: 2"]),
        (66, 4, "RGB", ["size: 64", "mode: rgb", "channels: 8", 3, "shift: 4"]),
    ],
)
def test_the_drafted_network_is_by_size_and_rows(folder, nnrun, side, count, mode, expected):
    """Blocks by the side, channels by the training rows; the config is valid as it is."""
    draw("lamps", count, side, mode)
    done = nnrun("init", "--data", "lamps")
    assert 0 == done.exit_code, done.output
    text = Path("lamps.yaml").read_text()
    *lines, blocks, shift = expected
    assert [] == [line for line in (*lines, shift) if line not in text]
    assert blocks == text.count("type: conv2d")
    assert (count >= 25) == ("early_stopping: {" in text)
    assert 0 == nnrun("check", "lamps.yaml").exit_code


def test_init_refuses_what_is_no_folder_of_classes(folder, nnrun):
    """And a target, which is a column of a table."""
    draw("lamps", 1)
    done = nnrun("init", "--data", "lamps/dark")
    assert (2, False) == (done.exit_code, Path("dark.yaml").exists())
    assert "a folder of images has a sub-folder for each class" in done.stderr
    assert "images have their folders" in nnrun("init", "--data", "lamps", "--target", "x").stderr
