"""The logarithm of metrics, against the library of the language."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from nnrun.models.scores import logarithm


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(1).random(20_000),
        1 - 2.0 ** -np.arange(1.0, 54.0),
        1 + 2.0 ** -np.arange(1.0, 53.0),
        2.0 ** np.arange(-1022.0, 1024.0),
        10.0 ** np.random.default_rng(2).uniform(-300, 300, 20_000),
    ],
    ids=["shares", "just below 1", "just above 1", "powers of 2", "all sizes"],
)
def test_it_is_right_to_the_last_place(x):
    """Within one unit in the last place of the correctly rounded logarithm, or one beside it."""
    expected = np.array([math.log(value) for value in x])
    assert np.all(np.abs(logarithm(x) - expected) <= np.spacing(np.abs(expected)))


def test_one_has_none():
    """Exactly 0, so that certain predictions cost nothing."""
    assert [0.0] == logarithm(np.array([1.0])).tolist()


def test_its_bits_are_these():
    """Those of this digest on every processor; `np.log` has others with other vectors."""
    x = np.random.default_rng(3).random(1000)
    digest = "3a739d85f2fa83698742f6ffa86c107e209b27efcf338dcab55fe9f509fafa76"
    assert digest == hashlib.sha256(logarithm(x).tobytes()).hexdigest()
