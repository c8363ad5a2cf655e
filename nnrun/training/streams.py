"""Random numbers: one seed, with a separate stream for each use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnrun.nn.signature import Rng


@dataclass(frozen=True)
class Streams:
    """Independent generators: drawing more numbers from one does not change the others."""

    seed: int

    @classmethod
    def of(cls, seed: int) -> Streams:
        """The streams of a run's seed."""
        return cls(seed)

    @cached_property
    def split(self) -> Rng:
        """For the assignment of rows to splits."""
        return self._stream(0)

    @cached_property
    def weights(self) -> Rng:
        """For initial weights."""
        return self._stream(1)

    @cached_property
    def order(self) -> Rng:
        """For the order of training rows."""
        return self._stream(2)

    @cached_property
    def dropout(self) -> Rng:
        """For dropout masks."""
        return self._stream(3)

    def _stream(self, number: int) -> Rng:
        """The generator of `SeedSequence(seed).spawn(4)[number]`."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(number,))
        return np.random.Generator(np.random.PCG64(sequence))
