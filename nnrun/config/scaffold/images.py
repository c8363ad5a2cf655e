"""A first config for a folder of images, by rules that use their number, size and classes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from nnrun.characters import escaped
from nnrun.config.scaffold.defaults import (
    Size,
    batch_of,
    order,
    order_words,
    splits,
    stopping,
    training_rows,
)
from nnrun.config.yaml.dump import flow
from nnrun.data.images.decode import image_size
from nnrun.data.images.folder import ImageFiles, find_images
from nnrun.errors import DataError

# This many images of each class are looked at.
_LOOKED_AT = 20
_SMALL, _LARGE = 32, 64


@dataclass(frozen=True)
class _Survey:
    """What the first images of each class show.

    Args:
        files: all of them.
        size: (height, width) to stretch all to.
        grey: whether none has colours.
        alike: whether all have that size already.
    """

    files: ImageFiles
    size: tuple[int, int]
    grey: bool
    alike: bool


def draft_images(path: Path, shown: str) -> tuple[list[str], list[str]]:
    """The lines of a config for a folder of images, and its choices in words.

    Raises: DataError if it is no such folder, or a file cannot be read.
    """
    found = _survey(find_images(path))
    sizes = Counter(name for _, name in found.files.train)
    given = bool(found.files.test)
    size = Size(len(found.files.train), 0, [*sizes.values()])
    if len(sizes) < 2:
        raise DataError(f"{path}: has a single class; classification needs two")
    lines = [*_data(found, size, shown, given), *_network(found, size, given)]
    height, width = found.size
    how = "grey" if found.grey else "in colours"
    words = f"it takes images of {height}×{width} pixels, {how}, in {len(sizes)} classes"
    skipped = filter(None, [found.files.skipped.words()])
    return lines, [words, *skipped, *order_words(size.counts)]


def _survey(files: ImageFiles) -> _Survey:
    by_class: dict[str, list[Path]] = {}
    for file, name in files.train:
        by_class.setdefault(name, []).append(file)
    looked_at = [image_size(file) for some in by_class.values() for file in some[:_LOOKED_AT]]
    sizes = [size for size, _ in looked_at]
    alike, size = len({*sizes}) == 1, sizes[0]
    if not alike or max(size) > _LARGE:
        side = _LARGE if median_low(min(size) for size in sizes) >= _LARGE else _SMALL
        size, alike = (side, side), False
    return _Survey(files, size, all(grey for _, grey in looked_at), alike)


def _data(found: _Survey, size: Size, shown: str, given: bool) -> Iterator[str]:
    side = found.size[0] if found.size[0] == found.size[1] else list(found.size)
    mode = "gray" if found.grey else "rgb"
    extent = f"{size.rows} images, {size.classes} classes"
    yield f"# Written by `nnrun init` for {escaped(shown, kept='')}: {extent}."
    yield ""
    yield "dataset:"
    yield "  images:"
    yield f"    folder: {flow(shown)}\trelative to this file; a sub-folder for each class"
    why = "as they are" if found.alike else "images are stretched to it"
    yield f"    size: {flow(side)}\t{why}; larger ones show more and train longer"
    yield f"    mode: {mode}\tgray or rgb"
    yield from splits(size, given)
    yield "  features: per_channel\tby the mean and the spread of all pixels of a channel"


def _network(found: _Survey, size: Size, given: bool) -> Iterator[str]:
    side, training = min(found.size), training_rows(size.rows, given)
    channels = 8 if training < 1000 else 16
    blocks = 1 if side < 12 else 2 if side < 48 else 3
    epochs = max(10, min(60, 60_000 // size.rows))
    shift = max(1, side // 14)
    yield ""
    yield "network:"
    yield "  initializer: he_normal"
    yield "  layers:"
    for block in range(blocks):
        units = f"channels: {channels * 2**block}, kernel: 3, padding: same, activation: relu"
        yield f"    - {{type: conv2d, {units}}}"
        yield "    - {type: max_pool2d, size: 2}"
    yield "    - {type: flatten}"
    yield "    - {type: dropout, rate: 0.3}"
    yield f"    - {{type: dense, units: {size.classes}, activation: softmax}}"
    yield ""
    yield "loss: cross_entropy"
    yield ""
    yield "training:"
    yield "  optimizer: adam"
    yield "  learning_rate: {schedule: cosine, initial: 0.002}"
    yield f"  epochs: {epochs}"
    yield f"  batch_size: {batch_of(training)}"
    yield "  # Each visit of an image shifts it anew. Where left and right mean nothing, add"
    yield "  # flip: true; where images may be askew, rotate: 10 (degrees)."
    yield f"  augment: {{shift: {shift}}}"
    yield from stopping(size)
    yield "  dtype: float32"
    yield from order(size)
