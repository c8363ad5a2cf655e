"""Data sets that scikit-learn fetches once and keeps in its cache."""

from __future__ import annotations

import http.client
import importlib.util
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, hash_arrays
from nnrun.errors import NnrunError

if TYPE_CHECKING:
    from nnrun.config.schema import DatasetConfig

TIMEOUT = 20.0  # seconds without a byte


def california(_: DatasetConfig) -> Dataset:
    """Median house values of 20,640 Californian block groups.

    Raises: NnrunError if they are not in scikit-learn's cache and cannot be fetched.
    """
    from sklearn.datasets import fetch_california_housing  # noqa: PLC0415  # slow to import

    advice = "fetch it once where there is a network; the cache folder can be copied"
    with _fetching("california", advice):
        bunch = fetch_california_housing(n_retries=1)
    x, y = bunch.data.astype(np.float64), bunch.target.astype(np.float64)[:, None]
    return Dataset(
        name="california",
        task="regression",
        x=x,
        y=y,
        feature_names=tuple(bunch.feature_names),
        target_names=("MedHouseVal",),
        sha256=hash_arrays(x, y),
    )


def fetch_images(name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """All 28×28 images of a set on OpenML: x (rows, 1, 28, 28) uint8 and y (rows,) int64.

    Raises: NnrunError if the set is not in scikit-learn's cache and cannot be fetched.
    """
    from sklearn.datasets import fetch_openml  # noqa: PLC0415  # slow to import

    # The faster parser needs pandas, which nnrun itself does not.
    parser = "pandas" if importlib.util.find_spec("pandas") else "liac-arff"
    advice = "give `path:`, the folder with its IDX files (train-images-idx3-ubyte and so on)"
    with _fetching(f"{name} (OpenML)", advice):
        bunch = fetch_openml(name, version=1, as_frame=False, parser=parser, n_retries=1)
    return bunch.data.astype(np.uint8).reshape(-1, 1, 28, 28), bunch.target.astype(np.int64)


@contextmanager
def _fetching(what: str, advice: str) -> Iterator[None]:
    """Bound every wait for the network, and say what to do where it fails."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with warnings.catch_warnings():  # the error says all that the warning of a retry does
            warnings.simplefilter("ignore")
            yield
    except (OSError, ValueError, http.client.HTTPException) as error:
        message = f"{what} is not in scikit-learn's cache and could not be fetched ({error})"
        raise NnrunError(f"{message}; {advice}") from error
    finally:
        socket.setdefaulttimeout(before)
