"""`nnrun check --gradients` finds planted bugs, from a config to its exit code.

That every bug is found is shown in `tests/nn/test_gradients.py`; here are some of each
kind.
"""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.yaml_scalars import dump
from tests.lab import write
from tests.nn.bugs import BUGS, LAST, NETWORKS, Bug

some_bugs = pytest.mark.parametrize("bug", BUGS[::4], ids=[bug.name for bug in BUGS[::4]])
all_networks = pytest.mark.parametrize("bug", NETWORKS, ids=[bug.name for bug in NETWORKS])


def config_of(bug: Bug) -> str:
    """The bug's network as a config file, with data that suit it."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((12, *((2, 5, 5) if bug.images else (3,))))
    classes = bug.loss in LAST or bug.last == "softmax"
    y = np.arange(12) % 4 if classes else rng.normal(0, 3, (12, 4))
    np.savez("data.npz", x=x, y=y)
    output = {"type": "dense", "units": 4, "activation": bug.last}
    content = {
        "dataset": {"path": "data.npz", "test_size": 0},
        "network": {"layers": [*bug.layers, output]},
        "loss": bug.loss,
        "training": {"learning_rate": 0.1, "iterations": 10, "batch_size": 4},
    }
    return write("bug.yaml", dump(content))


@some_bugs
def test_a_planted_bug_is_caught_by_the_command(bug: Bug, lab, monkeypatch):
    """Exit code 3 and the parameter's name, or a crash where an array no longer fits."""
    path = config_of(bug)
    bug.plant(monkeypatch)
    result = lab("check", path, "--gradients")
    if "internal error" in result.err:
        assert 1 == result.code
    else:
        assert 3 == result.code
        assert "relative error" in result.err


@all_networks
def test_the_same_config_without_the_bug_passes(bug: Bug, lab):
    """It is the bug that the command complains of."""
    result = lab.ok("check", config_of(bug), "--gradients")
    assert "WRONG" not in result.said
