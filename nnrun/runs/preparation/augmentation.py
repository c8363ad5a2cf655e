"""Random changes of training rows, and whether the data can have them."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.data.dataset import Dataset
from nnrun.nn.signature import shape_text
from nnrun.training.augmentation.augment import Augmentation

_PATH: KeyPath = ("training", "augment")


def augmentation_of(config: ExperimentConfig) -> Augmentation | None:
    """What a config changes in training rows; None if nothing."""
    block = config.training.augment
    found = None if block is None else Augmentation(**block.model_dump())
    return None if found in (None, Augmentation()) else found


def augmentation_mismatches(
    config: ExperimentConfig, dataset: Dataset
) -> Iterator[tuple[KeyPath, str]]:
    """Changes that the rows of a data set cannot have."""
    wanted, shape = augmentation_of(config), dataset.shape
    if wanted is None:
        return
    if len(shape) != 3:
        for key in ("shift", "flip", "rotate"):
            if getattr(wanted, key):
                message = f"{key} is for images, and the rows of {dataset.name} are none; "
                yield (*_PATH, key), f"{message}tables take noise alone"
    elif wanted.shift >= min(shape[1:]):
        message = f"the images are no larger than this: {shape_text(shape[1:])} pixels"
        yield (*_PATH, "shift"), message
