"""The engine of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nnrun.engines.base import Engine
from nnrun.engines.selection import build_engine
from nnrun.nn.optimizers import Optimizer
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.augmentation.augment import Augmenter, AugmentingEngine
from nnrun.training.streams import Streams


def engine_of(
    prepared: Prepared,
    optimizer: Optimizer,
    streams: Streams,
    callbacks: Callbacks,
    *,
    losses: bool,
) -> Engine:
    """The engine that the config asks for, on the training split.

    The network of the run is initialized, and the optimizer allocated for it. `wait` of the
    callbacks is called before anything is compiled; `losses` is whether losses of batches are
    returned.
    """
    training, network = prepared.config.training, prepared.network
    train = prepared.examples["train"]
    engine = build_engine(
        prepared.engine,
        network,
        optimizer,
        train.x,
        train.loss_target,
        rng=streams.dropout,
        clip_norm=training.clip_norm,
        batch_size=training.batch_size,
        losses=losses,
        threads=callbacks.threads,
        wait=callbacks.wait,
        compiled_functions=prepared.cache.code.get(f"made for {network.input_shape}", dict),
    )
    if not np.may_share_memory(engine.x, train.x):  # two copies would take twice the memory
        train = prepared.examples["train"] = replace(train, x=engine.x)
    augmentation = prepared.augmentation
    if augmentation is None:
        return engine
    augmenter = Augmenter(
        augmentation,
        prepared.dataset.shape,
        training.batch_size,
        rng=streams.augmentation,
        spared=[*prepared.dataset.layout.columns.codes],
    )
    return AugmentingEngine(engine, augmenter, train.x, train.loss_target)
