"""A folder of images as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnrun.data.dataset import Dataset, DatasetProblem, hash_arrays, pixel_names
from nnrun.data.images.decode import CHANNELS, check_pillow, read_image
from nnrun.data.images.folder import ImageFiles, find_images
from nnrun.data.labels import check_classes, ordered_classes
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.rows.raw import equal_rows
from nnrun.data.settings import ImageSettings
from nnrun.errors import DataError, first_of
from nnrun.nn.signature import Array


def read_images(images: ImageSettings) -> Dataset:
    """The images of a folder, each a row of bytes, with the name of its folder as its class.

    Rows are in the order of classes and names. The digest is over the decoded arrays, since other
    versions of Pillow may decode or resize in another way: then the data are others.

    Raises: DatasetProblem if the keys do not fit the files, DataError if files cannot be read,
    NnrunError if the disk fails.
    """
    check_pillow()
    root = Path(images.folder)
    files = find_images(root)
    classes, names = ordered_classes(name for _, name in files.train)
    check_classes(classes, len(files.train), str(root))
    stray = next((file for file, name in files.test if name not in names), None)
    if stray is not None:
        raise DataError(f"{stray.parent}: is no class of {root / 'train'}")
    number = {name: classes.index(label) for name, label in names.items()}
    size = None if images.size is None else sides(images.size)
    parts = [part for part in (files.train, files.test) if part]
    x = _pixels([file for part in parts for file, _ in part], images.mode, size)
    y = np.array([number[name] for part in parts for _, name in part], np.int64)
    rows, given = len(files.train), bool(files.test)
    return Dataset(
        name=root.name,
        task="classification",
        x=x[:rows],
        y=y[:rows],
        classes=classes,
        feature_names=pixel_names(x.shape[1:]),
        target_names=("class",),
        x_test=x[rows:] if given else None,
        y_test=y[rows:] if given else None,
        sha256=hash_arrays(x[:rows], y[:rows], x[rows:], y[rows:], np.array(classes)),
        description=_described(files, x.shape[1:]),
        note=" ".join(filter(None, [files.skipped.words(), _repeated(x, y)])),
        files=tuple(file.relative_to(root).as_posix() for part in parts for file, _ in part),
    )


def _repeated(x: Array, y: Array) -> str:
    """How many images are there more than once; nothing if all differ."""
    numbers = equal_rows([x], np.zeros(len(x)))
    if numbers is None:
        return ""
    again = len(x) - int(numbers.max()) - 1
    pairs = len(np.unique(np.stack([numbers, y]), axis=1).T)
    several = pairs - int(numbers.max()) - 1
    mixed = f", {several:,} of another class" if several else ""
    return f"Equal to others: {again:,} image{'s' * (again != 1)}{mixed}."


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of a size that may be one number."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def _pixels(files: Sequence[Path], mode: str, size: tuple[int, int] | None) -> Array:
    """All images (rows, channels, height, width); those that are broken are named together."""
    x: Array | None = None
    wrong, sound = [], files[0]
    for row, file in enumerate(files):
        try:
            pixels = read_image(file, mode, size)
        except DataError as error:
            wrong.append(str(error))
            continue
        if x is None:
            needed, sound = len(files) * pixels.size, file
            refuse_if_too_big(needed, f"{len(files):,} images such as {file}")
            x = np.empty((len(files), *pixels.shape), np.uint8)
        if pixels.shape != x.shape[1:]:
            unequal = _unequal(sound, x, file, pixels)
            raise DatasetProblem([(("dataset", "images"), unequal)])
        x[row] = pixels
    if wrong or x is None:
        raise DataError("\n".join(first_of(wrong)))
    return x


def _unequal(one: Path, x: Array, other: Path, pixels: Array) -> str:
    (height, width), (h, w) = x.shape[2:], pixels.shape[1:]
    return (
        f"{other} has {h}×{w} pixels, and {one} {height}×{width}; `size`, such as 32, makes all "
        "of one size"
    )


def _described(files: ImageFiles, shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    kind = {count: mode for mode, count in CHANNELS.items()}[channels]
    count = len(files.train) + len(files.test)
    return f"{count:,} images, {kind}, {height}×{width} pixels, in folders of classes"
