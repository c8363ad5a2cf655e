"""Configs loaded, from any input."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.config.load import Experiment, config_from_dict, config_to_dict, load_config
from nnrun.config.yaml_scalars import dump
from nnrun.errors import ConfigError
from nnrun.nn.initializers import Initializer
from tests.config.random_configs import CONFIGS

# Whole configs: defaults, the resolved form, and that everything round-trips.

Write = Callable[..., Path]

SPECIFIED = """\
name: digits_cnn
description: one line, shown in every report

dataset:
  name: digits
  test_size: 0.2
  validation_size: 0.1
  stratify: false
  features: [{binarize: 8}]
  target: none

network:
  initializer: glorot_uniform
  layers:
    - {type: conv2d, channels: 16, kernel: [3, 3], stride: 1, padding: valid,
       bias: per_position, activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}

loss: cross_entropy

training:
  optimizer: {type: sgd, momentum: 0.0, nesterov: false, weight_decay: 0.0, decay_all: false}
  learning_rate: 0.01
  iterations: 5000
  batch_size: 1
  sampling: with_replacement
  evaluate_every: 500
  early_stopping: {monitor: validation_loss, patience: 5, restore_best: true}
  clip_norm: null
  dtype: float64
  engine: auto

seed: 42

published:
  source: "course notebook, question 9"
  train_accuracy: 0.9012
  test_accuracy: 0.925

sweep:
  seeds: 20
  grid: {training.learning_rate: [0.1, 0.01]}
"""

RESOLVED = """\
name: experiment
description: ""
dataset:
  name: boston
  path: null
  columns: null
  images: null
  channel_axis: null
  task: null
  missing: error
  unknown: ignore
  separator: null
  decimal: "."
  encoding: utf-8
  missing_values: {}
  dates: {}
  lags: {}
  test_size: null
  folds: null
  fold: null
  split: {by: random, column: null, seed: null, test_seed: null}
  validation_size: 0.0
  calibration_size: 0.0
  train_size: null
  copies: keep
  hide_test: false
  stratify: null
  features: []
  target: none
network:
  initializer: {type: glorot_uniform, scale: 1.0}
  layers:
    - type: dense
      units: 13
      activation: sigmoid
      bias: true
      initializer: {type: glorot_uniform, scale: 1.0}
    - type: dense
      units: 1
      activation: linear
      bias: true
      initializer: {type: glorot_uniform, scale: 1.0}
loss: {type: mean_squared}
training:
  optimizer: {type: sgd, momentum: 0.0, nesterov: false, weight_decay: 0.0, decay_all: false}
  learning_rate: 0.01
  iterations: 100
  epochs: null
  batch_size: 1
  sampling: shuffle
  evaluate_every: null
  evaluate_rows: null
  early_stopping: null
  class_weight: null
  augment: null
  average: null
  clip_norm: null
  dtype: float64
  engine: auto
  watch: false
