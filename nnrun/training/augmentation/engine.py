"""An engine whose training rows are changed at each visit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nnrun.engines.base import Batches, Engine, Evaluator, Steps
from nnrun.nn.signature import Array
from nnrun.training.augmentation.augment import Augmenter


class AugmentingEngine(Engine):
    """Has another engine train on changed rows, a block of iterations at a time.

    Rows that are evaluated are not changed; nor are those of batches that are no `Steps`, which
    have no number.

    Args:
        engine: of any kind.
        augmenter: changes the rows.
        x: rows of the training split, in the network's dtype.
        target: their targets.
    """

    def __init__(self, engine: Engine, augmenter: Augmenter, x: Array, target: Array) -> None:
        self.engine = engine
        self.augmenter = augmenter
        self.x = x
        self.target = target
        self.name = engine.name

    @property
    def surroundings(self) -> dict[str, Any]:
        return self.engine.surroundings

    def run(self, batches: Batches, losses: Array | None = None) -> None:
        bounds, number = batches.bounds, batches.first if isinstance(batches, Steps) else None
        for start, end in self._blocks(len(batches), number):
            rows = batches.rows[bounds[start] : bounds[end]]
            x = self.x[rows]
            if number is not None:
                sizes = np.diff(bounds[start : end + 1])
                x = self.augmenter.changed(x, number + start, sizes)
            self.engine.train_on(x, self.target[rows])
            part = Batches(
                np.arange(len(rows)),
                bounds[start : end + 1] - bounds[start],
                batches.rates[start:end],
            )
            self.engine.run(part, None if losses is None else losses[start:end])

    def _blocks(self, iterations: int, number: int | None) -> Iterator[tuple[int, int]]:
        """The first of each block of iterations, and the first after it."""
        start = 0
        while start < iterations:
            first = start + (number or 0)
            end = min(start + self.augmenter.until(first) - first, iterations)
            yield start, end
            start = end

    def train_on(self, x: Array, target: Array) -> None:
        self.x, self.target = x, target

    def evaluator(self, x: Array, target: Array) -> Evaluator:
        return self.engine.evaluator(x, target)

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        return self.engine.evaluate(x, target)
