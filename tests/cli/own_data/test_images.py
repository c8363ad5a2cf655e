"""Images from a folder to predictions, as a user goes: init, train, predict, verify, report."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnrun import load
from tests.lab import write

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


@pytest.fixture
def lamps(lab):
    """A folder with images, its drafted config, and a short run of it."""
    train = "train lamps.yaml training.epochs=4"
    lab.begin({"lamps": draw_with_mistakes}, "init --data lamps/", train)
    return lab.folder


def draw_with_mistakes(folder):
    draw(folder, wrong=(0, 29))


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_have_the_file_the_class_and_probabilities(lamps, lab):
    """Of one file, of several, and of folders with all that is in them."""
    (row,) = rows_of(lab("predict", "lamps", "lamps/dark/2.png").out)
    assert ["file", "prediction", "p_dark", "p_light"] == [*row]
    assert ("lamps/dark/2.png", "dark") == (row["file"], row["prediction"])
    assert 1 == pytest.approx(float(row["p_dark"]) + float(row["p_light"]), abs=1e-6)
    several = lab("predict", "lamps", "lamps/dark/2.png", "lamps/light")
    files = [row["file"] for row in rows_of(several.out)]
    assert ["lamps/dark/2.png", *sorted(map(str, Path("lamps/light").iterdir()))] == files
    whole = lab("predict", "lamps", "lamps", "-o", "found.csv")
    assert (0, "") == (whole.code, whole.out)
    assert 30 == len(rows_of(Path("found.csv").read_text()))


def test_predictions_are_those_of_the_arrays(lamps, lab):
    """Files are decoded and stretched as in training."""
    run = load("latest")
    image = Image.open("lamps/light/3.png").resize((40, 30))
    image.save("other.png")
    x = np.asarray(Image.open("lamps/light/3.png")).transpose(2, 0, 1)[None]
    (row,) = rows_of(lab("predict", "lamps", "lamps/light/3.png").out)
    assert run.predict_proba(x)[0].tolist() == pytest.approx(
        [float(row["p_dark"]), float(row["p_light"])], abs=1e-6
    )
    assert run.predict(x.transpose(0, 2, 3, 1)).tolist() == [row["prediction"]]
    assert ["light"] == [
        row["prediction"] for row in rows_of(lab("predict", "lamps", "other.png").out)
    ]


def test_json_has_an_object_for_each_file(lamps, lab):
    """With the path, the class and its probabilities; npz has the paths as an array."""
    found = lab.json("predict", "lamps", "lamps/dark/2.png")
    assert 1 == found["rows"]
    (row,) = found["predictions"]
    assert ("lamps/dark/2.png", "dark") == (row["file"], row["prediction"])
    lab("predict", "lamps", "lamps/dark/2.png", "-o", "one.npz")
    assert ["lamps/dark/2.png"] == np.load("one.npz")["file"].tolist()


def test_the_score_is_by_the_folders(lamps, lab):
    """Two images are in the wrong one; a folder that is no class is an error."""
    done = lab("predict", "lamps", "lamps", "--score", "--json", "-o", "all.csv")
    assert round(28 / 30, 4) == round(done.json["score"]["accuracy"], 4)
    shutil.copytree("lamps/dark", "new")
    assert "its folder 'new' is none of the classes in training: dark, light" in lab.refused(
        "predict", "lamps", "new", "--score"
    )


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
def test_other_inputs_are_refused(lamps, lab, words, message):
    """Nothing is written, and the exit code is 2."""
    write("rows.csv", "a,b\n1,2\n")
    assert message in lab.refused("predict", "lamps", *words)


def test_a_missing_folder_is_found_where_it_was_named(lamps, lab):
    """In the argument, though the block of images is in the file."""
    assert "argument 'dataset.images.folder=nope': dataset.images.folder: " in lab.refused(
        "check", "lamps.yaml", "dataset.images.folder=nope"
    )


def test_runs_on_arrays_take_no_images(folder, lab):
    """The range of their values is not known."""
    text = "dataset: {name: digits}\nnetwork: {sizes: [10], activations: [softmax]}\n"
    text += "loss: cross_entropy\ntraining: {learning_rate: 0.1, iterations: 1}\n"
    lab("train", write("flat.yaml", text))
    draw("lamps", 1)
    assert "this run was not trained on a folder of images" in lab.refused(
        "predict", "flat", "lamps"
    )


def test_the_report_shows_images_as_they_are(lamps, lab):
    """Those in the wrong folder, in colours, by the names of their files."""
    lab.ok("report", "lamps", "-o", "report.html")
    page = Path("report.html").read_text()
    run = load("latest").record
    wrong = sum(map(sum, run.metrics["test"]["confusion"])) * (1 - run.metrics["test"]["accuracy"])
    shown = re.findall(r'alt="((?:dark|light)/\d+\.png): a (\w+), predicted as (\w+)"', page)
    assert round(wrong) == len(shown)
    assert {"dark/29.png", "light/0.png"} >= {file for file, _, _ in shown}


def test_a_run_verifies_where_the_files_are_the_same(lamps, lab):
    """Another pixel is other data, which the message says."""
    lab.ok("verify", "lamps")
    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save("lamps/dark/2.png")
    done = lab("verify", "lamps")
    assert (3, True) == (done.code, "its data have changed" in done.said)


def test_exports_take_arrays_of_the_declared_shape(lamps, lab):
    """(rows, channels, height, width), in bytes, as raw rows are."""
    lab.ok("export", "lamps", "-o", "lamps.py")
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
def test_the_drafted_network_is_by_size_and_rows(folder, lab, side, count, mode, expected):
    """Blocks by the side, channels by the training rows; the config is valid as it is."""
    draw("lamps", count, side, mode)
    lab.ok("init", "--data", "lamps")
    text = Path("lamps.yaml").read_text()
    *lines, blocks, shift = expected
    assert [] == [line for line in (*lines, shift) if line not in text]
    assert blocks == text.count("type: conv2d")
    assert (count >= 25) == ("early_stopping: {" in text)
    lab.ok("check", "lamps.yaml")


def test_init_refuses_what_is_no_folder_of_classes(folder, lab):
    """And a target, which is a column of a table."""
    draw("lamps", 1)
    done = lab("init", "--data", "lamps/dark")
    assert (2, False) == (done.code, Path("dark.yaml").exists())
    assert "a folder of images has a sub-folder for each class" in done.err
    assert "images have their folders" in lab("init", "--data", "lamps", "--target", "x").err
