"""What MLflow's server refuses is not sent."""

from __future__ import annotations

import pytest

from nnrun.trackers.feed import TrackedRun
from nnrun.trackers.servers import key, params


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("training.learning_rate", "training.learning_rate"),
        ("final/test_accuracy", "final/test_accuracy"),
        ("dataset.columns.embedding.Größe (m²)", "dataset.columns.embedding.Größe _m²_"),
        ("a:b\nc\x1b", "a_b_c_"),
        ("..", "_"),
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("/a//b/", "_/a/_/b/_"),
        ("", "_"),
        ("k" * 300, "k" * 250),
    ],
)
def test_keys(name, sent):
    """Letters, digits, `_`, `-`, `.` and blanks; no part of a path leads up, or is empty."""
    assert sent == key(name)


def test_params_that_become_equal_stay_apart():
    """By a number; long values are cut."""
    long = "k" * 260
    found = params({"a?": 1, "a!": [1, 2], "a*": "x" * 600, f"{long}1": True, f"{long}2": False})
    assert {"a_": "1", "a_ 2": "[1, 2]"}.items() <= found.items()
    assert ("x" * 499 + "…", "true") == (found["a_ 3"], found["k" * 250])
    assert "false" == found["k" * 248 + " 2"]


def test_settings_are_those_that_are_set():
    """By dotted keys, without names, texts and published numbers."""
    config = {
        "name": "a", "description": "b", "published": {"test_mse": 1.0}, "seed": 0,
        "training": {"clip_norm": None, "watch": False}, "metrics": [],
        "network": {"layers": [{"type": "dense", "units": 3}]},
    }  # fmt: skip
    expected = {"seed": 0, "training.watch": False, "network.layers.0.type": "dense"}
    expected |= {"network.layers.0.units": 3}
    assert expected == TrackedRun("a", "s0-1", config, "").settings
