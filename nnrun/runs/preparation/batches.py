"""Batches that a training split cannot be divided into, or a network cannot be trained on."""

from __future__ import annotations

from itertools import count

from nnrun.config.schema.training import TrainingConfig
from nnrun.nn.network import Network
from nnrun.runs.preparation.build import Mismatch, needs_rows

_PATH = ("training", "batch_size")


def check_batches(training: TrainingConfig, network: Network, rows: int) -> Mismatch | None:
    """What is wrong with the batch size for a training split of `rows` rows, if anything.

    A last batch of one row has a variance of 0, which batch normalisation would learn once an
    epoch; PyTorch refuses it too. Rows that are drawn with replacement fill every batch.
    """
    size = training.batch_size
    if size > rows:
        message = f"a batch of {size} rows is larger than the training split, which has {rows}"
        return _PATH, message
    if training.sampling == "with_replacement" or rows % size != 1:
        return None
    layer = next((layer for _, layer in network.named_layers() if layer.needs_rows), None)
    if layer is None:
        return None
    message = (
        f"{rows} rows in batches of {size} leave a last batch of a single row, and "
        f"{needs_rows(layer)}; use batch_size {_better(size, rows)}"
    )
    return _PATH, message


def _better(size: int, rows: int) -> int:
    """The nearest batch size that leaves no single row, the larger of two; `rows` always works."""
    near = (size + sign * step for step in count(1) for sign in (1, -1))
    return next(found for found in near if 1 < found <= rows and rows % found != 1)
