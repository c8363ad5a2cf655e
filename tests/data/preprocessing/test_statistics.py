"""Statistics over blocks of rows against NumPy's on whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data import rows as raw
from nnrun.data.rows import RawRows
from nnrun.data.steps import Numbers

ROWS = 5003


class Chosen:
    """All features but the last."""

    features = 3

    def __call__(self, x, rows):
        return x[:, np.arange(x.shape[1]) < 3]


def numbers(*shape):
    """Numbers of very different size, whose sums show every change of order."""
    rng = np.random.default_rng(0)
    sizes = (ROWS, *shape)
    return (rng.normal(size=sizes) * 10.0 ** rng.integers(-6, 6, sizes)).astype(np.float32)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(raw, "_BLOCK", 700)


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (2, 3, 4)], ids=str)
def test_statistics_of_blocks_have_numpys_bits(shape):
    """Means, variances and extremes of rows in an order of their own."""
    x, order = numbers(*shape), np.random.default_rng(1).permutation(ROWS)[:4001]
    rows, whole = Numbers(RawRows((x,), order)), np.array(x[order], np.float64)
    assert whole.mean(axis=0).tolist() == rows.mean().tolist()
    assert whole.var(axis=0).tolist() == rows.variance(rows.mean()).tolist()
    low, high = rows.extremes()
    assert (whole.min(axis=0).tolist(), whole.max(axis=0).tolist()) == (low.tolist(), high.tolist())


def test_statistics_of_chosen_features_have_numpys_bits():
    """Choosing columns changes the order of memory, and so that of NumPy's sums."""
    x, order = numbers(4), np.random.default_rng(1).permutation(ROWS)
    rows = Numbers(RawRows((x,), order, Chosen()))
    whole = np.array(x[order][:, np.arange(4) < 3], np.float64)
    assert whole.mean(axis=0).tolist() == rows.mean().tolist()
    assert whole.var(axis=0).tolist() == rows.variance(rows.mean()).tolist()
    assert whole[:, 2].tolist() == rows.column(2).tolist()
