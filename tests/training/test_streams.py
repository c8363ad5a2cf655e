"""The streams of random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.training.state import Streams

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
