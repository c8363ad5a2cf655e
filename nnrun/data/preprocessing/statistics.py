"""Statistics of features over rows read in blocks, with the bits of NumPy's on whole arrays.

NumPy sums the rows of an array in order, and a single column by pairwise summation. Here both
are done block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from nnrun.data.rows.raw import RawRows, block_rows

Array = npt.NDArray[np.float64]
# NumPy halves sums of more numbers than this, at a multiple of eight.
_HALVED, _EIGHT = 128, 8


class Step(Protocol):
    """A step of preprocessing; the keys of `state` are keywords of the constructor."""

    name: ClassVar[str]

    def fit(self, rows: Numbers) -> None: ...

    def apply(self, x: Array) -> Array: ...

    def state(self) -> dict[str, Any]: ...


class Numbers:
    """Rows as float64 numbers after some steps, read in blocks.

    Args:
        raw: the rows; an array is in C order.
        steps: all fitted.
    """

    def __init__(self, raw: RawRows | npt.NDArray[Any], steps: Sequence[Step] = ()) -> None:
        self.raw, self.steps = raw if isinstance(raw, RawRows) else RawRows.of(raw), steps
        self.shape = self.raw.shape
        self.step = max(_HALVED, block_rows(self.shape))
        # Choosing features of a table by NumPy gives an array whose columns are contiguous.
        self.by_columns = self.raw.view is not None or prod(self.shape) == 1

    def __len__(self) -> int:
        return len(self.raw)

    def between(self, start: int, stop: int) -> Array:
        """Rows from one place to another, as a new array (rows, *shape)."""
        x = np.array(self.raw.between(start, stop), dtype=np.float64)
        for step in self.steps:
            x = step.apply(x)
        return x

    def column(self, feature: int) -> Array:
        """One raw feature of all rows of a table."""
        values = self.raw.features(range(feature, feature + 1))
        return np.array(values[:, 0], dtype=np.float64)

    def extremes(self) -> tuple[Array, Array]:
        """The smallest and the largest value of each feature."""
        found = [(x.min(axis=0), x.max(axis=0)) for x in self._blocks()]
        low, high = (np.array(ends) for ends in zip(*found, strict=True))
        return low.min(axis=0), high.max(axis=0)

    def mean(self, of: Callable[[Array], Array] = lambda x: x) -> Array:
        """The mean of each feature over all rows, or that of a function of the rows."""
        return self._sum(of) / len(self)

    def variance(self, mean: Array) -> Array:
        """The population's variance of each feature over all rows."""
        return self.mean(lambda x: np.square(x - mean))

    def _blocks(self) -> Any:
        return (self.between(at, at + self.step) for at in range(0, len(self), self.step))

    def _sum(self, of: Callable[[Array], Array]) -> Array:
        """The sum of a function of the rows."""
        if self.by_columns:
            return self._sum_of_halves(of, 0, len(self))
        total: Array | None = None
        for x in self._blocks():
            terms = of(x) if total is None else np.concatenate([total[np.newaxis], of(x)])
            total = np.add.reduce(terms, axis=0)
        assert total is not None  # no split is empty
        return total

    def _sum_of_halves(self, of: Callable[[Array], Array], start: int, stop: int) -> Array:
        count = stop - start
        if count <= self.step:
            columns = np.asfortranarray(of(self.between(start, stop)))
            total: Array = np.add.reduce(columns, axis=0)
            return total
        half = start + count // 2 // _EIGHT * _EIGHT
        return self._sum_of_halves(of, start, half) + self._sum_of_halves(of, half, stop)
