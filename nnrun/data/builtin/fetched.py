"""Data sets that are fetched once and kept in scikit-learn's folder.

scikit-learn caches California's house values as a pickle, which could run code; so the original
archive is read instead, and its SHA-256 checked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, hash_arrays
from nnrun.data.readers.opening import open_data
from nnrun.errors import NnrunError
from nnrun.unfinished import undone_on_failure

URL = "https://ndownloader.figshare.com/files/5976036"
ARCHIVE = "cal_housing.tgz"
MEMBER = "CaliforniaHousing/cal_housing.data"
SHA256 = "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681"
LARGEST = 2**20  # bytes; it has about half as many
TIMEOUT = 20.0  # seconds without a byte
NAMES = (
    *("MedInc", "HouseAge", "AveRooms", "AveBedrms"),
    *("Population", "AveOccup", "Latitude", "Longitude"),
)


def california() -> Dataset:
    """Median house values of 20,640 Californian block groups.

    Raises: NnrunError if the archive is not in scikit-learn's folder and cannot be fetched.
    """
    import tarfile  # noqa: PLC0415  # slow to import

    from sklearn.datasets import get_data_home  # noqa: PLC0415  # slow to import

    path = Path(get_data_home()) / ARCHIVE
    content = _kept(path) or _fetched(path)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None  # an archive with this digest has it
        table = np.loadtxt(member, delimiter=",")
    longitude, latitude, age, rooms, bedrooms, people, households, income, value = table.T
    averages = [rooms / households, bedrooms / households]
    features = [income, age, *averages, people, people / households, latitude, longitude]
    x, y = np.stack(features, axis=1), value[:, None] / 100_000
    return Dataset(
        name="california",
        task="regression",
        x=x,
        y=y,
        feature_names=NAMES,
        target_names=("MedHouseVal",),
        sha256=hash_arrays(x, y),
    )


def _kept(path: Path) -> bytes | None:
    """The archive's content; None if there is no file, or one with another SHA-256."""
    if not path.is_file():
        return None
    with open_data(path) as file:
        content = file.read(LARGEST + 1)
    return content if hashlib.sha256(content).hexdigest() == SHA256 else None


def _fetched(path: Path) -> bytes:
    from urllib.request import urlopen  # noqa: PLC0415  # slow to import

    advice = f"fetch {URL} where there is a network, and put it here as {path}"
    with fetching("california", advice), urlopen(URL) as answer:
        content: bytes = answer.read(LARGEST + 1)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise NnrunError(f"california: {URL} gave something else than the data set; {advice}")
    with suppress(OSError):  # it is fetched again the next time
        temporary = path.with_suffix(f".{os.getpid()}.partial")
        with undone_on_failure(lambda: temporary.unlink(missing_ok=True)):
            temporary.write_bytes(content)
            temporary.replace(path)
    return content


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
