"""Mistakes in configs by their place: exit code 2, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

GOOD = """\
name: good
dataset:
  name: digits
  features: [{binarize: 8}]
network:
  layers:
    - {type: conv2d, channels: 2, kernel: [3, 3], activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  optimizer: sgd
  learning_rate: 1e-2
  iterations: 5
seed: 010
"""

# (what stands in GOOD, what stands there instead, where the message points: at the first place of
# this in the new text, words of the message)
MISTAKES = {
    "unknown key": ("seed:", "sead:", "sead", "did you mean 'seed'?"),
    "a boolean is no number": ("learning_rate: 1e-2", "learning_rate: true", "true", "number"),
    "a word of YAML 1.1 is a word": ("seed: 010", "seed: off", "off", "whole number"),
    "no infinity": ("learning_rate: 1e-2", "learning_rate: .inf", ".inf", "number"),
    "not positive": ("iterations: 5", "iterations: 0", "0\nseed", "iterations"),
    "an unknown optimizer": ("optimizer: sgd", "optimizer: sdg", "sdg", "did you mean 'sgd'?"),
    "iterations and epochs": (
        "  iterations: 5",
        "  iterations: 5\n  epochs: 2",
        "epochs",
        "iterations",
    ),
    "neither iterations nor epochs": (
        "  iterations: 5\n",
        "",
        "training",
        "'iterations' or 'epochs'",
    ),
    "a name that is a path": ("name: good", "name: ../good", "../good", "name"),
    "a published number of no metric": (
        "seed: 010",
        "published: {test_acuracy: 1}",
        "test_acuracy",
        "'test_accuracy'?",
    ),
    "a kernel larger than its input": ("kernel: [3, 3]", "kernel: 9", "9", "8"),
    "units that are no classes": ("units: 10", "units: 9", "9,", "10 classes"),
    "softmax in the middle": (
        "{type: flatten}",
        "{type: flatten}\n    - {type: dense, units: 5, activation: softmax}",
        "softmax}",
        "last layer",
    ),
    "a loss of another activation": ("10, activation: softmax", "10", "{type: dense", "softmax"),
    "a loss of another task": (
        "name: digits",
        "name: digits\n  task: regression",
        "regression",
        "digits is a classification data set",
    ),
    "images into a dense layer's place": (
        "    - {type: flatten}\n",
        "",
        "{type: dense",
        "put a flatten before it",
    ),
    "a scaled class": ("  features:", "  target: standard\n  features:", "standard", "class"),
    "a split that leaves nothing": (
        "  features:",
        "  test_size: 5000\n  features:",
        "5000",
        "rows",
    ),
}


def place(text: str, needle: str) -> str:
    before = text[: text.index(needle)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_the_config_without_mistakes_is_valid(lab):
    """What the mistakes are planted in is right, `010` being ten and never eight."""
    Path("good.yaml").write_text(GOOD)
    done = lab.ok("check", "good.yaml", "--json")
    assert done.json["configs"][0]["run_id"].startswith("s10-")


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", ["train", "check"])
def test_a_mistake_has_its_place_and_changes_nothing(lab, command, mistake):
    """The message starts with file:line:column, the exit code is 2, no results folder is made."""
    old, new, needle, words = MISTAKES[mistake]
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    Path("bad.yaml").write_text(text)
    done = lab(command, "bad.yaml")
    assert 2 == done.code
    assert f"bad.yaml:{place(text, needle)}: " in done.err
    assert words in done.err
    assert not Path("results").exists()
    assert "" == done.out


@pytest.mark.parametrize("command", ["check", "sweep"])
def test_an_empty_argument_is_not_the_current_folder(lab, command):
    """An unset variable of the shell in place of a path starts nothing."""
    Path("mine.yaml").write_text(GOOD)
    message = lab.refused(command, "")
    assert "error: a path is empty; '.' is the current folder" == message.splitlines()[-1]


@pytest.mark.parametrize("command", ["train", "check", "sweep"])
def test_wrong_cells_are_reported_with_the_line_that_names_their_file(lab, command):
    """First the place in the config, then every place in the data."""
    Path("houses.csv").write_text("rooms,price\n1,2\nx,3\n,4\n5,6\n")
    block = "{path: houses.csv, columns: {target: price}, task: regression}"
    text = f"network: {{sizes: [1], activations: [linear]}}\ndataset: {block}\n"
    text += "loss: mean_squared\ntraining: {learning_rate: 0.1, iterations: 5}\n"
    Path("houses.yaml").write_text(text)
    message = lab.refused(command, "houses.yaml")
    head, _, _, *cells = message.splitlines()
    where = place(text, "houses.csv")
    assert f"houses.yaml:{where}: dataset.path: this data set cannot be used:" == head
    data = Path("houses.csv").resolve()
    assert [f"{data}:3:rooms: 'x'", f"{data}:4:rooms: the cell is blank"] == [
        cells[0].partition(" is not a number")[0],
        cells[1].partition("; ")[0],
    ]
    assert not Path("results").exists()


def test_problems_are_data_with_json(lab):
    """With --json each problem has message, path and place."""
    text = GOOD.replace("tanh", "tahn")
    Path("bad.yaml").write_text(text)
    done = lab("train", "bad.yaml", "seed=x", "--json")
    assert 2 == done.code
    content = done.json
    first, second = content["problems"]
    assert f"bad.yaml:{place(text, 'tahn')}" == f"{first['file']}:{first['line']}:{first['column']}"
    assert "network.layers[0].activation" == first["path"]
    assert ("seed=x", None) == (second["argument"], second["line"])
    assert content["error"] in done.err
