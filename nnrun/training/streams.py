"""Random numbers: one seed, one stream for each thing that is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnrun.nn.signature import Rng


@dataclass(frozen=True)
class Streams:
    """Independent generators, so that drawing more of one thing changes nothing of the others."""

    seed: int

    @classmethod
    def of(cls, seed: int) -> Streams:
        """The streams that belong to a run's seed."""
        return cls(seed)

    @cached_property
    def split(self) -> Rng:
        """Which rows go to which split."""
        return self._stream(0)

    @cached_property
    def weights(self) -> Rng:
        """Initial values."""
        return self._stream(1)

    @cached_property
    def order(self) -> Rng:
        """The order of rows."""
        return self._stream(2)

    @cached_property
    def dropout(self) -> Rng:
        """Masks."""
        return self._stream(3)

    def _stream(self, number: int) -> Rng:
        """Made by what `SeedSequence(seed).spawn(4)` would have in this place."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(number,))
        return np.random.Generator(np.random.PCG64(sequence))
