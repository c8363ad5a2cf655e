"""The data sets that ship with nnrun; `files/NOTES.md` has their origins.

scikit-learn has five of them too, but importing it takes longer than most of their runs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nnrun.data.dataset import Dataset, hash_arrays, pixel_names
from nnrun.data.layout import Columns
from nnrun.data.readers.npz import read_npz
from nnrun.data.readers.opening import file_sha256

FILES = Path(__file__).parent / "files"
DIGITS = tuple("0123456789")


def boston() -> Dataset:
    """House prices of 506 tracts around Boston."""
    return _table("boston")


def autompg() -> Dataset:
    """Fuel consumption of 392 cars."""
    return _table("autompg")


def mnist_5k() -> Dataset:
    """4,000 and 1,000 of MNIST's digits, as many of each class."""
    return replace(read_npz(FILES / "mnist_5k.npz"), target_names=("digit",))


def iris() -> Dataset:
    """Species of 150 irises."""
    return _stored("iris", "species")


def wine() -> Dataset:
    """Cultivar of 178 wines."""
    return _stored("wine", "cultivar")


def breast_cancer() -> Dataset:
    """Diagnosis for 569 tumours."""
    return _stored("breast_cancer", "diagnosis")


def diabetes() -> Dataset:
    """Disease progression of 442 patients."""
    return _stored("diabetes", "progression")


def digits() -> Dataset:
    """1,797 handwritten digits of 8×8 pixels."""
    return _stored("digits", "digit", DIGITS)


def _table(name: str) -> Dataset:
    """A CSV file of numbers, whose last column is the target."""
    path = FILES / f"{name}.csv"
    *features, target = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
    values = np.loadtxt(path, delimiter=",", skiprows=1)
    return Dataset(
        name=name,
        task="regression",
        x=np.ascontiguousarray(values[:, :-1]),
        y=np.ascontiguousarray(values[:, -1:]),
        feature_names=tuple(features),
        target_names=(target,),
        sha256=file_sha256(path),
        columns=Columns.numbers(features),
    )


def _stored(name: str, target: str, classes: tuple[str, ...] = ()) -> Dataset:
    with np.load(FILES / f"{name}.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    classes = classes or tuple(map(str, arrays.get("classes", ())))
    x = arrays["x"].astype(np.float64)
    y = arrays["y"].astype(np.int64) if classes else arrays["y"][:, None]
    images = x.ndim > 2  # (n, 1, 8, 8)
    return Dataset(
        name=name,
        task="classification" if classes else "regression",
        x=x,
        y=y,
        classes=classes,
        feature_names=pixel_names(x.shape[1:]) if images else tuple(map(str, arrays["features"])),
        target_names=(target,),
        sha256=hash_arrays(x, y),
    )
