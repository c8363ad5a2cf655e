"""`nnrun check`: configs, gradients, and the source that would be compiled."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nnrun.engines.tape.layers import EMITTERS
from nnrun.nn.layers import MatMul
from nnrun.runs.preparation import gradients
from tests.lab import write

SVG = "{http://www.w3.org/2000/svg}"

# `nnrun check`: it shows valid configs, reports mistakes, and trains nothing.

DIGITS = """\
description: little pictures
dataset: {name: digits, validation_size: 100}
network:
  layers:
    - {type: conv2d, channels: 2, kernel: 3, bias: per_position, activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.01, epochs: 2, batch_size: 10}
"""


@pytest.fixture
def digits():
    Path("digits.yaml").write_text(DIGITS)
    return "digits.yaml"


def test_a_config_is_shown_layer_by_layer(lab, digits):
    """Shapes and parameters of every layer, totals, rows, iterations, memory; no results."""
    done = lab.ok("check", digits)
    assert "" == done.err
    rows = [line.split() for line in done.out.splitlines()]
    assert ["digits.yaml", "valid"] in rows
    assert ["input", "1×8×8"] in rows
    assert ["0", "conv2d,", "tanh", "2×6×6", "90"] in rows
    assert ["1", "flatten", "72"] in rows
    assert ["2", "dense,", "softmax", "10", "730"] in rows
    assert ["total", "820"] in rows
    assert "1,337 train, 100 validation, 360 test rows of 64 features" in done.out
    assert "268 iterations of 10 rows (2 epochs), float64" in done.out
    assert "memory     about " in done.out
    assert not Path("results").exists()


def test_settings_of_a_grid_together_are_left_to_the_plan_of_the_sweep(lab, digits):
    """Its values are checked one by one; what settles the rest is said, and finds a mistake."""
    grid = "sweep: {grid: {training.batch_size: [8, 16], network.layers.2.units: [10, 9, 8]}}\n"
    Path(digits).write_text(DIGITS + grid)
    words = ("digits.yaml", "seed=9", "--iterations", "20")
    done = lab("check", *words)
    command = f"nnrun sweep {' '.join(words)} --dry-run"
    said = f"digits.yaml: the settings of its grid together are 6 configs, which {command} checks\n"
    assert (0, said) == (done.code, done.err)
    assert "9 outputs, but digits has 10 classes" in lab(*command.split()[1:]).err


def test_check_shows_the_run_id_that_train_uses(lab, cars):
    """The id depends on nothing that only training would know."""
    shown = lab.json("check", cars, "seed=9")["configs"][0]["run_id"]
    lab("train", cars, "seed=9")
    assert shown == lab.report()["run_id"]


def test_json_holds_what_the_table_shows(lab, digits):
    """The same as data."""
    (config,) = lab.json("check", digits)["configs"]
    assert ("digits.yaml", "digits", 268) == (config["file"], config["name"], config["iterations"])
    assert [90, 0, 730] == [layer["parameters"] for layer in config["network"]["layers"]]
    assert [2, 6, 6] == config["network"]["layers"][0]["output_shape"]
    parts = [config["memory"][part] for part in ("parameters", "activations", "data")]
    assert sum(parts) == config["memory"]["total"]


def test_a_folder_is_all_its_configs(lab, cars, digits):
    """A line for each file that lies directly in it; hidden and other files are left alone."""
    Path("more").mkdir()
    for name in ("more/deep.yaml", "notes.txt", ".hidden.yaml"):
        Path(name).write_text("nothing: right")
    Path("last.yml").write_text(DIGITS)
    done = lab.ok("check", ".")
    names = [line.split()[0] for line in done.out.splitlines() if ".y" in line]
    assert ["cars.yaml", "digits.yaml", "last.yml"] == names
    assert "3 valid configs" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_all_problems_of_all_files_are_reported(lab, cars, digits):
    """One bad config hides no other config; a mistake in an argument is reported once."""
    Path("bad.yaml").write_text(DIGITS.replace("tanh", "tahn").replace("0.01", "-1"))
    Path("worse.yaml").write_text("[")
    done = lab("check", ".", "--json")
    assert 2 == done.code
    content = done.json
    assert ["cars.yaml", "digits.yaml"] == [config["file"] for config in content["configs"]]
    assert ["bad.yaml", "bad.yaml", "worse.yaml"] == [p["file"] for p in content["problems"]]
    message = lab.refused("check", cars, digits, "seed=many")
    assert 1 == message.count("argument 'seed=many'")


def test_quiet_tells_errors_alone(lab, cars, digits):
    """A check in a script: no output for what is right."""
    done = lab("check", cars, digits, "-q")
    assert (0, "", "") == (done.code, done.out, done.err)
    assert "seed" in lab("check", cars, "seed=x", "-q").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        (["seed=3"], "a config file or a folder"),
        (["seed=3", "cars.yaml"], "argument 'cars.yaml': paths come before overrides"),
        (["empty"], "argument 'empty': no .yaml or .yml file in there"),
        (["crs.yaml"], "did you mean 'cars.yaml'?"),
    ],
)
def test_paths_that_cannot_be_checked(lab, cars, arguments, said):
    """Usage errors say which argument they are about."""
    Path("empty").mkdir()
    assert said in lab.refused("check", *arguments)


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize(
    "split",
    [
        ["training.optimizer={type:", "adam,", "beta1:", "0.5}"],
        ["training.batch_size=8,", "16"],
        ["training.batch_size=8", ",16"],
        ["training.batch_size=", "8"],
    ],
)
def test_an_override_that_the_shell_split_is_quoted(lab, cars, command, split):
    """The message has the whole argument in quotes, to copy, and no other argument."""
    message = lab.refused(command, cars, *split, "seed=3")
    assert f"argument '{split[0]}': the shell split it at its blanks; put it in quotes" in (message)
    assert message.rstrip().endswith(f"quotes: {shlex.quote(' '.join(split))}")


def test_an_override_whose_braces_the_shell_took_apart_is_quoted(lab, cars):
    """Bash makes two arguments of `{type:adam,beta1:0.5}`."""
    message = lab.refused(
        "check", cars, "training.optimizer=type:adam", "training.optimizer=beta1:0.5"
    )
    assert message.rstrip().endswith("quotes: 'training.optimizer={type: adam, beta1: 0.5}'")


def test_gradients_of_a_right_network_agree(lab, digits):
    """A line for every parameter, compared in float64 though the config trains in float32."""
    done = lab.ok("check", digits, "training.dtype=float32", "--gradients")
    rows = [line.split() for line in done.out.splitlines()]
    assert ["0.weight", "18", "18", "0"] in [row[:4] for row in rows]
    assert 4 == sum(row[-1:] == ["agree"] for row in rows)


def test_a_wrong_gradient_is_found_with_both_numbers(lab, cars, monkeypatch):
    """Exit 3, naming the parameter, what backpropagation says and what differences say."""
    right = MatMul.backward

    def wrong(self, dy, needs_dx=True):
        result = right(self, dy, needs_dx)
        self.parameters[0].grad *= 1.5
        return result

    monkeypatch.setattr(MatMul, "backward", wrong)
    done = lab("check", cars, "--gradients")
    assert 3 == done.code
    failures = [line for line in done.err.splitlines() if line.startswith("cars.yaml: 0.weight")]
    assert 1 == len(failures)
    words = failures[0].replace(",", "").split()
    back, numerical = (float(words[words.index(w) + 1]) for w in ("backpropagated", "numerical"))
    np.testing.assert_allclose(back, 1.5 * numerical, rtol=1e-6)
    assert "0.bias" not in done.err
    assert "WRONG" in done.out
    several = lab("check", cars, cars, ".", "--gradients", "--json")
    (config,) = several.json["configs"]
    assert [False, True] == [check["passed"] for check in config["gradients"]][:2]


def test_gradients_are_checked_on_rows_from_all_over_the_split(lab, digits, monkeypatch):
    """Five rows, not the first five, so that data sorted by class gives more than one class."""
    seen = []
    monkeypatch.setattr(
        gradients, "check_gradients", lambda _, x, target, **given: seen.append(x) or []
    )
    lab.ok("check", digits, "--gradients")
    assert (5, 1, 8, 8) == seen[0].shape
    assert np.float64 == seen[0].dtype


def test_an_override_may_be_longer_than_a_file_name(lab, cars):
    """Seven layers on the command line are an override, and no file with a very long name."""
    layers = ", ".join(["{type: dense, units: 12, activation: relu}"] * 7)
    lab.ok("check", cars, f"network.layers=[{layers}, {{type: dense, units: 1}}]")


def test_quoted_decimal_commas_may_stand_between_commas(lab, folder):
    """The separator that the header shows may be written out, also if it is the decimal sign."""
    rows = "".join(f'"{i},5","{i % 7},25"\n' for i in range(30))
    (folder / "d.csv").write_text("a,y\n" + rows)
    head = "dataset: {path: d.csv, decimal: ',', separator: ',', columns: {target: y}}\n"
    rest = "network: {sizes: [2, 1], activations: [tanh, linear]}\nloss: mean_squared\n"
    (folder / "d.yaml").write_text(head + rest + "training: {learning_rate: 0.1, iterations: 1}\n")
    lab.ok("check", "d.yaml")


def test_a_learning_rate_is_suggested(lab, digits):
    """The curve in the terminal, a rate to try, and the same as data; nothing is stored."""
    done = lab("check", digits, "--learning-rate", "dataset.name=iris", "network.layers=[{type: "
                 "dense, units: 3, activation: softmax}]", "--json")  # fmt: skip
    found = done.json["configs"][0]["learning_rate"]
    assert 0 < found["suggestion"] < found["highest"]
    assert len(found["rates"]) == len(found["losses"]) > 1
    shown = lab("check", digits, "--learning-rate").out
    assert "learning rate, logarithmic" in shown
    assert "training.learning_rate=" in shown
    assert not Path("results").exists()


@pytest.mark.parametrize("arguments", [["--emit"], ["other.yaml"]])
def test_a_learning_rate_is_that_of_one_config(lab, digits, arguments):
    """It is a command of its own, for a single file."""
    Path("other.yaml").write_text(DIGITS)
    assert 2 == lab("check", digits, "--learning-rate", *arguments).code


# `nnrun check --emit`: the source that would be compiled.

RESIDUAL = """\
dataset: {name: iris}
network:
  layers:
    - {type: residual, layers: [{type: dense, units: 4, activation: tanh}]}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10}
