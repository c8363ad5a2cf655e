"""Whole configs: defaults, the resolved form, and that everything round-trips."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.config.emit import dump
from nnrun.config.jsonschema import json_schema
from nnrun.config.load import (
    Experiment,
    config_from_dict,
    config_to_dict,
    config_to_yaml,
    load_config,
)
from nnrun.config.names import DATASETS, PUBLISHED
from nnrun.errors import ConfigError
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import INITIALIZERS, Initializer
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.signature import Bounds, Named

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
    - {type: conv2d, channels: 16, kernel: [3, 3], stride: 1, padding: valid, bias: per_position, activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}

loss: cross_entropy

training:
  optimizer: {type: sgd, momentum: 0.0, nesterov: false, weight_decay: 0.0}
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
  task: null
  test_size: null
  validation_size: 0.0
  stratify: false
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
  optimizer: {type: sgd, momentum: 0.0, nesterov: false, weight_decay: 0.0}
  learning_rate: 0.01
  iterations: 100
  epochs: null
  batch_size: 1
  sampling: shuffle
  evaluate_every: null
  early_stopping: null
  clip_norm: null
  dtype: float64
  engine: auto
seed: 42
published: null
sweep: null
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
    assert RESOLVED == config_to_yaml(load_config(write(valid)).config)


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
    content = "dataset: {path: ../data/x.npz}\n" + "\n".join(RESOLVED.split("\n")[12:])
    file = Path(os.path.relpath(write(content)))
    assert str(tmp_path.parent / "data/x.npz") == load_config(file).config.dataset.path
    moved = load_config(file, ["dataset.path=../y.npz"]).config
    assert str(tmp_path / "y.npz") == moved.dataset.path
    stored = write(config_to_yaml(moved), "stored.yaml")
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
    """What only shapes or data show points at the short form's entry, a block, or its nearest one."""
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
    assert not {"sklearn", "scipy", "click", "rich", "numba", "jsonschema"} & set(modules)


# -- random configs over the tables -----------------------------------------------------------


def annotated(annotation: Any) -> st.SearchStrategy[Any]:
    """Config values that an argument with this annotation of `nnrun.nn.signature` may have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        (mark,) = arguments[1:]
        return (
            st.sampled_from([*ACTIVATIONS])
            if isinstance(mark, Named)
            else bounded(arguments[0], mark)
        )
    if origin in (Union, UnionType):
        return st.one_of([annotated(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.tuples(*(annotated(argument) for argument in arguments)).map(list)
    return {
        NoneType: st.none(),
        bool: st.booleans(),
        int: st.integers(-(2**63) + 1, 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        Initializer: initializers(),
    }[annotation]


def bounded(kind: type, bounds: Bounds) -> st.SearchStrategy[Any]:
    """Numbers within bounds."""
    low = bounds.ge if bounds.gt is None else bounds.gt
    high = bounds.le if bounds.lt is None else bounds.lt
    if kind is int:
        first = None if low is None else int(low) + (bounds.gt is not None)
        return st.integers(first, 2**63 - 1 if high is None else int(high))
    return st.floats(
        low,
        high,
        exclude_min=bounds.gt is not None,
        exclude_max=bounds.lt is not None,
        allow_nan=False,
        allow_infinity=False,
    )


def initializers() -> st.SearchStrategy[Any]:
    """A name, or a type with a scale."""
    names = st.sampled_from([*INITIALIZERS])
    scale = st.floats(0, exclude_min=True, allow_infinity=False)
    return names | st.fixed_dictionaries({}, optional={"type": names, "scale": scale})


def entries(table: Mapping[str, Any], key: str = "type") -> st.SearchStrategy[dict[str, Any]]:
    """Entries of a table with all required and some optional arguments."""
    return st.one_of([entry(name, call, key) for name, call in table.items()])


def entry(name: str, call: Any, key: str) -> st.SearchStrategy[dict[str, Any]]:
    """One entry of a table."""
    hints = get_type_hints(call.__init__ if inspect.isclass(call) else call, include_extras=True)
    parameters = inspect.signature(call).parameters.values()
    required = {p.name: annotated(hints[p.name]) for p in parameters if p.default is p.empty}
    optional = {p.name: annotated(hints[p.name]) for p in parameters if p.default is not p.empty}
    return st.fixed_dictionaries({key: st.just(name), **required}, optional=optional)


def fields(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of the optional keys."""
    return st.fixed_dictionaries(required, optional=optional)


