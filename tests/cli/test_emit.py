"""`nnrun check --emit`: the source that would be compiled."""

from __future__ import annotations

import ast

import pytest

from nnrun.engines.tape.layers import EMITTERS
from tests.lab import write

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
