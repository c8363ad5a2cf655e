"""A first config for an npz file."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.characters import escaped
from nnrun.config.scaffold.defaults import Size, settings
from nnrun.config.yaml.dump import flow
from nnrun.data.dataset import Dataset
from nnrun.errors import DataError


def array_lines(data: Dataset, shown: str) -> Iterator[str]:
    """The lines of the config; `shown` is the path."""
    features = 1
    for side in data.shape:
        features *= side
    classes = len(data.classes)
    rarest = min(int((data.y == number).sum()) for number in range(classes)) if classes else 0
    extent = f"{len(data.x)} rows of shape {data.shape}"
    yield f"# Written by `nnrun init` for {escaped(shown, kept='')}: {extent}."
    yield ""
    yield "dataset:"
    yield f"  path: {flow(shown)}\trelative to this file"
    yield f"  task: {data.task}\ta guess from the type of y"
    outputs = 1 if classes else data.y.shape[1]
    if len(data.x) < 2 and data.x_test is None:
        raise DataError(f"{shown}: a single row cannot be parted into training and test rows")
    yield from settings(
        Size(len(data.x), features, classes, rarest), outputs, data.x_test is not None
    )
