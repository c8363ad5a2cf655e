"""The order in which training visits the rows."""

from __future__ import annotations

from functools import cached_property
from math import ceil
from typing import Any

import numpy as np

from nnrun.nn.signature import Array, Rng

# Rows drawn in one call when sampling with replacement.
_DRAWN_ROWS = 16_384
# The largest number of iterations whose rows are drawn in one call.
MOST_ITERATIONS = 1 << 18


def batches_per_epoch(rows: int, batch_size: int) -> int:
    """Iterations in one pass over the rows."""
    return ceil(rows / batch_size)


class Sampler:
    """The rows of each batch, drawn block by block.

    With `shuffle` a block is an epoch: every row once, in a new order; the last batch may be
    smaller. With `in_order` it is an epoch too, with the rows in the order of the split. With
    `with_replacement` each row is drawn independently. The rows of an iteration do not depend on
    how many iterations are taken at a time, nor on whether the state was saved and restored.
    """

    def __init__(self, rows: int, batch_size: int, sampling: str, *, rng: Rng) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.sampling = sampling
        self.rng = rng
        drawn = max(1, _DRAWN_ROWS // batch_size) * batch_size
        self.block_rows = drawn if sampling == "with_replacement" else rows
        self._stream = rng.bit_generator.state  # before the block was drawn
        self._used = 0  # batches of the block that have been taken
        self._block: Array | None = None  # not drawn yet
        self._batches = ceil(self.block_rows / batch_size)

    @cached_property
    def _bounds(self) -> Array:
        """The bounds of a block's batches, on first use: engines may draw rows themselves."""
        return np.append(np.arange(0, self.block_rows, self.batch_size), self.block_rows)

    @property
    def batches_per_epoch(self) -> int:
        """Iterations in one pass over the rows."""
        return batches_per_epoch(self.rows, self.batch_size)

    def take(self, iterations: int) -> tuple[Array, Array]:
        """The rows of the next iterations and the bounds of their batches (see `Batches`)."""
        rows: list[Array] = []
        sizes: list[Array] = []
        if self._block is None:
            self.rng.bit_generator.state = self._stream
        block = self._draw() if self._block is None else self._block
        while iterations:
            if self._used == self._batches:
                self._stream, self._used = self.rng.bit_generator.state, 0
                block = self._draw()
            end = min(self._used + iterations, self._batches)
            bounds = self._bounds[self._used : end + 1]
            rows.append(block[bounds[0] : bounds[-1]])
            sizes.append(np.diff(bounds))
            iterations -= end - self._used
            self._used = end
        return np.concatenate(rows), np.concatenate([[0], np.cumsum(np.concatenate(sizes))])

    def state(self) -> dict[str, Any]:
        """The current state as plain values."""
        return {"stream": self._stream, "used": self._used}

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a saved state.

        Raises:
            ValueError: it is not a state of such a sampler.
        """
        used = state["used"]
        if type(used) is not int or not 0 <= used <= self._batches:
            raise ValueError(f"a block has no {used} batches")
        self.rng.bit_generator.state = state["stream"]
        self.move_to({"stream": self.rng.bit_generator.state, "used": used})

    def move_to(self, state: dict[str, Any]) -> None:
        """Go to a state without checking it; the generator follows when a block is drawn."""
        self._stream, self._used = state["stream"], state["used"]
        self._block = None

    def _draw(self) -> Array:
        if self.sampling == "shuffle":
            self._block = self.rng.permutation(self.rows)
        elif self.sampling == "in_order":
            self._block = np.arange(self.rows)
        else:
            self._block = self.rng.integers(self.rows, size=self.block_rows)
        return self._block
