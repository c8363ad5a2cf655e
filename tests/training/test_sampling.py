"""Sampled rows, and random streams."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.engines.base import Sampler
from nnrun.training.state import Streams

# The order in which training visits rows.


def sampler(rows=10, batch_size=3, sampling="shuffle", seed=0):
    return Sampler(rows, batch_size, sampling, rng=np.random.default_rng(seed))


def batches(source, iterations):
    rows, bounds = source.take(iterations)
    return [rows[a:b].tolist() for a, b in pairwise(bounds.tolist())]


def test_an_epoch_visits_every_row_once():
    """Shuffled epochs cover all rows, the last batch being what is left, each in a new order."""
    source = sampler()
    first, second = batches(source, 4), batches(source, 4)
    for epoch in (first, second):
        assert [3, 3, 3, 1] == [len(batch) for batch in epoch]
        assert list(range(10)) == sorted(row for batch in epoch for row in batch)
    assert first != second


def test_replacement_draws_every_row_about_equally_often():
    """With replacement, counts of 100,000 draws from 10 rows stay within 5 standard deviations."""
    rows, bounds = sampler(batch_size=1, sampling="with_replacement").take(100_000)
    counts = np.bincount(rows, minlength=10)
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(100_000 * 0.1 * 0.9)
    assert list(range(100_001)) == bounds.tolist()


def test_rows_may_stay_in_order():
    """Epoch after epoch from the first to the last, what is left over as the last batch."""
    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert 2 * expected == batches(sampler(batch_size=4, sampling="in_order"), 6)


@pytest.mark.parametrize("sampling", ["shuffle", "with_replacement", "in_order"])
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8), batch=st.integers(1, 12))
def test_taking_in_pieces_changes_nothing(sampling, cuts, batch):
    """However many iterations are taken at a time, the rows are the same."""
    whole = batches(sampler(batch_size=batch, sampling=sampling), sum(cuts))
    source = sampler(batch_size=batch, sampling=sampling)
    assert whole == [b for cut in cuts for b in batches(source, cut)]


@pytest.mark.parametrize("sampling", ["shuffle", "with_replacement", "in_order"])
@pytest.mark.parametrize("taken", [0, 1, 4, 7, 20_000])
def test_a_restored_sampler_goes_on_as_the_first_did(sampling, taken):
    """A state survives JSON, and a new sampler put to it yields what the old one would."""
    source = sampler(sampling=sampling)
    if taken:
        source.take(taken)
    state = json.loads(json.dumps(source.state()))
    expected = batches(source, 30)
    other = sampler(sampling=sampling, seed=99)
    other.restore(state)
    assert expected == batches(other, 30)


@pytest.mark.parametrize("used", [-1, 5, 10**12, 1.0, "1", None, True])
def test_a_state_that_cannot_be_is_refused(used):
    """A block of ten rows has four batches of three; none of the others can have been used."""
    source = sampler()
    with pytest.raises(ValueError, match="a block has no"):
        source.restore({**source.state(), "used": used})


# The streams of random numbers.

NAMES = ("split", "weights", "order", "dropout", "augmentation")


@pytest.mark.parametrize("seed", [0, 7, 2**64 + 1])
def test_streams_are_the_children_of_the_seed(seed: int) -> None:
    """Each is what NumPy's own `spawn` gives in its place, whichever is asked for first."""
    children = np.random.SeedSequence(seed).spawn(5)
    streams = Streams(seed)
    for name in ("augmentation", "dropout", "split", "order", "weights"):
        child = children[NAMES.index(name)]
        expected = np.random.Generator(np.random.PCG64(child)).random(3)
        assert expected.tolist() == getattr(streams, name).random(3).tolist()
        assert getattr(streams, name) is getattr(streams, name)


def test_each_fold_has_streams_of_its_own_but_for_the_split() -> None:
    """Children of the seed's own streams, so that the folds of a seed start from other weights."""
    plain, *folds = (Streams(7, fold) for fold in (None, 1, 2))
    assert {plain.split.random()} == {fold.split.random() for fold in folds}
    for place, name in enumerate(NAMES):
        if place:
            drawn = [getattr(streams, name).random() for streams in (plain, *folds)]
            child = np.random.SeedSequence(7, spawn_key=(place, 2))
            assert 3 == len(set(drawn))
            assert np.random.Generator(np.random.PCG64(child)).random() == drawn[2]
