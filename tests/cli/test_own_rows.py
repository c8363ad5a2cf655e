"""Series and images of one's own."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import nnrun as nnrun_api
from nnrun.config.load import load_config
from nnrun.errors import DataError
from nnrun.models.load import load_model as load
from nnrun.runs.catalog.select import select_run
from nnrun.runs.preparation.prepare import prepare
from tests.lab import write

# A series of loads: trained on earlier rows, predicted from a file that has them.

HOURS = 24 * 12
CONFIG = """\
dataset:
  path: load.csv
  columns: {target: load, formats: {load: "1.234,50 kW", hour: "31.12.2024 23:59"}}
  split: {by: time, column: hour}
  dates: {hour: [hour, weekday, cyclic]}
  lags: {load: [24, 48]}
  features: standard
  target: standard
network: {sizes: [8, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 3, batch_size: 16}
"""


def series(hours=HOURS, start="2024-05-06"):
    """A load with a rhythm of the day, as a spreadsheet writes it, in a drawn order."""
    frame = pd.DataFrame({"hour": pd.date_range(start, periods=hours, freq="h")})
    rhythm = np.sin(2 * np.pi * frame["hour"].dt.hour / 24)
    frame["load"] = (2000 + 900 * rhythm + np.random.default_rng(0).normal(0, 9, hours)).round(1)
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


def written(frame):
    """The series as a file."""
    text = "hour;load\n"
    for moment, value in frame.itertuples(index=False):
        number = "" if np.isnan(value) else f"{value:,.1f} kW"
        cell = number.translate({ord(","): ".", ord("."): ","})
        text += f"{moment:%d.%m.%Y %H:%M};{cell}\n"
    return text


@pytest.fixture
def loads(lab):
    """A run that takes the loads of one day and of two days before."""
    lab.begin({"load.csv": written(series()), "load.yaml": CONFIG}, "train load.yaml")
    return load(select_run("load", Path("results")))


def test_a_network_of_earlier_values_alone_predicts_a_file(folder, lab):
    """Without any other column a row of the file has no features of its own."""
    write("load.csv", written(series()))
    write("lags.yaml", CONFIG.replace("  dates: {hour: [hour, weekday, cyclic]}\n", ""))
    lab.ok("train", "lags.yaml")

    done = lab.ok("predict", "lags", "load.csv")
    assert 1 + HOURS - 48 == len(done.out.splitlines())


def test_rows_with_too_few_before_them_are_left_out(loads, lab):
    """Two days of 12; the report and the command say so."""
    data = lab.report()["dataset"]
    assert (HOURS - 48, 48) == (
        sum(data[f"n_{split}"] or 0 for split in ("train", "validation", "test")),
        data["dropped"],
    )
    assert f"{HOURS - 48} rows (48 more left out for too few earlier rows)" in data["description"]
    shown = " ".join(lab("check", "load.yaml").out.split())
    assert "without 48 rows of the file that lack values" in shown


def test_the_next_day_is_predicted_from_the_days_before(loads, lab):
    """Rows without a load are predicted where both earlier loads are known, by their row numbers.

    The predictions are those of the features that pandas makes.
    """
    frame = series(96, "2024-06-01")
    frame.loc[frame["hour"] >= "2024-06-04", "load"] = np.nan
    write("new.csv", written(frame))
    done = lab("predict", "load", "new.csv", "--id", "hour")
    assert "48 of 96 rows not predicted: too few known values in the rows" in done.err
    table = [*csv.DictReader(io.StringIO(done.out))]
    ordered = frame.sort_values("hour")
    lags = {step: ordered["load"].shift(step).sort_index() for step in (24, 48)}
    rows = np.flatnonzero(lags[24].notna() & lags[48].notna())
    assert [str(row + 1) for row in rows] == [line["row"] for line in table]
    assert [f"{t:%d.%m.%Y %H:%M}" for t in frame["hour"][rows]] == [r["hour"] for r in table]
    angles = [2 * np.pi * frame["hour"].dt.hour / 24, 2 * np.pi * frame["hour"].dt.day_of_week / 7]
    circles = [f(angle).round(12) for angle in angles for f in (np.sin, np.cos)]
    x = np.column_stack([*circles, lags[24], lags[48]])[rows]
    assert loads.predict(x).tolist() == [float(line["prediction"]) for line in table]


def test_rows_without_earlier_ones_are_an_error(loads, lab):
    """If the file has none at all, nothing is written."""
    write("new.csv", written(series(48, "2024-06-01")))
    assert "no row has the values of the 48 rows before it" in lab.refused(
        "predict", "load", "new.csv"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hour\n01.06.2024 00:00\n", ":1: there is no column 'load', whose earlier values are"),
        ("load\n5 kW\n", ":1: there is no column 'hour'"),
        ("hour;load\n01.06.2024 00:00;5 kWh\n", ":2:load: '5 kWh' is not written as '1.234,50 kW'"),
        ("hour;load\n2024-06-01;5 kW\n", ":2:hour: '2024-06-01' is not a date that is written as"),
        (
            "hour;load\n01.06.2024 00:00;5 kW\n01.06.2024 00:00;6 kW\n",
            ":3:hour: has the time of line 2, so that neither is earlier",
        ),
    ],
)
def test_wrong_files_are_reported(loads, lab, content, said):
    """With line and column, and what a missing one is for."""
    write("new.csv", content)
    assert f"new.csv{said}" in lab.refused("predict", "load", "new.csv")


def test_what_needs_single_rows_is_refused(loads, lab):
    """Rows cannot be put aside, nor be a table in memory; arrays of features can be."""
    write("new.csv", written(series(96, "2024-06-01")))
    assert "correct them first" in lab.refused(
        "predict", "load", "new.csv", "--skip-bad", "bad.csv"
    )
    with pytest.raises(DataError, match=r"earlier values of 'load', which `nnrun predict` finds"):
        nnrun_api.load("load").predict(pd.read_csv("new.csv", sep=";"))


def test_predictions_are_scored_and_counted(loads, lab):
    """The score is of predicted rows alone, in the unit of the column."""
    write("new.csv", written(series(96, "2024-06-01")))
    found = lab.json("predict", "load", "new.csv", "--score")
    assert (48, 48, 1) == (found["rows"], found["unpredicted"], found["predictions"][0]["row"] > 0)
    assert 0 < found["score"]["rmse"] < 2000


def test_a_run_verifies_and_exports(loads, lab):
    """Training again gives the same bits; a script takes arrays, and ONNX features."""
    lab.ok("verify", "load")
    lab.ok("export", "load", "-o", "load.py")
    text = Path("load.py").read_text()
    assert "python THIS_FILE ROWS.npz" in text
    assert "load.lag_24, load.lag_48" in " ".join(text.split())
    lab.ok("export", "load", "-o", "load.onnx")


def test_a_random_split_is_refused(folder, lab):
    """It would train on what comes after rows that are tested; the key is at fault."""
    write("load.csv", written(series()))
    write("load.yaml", CONFIG.replace("  split: {by: time, column: hour}\n", ""))
    assert "load.yaml:5:3: dataset.lags: earlier rows need an order: add `split:" in lab.refused(
        "check", "load.yaml"
    )


def test_series_of_several_groups_are_predicted_as_they_are_trained(folder, lab):
    """Rows count within each group, in training and in new files, by the same rows, bit for bit."""
    frame = pd.DataFrame(
        [(day, shop) for day in pd.date_range("2024-01-01", periods=20) for shop in "ABC"],
        columns=["hour", "shop"],
    )
    frame["load"] = np.random.default_rng(2).normal(size=len(frame)).round(2)
    frame.sample(frac=1, random_state=2).to_csv("load.csv", index=False)
    config = CONFIG.replace(', formats: {load: "1.234,50 kW", hour: "31.12.2024 23:59"}', "")
    config = config.replace("target: load", "target: load, categorical: [shop]")
    config = config.replace("load: [24, 48]", "load: {steps: [1, 7], group: shop}")
    write("load.yaml", config)
    lab.ok("train", "load.yaml")
    data = prepare(load_config(Path("load.yaml"))).dataset
    model = load(select_run("load", Path("results")))
    table = [*csv.DictReader(io.StringIO(lab("predict", "load", "load.csv").out))]
    assert 3 * (20 - 7) == len(table)
    assert data.row_numbers.tolist() == [int(line["row"]) for line in table]
    assert model.predict(data.x).tolist() == [float(line["prediction"]) for line in table]


def test_two_new_rows_of_one_time_are_to_be_corrected_in_the_file(loads, lab):
    """Their message does not name keys of the config: the network is trained already."""
    write("new.csv", "hour;load\n01.06.2024 00:00;5 kW\n01.06.2024 00:00;6 kW\n")
    said = lab("predict", "load", "new.csv").err
    assert "leave one of them out: training had one row for each time" in said
    assert "lags:" not in said


# Images from a folder to predictions, as a user goes: init, train, predict, verify, report.

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
    run = nnrun_api.load("latest")
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
    run = nnrun_api.load("latest").record
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
    assert nnrun_api.load("latest").predict(x).tolist() == names["predict"](x).tolist()


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