members: 1
decide: null
seed: 42
metrics: null
published: null
sweep: null
search: null
"""


def test_the_config_of_the_specification(write: Write) -> None:
    """The documented example means what its comments say."""
    config = load_config(write(SPECIFIED)).config
    conv, flatten, dense = config.network.layers
    assert ("conv2d", "flatten", "dense") == (conv.type, flatten.type, dense.type)
    assert {
        "channels": 16,
        "kernel": (3, 3),
        "stride": 1,
        "padding": "valid",
        "bias": "per_position",
        "activation": "tanh",
        "initializer": Initializer("glorot_uniform"),
    } == conv.arguments()
    assert {"train_accuracy": 0.9012, "test_accuracy": 0.925} == config.published.numbers
    assert {"training.learning_rate": [0.1, 0.01]} == config.sweep.grid
    assert ("digits_cnn", 42, 20) == (config.name, config.seed, config.sweep.seeds)


def test_the_resolved_config_writes_out_every_default(write: Write, valid: str) -> None:
    """What a run stores is complete, readable, and in the order of the documentation."""
    assert RESOLVED == dump(config_to_dict(load_config(write(valid)).config))


def test_short_forms_mean_their_long_forms(write: Write) -> None:
    """A word for a block, one step for a list, one number for two."""
    short = """\
    dataset: {name: digits, features: l2, test_size: 0}
    network: {initializer: uniform, sizes: [3, 10], activations: [tanh, softmax]}
    loss: cross_entropy
    training: {optimizer: adam, learning_rate: 1, epochs: 1e1}
    """
    long = """\
    dataset: {name: digits, features: [l2], test_size: 0.0}
    network:
      layers:
        - {type: dense, units: 3, activation: tanh, initializer: {type: uniform, scale: 1}}
        - {type: dense, units: 10, activation: softmax, initializer: {type: uniform}}
      initializer: {type: uniform}
    loss: {type: cross_entropy}
    training: {optimizer: {type: adam}, learning_rate: 1.0, epochs: 10}
    """
    assert load_config(write(short)).config == load_config(write(long)).config


def test_every_layer_gets_the_networks_initializer_unless_it_has_its_own(write: Write) -> None:
    """Layers can be built one by one without looking at the network."""
    content = """\
    dataset: {name: digits}
    network:
      initializer: {type: he_normal, scale: 2}
      layers:
        - {type: dense, units: 3, initializer: zeros}
        - {type: dense, units: 3}
        - {type: flatten}
    loss: huber
    training: {learning_rate: 1, epochs: 1}
    """
    layers = load_config(write(content)).config.network.layers
    assert [Initializer("zeros"), Initializer("he_normal", 2.0), None] == [
        layer.arguments().get("initializer") for layer in layers
    ]


def test_paths_are_relative_to_the_config_and_arguments_to_the_current_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolved path is absolute, so that a stored config finds its data."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    content = "dataset: {path: ../data/x.npz}\n" + RESOLVED[RESOLVED.index("network:") :]
    file = Path(os.path.relpath(write(content)))
    assert str(tmp_path.parent / "data/x.npz") == load_config(file).config.dataset.path
    moved = load_config(file, ["dataset.path=../y.npz"]).config
    assert str(tmp_path / "y.npz") == moved.dataset.path
    stored = write(dump(config_to_dict(moved)), "stored.yaml")
    assert moved.dataset == load_config(stored).config.dataset


def test_numbers_keep_their_kind(write: Write, valid: str) -> None:
    """Whole floats are integers where integers are due, and integers floats where floats are."""
    config = load_config(write(valid.replace("0.01, iterations: 100", "1, iterations: 1e2"))).config
    assert [float, int] == [type(config.training.learning_rate), type(config.training.iterations)]


@pytest.mark.parametrize(
    ("given", "size"),
    [("50", 50), ("50.0", 50), ("1", 1), ("0", 0.0), ("0.5", 0.5), ("given", "given")],
)
def test_test_sizes_are_shares_rows_or_given(
    write: Write, valid: str, given: str, size: object
) -> None:
    """A number below 1 is a share, one above counts rows."""
    found = load_config(write(valid), [f"dataset.test_size={given}"]).config.dataset.test_size
    assert repr(size) == repr(found)


def test_later_problems_are_located_too(write: Write, valid: str) -> None:
    """What only shapes or data show points at an entry of the short form, or at a block."""
    experiment = load_config(write(valid), ["loss=huber", "network.layers.1.units=2"])

    def place(*path: str | int) -> str:
        return str(experiment.problem(path, "m")).split("\n")[0].removeprefix(f"{experiment.file}:")

    assert "2:19: network.sizes[0]: m" == place("network", "layers", 0)
    assert "2:19: network.sizes[0]: m" == place("network", "layers", 0, "units")
    assert "2:41: network.activations[0]: m" == place("network", "layers", 0, "activation")
    assert "argument 'network.layers.1.units=2': network.layers[1].units: m" == place(
        "network", "layers", 1, "units"
    )
    assert "2:50: network.activations[1]: m" == place("network", "layers", 1, "activation")
    assert "argument 'loss=huber': loss: m" == place("loss", "type")
    assert "4:1: training.batch_size: m" == place("training", "batch_size")
    assert "1:1: sweep: m" == place("sweep")


def test_an_experiment_is_a_plain_value(write: Write, valid: str) -> None:
    """It can be sent to another process."""
    experiment = load_config(write(valid))
    copy = pickle.loads(pickle.dumps(experiment))
    assert isinstance(copy, Experiment)
    assert (experiment.config, experiment.file) == (copy.config, copy.file)


def test_a_config_from_plain_data_reports_mistakes_without_places() -> None:
    """A stored report's config is checked like a file."""
    with pytest.raises(ConfigError, match="loss: 'hubre' is not a loss; did you mean 'huber'"):
        config_from_dict({"loss": "hubre"})


