"""`nnrun datasets`, `nnrun init`, `nnrun schema`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from nnrun.data.builtin.registry import BOSTON_NOTE, DATASETS


def test_datasets_lists_all_with_what_is_wrong(nnrun):
    """A line for each data set, and below the table what is wrong with Boston."""
    done = nnrun("datasets")
    assert 0 == done.exit_code
    first = [line.split()[0] for line in done.stdout.splitlines() if line and line[0] != " "]
    assert set(DATASETS) <= set(first)
    assert " ".join(BOSTON_NOTE.split()) in " ".join(done.stdout.split())
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_datasets_keep_their_names_whole(nnrun, monkeypatch):
    """Where there is little room, columns are left out and no word is broken."""
    monkeypatch.setenv("COLUMNS", "60")
    words = nnrun("datasets").stdout.split()
    assert set(DATASETS) <= set(words)
    assert "left" in words


def test_wide_leaves_out_no_column(nnrun, cars, monkeypatch):
    """Tables are then as wide as their columns, and not as the terminal."""
    monkeypatch.setenv("COLUMNS", "60")
    nnrun("train", cars)
    nnrun("train", cars, "training.learning_rate=0.02")
    narrow, wide = nnrun("ls").stdout, nnrun("ls", "--wide").stdout
    assert "left out: " in narrow
    assert "left out: " not in wide
    assert {"settings", "train", "started"} <= set(wide.split("\n", maxsplit=1)[0].split())


def test_datasets_are_data_too(nnrun):
    """With --json: all of them, or the one that was named."""
    everything = json.loads(nnrun("datasets", "--json").stdout)
    assert list(DATASETS) == [entry["name"] for entry in everything]
    digits = json.loads(nnrun("datasets", "digits", "--json").stdout)
    assert [1, 8, 8] == digits["shape"]
    assert digits in everything


def test_one_data_set_in_full(nnrun):
    """Task, rows, shape, source, note, and the line for a config."""
    done = nnrun("datasets", "mnist_5k")
    assert "classification, 10 classes" in done.stdout
    assert "1×28×28 (channels × height × width)" in done.stdout
    assert "1,000 of them its own test split" in done.stdout
    assert "CC BY-SA 3.0" in done.stdout
    assert "dataset: {name: mnist_5k}" in done.stdout
    slip = nnrun("datasets", "mnist5k")
    assert 2 == slip.exit_code
    assert "did you mean 'mnist_5k'?" in slip.stderr


def test_a_table_shows_its_columns(nnrun):
    """By the names that predictions find them by; what would have to be fetched shows none."""
    words = " ".join(nnrun("datasets", "iris").stdout.split())
    assert "columns sepal length (cm), sepal width (cm), petal length (cm)" in words
    assert "target species (setosa, versicolor, virginica)" in words
    cars = json.loads(nnrun("datasets", "autompg", "--json").stdout)
    assert ("cylinders", 7, ["mpg"]) == (cars["columns"][0], len(cars["columns"]), cars["target"])
    assert "columns" not in nnrun("datasets", "california").stdout


def test_a_data_set_with_options_shows_them(nnrun):
    """Each with what it means and its default, and the line for a config."""
    done = " ".join(nnrun("datasets", "moons").stdout.split())
    assert "options rows: how many; half of them" in done
    assert "seed: of the noise" in done
    assert "dataset: {name: moons, rows: 1000, noise: 0.1, seed: 0}" in done
    options = json.loads(nnrun("datasets", "moons", "--json").stdout)["options"]
    assert [("rows", 1000), ("noise", 0.1), ("seed", 0)] == [
        (option["name"], option["default"]) for option in options
    ]


def test_datasets_reads_no_data(nnrun, monkeypatch):
    """Listing loads no file and fetches nothing; scikit-learn is not even imported."""
    program = (
        "import sys; from nnrun.cli import cli; cli(['datasets', '-h'], standalone_mode=False)"
    )
    program = (
        program.replace("'datasets', '-h'", "'datasets'").replace("cli(", "\ntry: cli(")
        + "\nfinally: print('sklearn' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "False\n" == done.stderr


@pytest.mark.parametrize("name", [None, "first", "first.yaml"])
def test_the_starter_config_is_valid_and_trains(nnrun, report, name):
    """`nnrun init` writes a config that passes the check and learns far more than the baseline."""
    done = nnrun("init", *([name] if name else []))
    file = f"{(name or 'experiment').removesuffix('.yaml')}.yaml"
    assert 0 == done.exit_code
    assert f"nnrun train {file}" in done.stderr
    assert 0 == nnrun("check", file).exit_code
    if name is None:
        assert 0 == nnrun("train", file).exit_code
        assert report()["metrics"]["test"]["r2"] > 0.8
        assert report()["timing"]["iterations"] > 0


def test_init_overwrites_nothing(nnrun):
    """A file of that name stays as it is."""
    Path("mine.yaml").write_text("precious")
    done = nnrun("init", "mine")
    assert 2 == done.exit_code
    assert "mine.yaml exists already" in done.stderr
    assert "precious" == Path("mine.yaml").read_text()


@pytest.mark.parametrize("name", ["a/b", "../up", "-x", "", "a b", ".hidden"])
def test_init_takes_plain_names_only(nnrun, name, folder):
    """A name is neither a path nor an option."""
    done = nnrun("init", "--", name)
    assert 2 == done.exit_code
    assert "is not a name for an experiment" in done.stderr
    assert [] == list(folder.iterdir())


def test_the_schema_accepts_the_starter_config(nnrun):
    """What `nnrun schema` prints is a JSON Schema by which a valid config is valid."""
    schema = json.loads(nnrun("schema").stdout)
    nnrun("init")
    config = yaml.safe_load(Path("experiment.yaml").read_text())
    jsonschema.validate(config, schema)
    config["training"]["optimizer"] = "sdg"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, schema)


def test_the_schema_can_go_to_a_file(nnrun):
    """With -o stdout stays empty, and the hint for editors names the file."""
    done = nnrun("schema", "-o", "nnrun.schema.json")
    assert (0, "") == (done.exit_code, done.stdout)
    assert nnrun("schema").stdout == Path("nnrun.schema.json").read_text()
    assert "# yaml-language-server: $schema=nnrun.schema.json" in done.stderr
    failed = nnrun("schema", "-o", "no/such/folder.json")
    assert 2 == failed.exit_code
    assert "no/such/folder.json" in failed.stderr


@pytest.mark.parametrize("command", ["train", "check", "explain", "sweep", "search"])
def test_what_an_argument_replaces_is_noted(nnrun, cars, command):
    """Commands that take arguments say so on stderr, once, however many runs there are."""
    text = Path(cars).read_text() + "search: {training.batch_size: {choice: [1, 2]}, trials: 1}\n"
    Path(cars).write_text(text.replace("0.01", "{schedule: cosine, initial: 0.01}"))
    done = nnrun(command, cars, "training.learning_rate=0.02")
    assert 0 == done.exit_code, done.stderr
    assert 1 == done.stderr.count("training.learning_rate sets 'initial' of the config's schedule")
