"""Runs of one sweep on unlike machines: it is said which, where their bits depend on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

HOUSES = """
dataset: {name: boston, features: standard}
network: {sizes: [5, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 60}
"""


@pytest.fixture
def on_two_machines(write, wide, monkeypatch, slow_workers):
    """Two seeds by workers with one kernel of OpenBLAS, then three more by those with another."""

    def sweep(engine: str) -> str:
        path = write("houses", HOUSES)
        for kernel, seeds in (("Prescott", "0,1"), ("Haswell", "0,1,2,3,4")):
            monkeypatch.setenv("OPENBLAS_CORETYPE", kernel)
            words = (f"training.engine={engine}", f"seed={seeds}", "-j", "2")
            code, out, errors = wide("sweep", path, *words)
            assert (0, True) == (code, bool(out)), errors
        return out

    return sweep


def the_row() -> dict[str, object]:
    return json.loads(Path("results/leaderboard.json").read_text())["groups"][0]["rows"][0]


def test_runs_with_another_kernel_are_marked(on_two_machines, wide) -> None:
    """At the end, in every form of the leaderboard, and where the runs are compared."""
    out = on_two_machines("numpy")
    assert "5 ≠" in out
    assert "≠ marks rows with runs of other arithmetic than most" in out
    assert "houses (2 of 5)" in out
    assert [2] == list(the_row()["elsewhere"].values())
    assert "5 ≠" in Path("results/leaderboard.md").read_text()
    assert "elsewhere" in Path("results/leaderboard.csv").read_text().splitlines()[0]
    _, out, _ = wide("compare", "houses/s0", "houses/s4", "--json")
    assert 2 == len(set(json.loads(out)["results"]["arithmetic"]))


def test_the_compiled_engine_is_the_same_on_all(on_two_machines, wide) -> None:
    """It calls no BLAS: nothing is marked."""
    assert "≠" not in on_two_machines("compiled")
    assert {} == the_row()["elsewhere"]
    _, out, _ = wide("compare", "houses/s0", "houses/s4", "--json")
    assert "arithmetic" not in json.loads(out)["results"]
