"""Trains configs with the compiled engine: `python -m tests.arm64.train FOLDER [NAME…]`."""

from __future__ import annotations

import sys
from pathlib import Path

import nnrun

CONFIGS = {
    # A function of its own, one row at a time.
    "rows": """
dataset: {name: boston, features: [minmax, l2], target: standard}
network: {sizes: [13, 1], activations: [gelu, linear], initializer: he_normal}
loss: mean_squared
training: {learning_rate: {schedule: cosine, initial: 0.01}, iterations: 1500}
""",
    # The same in batches, with the options that a config may have.
    "batches": """
dataset: {name: wine, features: standard, validation_size: 20}
network:
  layers:
    - {type: dense, units: 20, activation: tanh}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training:
  optimizer: {type: adam, weight_decay: 0.001}
  learning_rate: 0.01
  epochs: 30
  batch_size: 7
  clip_norm: 0.5
  early_stopping: {monitor: validation_loss, patience: 3, restore_best: true}
""",
    "activations": """
dataset: {name: breast_cancer, features: standard}
network:
  sizes: [9, 9, 9, 9, 9, 9, 1]
  activations: [sigmoid, relu, leaky_relu, elu, softplus, gelu, sigmoid]
loss: binary_cross_entropy
training:
  optimizer: {type: sgd, momentum: 0.9, nesterov: true}
  learning_rate: {schedule: warmup_cosine, peak: 0.05, warmup: 50}
  iterations: 400
  batch_size: 16
  sampling: with_replacement
  dtype: float32
""",
    # By kernels, in single precision: convolutions, batch norm, pooling, a residual.
    "images": """
dataset: {name: digits, features: standard}
network:
  layers:
    - {type: conv2d, channels: 8, kernel: 3, padding: same, bias: none}
    - {type: batch_norm}
    - {type: activation, name: relu}
    - type: residual
      layers:
        - {type: conv2d, channels: 8, kernel: 3, padding: same, activation: elu}
        - {type: batch_norm}
    - {type: max_pool2d, size: 2}
    - {type: conv2d, channels: 12, kernel: 3, activation: tanh}
    - {type: avg_pool2d, size: 2}
    - {type: flatten}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  optimizer: adam
  learning_rate: 0.003
  epochs: 2
  batch_size: 32
  dtype: float32
""",
    # By kernels, in double precision: wide products of dense layers.
    "wide": """
dataset: {name: digits, features: minmax}
network: {sizes: [160, 70, 10], activations: [relu, tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, epochs: 2, batch_size: 64}
""",
    # By kernels, too, and soon over.
    "residual": """
dataset: {name: iris, features: standard}
network:
  layers:
    - {type: residual, layers: [{type: dense, units: 4, activation: tanh}, {type: batch_norm}]}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training:
  optimizer: {type: sgd, momentum: 0.9}
  learning_rate: 0.05
  iterations: 60
  batch_size: 8
  dtype: float32
""",
}
# Of the configs that the project ships, with this many iterations.
SHIPPED = ("digits_cnn",)
ITERATIONS = 300
# What each of QEMU's processors trains. The second one has SVE, which QEMU takes six times as long
# to emulate.
PROCESSORS = {"neoverse-n1": (*CONFIGS, *SHIPPED), "neoverse-v1": ("rows", "batches", "residual")}


ROOT = Path(__file__).parents[2]


def main(folder: Path, *names: str) -> None:
    """Put the configs that are texts and all results into this folder; without names, of all."""
    folder.mkdir()
    shared = {"training.engine": "compiled", "seed": 3}
    for name in names or (*CONFIGS, *SHIPPED):
        if name in SHIPPED:
            config = ROOT / "configs" / f"{name}.yaml"
            given = {**shared, "training.iterations": ITERATIONS}
        else:
            config, given = folder / f"{name}.yaml", shared
            config.write_text(CONFIGS[name], encoding="utf-8")
        nnrun.train(config, given, results=folder / "results")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
