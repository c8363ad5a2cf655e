"""Finding equal rows of a data set, in all features and the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.rows.raw import RawRows

Array = npt.NDArray[Any]
Words = npt.NDArray[np.uint64]


def equal_rows(parts: Sequence[Array], y: Array) -> npt.NDArray[np.intp] | None:
    """A number for each row, the same for equal rows of x and y; None if all rows differ.

    The arrays of `parts`, one after the other, are x. Rows count as equal if their 64-bit hashes
    are: among a million different rows, two have the same hash with a probability of 3e-8.
    """
    x, targets = RawRows.of(*parts), y.reshape(len(y), -1)
    integers = all(part.dtype == np.uint8 for part in parts)
    hashes = np.zeros(len(x), np.uint64)
    for places, values in x.as_stored():
        for seed, numbers in enumerate((values, targets[places])):
            words = _words(numbers.reshape(len(places), -1), integers or seed == 1)
            hashes[places] += _mixed(words, _factors(words.shape[1], seed))
    ordered = np.sort(hashes)
    if (ordered[1:] != ordered[:-1]).all():
        return None
    return np.unique(hashes, return_inverse=True)[1]


def _words(values: Array, integers: bool) -> Words:
    """The bits of rows as 64-bit words."""
    if values.dtype == np.uint8 and integers:
        values = np.pad(values, ((0, 0), (0, -values.shape[1] % 8)))
    elif values.dtype.kind == "f" or not integers:
        values = values.astype(np.float64) + 0.0  # -0.0 is 0.0
    else:
        values = values.astype(np.int64)
    return np.ascontiguousarray(values).view(np.uint64)


def _factors(count: int, seed: int) -> Words:
    drawn = np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64, endpoint=False)
    return drawn | np.uint64(1)


def _mixed(words: Words, factors: Words) -> Words:
    """The hashes of rows: multiply-shift of every word, summed."""
    mixed = words ^ (words >> np.uint64(32))
    mixed *= factors
    mixed ^= mixed >> np.uint64(29)
    hashes: Words = mixed.sum(axis=1, dtype=np.uint64)
    return hashes
