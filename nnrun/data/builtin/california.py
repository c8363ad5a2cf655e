"""California's house values: from the original archive, fetched once.

scikit-learn caches this set as a pickle, which could run code; so the original archive is read
instead, and its SHA-256 checked.
"""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from nnrun.data.builtin.openml import fetching
from nnrun.data.dataset import Dataset, hash_arrays
from nnrun.data.readers.opening import open_data
from nnrun.errors import NnrunError

URL = "https://ndownloader.figshare.com/files/5976036"
ARCHIVE = "cal_housing.tgz"
MEMBER = "CaliforniaHousing/cal_housing.data"
SHA256 = "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681"
LARGEST = 2**20  # bytes; it has about half as many
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
        temporary.write_bytes(content)
        temporary.replace(path)
    return content
