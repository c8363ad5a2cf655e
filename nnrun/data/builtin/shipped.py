"""The data sets that ship with nnrun; `files/NOTES.md` has their origins.

scikit-learn has five of them too, but importing it takes longer than most of their runs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, hash_arrays, pixel_names
from nnrun.data.readers.npz import read_npz
from nnrun.data.readers.table import read_csv

FILES = Path(__file__).parent / "files"
DIGITS = tuple("0123456789")


def boston() -> Dataset:
    """House prices of 506 tracts around Boston."""
    return read_csv(FILES / "boston.csv", "MEDV", task="regression")


def autompg() -> Dataset:
    """Fuel consumption of 392 cars."""
    return read_csv(FILES / "autompg.csv", "mpg", task="regression")


def mnist_5k() -> Dataset:
    """4,000 and 1,000 of MNIST's digits, as many of each class."""
    return replace(read_npz(FILES / "mnist_5k.npz"), target_names=("digit",))


def iris() -> Dataset:
    """Species of 150 irises."""
    return _vectors("iris", "species")


def wine() -> Dataset:
    """Cultivar of 178 wines."""
    return _vectors("wine", "cultivar")


def breast_cancer() -> Dataset:
    """Diagnosis for 569 tumours."""
    return _vectors("breast_cancer", "diagnosis")


def diabetes() -> Dataset:
    """Disease progression of 442 patients."""
    arrays = _arrays("diabetes")
    x, y = arrays["x"], arrays["y"][:, None]
    return Dataset(
        name="diabetes",
        task="regression",
        x=x,
        y=y,
        feature_names=tuple(map(str, arrays["features"])),
        target_names=("progression",),
        sha256=hash_arrays(x, y),
    )


def digits() -> Dataset:
    """1,797 handwritten digits of 8×8 pixels."""
    arrays = _arrays("digits")
    x, y = arrays["x"].astype(np.float64), arrays["y"].astype(np.int64)  # (n, 1, 8, 8)
    return Dataset(
        name="digits",
        task="classification",
        x=x,
        y=y,
        classes=DIGITS,
        feature_names=pixel_names((1, 8, 8)),
        target_names=("digit",),
        sha256=hash_arrays(x, y),
    )


def _vectors(name: str, target: str) -> Dataset:
    arrays = _arrays(name)
    x, y = arrays["x"], arrays["y"].astype(np.int64)
    return Dataset(
        name=name,
        task="classification",
        x=x,
        y=y,
        classes=tuple(map(str, arrays["classes"])),
        feature_names=tuple(map(str, arrays["features"])),
        target_names=(target,),
        sha256=hash_arrays(x, y),
    )


def _arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(FILES / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)
