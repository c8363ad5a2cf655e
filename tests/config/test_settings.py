"""Settings in few words, as tables and labels show them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from nnrun.config.settings import setting_words
from nnrun.nn import INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"type": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, "adam"),
        ({"type": "sgd", "momentum": 0.9, "nesterov": False}, "{type: sgd, momentum: 0.9}"),
        ({"type": "glorot_uniform", "scale": 1.0}, "glorot_uniform"),
        ({"type": "uniform", "scale": 0.5}, "{type: uniform, scale: 0.5}"),
        (
            {
                "type": "dense",
                "units": 3,
                "activation": "relu",
                "bias": True,
                "initializer": {"type": "glorot_uniform", "scale": 1.0},
            },
            "{type: dense, units: 3, activation: relu}",
        ),
        (
            {"type": "dense", "units": 3, "initializer": {"type": "zeros", "scale": 1.0}},
            "{type: dense, units: 3, initializer: zeros}",
        ),
        ([{"type": "flatten"}, {"type": "dropout", "rate": 0.5}], "[flatten, dropout]"),
        ({"type": "unheard_of", "rate": 1}, "{type: unheard_of, rate: 1}"),
        ({"type": "batch_norm", "momentum": None}, "batch_norm"),
        ({"schedule": "cosine", "initial": 0.1}, "{schedule: cosine, initial: 0.1}"),
    ],
)
def test_what_nobody_had_to_write_is_left_out(value: Any, words: str) -> None:
    """What equals the default of the layer, loss, optimizer or initializer that it is."""
    assert words == setting_words("network.layers", value)


@pytest.mark.parametrize(
    ("value", "words"),
    [(5.0, "5"), (5, "5"), (0.5, "0.5"), ([1.0, 0.5], "[1, 0.5]")],
)
def test_a_whole_number_is_written_as_one(value, words):
    """A sweep over 5 has the same words on its board and in the report of what it stored."""
    assert words == setting_words("training.learning_rate", value)


def test_a_name_says_of_what_table_it_is() -> None:
    """Defaults are looked up by names alone."""
    names = Counter([*INITIALIZERS, *LAYERS, *LOSSES, *OPTIMIZERS])
    assert [] == [name for name, number in names.items() if number > 1]