"""
IMAGES = """\
dataset: {name: digits}
network:
  layers:
    - {type: conv2d, channels: 32, kernel: 3, activation: relu}
    - {type: max_pool2d, size: 2}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10, batch_size: 64, dtype: float32}
"""


def test_the_source_is_python_that_names_the_layers(lab, cars):
    """On stdout stands one module, with a function and a comment for each layer."""
    done = lab.ok("check", cars, "--emit")
    module = ast.parse(done.out)
    functions = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    assert ["train"] == functions
    for layer in ("# 0.weight: z = x w", "# 0: tanh", "# the gradient of mean_squared"):
        assert layer in done.out


@pytest.mark.parametrize(
    ("more", "begins"), [("", '"""Trains'), (", {type: batch_norm}", "# Trains")]
)
def test_the_title_of_a_deep_network_has_several_lines(lab, more, begins):
    """Of a source as of a tape."""
    layers = ", ".join([f"{{type: dense, units: 2, activation: tanh}}{more}"] * 12)
    text = (
        f"dataset: {{name: iris}}\nloss: cross_entropy\nnetwork:\n  layers: [{layers}, "
        "{type: dense, units: 3, activation: softmax}]\n"
        "training: {learning_rate: 0.1, iterations: 9, engine: compiled, batch_size: 8}\n"
    )
    lines = lab("check", write("deep.yaml", text), "--emit").out.splitlines()
    assert lines[0].startswith(begins)
    title = " ".join(line.strip('"# ') for line in lines[:6])
    assert "matmul > bias, softmax_cross_entropy; sgd." in title
    assert max(map(len, lines[:6])) <= 95


