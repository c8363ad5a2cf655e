"""The gradient check finds the bugs that it is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.nn import (
    check_gradients,
)
from tests.nn.bugs import BUGS, NETWORKS, Bug

all_bugs = pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
all_networks = pytest.mark.parametrize("bug", NETWORKS, ids=[bug.name for bug in NETWORKS])


def wrong_parameters(bug: Bug) -> list[str]:
    """The parameters whose gradients the check finds wrong, in the bug's network."""
    network, x, target = bug.network()
    checks = check_gradients(network, x, target, rng=np.random.default_rng(3))
    return [check.name for check in checks if not check.passed]


@all_bugs
def test_a_planted_bug_is_caught(bug: Bug, monkeypatch: pytest.MonkeyPatch):
    """With the bug some parameter's check fails, or an array does not even fit its place."""
    bug.plant(monkeypatch)

    try:
        wrong = wrong_parameters(bug)
    except ValueError:
        wrong = ["shapes"]

    assert wrong


@all_networks
def test_without_the_bug_the_same_network_passes(bug: Bug):
    """It is the bug that the check complains of, and nothing else."""
    assert [] == wrong_parameters(bug)


def test_there_are_enough_bugs():
    """At least twenty, all different; `tests/test_additions.py` names what has none."""
    assert len({(bug.where, bug.old, bug.new) for bug in BUGS}) == len(BUGS) >= 20
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_planting_refuses_a_text_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    """A bug whose text has gone from the source is an error, not a bug that is never planted."""
    gone = replace(BUGS[0], name="gone", old="no such text")

    with pytest.raises(ValueError, match="gone: not exactly once"):
        gone.plant(monkeypatch)
