"""`nnrun check --emit`: the source that would be compiled."""

from __future__ import annotations

import ast

from tests.cli.conftest import write

WIDE_POOL = """\
dataset: {name: digits}
network:
  layers:
    - {type: conv2d, channels: 1, kernel: 1, padding: 1}
    - {type: max_pool2d, size: 9}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10}
"""


def test_the_source_is_python_that_names_the_layers(nnrun, cars):
    """On stdout stands one module, with a function and a comment for each layer."""
    done = nnrun("check", cars, "--emit")
    assert 0 == done.exit_code
    module = ast.parse(done.stdout)
    functions = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    assert ["train"] == functions
    for layer in ("# 0.weight: z = x w", "# 0: tanh", "# the gradient of mean_squared"):
        assert layer in done.stdout


def test_it_takes_one_config(nnrun, cars):
    """Two networks make two modules, so that two configs are a mistake."""
    write("other.yaml", "seed: 1")
    done = nnrun("check", cars, "other.yaml", "--emit")
    assert 2 == done.exit_code
    assert "--emit takes a single config" in done.stderr


def test_it_does_nothing_else(nnrun, cars):
    """Rather than leave out what was asked for beside it."""
    done = nnrun("check", cars, "--emit", "--gradients")
    assert (2, "") == (done.exit_code, done.stdout)
    assert "--emit and --gradients are two commands; give one of them" in done.stderr


def test_what_cannot_be_compiled_is_said(nnrun):
    """The reason comes on one line, with exit code 2."""
    done = nnrun("check", write("pool.yaml", WIDE_POOL), "--emit")
    assert 2 == done.exit_code
    assert "pool.yaml: the compiled engine pools at most 64 pixels into one" in done.stderr


def test_the_compiled_engine_for_such_a_network_is_a_located_error(nnrun):
    """Under `compiled` it is an error at the engine's line; under `auto` NumPy takes it."""
    path = write("pool.yaml", WIDE_POOL.replace("10}", "10, engine: compiled}"))
    done = nnrun("check", path)
    assert 2 == done.exit_code
    assert done.stderr.startswith("pool.yaml:9:56: training.engine: the compiled engine pools")
    assert 0 == nnrun("check", path, "training.engine=auto").exit_code
