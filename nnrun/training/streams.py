"""Random numbers: one seed, with a separate stream for each use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnrun.nn.signature import Rng


@dataclass(frozen=True)
class Streams:
    """Independent generators: drawing more numbers from one does not change the others.

    Each fold has its own streams, except for `split`: the folds of a seed have different initial
    weights, so that the spread of their results includes the effect of these.

    Args:
        seed: of the run.
        fold: that it tests, if any.
    """

    seed: int
    fold: int | None = None

    @cached_property
    def split(self) -> Rng:
        """For the assignment of rows to splits."""
        return self._stream(0)

    @cached_property
    def weights(self) -> Rng:
        """For initial weights."""
        return self._stream_of_fold(1)

    @cached_property
    def order(self) -> Rng:
        """For the order of training rows."""
        return self._stream_of_fold(2)

    @cached_property
    def dropout(self) -> Rng:
        """For dropout masks."""
        return self._stream_of_fold(3)

    @cached_property
    def augmentation(self) -> Rng:
        """For changes of training rows."""
        return self._stream_of_fold(4)

    @cached_property
    def evaluation(self) -> Rng:
        """For the rows that evaluations on the way take."""
        return self._stream_of_fold(5)

    def _stream_of_fold(self, number: int) -> Rng:
        return self._stream(number) if self.fold is None else self._stream(number, self.fold)

    def _stream(self, *key: int) -> Rng:
        """The generator of `SeedSequence(seed).spawn(6)[number]`, or of its child for a fold."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=key)
        return np.random.Generator(np.random.PCG64(sequence))
