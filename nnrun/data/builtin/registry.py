"""The table of built-in data sets: descriptions of each, without loading or fetching it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nnrun.data.builtin import fetched, mnist, plane, shipped
from nnrun.data.dataset import Dataset, Task
from nnrun.data.layout import Layout
from nnrun.tables import Table

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
    (plane.moons, 2, "two interleaved half circles with noise, as many points as asked for"),
    (plane.circles, 2, "a circle around another one, with noise"),
    (plane.spirals, 2, "arms that wind around each other, with noise"),
    (plane.xor, 2, "points of a square, by whether the signs of their coordinates differ"),
    (plane.checkerboard, 2, "points of a square, by the colours of a board"),
    (plane.blobs, 3, "normal clouds around centers on a circle"),
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
            call, about, "classification", (2,), plane.ROWS, classes=classes, source=COMPUTED
        )
        for call, classes, about in _POINTS
    },
    "sine": Entry(
        plane.sine,
        "one period of a sine curve, with noise",
        "regression", (1,), plane.ROWS, source=COMPUTED,
    ),
})  # fmt: skip
