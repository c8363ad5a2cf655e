"""Finding equal rows of a data set, in all features and the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Words = npt.NDArray[np.uint64]

# The number of elements processed at a time.
_BLOCK = 1 << 19


def equal_rows(x: Array, y: Array) -> npt.NDArray[np.intp] | None:
    """A number for each row, the same for equal rows of x and y; None if all rows differ.

    Rows count as equal if their 64-bit hashes are: among a million different rows, two have the
    same hash with a probability of 3e-8.
    """
    both = [x.reshape(len(x), -1), y.reshape(len(y), -1)]
    factors = [_factors(_words(values[:1]).shape[1], seed) for seed, values in enumerate(both)]
    step = max(1, _BLOCK // sum(map(len, factors)))
    hashes = np.zeros(len(x), np.uint64)
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        for values, factor in zip(both, factors, strict=True):
            hashes[part] += _mixed(_words(values[part]), factor)
    found, numbers = np.unique(hashes, return_inverse=True)
    return numbers if len(found) < len(x) else None


def _words(values: Array) -> Words:
    """The bits of rows as 64-bit words."""
    if values.dtype == np.uint8:
        values = np.pad(values, ((0, 0), (0, -values.shape[1] % 8)))
    elif values.dtype.kind == "f":
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
