"""MNIST and Fashion-MNIST: from IDX files in a folder, else through scikit-learn from OpenML.

An IDX file has a magic number, the dimensions, then bytes. Source of the format: Y. LeCun, C.
Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from nnrun.data.builtin.fetched import fetch_images
from nnrun.data.dataset import Dataset, DatasetProblem, hash_arrays, pixel_names
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.readers.opening import disk_errors, fault_of, file_sha256, open_data
from nnrun.errors import DataError

DIGITS = tuple("0123456789")
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
    return _images(path, "mnist_784", DIGITS, "digit")


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