def test_it_takes_one_config(lab, cars):
    """Two networks make two modules, so that two configs are a mistake."""
    write("other.yaml", "seed: 1")
    assert "--emit takes a single config" in lab.refused("check", cars, "other.yaml", "--emit")


def test_it_does_nothing_else(lab, cars):
    """Rather than leave out what was asked for beside it."""
    assert "--emit and --gradients are two commands; give one of them" in lab.refused(
        "check", cars, "--emit", "--gradients"
    )


def test_a_tape_is_shown_in_stages(lab):
    """Of a network that kernels train there is no source: its stages are shown, layer by layer."""
    done = lab.ok("check", write("images.yaml", IMAGES), "--emit")
    lines = done.out.splitlines()
    assert lines[0].startswith("# Trains (1, 8, 8) > convolution > bias > relu > max_pool2d")
    kernels = [line.split()[0] for line in lines if "  # " in line and line.startswith("    ")]
    assert ["gather", "gather", "convolve", "max_pool", "relu", "product"] == kernels[:6]
    assert "softmax_cross_entropy" in kernels
    assert lines.index("arrays") < lines.index("stage 1, tasks of 4 rows")


def test_a_tape_shows_layers_within_layers(lab):
    """They are named by their places, and what is added has its own line."""
    lines = lab("check", write("skip.yaml", RESIDUAL), "--emit").out.splitlines()
    ops = [line.strip() for line in lines if "  # 0" in line]
    assert ["product  # 0.0: matmul", "tanh  # 0.0: tanh", "add  # 0: residual"] == ops[:3]