def test_loading_imports_neither_data_nor_command_line_libraries() -> None:
    """Reading configs costs pydantic, YAML and NumPy."""
    script = "import sys, nnrun.config.load; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"sklearn", "scipy", "click", "rich", "llvmlite", "jsonschema"} & set(modules)


def test_loading_makes_the_blocks_of_what_a_config_has() -> None:
    """Classes of all layers, losses and data sets would take longer than a short run."""
    script = (
        "import sys; from pathlib import Path; from nnrun.config.load import load_config\n"
        "from nnrun.config.schema.from_signature import NamedBlock\n"
        "load_config(Path(sys.argv[1]))\n"
        "made = [block.__name__ for base in NamedBlock.__subclasses__() "
        "for block in base.__subclasses__()]\n"
        "print(*sorted(made))"
    )
    config = Path(__file__).parents[2] / "configs/iris_softmax.yaml"
    made = subprocess.run(
        [sys.executable, "-c", script, str(config)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert ["CrossEntropyLoss", "DenseLayer", "IrisDataSet", "SgdOptimizer"] == made


# Whatever stands in a file or an argument, it is a valid config or a located ConfigError.

WORDS = st.sampled_from(
    [
        "none",
        "type",
        "dense",
        "conv2d",
        "l2",
        "sgd",
        "units",
        "sizes",
        "layers",
        "activations",
        "network",
        "schedule",
        "name",
        "path",
        "x.csv",
        "target",
        "initializer",
        "early_stopping",
        "null",
        "~",
        "-1",
        "0",
        "1",
        "1.5",
        "1e3",
        ".nan",
        ".inf",
        "true",
        "yes",
    ]
)
ANYTHING = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A valid config with up to three things in it replaced, removed or added."""
    config = deepcopy(draw(CONFIGS))
    for _ in range(draw(st.integers(1, 3))):
        block: Any = config
        while True:
            keys = list(block) if isinstance(block, dict) else list(range(len(block)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(block[key], dict | list) or draw(st.booleans()):
                break
            block = block[key]
        if isinstance(block, dict):
            block[draw(WORDS) if key is None or draw(st.booleans()) else key] = draw(ANYTHING)
        elif key is not None:
            block[key] = draw(ANYTHING)
    return config


def check(file: Path, arguments: list[str]) -> None:
    """Load it; of an error, all problems must say where they are in words of nnrun's own."""
    try:
        load_config(file, arguments)
    except ConfigError as error:
        for problem in error.problems:
            assert problem.place is not None or problem.argument in arguments
            assert "Input should" not in problem.message
            assert "what is expected" not in problem.message


@given(data=damaged())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_located(examples_folder: Path, data: dict[str, Any]) -> None:
    """No data makes the loader fail in another way."""
    file = examples_folder / "damaged.yaml"
    file.write_text(dump(data), encoding="utf-8")
    check(file, [])


@given(text=st.text("ab:[]{}&*!?|>-'\"#%@` \n\t,0\\", max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_is_located(examples_folder: Path, text: str) -> None:
    """No text makes the loader fail in another way."""
    file = examples_folder / "text.yaml"
    file.write_text(f"a: {text}\n", encoding="utf-8")
    check(file, [])


KEYS = st.lists(
    WORDS | st.sampled_from(["dataset", "training", "optimizer", "loss", "0", "7"]),
    min_size=1,
    max_size=4,
).map(".".join)


@given(data=CONFIGS, keys=st.lists(KEYS, min_size=1, max_size=3), values=st.data())
@settings(max_examples=100, deadline=None)
def test_any_argument_is_located(examples_folder: Path, data: Any, keys: Any, values: Any) -> None:
    """No argument makes the loader fail in another way, or blame the wrong place."""
    file = examples_folder / "valid.yaml"
    file.write_text(dump(data), encoding="utf-8")
    check(file, [f"{key}={values.draw(WORDS)}" for key in keys])
