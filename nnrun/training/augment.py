"""Images that are shifted, turned and mirrored, a whole batch at a time.

Only sums, products and comparisons are used, so that the bits are the same on every processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import pi, prod
from typing import Any, NamedTuple

import numpy as np

from nnrun.engines.base import Batches, Engine, Evaluator, Steps
from nnrun.nn.signature import Array, Rng, Shape

# An angle is halved so often before the series of sine and cosine, and doubled as often after it.
_HALVINGS = 5


class Moves(NamedTuple):
    """One move for each image: first the flip, then the turn about the centre, then the shift.

    Args:
        down, right: int64, (rows,), in pixels.
        flipped: whether left and right are exchanged, (rows,).
        degrees: of the turn, counterclockwise, (rows,); None for no turns.
    """

    down: Array
    right: Array
    flipped: Array
    degrees: Array | None


def moved(x: Array, moves: Moves) -> Array:
    """The images x (rows, channels, height, width), each moved.

    Turned images are interpolated between the four nearest pixels. Where the image has moved away,
    the pixels of its border are repeated.
    """
    return _shifted(x, moves) if moves.degrees is None else _turned(x, moves)


def _shifted(x: Array, moves: Moves) -> Array:
    """Without turns an image is a part of a larger one, whose border is repeated."""
    _, _, height, width = x.shape
    by = max(int(np.abs(shift).max(initial=0)) for shift in (moves.down, moves.right))
    framed = np.pad(x, ((0, 0), (0, 0), (by, by), (by, by)), mode="edge") if by else x
    found = np.empty_like(x)
    starts = np.stack([by - moves.down, by - moves.right, moves.flipped], axis=1).tolist()
    for row, (top, left, flipped) in enumerate(starts):
        image = framed[row, :, top : top + height]
        found[row] = (image[:, :, ::-1] if flipped else image)[:, :, left : left + width]
    return found


def _turned(x: Array, moves: Moves) -> Array:
    rows, channels, height, width = x.shape
    above, left = _sources(moves, height, width)
    top, first = np.floor(above), np.floor(left)
    # One more row and column, so that each pixel has a neighbour below and to the right.
    line = width + 1
    framed = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge").reshape(-1)
    places = (top * line + first).astype(np.int64).reshape(rows, 1, -1)
    size = (height + 1) * line
    places = places + np.arange(0, rows * channels * size, size).reshape(rows, channels, 1)
    right = (left - first).astype(x.dtype).reshape(rows, 1, -1)
    upper, lower = (_between(framed[start:], places, right) for start in (0, line))
    lower -= upper
    lower *= (above - top).astype(x.dtype).reshape(rows, 1, -1)
    upper += lower
    return upper.reshape(x.shape)


def _between(pixels: Array, places: Array, share: Array) -> Array:
    """Between the pixels at these places and their neighbours to the right, by a share."""
    # All places are in range, and without the check `take` is faster.
    one, other = (np.take(pixels[start:], places, mode="clip") for start in (0, 1))
    other -= one
    other *= share
    one += other
    return one


def _sources(moves: Moves, height: int, width: int) -> tuple[Array, Array]:
    """The rows and columns that pixels of moved images come from, (rows, height, width)."""
    assert moves.degrees is not None
    cos, sin = cos_and_sin(moves.degrees)
    middle, centre = (height - 1) / 2, (width - 1) / 2
    down = (np.arange(height) - middle - moves.down[:, None])[:, :, None]
    right = (np.arange(width) - centre - moves.right[:, None])[:, None, :]
    cos, sin = cos[:, None, None], sin[:, None, None]
    mirrored = np.where(moves.flipped, -1.0, 1.0)[:, None, None]
    above = cos * down + sin * right
    left = (mirrored * cos) * right - (mirrored * sin) * down
    above += middle
    left += centre
    return np.clip(above, 0, height - 1, out=above), np.clip(left, 0, width - 1, out=left)


def cos_and_sin(degrees: Array) -> tuple[Array, Array]:
    """Cosine and sine of angles up to 180°, by their series; the library's differ by processor."""
    t = degrees * (pi / 180 / 2**_HALVINGS)
    square = t * t
    cos = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    sin = t * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))))
    for _ in range(_HALVINGS):
        cos, sin = cos * cos - sin * sin, 2 * sin * cos
    return cos, sin