@pytest.fixture
def _no_residuals(monkeypatch):
    """An engine that has neither function nor kernels for a layer, as for a new one."""
    monkeypatch.delitem(EMITTERS, "residual")


@pytest.mark.usefixtures("_no_residuals")
def test_what_cannot_be_compiled_is_said(lab):
    """The reason comes on one line, with exit code 2."""
    assert "skip.yaml: the compiled engine has no layer residual" in lab.refused(
        "check", write("skip.yaml", RESIDUAL), "--emit"
    )


@pytest.mark.usefixtures("_no_residuals")
def test_the_compiled_engine_for_such_a_network_is_a_located_error(lab):
    """Under `compiled` it is an error at the engine's line; under `auto` NumPy takes it."""
    path = write("skip.yaml", RESIDUAL.replace("10}", "10, engine: compiled}"))
    message = lab.refused("check", path)
    assert message.startswith("skip.yaml:7:56: training.engine: the compiled engine has no")
    lab.ok("check", path, "training.engine=auto")


# `--picture`: the network as a drawing.

NESTED = """\
dataset: {path: rows.csv, columns: {target: price, embedding: {shop: 2}}}
network:
  layers:
    - {type: dense, units: 4, activation: relu}
    - type: residual
      layers:
        - {type: dense, units: 4, activation: tanh}
        - {type: residual, layers: [{type: dense, units: 4}]}
    - {type: dense, units: 1}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 2}
"""
ROWS = "shop,size,price\n" + "".join(f"{'abc'[n % 3]},{n},{2 * n}\n" for n in range(12))


def texts_of(svg: str) -> list[str]:
    root = ElementTree.fromstring(Path(svg).read_bytes())
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_a_picture_has_layers_shapes_and_parameters(lab, digits):
    """In the order of the table, which is printed too; the total is below."""
    assert "wrote net.svg\n" == lab.ok("check", digits, "--picture", "net.svg").err
    assert ["layer", "output", "parameters", "input", "1×8×8"] == texts_of("net.svg")[:5]
    words = [text for text in texts_of("net.svg")[5:] if text != "…"]
    layers = ["conv2d, tanh", "2×6×6", "90", "flatten", "72", "dense, softmax", "10", "730"]
    assert [*layers, "820 parameters"] == words
    content = Path("net.svg").read_text()
    assert "prefers-color-scheme:dark" in content
    lab.ok("check", digits, "--picture", "net.svg")
    assert content == Path("net.svg").read_text()


def test_a_picture_has_ways_around_residual_blocks_and_embeddings(lab):
    """A column's number becomes a vector; each block has one way around what it holds."""
    write("rows.csv", ROWS)
    lab.ok("check", write("nested.yaml", NESTED), "--picture", "net.svg")
    words = [text for text in texts_of("net.svg")[3:] if text != "…"]
    again = ["+ the input of the block", "4"]
    assert ["input", "2", "embedding of shop, 4 × 2", "3", "8", "dense, relu", "4", "16"] == words[
        :8
    ]
    assert ["dense, tanh", "4", "20", "dense", "4", "20", *again, *again] == words[8:18]
    root = ElementTree.fromstring(Path("net.svg").read_bytes())
    paths = [path.get("d") or "" for path in root.iter(f"{SVG}path")]
    assert 2 == sum("H" in path for path in paths)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digits.yaml", "--picture", "net.txt"], "whose name ends in .svg"),
        (["digits.yaml", "beside.yaml", "--picture", "net.svg"], "takes a single config"),
        (["digits.yaml", "--emit", "--picture", "net.svg"], "give one of them"),
        (["beside.yaml", "--picture", "net.svg"], "'forest' has no layers to draw"),
        (["digits.yaml", "seed=x", "--picture", "net.svg"], "seed"),
    ],
)
def test_pictures_that_are_refused(lab, digits, words, said):
    """Nothing is written."""
    write("beside.yaml", "dataset: {name: digits, test_size: 0.2}\nbeside: forest\n")
    done = lab("check", *words)
    assert 2 == done.code
    assert said in done.err
    assert not Path("net.svg").exists()
