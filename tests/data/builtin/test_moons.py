"""Data that are computed: the same on every machine, and as the options say."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data.builtin.moons import moons
from nnrun.data.dataset import DatasetProblem
from nnrun.data.load import load_dataset


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


def test_more_rows_than_memory_are_refused_at_their_key():
    """Before any is made, with both figures."""
    with pytest.raises(DatasetProblem, match=r"dataset\.rows: moons of .* needs .*; .* are free"):
        moons(10**14)
