"""Data that are computed: the same on every machine, and as the options say."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data.builtin import registry as plane
from nnrun.data.builtin.registry import moons
from nnrun.data.dataset import DatasetProblem
from nnrun.data.splits import load_dataset


def test_they_are_those_of_scikit_learn():
    """Without noise, the same points in the same order, to the six decimals that are kept."""
    from sklearn.datasets import make_moons

    x, y = make_moons(101, shuffle=False)
    ours = moons(101, noise=0.0)
    assert np.abs(x - ours.x).max() <= 5.1e-7
    assert y.tolist() == ours.y.tolist()


def test_the_bits_are_known():
    """The digest on any machine; a run's id depends on it."""
    expected = "291641e183f1832e9c5d1b434b6952532fdbf82d3792186f855c992993b31ad1"
    assert expected == moons().sha256


def test_noise_has_the_size_that_is_asked_for():
    """Its standard deviation, in both coordinates, to three standard errors."""
    rows = 20_000
    noise = moons(rows, noise=0.25).x - moons(rows, noise=0.0).x
    assert 0.25 == pytest.approx(noise.std(), abs=3 * 0.25 / np.sqrt(4 * rows))
    assert 0 == pytest.approx(noise.mean(), abs=3 * 0.25 / np.sqrt(2 * rows))


def test_every_option_makes_other_data(config):
    """Rows, noise and seed come from the config, and each decides what is loaded."""
    options = [{}, {"rows": 999}, {"noise": 0.2}, {"seed": 1}]
    found = [load_dataset(config(name="moons", **option)) for option in options]
    assert 4 == len({dataset.sha256 for dataset in found})
    assert [1000, 999, 1000, 1000] == [len(dataset.x) for dataset in found]
    assert ("outer", "inner") == found[1].classes
    assert [499, 500] == np.bincount(found[1].y).tolist()


def test_more_rows_than_memory_are_refused_at_their_key(config):
    """Before any is made, with both figures."""
    with pytest.raises(DatasetProblem, match=r"dataset\.rows: moons of .* needs .*; .* are free"):
        load_dataset(config(name="moons", rows=10**14))


def test_circles_are_those_of_scikit_learn():
    """Without noise, the same points in the same order."""
    from sklearn.datasets import make_circles

    x, y = make_circles(101, shuffle=False, factor=0.3)
    ours = plane.circles(101, noise=0.0, factor=0.3)
    assert np.abs(x - ours.x).max() <= 5.1e-7
    assert y.tolist() == ours.y.tolist()


def test_spirals_wind_around_the_origin():
    """Each arm is the first one turned, and ends at radius 1 after its turns."""
    ours = plane.spirals(302, noise=0.0, arms=3, turns=2.0)
    points = ours.x[:, 0] + 1j * ours.x[:, 1]
    arms = [points[ours.y == arm] for arm in range(3)]
    assert [101, 101, 100] == [len(arm) for arm in arms]
    assert np.abs(arms[1] - arms[0] * np.exp(2j * np.pi / 3)).max() < 2e-6
    assert [1, 1, 1] == pytest.approx([abs(arm[-1]) for arm in arms], abs=2e-6)
    assert 2 == pytest.approx(np.unwrap(np.angle(arms[0]))[-1] / (2 * np.pi), abs=1e-5)


def test_xor_and_checkerboards():
    """Classes by the squares in which the points lie, all over the square."""
    ours = plane.xor(4000)
    assert ((ours.x[:, 0] > 0) != (ours.x[:, 1] > 0)).astype(int).tolist() == ours.y.tolist()
    board = plane.checkerboard(4000, squares=3)
    fields = np.floor((board.x + 1) / 2 * 3).sum(axis=1) % 2
    assert np.mean(fields == board.y) > 0.999  # but for points that rounding moves over a line
    assert -1 <= board.x.min() < -0.99
    assert 0.99 < board.x.max() <= 1


def test_blobs_and_sine():
    """Clouds around their centers, to three standard errors; a curve with its noise."""
    ours = plane.blobs(9001, noise=0.2, centers=4)
    assert [2251, 2250, 2250, 2250] == np.bincount(ours.y).tolist()
    means = [ours.x[ours.y == k].mean(axis=0) for k in range(4)]
    expected = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    assert np.abs(np.array(means) - expected).max() < 4 * 0.2 / np.sqrt(2250)
    curve = plane.sine(2001, noise=0.0)
    assert np.abs(np.sin(curve.x) - curve.y).max() < 2e-6
    assert ("regression", (2001, 1), (2001, 1)) == (curve.task, curve.x.shape, curve.y.shape)


@pytest.mark.parametrize("name", ["circles", "spirals", "xor", "checkerboard", "blobs", "sine"])
def test_seeds_and_noise(name: str):
    """The same options give the same bits, another seed or noise others."""
    make = getattr(plane, name)
    found = [make(50).sha256, make(50, seed=1, noise=0.1).sha256, make(50, noise=0.1).sha256]
    assert make(50).sha256 == found[0]
    assert found[1] != found[2]