POSITIVE = st.integers(1, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STEPS = st.sampled_from(["l2", "standard", "minmax"]) | st.builds(
    lambda threshold: {"binarize": threshold}, st.floats(allow_nan=False, allow_infinity=False)
)
STACKS = st.lists(st.tuples(POSITIVE, st.sampled_from([*ACTIVATIONS])), min_size=1, max_size=4).map(
    lambda pairs: {"sizes": [n for n, _ in pairs], "activations": [name for _, name in pairs]}
)
OPTIMIZER_ENTRIES = entries(OPTIMIZERS).filter(
    lambda o: not o.get("nesterov") or o.get("momentum", 0) > 0
)
CONFIGS = fields(
    {
        "dataset": fields(
            {"name": st.sampled_from(DATASETS), "validation_size": st.sampled_from([0.1, 7])},
            test_size=st.sampled_from(["given", 0, 0.25, 10, None]),
            stratify=st.booleans(),
            features=st.just("none") | STEPS | st.lists(STEPS, max_size=3),
            target=st.sampled_from(["none", "standard", "minmax"]),
            task=st.sampled_from(["regression", "classification", None]),
        ),
        "network": STACKS
        | fields(
            {"layers": st.lists(entries(LAYERS), min_size=1, max_size=4)},
            initializer=initializers(),
        ),
        "loss": entries(LOSSES) | st.sampled_from([*LOSSES]),
        "training": st.builds(
            lambda base, length: {**base, **length},
            fields(
                {"learning_rate": bounded(float, Bounds(gt=0)) | entries(SCHEDULES, "schedule")},
                optimizer=OPTIMIZER_ENTRIES | st.sampled_from([*OPTIMIZERS]),
                batch_size=POSITIVE,
                evaluate_every=st.none() | POSITIVE,
                early_stopping=st.none()
                | fields({}, patience=POSITIVE, restore_best=st.booleans()),
                clip_norm=st.none() | bounded(float, Bounds(gt=0)),
                dtype=st.sampled_from(["float64", "float32"]),
            ),
            st.fixed_dictionaries({"epochs": POSITIVE})
            | st.fixed_dictionaries({"iterations": POSITIVE}),
        ),
    },
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True),
    description=TEXT,
    seed=st.integers(0, 2**63 - 1),
    published=st.none()
    | st.builds(
        lambda source, numbers: {"source": source, **numbers},
        TEXT,
        st.dictionaries(
            st.sampled_from(PUBLISHED), st.floats(allow_nan=False, allow_infinity=False), max_size=3
        ),
    ),
    sweep=st.none()
    | fields(
        {},
        seeds=POSITIVE | st.lists(st.integers(0, 9), min_size=1, unique=True),
        grid=st.fixed_dictionaries({"training.learning_rate": st.just([0.1, 1e-5])}),
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of one test."""
    return tmp_path_factory.mktemp("configs")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """The JSON Schema, ready to check data."""
    return jsonschema.Draft202012Validator(json_schema())


@given(data=CONFIGS)
@settings(max_examples=100, deadline=None)
def test_a_resolved_config_loads_to_itself(
    folder: Path, validator: Any, data: dict[str, Any]
) -> None:
    """For any valid config: its resolved form is a fixed point, and JSON, and fits the schema."""
    file = folder / "any.yaml"
    file.write_text(dump(data), encoding="utf-8")
    config = load_config(file).config
    resolved = config_to_yaml(config)
    file.write_text(resolved, encoding="utf-8")
    again = load_config(file).config
    assert config == again
    assert resolved == config_to_yaml(again)
    plain = config_to_dict(config)
    assert config == config_from_dict(json.loads(json.dumps(plain, allow_nan=False)))
    validator.validate(data)
    validator.validate(plain)


@given(network=STACKS)
@settings(max_examples=50, deadline=None)
def test_the_short_form_equals_the_long_form(folder: Path, network: dict[str, Any]) -> None:
    """Sizes and activations are dense layers and nothing else."""
    data = {
        "dataset": {"name": "boston"},
        "network": network,
        "loss": "huber",
        "training": {"learning_rate": 1, "epochs": 1},
    }
    layers = [
        {"type": "dense", "units": units, "activation": activation}
        for units, activation in zip(network["sizes"], network["activations"], strict=True)
    ]
    file = folder / "form.yaml"
    file.write_text(dump(data))
    short = load_config(file).config
    file.write_text(dump({**data, "network": {"layers": layers}}))
    assert short == load_config(file).config
