"""MNIST-1D: ten shapes of a line as series of 40 numbers, drawn as its authors' generator does.

Each row is the line of its class, padded, stretched, moved, with noise, and slanted. The numbers
are those of the file that the authors froze: the same draws of NumPy's `RandomState`, whose stream
is fixed for good, in the same order, and the same operations. S. Greydanus and D. Kobak, Scaling
down deep learning with MNIST-1D, ICML 2024; the generator is under Apache-2.0.
"""

from __future__ import annotations

from functools import cache
from math import exp

import numpy as np

from nnrun.data.dataset import Dataset, hash_arrays, pixel_names
from nnrun.nn.signature import Array, NonNegativeInt

# Heights of each digit's line at twelve points.
_LINES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
ROWS, TRAIN, LENGTH = 5000, 4000, 40
_FEWEST, _MOST = 36, 60  # zeros after a line
_WIDE = len(_LINES[0]) + _MOST  # points of a row before it is thinned out
_SHIFTS = 48
_DECIMALS = 6


def mnist1d(seed: NonNegativeInt = 42, shuffled: bool = False) -> Dataset:
    """4,000 and 1,000 series of 40 numbers, a channel of height 1: ten shapes of a line.

    Args:
        seed: of all draws; the published set has 42.
        shuffled: whether the 40 positions are in another order, drawn too and the same in all rows.
    """
    rng = np.random.RandomState(seed)  # the stream that the set was drawn from
    lines = np.array(_LINES)
    lines -= lines.mean(axis=1, keepdims=True)
    lines /= lines.std(axis=1, keepdims=True)
    lines = (lines - lines[:, :1]) / 6 + 1e-8  # no point of a line is 0, which marks the padding
    y = np.repeat(np.arange(len(lines)), ROWS // len(lines))
    x = _slanted(*_drawn(lines[y], rng))
    order = rng.permutation(ROWS)
    x, y = x[order], y[order]
    if shuffled:
        x = x[..., rng.permutation(LENGTH)]
    x = np.ascontiguousarray((x - x.mean()) / x.std()).reshape(ROWS, 1, 1, LENGTH)
    return Dataset(
        name="mnist1d",
        task="classification",
        x=x[:TRAIN],
        y=y[:TRAIN],
        x_test=x[TRAIN:],
        y_test=y[TRAIN:],
        classes=tuple(map(str, range(len(lines)))),
        feature_names=pixel_names((1, 1, LENGTH)),
        target_names=("digit",),
        # Logarithms in the draws may differ between machines, by far less than is kept here.
        sha256=hash_arrays(np.round(x, _DECIMALS) + 0.0, y),
    )


def _drawn(lines: Array, rng: np.random.RandomState) -> tuple[Array, Array]:
    """Rows with noise, from the draws of one after the other; and how steeply each is slanted."""
    rows, noise = np.empty((len(lines), _WIDE)), np.empty((len(lines), 2, _WIDE))
    slants = np.empty(len(lines))
    for row, line in enumerate(lines):
        padded = np.append(line, np.zeros(_FEWEST + int(rng.rand() * (_MOST - _FEWEST + 1))))
        height = 1 + 0.4 * (rng.rand() - 0.5)
        rows[row] = np.roll(_resampled(padded, _WIDE) * height, rng.randint(_SHIFTS))
        noise[row] = rng.randn(2, _WIDE)
        slants[row] = 0.75 * (rng.rand() - 0.5)
    background = _smoothed(0.25 * noise[:, 0])
    return np.where(rows != 0, rows, background) + 0.02 * noise[:, 1], slants


def _slanted(rows: Array, slants: Array) -> Array:
    rows = rows - slants[:, None] * np.linspace(-0.5, 0.5, _WIDE)
    return np.array([_resampled(row, LENGTH) for row in rows])


def _resampled(values: Array, number: int) -> Array:
    """This many equally spaced points on the line through the values."""
    points: Array = np.interp(_places(number), _places(len(values)), values)
    return points


@cache
def _places(number: int) -> Array:
    return np.linspace(0, 1, number)


def _smoothed(rows: Array, sigma: int = 2) -> Array:
    """Rows after a Gaussian filter of four sigma, the numbers at both ends mirrored."""
    reach = 4 * sigma
    weights = np.array([exp(-0.5 / sigma**2 * step**2) for step in range(-reach, reach + 1)])
    weights /= weights.sum()
    around = np.pad(rows, ((0, 0), (reach, reach)), mode="symmetric")
    width = rows.shape[1]
    smooth: Array = around[:, reach : reach + width] * weights[reach]
    for step in range(reach, 0, -1):
        left, right = (around[:, reach + at : reach + at + width] for at in (-step, step))
        smooth += (left + right) * weights[reach - step]
    return smooth
