"""Data sets that are fetched once and kept in scikit-learn's folder."""

from __future__ import annotations

import importlib.util
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.errors import NnrunError

TIMEOUT = 20.0  # seconds without a byte


def fetch_images(name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """All 28×28 images of a set on OpenML: x (rows, 1, 28, 28) uint8 and y (rows,) int64.

    Raises: NnrunError if the set is not in scikit-learn's cache and cannot be fetched.
    """
    from sklearn.datasets import fetch_openml  # noqa: PLC0415  # slow to import

    # The faster parser needs pandas, which nnrun itself does not.
    parser = "pandas" if importlib.util.find_spec("pandas") else "liac-arff"
    advice = "give `path:`, the folder with its IDX files (train-images-idx3-ubyte and so on)"
    with fetching(f"{name} (OpenML)", advice):
        bunch = fetch_openml(name, version=1, as_frame=False, parser=parser, n_retries=1)
    return bunch.data.astype(np.uint8).reshape(-1, 1, 28, 28), bunch.target.astype(np.int64)


@contextmanager
def fetching(what: str, advice: str) -> Iterator[None]:
    """Limit the time of network operations, and say what to do if they fail."""
    from http.client import HTTPException  # noqa: PLC0415  # loads ssl and email

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with warnings.catch_warnings():  # the error repeats what the warning of a retry says
            warnings.simplefilter("ignore")
            yield
    except (OSError, ValueError, HTTPException) as error:
        message = f"{what} is not in scikit-learn's cache and could not be fetched ({error})"
        raise NnrunError(f"{message}; {advice}") from error
    finally:
        socket.setdefaulttimeout(before)
