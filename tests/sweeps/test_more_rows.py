"""Whether more rows would help, by boards of several training sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnrun.sweeps.board.means import summarize
from nnrun.sweeps.board.more_rows import KEY, _fitted, gain_of
from tests.lab import invoke_well, write

CONFIG = """
name: curve
dataset: {path: wave.csv, features: standard, columns: {target: y}, test_size: 300}
network: {sizes: [24, 1], activations: [tanh, linear]}
loss: mean_squared
training: {optimizer: adam, learning_rate: 0.02, epochs: 30, batch_size: 16}
"""


def test_a_power_law_is_found_again():
    """Through values of a + b n^-c the heights at other sizes are the law's."""
    size, at = np.array([0.1, 0.2, 0.4, 0.7, 1.0]), np.array([0.15, 1.0, 2.0])
    for a, b, c in ((1.0, 2.0, 0.52), (0.9, -0.4, 1.0), (3.0, 0.0, 0.5)):
        found = _fitted(size, np.array([a + b * size**-c]), at)
        assert found[0] == pytest.approx(a + b * at**-c, abs=1e-9)


def board(means: Sequence[float], sizes: Sequence[float], *, spread: float = 0.01) -> Any:
    """The part of a board that is read: a row for each size, with four runs beside its mean."""
    values = [
        [mean - spread, mean - spread / 2, mean + spread / 2, mean + spread] for mean in means
    ]
    rows = [
        SimpleNamespace(
            is_network=True,
            choice={KEY: size},
            test=summarize(each),
            summary=lambda split, each=each: summarize(each),
        )
        for size, each in zip(sizes, values, strict=True)
    ]
    return SimpleNamespace(rows=rows, ordered_by="test")


def test_a_gain_has_its_interval():
    """Means along a power law give its change, and an interval that grows with their own."""
    sizes = [400, 100, 800, 200]  # as a board may rank them
    means = [1 + 5 / size**0.5 for size in sizes]
    narrow, wide = (gain_of(board(means, sizes, spread=spread)) for spread in (0.001, 0.1))
    change = 5 / 1600**0.5 - 5 / 800**0.5
    assert narrow.change == pytest.approx(change, rel=1e-6)
    assert wide.low < narrow.low < change < narrow.high < wide.high
    assert narrow.high < 0
    ends = narrow.law.values[-1] - narrow.means.values[-1], narrow.law.sizes[-1]
    assert [100, 200, 400, 800] == narrow.means.sizes
    assert (pytest.approx(narrow.change, rel=1e-6), pytest.approx(1600)) == ends
    for law in (narrow.law, wide.law):
        assert all(low < y < high for y, low, high in zip(*law[1:], strict=True))


@pytest.mark.parametrize("sizes", [[100, 200], [0.5, 100, 200], [100, 200, "all"]])
def test_other_boards_have_no_gain(sizes):
    """Two sizes are no curve, nor are shares beside numbers."""
    assert gain_of(board([1.0] * len(sizes), sizes)) is None


def test_of_noise_a_board_says_that_more_rows_would_not_help(tmp_path, monkeypatch):
    """The sentence is under the board of a sweep over training sizes."""
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).standard_normal((900, 3)).tolist()
    write("wave.csv", "a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    write("curve.yaml", CONFIG)
    grid = "dataset.train_size=100,200,400,600"
    answer = invoke_well("sweep", "curve.yaml", grid, "--seeds", 4, "-j", 1)
    assert "No sign that more rows would help" in " ".join(answer.said.split())
    invoke_well("report", "results/curve")
    page = Path("report.html").read_text()
    assert "test mse by training rows. test mse: mean of the runs goes from" in page
    assert "the most that was tried" in page
