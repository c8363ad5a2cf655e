"""The part of a first config that depends on the size of the data alone, and that of arrays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from nnrun.characters import escaped
from nnrun.config.yaml_scalars import flow
from nnrun.data.dataset import Dataset
from nnrun.data.images import ImageFiles, find_images, image_size
from nnrun.errors import DataError
from nnrun.metrics.table import are_unequal

_FEW_ROWS = 50
_ENOUGH_ROWS = 500
# Larger data have one network, and wider rows no pieces, so that a draft takes seconds.
_MOST_ROWS, _MOST_FEATURES, _MOST_IN_PIECES = 20_000, 500, 100
_MEMBERS = 8
# Comments stand right of lines that are no wider.
_WIDEST = 50


@dataclass(frozen=True)
class Size:
    """Rows, features, and the rows of each class; no classes for regression."""

    rows: int
    features: int
    counts: Sequence[int] = ()

    @property
    def classes(self) -> int:
        """The number of classes; 0 for regression."""
        return len(self.counts)

    @property
    def has_members(self) -> bool:
        """Whether several networks take seconds."""
        return self.rows <= _MOST_ROWS and self.features <= _MOST_FEATURES


def settings(
    size: Size,
    outputs: int = 1,
    given_test: bool = False,
    *,
    timed: bool = False,
    numbers: bool = False,
) -> Iterator[str]:
    """The lines of the config from `test_size` on.

    What helps was decided on the development tables of `results/DRAFTS.md`, and measured on others.

    Args:
        size: of the data.
        outputs: numbers to predict.
        given_test: whether the data have test rows of their own.
        timed: whether rows are split by time, or may be.
        numbers: whether rows are a table with columns of numbers.
    """
    training = training_rows(size.rows, given_test)
    epochs = max(10, min(200, 200_000 // size.rows))
    units = 16 if size.rows < _ENOUGH_ROWS else 32
    units = units if size.features < 500 else 64
    last = f"units: {size.classes}, activation: softmax" if size.classes else f"units: {outputs}"
    yield from splits(size, given_test, timed=timed)
    clip = "{clip: {margin: 0.1}}"
    if numbers:
        yield "  # Numbers outside the range of the training rows count as just outside of it."
    if numbers and size.features <= _MOST_IN_PIECES:
        yield "  # Beside each number stand up to 16 pieces of its range, of about as many rows."
        yield f"  features: [{clip}, standard, {{piecewise_linear: {{bins: 16}}}}]"
    elif numbers:
        yield f"  features: [{clip}, standard]\tby the mean and the spread of the training split"
    else:
        yield "  features: standard\tby the mean and the spread of the training split"
    if not size.classes:
        yield "  target: standard\tresults are in its own units all the same"
    yield ""
    yield "network:"
    yield "  layers:"
    yield f"    - {{type: dense, units: {units}, activation: relu, initializer: he_normal}}"
    yield f"    - {{type: dense, {last}}}"
    yield ""
    yield f"loss: {loss_of(size)}"
    yield ""
    yield from members(size, alike=timed)
    yield "training:"
    yield "  optimizer: {type: adam, weight_decay: 0.001}"
    yield "  learning_rate: {schedule: cosine, initial: 0.01}"
    yield f"  epochs: {epochs}"
    yield f"  batch_size: {batch_of(training)}"
    yield "  average: {ema: 0.99}\tof the weights, over updates"
    yield from stopping(size)
    yield from order(size)


def loss_of(size: Size) -> str:
    """The loss; smoothed labels would hide the probabilities of rare classes."""
    if not size.classes:
        return "mean_squared"
    smoothed = "{type: cross_entropy, label_smoothing: 0.1}"
    return "cross_entropy" if are_unequal(size.counts) else smoothed


def members(size: Size, *, alike: bool) -> Iterator[str]:
    """The lines about several networks, if they take seconds; `alike` have one validation split."""
    if not size.has_members:
        return
    if size.rows >= _FEW_ROWS and not alike:
        own = f"members: {{number: {_MEMBERS}, validation: own}}"
        yield f"{own}\ttheir mean, each judged by other rows"
    else:
        yield f"members: {_MEMBERS}\tnetworks, which predict with their mean"
    yield ""


def splits(size: Size, given_test: bool, *, timed: bool = False) -> Iterator[str]:
    """The lines about test and validation rows."""
    yield f"  test_size: {'given' if given_test else 0.2}"
    if size.rows >= _FEW_ROWS:
        yield "  validation_size: 0.2\tearly stopping watches it"
    if size.classes and min(size.counts) >= 10 and not timed:
        yield "  stratify: true\tthe same share of every class in every split"


def stopping(size: Size) -> Iterator[str]:
    """The line of early stopping, if there are validation rows."""
    if size.rows >= _FEW_ROWS:
        yield "  early_stopping: {monitor: validation_loss, patience: 8, restore_best: true}"


def order(size: Size) -> Iterator[str]:
    """The lines about the metric that orders runs, if classes are too unequal for accuracy.

    The log loss judges the probabilities themselves, of any number of classes, also on splits
    where a rare class has no row.
    """
    if are_unequal(size.counts):
        largest = f"{max(size.counts) / sum(size.counts):.1%}"
        yield ""
        yield "sweep:"
        yield f"  # Classes are unequal: naming the largest is right for {largest} of the rows, so"
        yield "  # accuracy may choose a network that has learned nothing. roc_auc does as well."
        yield "  order_by: log_loss"


def order_words(counts: Sequence[int]) -> list[str]:
    """The metric that orders runs, as a choice in words, where `order` names it."""
    text = "it orders runs by log_loss: classes are too unequal for accuracy (`sweep.order_by`)"
    return [text] * are_unequal(counts)


def batch_of(training: int) -> int:
    """The rows of a batch, of this many training rows."""
    return min(training, 4 if training < 64 else 16 if training < 2000 else 64)


def training_rows(rows: int, given_test: bool = False) -> int:
    """The number of training rows."""
    rest = _kept(rows, 0 if given_test else 0.2)
    return _kept(rest, 0.2) if rows >= _FEW_ROWS else rest


def _kept(rows: int, share: float) -> int:
    """How many rows are left when this share of them is held out."""
    return rows - math.ceil(rows * share)


def aligned(lines: Iterable[str]) -> str:
    """The lines as text; what follows a tab is a comment.

    Lines that are too wide for the column have their comment right behind them.
    """
    parts = [line.partition("\t") for line in lines]
    widths = [len(line) for line, tab, _ in parts if tab]
    column = max((width for width in widths if width <= _WIDEST), default=0)
    ends = (f"{line:{column}}  # {comment}" if tab else line for line, tab, comment in parts)
    return "\n".join(ends) + "\n"


def array_lines(data: Dataset, shown: str) -> Iterator[str]:
    """The lines of the config; `shown` is the path."""
    features = 1
    for side in data.shape:
        features *= side
    classes = len(data.classes)
    counts = data.class_counts if classes else ()
    extent = f"{len(data.x)} rows of shape {data.shape}"
    yield f"# Written by `nnrun init` for {escaped(shown, kept='')}: {extent}."
    yield ""
    yield "dataset:"
    yield f"  path: {flow(shown)}\trelative to this file"
    yield f"  task: {data.task}\ta guess from the type of y"
    outputs = 1 if classes else data.y.shape[1]
    if len(data.x) < 2 and data.x_test is None:
        raise DataError(f"{shown}: a single row cannot be split into training and test rows")
    yield from settings(
        Size(len(data.x), features, counts),
        outputs,
        data.x_test is not None,
        numbers=len(data.shape) == 1,
    )


# A first config for a folder of images, by rules that use their number, size and classes alone.

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
