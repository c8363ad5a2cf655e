"""The streams of random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.training.streams import Streams


@pytest.mark.parametrize("seed", [0, 7, 2**64 + 1])
def test_streams_are_the_children_of_the_seed(seed: int) -> None:
    """Each is what NumPy's own `spawn` gives in its place, whichever is asked for first."""
    children = np.random.SeedSequence(seed).spawn(4)
    streams = Streams.of(seed)
    for name in ("dropout", "split", "order", "weights"):
        child = children[("split", "weights", "order", "dropout").index(name)]
        expected = np.random.Generator(np.random.PCG64(child)).random(3)
        assert expected.tolist() == getattr(streams, name).random(3).tolist()
        assert getattr(streams, name) is getattr(streams, name)
