"""The table of built-in data sets, and those that are generated, without loading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from nnrun.data.builtin import fetched
from nnrun.data.builtin import fetched as mnist
from nnrun.data.builtin import fetched as shipped
from nnrun.data.builtin.mnist1d import LENGTH, TRAIN, mnist1d
from nnrun.data.builtin.mnist1d import ROWS as SERIES
from nnrun.data.dataset import Dataset, Task, hash_arrays
from nnrun.data.layout import Layout
from nnrun.nn.signature import Array, Bounds, NonNegativeInt, Rng
from nnrun.tables import Table

# Points of a plane, and a curve, computed as the options say: the same on every machine.
#
# Values are rounded to six decimals, since sine, cosine and noise differ between machines by far
# less. Noise is normal, drawn with the set's own seed; the run's seed draws the split.

ROWS = 1000
_DECIMALS = 6

Rows = Annotated[int, Bounds(ge=4)]
Noise = Annotated[float, Bounds(ge=0, le=100)]
Few = Annotated[int, Bounds(ge=2, le=10)]


def moons(rows: Rows = ROWS, noise: Noise = 0.1, seed: NonNegativeInt = 0) -> Dataset:
    """Two interleaved half circles of radius 1, the second upside down.

        outer: (cos t, sin t),  inner: (1 - cos t, 1/2 - sin t),  t equally spaced in [0, π]

    as in scikit-learn's `make_moons`.

    Args:
        rows: how many; half of them, rounded down, in the outer moon.
        noise: the standard deviation of what is added to both coordinates.
        seed: of the noise; the run's own seed draws the split, as for any data.
    """
    outer, inner = (np.linspace(0, np.pi, count) for count in (rows // 2, rows - rows // 2))
    x = _points([(np.cos(outer), np.sin(outer)), (1 - np.cos(inner), 0.5 - np.sin(inner))])
    y = np.repeat(np.arange(2), [len(outer), len(inner)])
    return _classes("moons", "moon", ("outer", "inner"), _noisy(x, noise, _rng(seed)), y)


def circles(
    rows: Rows = ROWS,
    noise: Noise = 0.1,
    seed: NonNegativeInt = 0,
    factor: Annotated[float, Bounds(gt=0, lt=1)] = 0.5,
) -> Dataset:
    """A circle of radius 1 around one of radius `factor`, as in scikit-learn's `make_circles`.

    Args:
        rows: how many; half of them, rounded down, on the outer circle.
        noise: the standard deviation of what is added to both coordinates.
        seed: of the noise.
        factor: the radius of the inner circle.
    """
    counts = (rows // 2, rows - rows // 2)
    outer, inner = (np.linspace(0, 2 * np.pi, count, endpoint=False) for count in counts)
    x = _points([(np.cos(outer), np.sin(outer)), (factor * np.cos(inner), factor * np.sin(inner))])
    y = np.repeat(np.arange(2), counts)
    return _classes("circles", "circle", ("outer", "inner"), _noisy(x, noise, _rng(seed)), y)


def spirals(
    rows: Rows = ROWS,
    noise: Noise = 0.02,
    seed: NonNegativeInt = 0,
    arms: Few = 2,
    turns: Annotated[float, Bounds(gt=0, le=10)] = 1.0,
) -> Dataset:
    """Arms that wind around the origin: (r cos a, r sin a), a = 2π (turns · r + arm / arms).

    Args:
        rows: how many, as equally as possible on all arms; r is equally spaced in (0, 1].
        noise: the standard deviation of what is added to both coordinates.
        seed: of the noise.
        arms: how many arms, each a class.
        turns: how often each winds around.
    """
    counts = _shares(rows, arms)
    drawn = []
    for arm, count in enumerate(counts):
        r = np.arange(1, count + 1) / max(count, 1)
        angle = 2 * np.pi * (turns * r + arm / arms)
        drawn.append((r * np.cos(angle), r * np.sin(angle)))
    names = tuple(f"arm {arm + 1}" for arm in range(arms))
    x = _noisy(_points(drawn), noise, _rng(seed))
    return _classes("spirals", "arm", names, x, np.repeat(np.arange(arms), counts))


def xor(rows: Rows = ROWS, noise: Noise = 0.0, seed: NonNegativeInt = 0) -> Dataset:
    """Points drawn uniformly from [-1, 1]²; the class says whether the signs of x1, x2 differ.

    Args:
        rows: how many.
        noise: the standard deviation of what is added to both coordinates, after classes are set.
        seed: of the points and the noise.
    """
    return _squares("xor", "sign", ("same", "different"), 2, rows, noise, seed)


def checkerboard(
    rows: Rows = ROWS, noise: Noise = 0.0, seed: NonNegativeInt = 0, squares: Few = 4
) -> Dataset:
    """Points drawn uniformly from [-1, 1]², with the colours of a board of squares as classes.

    Args:
        rows: how many.
        noise: the standard deviation of what is added to both coordinates, after classes are set.
        seed: of the points and the noise.
        squares: in each row and column of the board.
    """
    return _squares("checkerboard", "colour", ("dark", "light"), squares, rows, noise, seed)


def blobs(
    rows: Rows = ROWS, noise: Noise = 0.3, seed: NonNegativeInt = 0, centers: Few = 3
) -> Dataset:
    """Normal clouds around centers that are equally spaced on the circle of radius 1.

    Args:
        rows: how many, as equally as possible around all centers.
        noise: the standard deviation of both coordinates around their center.
        seed: of the points.
        centers: how many, each a class.
    """
    counts = _shares(rows, centers)
    y = np.repeat(np.arange(centers), counts)
    angle = 2 * np.pi * y / centers
    x = _noisy(_points([(np.cos(angle), np.sin(angle))]), noise, _rng(seed))
    return _classes("blobs", "blob", tuple(f"blob {k + 1}" for k in range(centers)), x, y)


def sine(rows: Rows = ROWS, noise: Noise = 0.1, seed: NonNegativeInt = 0) -> Dataset:
    """One feature x, equally spaced in [-π, π], and the target sin x.

    Args:
        rows: how many.
        noise: the standard deviation of what is added to the target.
        seed: of the noise.
    """
    x = np.linspace(-np.pi, np.pi, rows)[:, None]
    y = _noisy(np.sin(x), noise, _rng(seed))
    x = np.round(x, _DECIMALS) + 0.0
    return Dataset(
        name="sine",
        task="regression",
        x=x,
        y=y,
        feature_names=("x",),
        target_names=("y",),
        sha256=hash_arrays(x, y),
    )


def _squares(
    name: str,
    target: str,
    classes: tuple[str, str],
    squares: int,
    rows: int,
    noise: float,
    seed: int,
) -> Dataset:
    rng = _rng(seed)
    drawn = rng.random((rows, 2))
    y = np.floor(drawn * squares).astype(np.int64).sum(axis=1) % 2
    return _classes(name, target, classes, _noisy(2 * drawn - 1, noise, rng), y)


def _rng(seed: int) -> Rng:
    return np.random.Generator(np.random.PCG64(seed))


def _shares(rows: int, parts: int) -> list[int]:
    """Rows divided as equally as possible, the first parts one more where they do not."""
    return [rows // parts + (part < rows % parts) for part in range(parts)]


def _points(curves: Sequence[tuple[Array, Array]]) -> Array:
    """(rows, 2): the points of all curves, one after the other."""
    return np.concatenate([np.stack(curve, axis=1) for curve in curves])


def _noisy(values: Array, noise: float, rng: Rng) -> Array:
    """Values with noise, rounded, and without negative zeros."""
    found: Array = np.round(values + noise * rng.standard_normal(values.shape), _DECIMALS) + 0.0
    return found


def _classes(name: str, target: str, classes: tuple[str, ...], x: Array, y: Array) -> Dataset:
    return Dataset(
        name=name,
        task="classification",
        x=x,
        y=y,
        classes=classes,
        feature_names=("x1", "x2"),
        target_names=(target,),
        sha256=hash_arrays(x, y),
    )


SHIPPED = "ships with nnrun"
COMPUTED = "computed"


@dataclass(frozen=True)
class Entry:
    """One built-in data set.

    The arguments of `load` are options that a config gives beside `name`: its signature, with the
    types of `nnrun/nn/signature.py`, is their schema.

    `shape` is that of a row; `rows` counts all rows, `test_rows` those of the set's own test split;
    `classes` is 0 for regression; `source` is where the data come from, `note` what a user should
    know before using them.
    """

    load: Callable[..., Dataset]
    description: str
    task: Task
    shape: tuple[int, ...]
    rows: int
    test_rows: int = 0
    classes: int = 0
    source: str = SHIPPED
    note: str = ""

    def counted(self) -> Entry:
        """The entry with the numbers that it lacks: those of the data as they are by default."""
        if self.shape:
            return self
        data = self.load()
        return replace(
            self, task=data.task, shape=data.shape, rows=len(data.x), classes=len(data.classes)
        )

    def table(self) -> Layout | None:
        """The layout of a table; None for images, and for sets that would have to be fetched."""
        fetched = self.source not in (SHIPPED, COMPUTED)
        return None if fetched or len(self.shape) > 1 else self.load().layout


IDX = "IDX files in `path`, else scikit-learn's OpenML cache"

BOSTON_NOTE = (
    "Feature B encodes the share of Black residents by town: the set was built to study air "
    "pollution through house prices, and treats segregation as a factor of price. scikit-learn "
    "removed it in 1.2. It is here to repeat published numbers; autompg, diabetes or california "
    "are the better choice for anything else. 16 prices are capped at 50."
)
MNIST_NOTE = "MNIST: Y. LeCun, C. Cortes; CC BY-SA 3.0 (as the Keras documentation states it)."
_POINTS: tuple[tuple[Callable[..., Dataset], int, str], ...] = (
    (moons, 2, "two interleaved half circles with noise, as many points as asked for"),
    (circles, 2, "a circle around another one, with noise"),
    (spirals, 2, "arms that wind around each other, with noise"),
    (xor, 2, "points of a square, by whether the signs of their coordinates differ"),
    (checkerboard, 2, "points of a square, by the colours of a board"),
    (blobs, 3, "normal clouds around centers on a circle"),
)

DATASETS: Table[Entry] = Table("dataset", {
    "boston": Entry(
        shipped.boston,
        "median house prices ($1000s) of 506 census tracts around Boston, 1970",
        "regression", (13,), 506, note=BOSTON_NOTE,
    ),
    "iris": Entry(
        shipped.iris,
        "species of irises from the lengths and widths (cm) of sepals and petals",
        "classification", (4,), 150, classes=3,
    ),
    "digits": Entry(
        shipped.digits,
        "handwritten digits, 8×8 pixels with values from 0 to 16",
        "classification", (1, 8, 8), 1797, classes=10,
    ),
    "diabetes": Entry(
        shipped.diabetes,
        "progression of diabetes after one year from ten measurements",
        "regression", (10,), 442,
        note="The features come centred and scaled by scikit-learn, over all rows.",
    ),
    "wine": Entry(
        shipped.wine,
        "cultivar of Italian wines from 13 chemical measurements",
        "classification", (13,), 178, classes=3,
    ),
    "breast_cancer": Entry(
        shipped.breast_cancer,
        "malignant or benign, from 30 measurements of cell nuclei (Wisconsin)",
        "classification", (30,), 569, classes=2,
    ),
    "autompg": Entry(
        shipped.autompg,
        "fuel consumption (miles per gallon) of cars, 1970 to 1982",
        "regression", (7,), 392,
        note="origin (1, 2, 3: USA, Europe, Japan) is a category given as a number.",
    ),
    "mnist_5k": Entry(
        shipped.mnist_5k,
        "5,000 of MNIST's handwritten digits, 28×28 bytes, 500 of each",
        "classification", (1, 28, 28), 5000, test_rows=1000, classes=10,
        note=f"{MNIST_NOTE} All rows are from MNIST's training set, sorted by class.",
    ),
    "mnist": Entry(
        mnist.mnist,
        "handwritten digits, 28×28 bytes",
        "classification", (1, 28, 28), 70000, test_rows=10000, classes=10, source=IDX,
        note=MNIST_NOTE,
    ),
    "fashion_mnist": Entry(
        mnist.fashion_mnist,
        "articles of clothing, 28×28 bytes",
        "classification", (1, 28, 28), 70000, test_rows=10000, classes=10, source=IDX,
    ),
    "california": Entry(
        fetched.california,
        "median house values ($100,000s) of 20,640 Californian block groups, 1990",
        "regression", (8,), 20640, source="fetched once into scikit-learn's folder",
        note="Values are capped at 5.00001.",
    ),
    **{
        call.__name__: Entry(
            call, about, "classification", (2,), ROWS, classes=classes, source=COMPUTED
        )
        for call, classes, about in _POINTS
    },
    "mnist1d": Entry(
        mnist1d,
        "ten shapes of a line, padded, moved and noisy: series of 40 numbers",
        "classification", (1, 1, LENGTH), SERIES, test_rows=SERIES - TRAIN, classes=10,
        source=COMPUTED,
        note="MNIST-1D: S. Greydanus, D. Kobak, ICML 2024; the generator is under Apache-2.0.",
    ),
    "sine": Entry(
        sine,
        "one period of a sine curve, with noise",
        "regression", (1,), ROWS, source=COMPUTED,
    ),
})  # fmt: skip
