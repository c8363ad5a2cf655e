"""`nnrun datasets`, `nnrun init`, `nnrun schema`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from nnrun.data.builtin.registry import BOSTON_NOTE, DATASETS


def test_datasets_lists_all_with_what_is_wrong(lab):
    """A line for each data set, and below the table what is wrong with Boston."""
    done = lab.ok("datasets")
    first = [line.split()[0] for line in done.out.splitlines() if line and line[0] != " "]
    assert set(DATASETS) <= set(first)
    assert " ".join(BOSTON_NOTE.split()) in " ".join(done.out.split())
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_datasets_keep_their_names_whole(lab, monkeypatch):
    """Where there is little room, columns are left out and no word is broken."""
    monkeypatch.setenv("COLUMNS", "60")
    words = lab("datasets").out.split()
    assert set(DATASETS) <= set(words)
    assert "left" in words


def test_wide_leaves_out_no_column(lab, cars, monkeypatch):
    """Tables are then as wide as their columns, and not as the terminal."""
    monkeypatch.setenv("COLUMNS", "60")
    lab("train", cars)
    lab("train", cars, "training.learning_rate=0.02")
    narrow, wide = lab("ls").out, lab("ls", "--wide").out
    assert "left out: " in narrow
    assert "left out: " not in wide
    assert {"settings", "train", "started"} <= set(wide.split("\n", maxsplit=1)[0].split())


def test_datasets_are_data_too(lab):
    """With --json: all of them, or the one that was named."""
    everything = lab.json("datasets")
    assert list(DATASETS) == [entry["name"] for entry in everything]
    digits = lab.json("datasets", "digits")
    assert [1, 8, 8] == digits["shape"]
    assert digits in everything


def test_one_data_set_in_full(lab):
    """Task, rows, shape, source, note, and the line for a config."""
    done = lab("datasets", "mnist_5k")
    assert "classification, 10 classes" in done.out
    assert "1×28×28 (channels × height × width)" in done.out
    assert "1,000 of them its own test split" in done.out
    assert "CC BY-SA 3.0" in done.out
    assert "dataset: {name: mnist_5k}" in done.out
    assert "did you mean 'mnist_5k'?" in lab.refused("datasets", "mnist5k")


def test_a_table_shows_its_columns(lab):
    """By the names that predictions find them by; what would have to be fetched shows none."""
    words = " ".join(lab("datasets", "iris").out.split())
    assert "columns sepal length (cm), sepal width (cm), petal length (cm)" in words
    assert "target species (setosa, versicolor, virginica)" in words
    cars = lab.json("datasets", "autompg")
    assert ("cylinders", 7, ["mpg"]) == (cars["columns"][0], len(cars["columns"]), cars["target"])
    assert "columns" not in lab("datasets", "california").out


def test_a_data_set_with_options_shows_them(lab):
    """Each with what it means and its default, and the line for a config."""
    done = " ".join(lab("datasets", "moons").out.split())
    assert "options rows: how many; half of them" in done
    assert "seed: of the noise" in done
    assert "dataset: {name: moons, rows: 1000, noise: 0.1, seed: 0}" in done
    options = lab.json("datasets", "moons")["options"]
    assert [("rows", 1000), ("noise", 0.1), ("seed", 0)] == [
        (option["name"], option["default"]) for option in options
    ]


def test_datasets_reads_no_data():
    """Listing loads no file and fetches nothing; scikit-learn is not even imported."""
    program = (
        "import sys; from nnrun.cli import cli\n"
        "try: cli(['datasets'])\n"
        "finally: print('sklearn' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "False\n" == done.stderr


@pytest.mark.parametrize("name", [None, "first", "first.yaml"])
def test_the_starter_config_is_valid_and_trains(lab, name):
    """`nnrun init` writes a config that passes the check and learns far more than the baseline."""
    done = lab("init", *([name] if name else []))
    file = f"{(name or 'experiment').removesuffix('.yaml')}.yaml"
    assert 0 == done.code
    assert f"nnrun train {file}" in done.err
    lab.ok("check", file)
    if name is None:
        lab.ok("train", file)
        assert lab.report()["metrics"]["test"]["r2"] > 0.8
        assert lab.report()["timing"]["iterations"] > 0


def test_init_overwrites_nothing(lab):
    """A file of that name stays as it is."""
    Path("mine.yaml").write_text("precious")
    assert "mine.yaml exists already" in lab.refused("init", "mine")
    assert "precious" == Path("mine.yaml").read_text()


@pytest.mark.parametrize("name", ["a/b", "../up", "-x", "", "a b", ".hidden"])
def test_init_takes_plain_names_only(lab, name, folder):
    """A name is neither a path nor an option."""
    assert "is not a name for an experiment" in lab.refused("init", "--", name)
    assert [] == list(folder.iterdir())


def test_the_schema_accepts_the_starter_config(lab):
    """What `nnrun schema` prints is a JSON Schema by which a valid config is valid."""
    schema = lab("schema").json
    lab("init")
    config = yaml.safe_load(Path("experiment.yaml").read_text())
    jsonschema.validate(config, schema)
    config["training"]["optimizer"] = "sdg"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, schema)


def test_the_schema_can_go_to_a_file(lab):
    """With -o stdout stays empty, and the hint for editors names the file."""
    done = lab("schema", "-o", "nnrun.schema.json")
    assert (0, "") == (done.code, done.out)
    assert lab("schema").out == Path("nnrun.schema.json").read_text()
    assert "# yaml-language-server: $schema=nnrun.schema.json" in done.err
    assert "no/such/folder.json" in lab.refused("schema", "-o", "no/such/folder.json")


@pytest.mark.parametrize("command", ["train", "check", "explain", "sweep", "search"])
def test_what_an_argument_replaces_is_noted(lab, cars, command):
    """Commands that take arguments say so on stderr, once, however many runs there are."""
    text = Path(cars).read_text() + "search: {training.batch_size: {choice: [1, 2]}, trials: 1}\n"
    Path(cars).write_text(text.replace("0.01", "{schedule: cosine, initial: 0.01}"))
    done = lab.ok(command, cars, "training.learning_rate=0.02")
    assert 1 == done.err.count("training.learning_rate sets 'initial' of the config's schedule")
