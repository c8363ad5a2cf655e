"""`python -m tests.benchmarks.long_session`: work as in a notebook, round after round.

Each round sweeps with workers of its own, trains, makes mistakes, loads and predicts; after it,
where nothing is in progress, a line of JSON with a sample is added to `samples.jsonl`.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import yaml

import nnrun
from nnrun.errors import NnrunError
from tests.benchmarks.long_run import RUNS, of_process

# By the compiled engine's kernels with and without convolutions, by a function of the network's
# own with early stopping, and by NumPy.
CONFIGS = """
- name: dense
  dataset: {name: digits, features: standard}
  network: {sizes: [64, 10], activations: [relu, softmax]}
  loss: cross_entropy
  training: {learning_rate: 0.05, iterations: 2000, batch_size: 32, engine: compiled}
- name: maps
  dataset: {name: digits, folds: 3}
  network:
    layers:
      - {type: conv2d, channels: 4, kernel: [3, 3], activation: relu}
      - {type: batch_norm}
      - {type: flatten}
      - {type: dense, units: 10, activation: softmax}
  loss: cross_entropy
  training: {learning_rate: 0.05, iterations: 500, batch_size: 32, engine: compiled}
- name: rows
  dataset: {name: boston, features: standard, validation_size: 0.2}
  network: {sizes: [5, 1], activations: [tanh, linear]}
  loss: mean_squared
  training: {learning_rate: 0.01, iterations: 20000, early_stopping: {}, optimizer: adam}
- name: wild
  dataset: {name: boston}
  network: {sizes: [5, 1], activations: [tanh, linear]}
  loss: mean_squared
  training: {learning_rate: 1.0e+9, iterations: 500, engine: numpy}
"""
# A results folder has the runs of this many rounds; then a new one begins.
ROUNDS = 50


def work_on(config: dict[str, object], seed: int, results: Path) -> int:
    """Everything that a notebook does with a config; the number of runs trained."""
    board = nnrun.sweep(config, seeds=[seed, seed + 1], jobs=2, results=results)
    board._repr_html_()
    run = nnrun.train(config, seed=seed, results=results)
    loaded = nnrun.load(run.path)
    loaded._repr_html_()
    if run.status == "completed":
        loaded.predict(np.ones((8, *loaded.model.layout.shape)))
    with suppress(NnrunError):
        nnrun.train(config, {"loss": "hubre"}, results=results)
    return 2


def main() -> None:
    """Work in the current folder until a Ctrl-C."""
    configs = yaml.safe_load(CONFIGS)
    runs, rounds = 0, 0
    this = psutil.Process()
    with Path("samples.jsonl").open("w", encoding="utf-8") as file:
        while True:
            for config in configs:
                runs += work_on(config, 2 * rounds, Path(f"results{rounds // ROUNDS}"))
            rounds += 1
            print(json.dumps({RUNS: runs, **of_process(this, "session")}), file=file, flush=True)


if __name__ == "__main__":
    # Shells start programs in the background with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        main()
    sys.exit(130)
