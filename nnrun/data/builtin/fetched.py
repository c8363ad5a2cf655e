"""Data sets that ship with nnrun or are fetched once.

scikit-learn caches California's house values as a pickle, which could run code; so the original
archive is read instead, and its SHA-256 checked.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import math
import os
import socket
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, DatasetProblem, hash_arrays, pixel_names
from nnrun.data.layout import Columns
from nnrun.data.readers.npz import read_npz
from nnrun.data.readers.opening import disk_errors, fault_of, file_sha256, open_data
from nnrun.data.rows import refuse_if_too_big
from nnrun.errors import DataError, NnrunError
from nnrun.unfinished import undone_on_failure

# The data sets that ship with nnrun; `files/NOTES.md` has their origins.
#
# scikit-learn has five of them too, but importing it takes longer than most of their runs.

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


# MNIST and Fashion-MNIST: from IDX files in a folder, else through scikit-learn from OpenML.
#
# An IDX file has a magic number, the dimensions, then bytes. Source of the format: Y. LeCun, C.
# Cortes, C. Burges, "The MNIST database of handwritten digits".

MNIST_DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
TRAINING_ROWS = 60000  # OpenML has one table; its first rows are the training set
GZIP = b"\x1f\x8b"


def mnist(path: str | None = None) -> Dataset:
    """70,000 handwritten digits.

    Args:
        path: the folder of the IDX files, gzipped or not; without it, they come from OpenML.
    """
    return _images(path, "mnist_784", MNIST_DIGITS, "digit")


def fashion_mnist(path: str | None = None) -> Dataset:
    """70,000 articles of clothing.

    Args:
        path: the folder of the IDX files, gzipped or not; without it, they come from OpenML.
    """
    return _images(path, "Fashion-MNIST", CLOTHES, "article")


def _images(folder: str | None, openml_name: str, classes: tuple[str, ...], target: str) -> Dataset:
    if folder is not None:
        parts, sha256 = _from_folder(Path(folder), classes)
    else:
        x, y = fetch_images(openml_name)
        parts = [x[:TRAINING_ROWS], y[:TRAINING_ROWS], x[TRAINING_ROWS:], y[TRAINING_ROWS:]]
        sha256 = hash_arrays(*parts)
    x, y, x_test, y_test = parts
    return Dataset(
        name=openml_name,
        task="classification",
        x=x,
        y=y,
        classes=classes,
        feature_names=pixel_names(x.shape[1:]),
        target_names=(target,),
        x_test=x_test,
        y_test=y_test,
        sha256=sha256,
    )


def _from_folder(folder: Path, classes: tuple[str, ...]) -> tuple[list[npt.NDArray[Any]], str]:
    """x, y, x_test, y_test, and the digest over the four files' digests."""
    with disk_errors(folder):
        fault = fault_of(folder, folder=True)
    if fault is not None:
        message = f"{folder} {fault}; expected the folder with the IDX files"
        raise DatasetProblem([(("dataset", "path"), message)])
    parts: list[npt.NDArray[Any]] = []
    digests = ""
    for prefix in ("train", "t10k"):
        image_file = _find(folder, f"{prefix}-images", "idx3-ubyte")
        label_file = _find(folder, f"{prefix}-labels", "idx1-ubyte")
        images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
        if len(images) != len(labels):
            counts = f"{len(labels)} labels for {len(images)} images in {image_file.name}"
            raise DataError(f"{label_file}: has {counts}")
        if labels.max() >= len(classes):
            row = int(np.argmax(labels >= len(classes)))
            message = f"label {row} is {labels[row]}; there are {len(classes)} classes from 0 on"
            raise DataError(f"{label_file}: {message}")
        if parts and images.shape[1:] != parts[0].shape[2:]:
            sides = f"{images.shape[1:]} where the training images have {parts[0].shape[2:]}"
            raise DataError(f"{image_file}: has images of {sides} pixels")
        parts += [images[:, None], labels.astype(np.int64)]
        digests += file_sha256(image_file) + file_sha256(label_file)
    return parts, hashlib.sha256(digests.encode()).hexdigest()


def _find(folder: Path, stem: str, ending: str) -> Path:
    names = [f"{stem}{dot}{ending}{gz}" for gz in ("", ".gz") for dot in ("-", ".")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    message = f"{folder} has none of {', '.join(names)}"
    raise DatasetProblem([(("dataset", "path"), message)])


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """The unsigned bytes of an IDX file with this many dimensions, gzipped or not.

    Compression is detected from the content, not from the name.

    Raises: DataError if the magic number, a dimension or the length is wrong.
    """
    with open_data(path) as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        try:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
            shape = _read_shape(path, stream, dimensions)
            size = math.prod(shape)
            refuse_if_too_big(size, f"{path}, of shape {shape},")
            content = stream.read(size + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: is a damaged gzip file: {error}") from error
    if len(content) != size:
        state = "more" if len(content) > size else f"only {len(content)}"
        raise DataError(f"{path}: says it has shape {shape}, {size} bytes, and has {state}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _read_shape(path: Path, stream: BinaryIO, dimensions: int) -> tuple[int, ...]:
    magic, expected = stream.read(4), bytes([0, 0, 8, dimensions])  # 8: unsigned bytes
    if magic != expected:
        kind = "images" if dimensions == 3 else "labels"
        wanted = f"an IDX file of {kind} starts with 0x{expected.hex()}"
        raise DataError(f"{path}: starts with 0x{magic.hex()}; {wanted}")
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path}: ends within its header")
    shape = struct.unpack(f">{dimensions}I", header)
    if 0 in shape:
        raise DataError(f"{path}: is empty: its shape is {shape}")
    return shape
