"""Random numbers: one seed, one stream for each thing that is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.nn.signature import Rng


@dataclass(frozen=True)
class Streams:
    """Independent generators, so that drawing more of one thing changes nothing of the others."""

    split: Rng
    weights: Rng
    order: Rng
    dropout: Rng

    @classmethod
    def of(cls, seed: int) -> Streams:
        """The streams that belong to a run's seed."""
        children = np.random.SeedSequence(seed).spawn(4)
        return cls(*(np.random.Generator(np.random.PCG64(child)) for child in children))
