"""Runs that are trained for a moment, for their models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lease import begin
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.store import Store

CONFIGS = {
    "iris": """
dataset: {name: iris, features: [l2, standard], validation_size: 0.2}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
""",
    "cars": """
dataset: {name: autompg, features: minmax, target: standard}
network: {sizes: [5, 1], activations: [sigmoid, linear]}
loss: mean_squared
""",
    "cars_as_series": """
dataset: {name: autompg, features: minmax, target: standard}
network:
  layers:
    - {type: conv1d, channels: 2, activation: tanh}
    - {type: max_pool1d}
    - {type: flatten}
    - {type: dense, units: 1}
loss: mean_squared
""",
    "tumours": """
dataset: {name: breast_cancer, features: standard}
network: {sizes: [3, 1], activations: [relu, sigmoid]}
loss: binary_cross_entropy
""",
    "digits": """
dataset: {name: digits, features: [{binarize: 8}]}
network:
  layers:
    - {type: conv2d, channels: 2, kernel: 3, bias: per_position, activation: tanh}
    - {type: max_pool2d}
    - {type: batch_norm}
    - {type: flatten}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
""",
    "digits_without_probabilities": """
dataset: {name: digits}
network: {sizes: [10], activations: [tanh]}
loss: mean_squared
""",
}


@dataclass(frozen=True)
class Trained:
    """A run with what it was made of, and where it lies."""

    execution: Execution
    folder: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Trains a config of the table, or the text of one, for fifty updates; each only once."""
    runs: dict[tuple[str, ...], Trained] = {}

    def run(name: str, *overrides: str) -> Trained:
        key = (name, *overrides)
        if key not in runs:
            runs[key] = _train(CONFIGS.get(name, name), overrides, tmp_path_factory.mktemp("run"))
        return runs[key]

    return run


def _train(text: str, overrides: tuple[str, ...], folder: Path) -> Trained:
    training = "training: {learning_rate: 0.05, iterations: 50, batch_size: 8, engine: numpy}\n"
    (folder / "config.yaml").write_text(text + training)
    execution = Execution(prepare(load_config(folder / "config.yaml", overrides)))
    store = Store(folder / "results", lambda result: "")
    result = execution.run(Listener())
    with begin(store, result.record.name, result.record.run_id) as claim:
        return Trained(execution, claim.conclude(result).folder)
