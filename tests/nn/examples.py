"""For every layer of the table networks that use it; whatever treats layers is tried on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.nn import (
    AvgPool2d,
    BatchNorm,
    Bias,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MatMul,
    MaxPool2d,
    Residual,
    Sequential,
    activation,
    conv1d,
    conv2d,
    dense,
    max_pool1d,
)
from nnrun.nn.layer import Layer

# On images of 2×7×6, with three outputs or two.
NETWORKS: dict[str, list[Any]] = {
    "dense": [lambda: [Flatten(), dense(37, "tanh"), dense(25, "tanh"), dense(3, "softmax")]],
    "conv2d": [
        lambda: [conv2d(5, 3, bias="per_position", activation="tanh"), Flatten(), dense(3)],
        lambda: [
            conv2d(16, (2, 3), (2, 1), "same", "none"),
            conv2d(9, 3, 1, (1, 0), "per_channel", "tanh"),
            Flatten(),
            dense(3),
        ],
    ],
    "conv1d": [
        lambda: [MaxPool2d((7, 1)), conv1d(5, 3, 2, 1, activation="tanh"), Flatten(), dense(3)]
    ],
    "max_pool1d": [lambda: [conv2d(4, (7, 2)), max_pool1d(2, 1), Flatten(), dense(3)]],
    "global_avg_pool": [
        lambda: [conv2d(4, activation="tanh"), GlobalAvgPool(), Flatten(), dense(3)]
    ],
    "max_pool2d": [lambda: [conv2d(4), MaxPool2d(2, 1), MaxPool2d(2), Flatten(), dense(3)]],
    "avg_pool2d": [lambda: [conv2d(4), AvgPool2d((2, 3), 1), Flatten(), dense(3)]],
    "flatten": [lambda: [conv2d(3), Flatten(), Bias(), activation("tanh")]],
    "dropout": [
        lambda: [conv2d(4), Dropout(0.3), Flatten(), dense(9), Dropout(0.5), dense(3)],
        lambda: [Dropout(0.3), Flatten(), dense(3), Dropout(0.2)],
    ],
    "batch_norm": [
        lambda: [conv2d(4), BatchNorm(), Flatten(), BatchNorm(0.3), dense(6), BatchNorm(), dense(3)]
    ],
    "residual": [
        lambda: [
            Residual([conv2d(2, 3, padding="same", activation="tanh"), Residual([Bias()])]),
            Flatten(),
            dense(3),
        ],
        lambda: [
            Flatten(),
            dense(6),
            Residual([dense(4, "tanh"), BatchNorm(), dense(6)]),
            dense(3),
        ],
    ],
    "matmul": [lambda: [Flatten(), MatMul(10), MatMul(40), MatMul(3)]],
    "bias": [lambda: [Bias("channel"), Bias(), Flatten(), MatMul(2), Bias(), Bias()]],
    "activation": [lambda: [activation("tanh"), Flatten(), dense(4), activation("softmax")]],
}


def layers_of(name: str) -> Iterator[Layer]:
    """All layers of the networks that use this one, those within layers included."""
    for make in NETWORKS[name]:
        yield from (layer for _, layer in Sequential(make()).named_layers())