# What is changed in training rows, by which random numbers, and an engine that trains on them.

# Random numbers are drawn for about this many numbers of rows at a time.
_BLOCK = 1 << 18
# Uniform numbers for a row: shift down, shift right, flip, turn.
_UNIFORMS = 4


@dataclass(frozen=True)
class Augmentation:
    """Random changes of rows.

    Args:
        shift: the most pixels by which an image is shifted, down or up and to the right or left.
        flip: whether half of the images are mirrored, left to right.
        rotate: the largest angle of a turn, in degrees.
        noise: the standard deviation of normal noise that is added to prepared features.
    """

    shift: int = 0
    flip: bool = False
    rotate: float = 0.0
    noise: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether images are moved; tables can have noise alone."""
        return bool(self.shift or self.flip or self.rotate)


class Augmenter:
    """Changes rows by random numbers that depend on the stream, the iteration and the place alone.

    So a run that continues from a checkpoint gets the same numbers, however its iterations are
    grouped. The numbers are drawn for blocks of iterations, each from a part of the stream of its
    own.

    Args:
        augmentation: what is changed.
        shape: of a row in the data set.
        batch_size: rows of an iteration at most.
        rng: the stream, whose state is not changed.
        spared: features of a table without noise, such as numbers of categories.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        shape: Shape,
        batch_size: int,
        *,
        rng: Rng,
        spared: Sequence[int] = (),
    ) -> None:
        self.augmentation = augmentation
        self.spared = list(spared)
        self.shape = shape
        self.batch_size = batch_size
        self.block = max(1, _BLOCK // (batch_size * prod(shape)))
        self._start: Any = rng.bit_generator.state
        self._drawn: tuple[int, Array, Array] | None = None

    def until(self, iteration: int) -> int:
        """The end of the block that an iteration is in."""
        return (iteration // self.block + 1) * self.block

    def changed(self, x: Array, first: int, sizes: Array) -> Array:
        """The rows of consecutive iterations, changed.

        Args:
            x: (rows, *shape), flat or not; prepared.
            first: the number of the first iteration; all are of one block.
            sizes: the rows of each.
        """
        uniforms, normals = (
            self._of_rows(numbers[first % self.block :][: len(sizes)], sizes)
            for numbers in self._numbers(first // self.block)
        )
        if self.augmentation.moves:
            images = x.reshape(len(x), *self.shape)
            x = moved(images, self._moves(uniforms)).reshape(x.shape)
        if self.augmentation.noise:
            normals = self.augmentation.noise * normals
            normals[:, self.spared] = 0
            x = x + normals.astype(x.dtype, copy=False).reshape(x.shape)
        return x

    def _of_rows(self, numbers: Array, sizes: Array) -> Array:
        """The numbers of the rows there are: batches may be smaller."""
        if (sizes == self.batch_size).all():
            return numbers.reshape(len(sizes) * self.batch_size, numbers.shape[2])
        rows: Array = np.arange(self.batch_size) < sizes[:, None]
        return numbers[rows]

    def _moves(self, uniforms: Array) -> Moves:
        largest, angle = self.augmentation.shift, self.augmentation.rotate
        shifts = np.floor(uniforms[:, :2] * (2 * largest + 1)).astype(np.int64) - largest
        flipped = (uniforms[:, 2] < 0.5) & self.augmentation.flip
        degrees = (2 * uniforms[:, 3] - 1) * angle if angle else None
        return Moves(shifts[:, 0], shifts[:, 1], flipped, degrees)

    def _numbers(self, block: int) -> tuple[Array, Array]:
        """Uniform and normal numbers of a block: (iterations, rows, numbers)."""
        if self._drawn is None or self._drawn[0] != block:
            bits = np.random.PCG64()
            bits.state = self._start
            bits.advance(block << 64)  # more than a block can use
            rng = np.random.Generator(bits)
            uniforms = rng.random((self.block, self.batch_size, _UNIFORMS))
            width = prod(self.shape) if self.augmentation.noise else 0
            normals = rng.standard_normal((self.block, self.batch_size, width))
            self._drawn = block, uniforms, normals
        return self._drawn[1:]


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
