"""The trainer of a run, before its first update."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from nnrun.engines.base import Engine
from nnrun.engines.sampling import Sampler
from nnrun.engines.selection import build_engine
from nnrun.metrics.table import larger_is_better
from nnrun.models.task import Task
from nnrun.nn.optimizers import Optimizer
from nnrun.runs.events import Listener
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.augmentation.augment import Augmenter, AugmentingEngine
from nnrun.training.early_stopping import EarlyStopping, monitored_metric
from nnrun.training.loss_curve import LossCurve
from nnrun.training.streams import Streams
from nnrun.training.trainer import Trainer


def trainer_of(
    prepared: Prepared,
    listener: Listener,
    threads: int = 1,
    *,
    task: Task | None = None,
    stopping: EarlyStopping | None = None,
    curve: LossCurve | None = None,
) -> Trainer:
    """The trainer of a run, whose network it initializes.

    `task` and `stopping` replace those of the run; `curve` collects the losses of batches.
    """
    training = prepared.config.training
    task = task or prepared.task
    network = prepared.network
    parts = prepared.parts
    streams = prepared.streams
    network.initialize(rng=streams.weights)
    optimizer = training.optimizer.build()
    optimizer.allocate(network.theta)
    engine = _engine_of(prepared, optimizer, streams, listener, threads, losses=curve is not None)
    examples = prepared.examples
    if stopping is None and (config := training.early_stopping) is not None:
        larger = larger_is_better(config.monitor.removeprefix("validation_"))
        stopping = EarlyStopping(config.monitor, larger, config.patience, config.restore_best)
    monitored = monitored_metric(task, stopping)
    unmonitored = monitored.undefined({**examples, **parts}["validation"]) if monitored else ""
    if monitored and unmonitored:
        unmonitored = (
            f"{monitored.column} is undefined, since {unmonitored}, so training could not stop "
            "early"
        )
        stopping = monitored = None
    watch = None
    if prepared.watched:
        from nnrun.training.watching.watch import Watch  # noqa: PLC0415  # slow to import

        drawn = prepared.dataset.layout.is_drawn
        watch = Watch(network, examples["train"], prepared.evaluate_every, frames=drawn)
    rows = len(examples["train"])
    return Trainer(
        network=network,
        optimizer=optimizer,
        engine=engine,
        sampler=Sampler(rows, training.batch_size, training.sampling, rng=streams.order),
        schedule=copy(prepared.schedule),  # it may change while it is followed
        dropout=streams.dropout,
        splits=examples,
        task=task,
        iterations=prepared.iterations,
        evaluate_every=prepared.evaluate_every,
        baseline=(prepared.baseline["train"] or {}).get("loss") or 0.0,
        stopping=stopping,
        monitored=monitored,
        unmonitored=unmonitored,
        curve=curve,
        parts=parts,
        watch=watch,
    )


def _engine_of(
    prepared: Prepared,
    optimizer: Optimizer,
    streams: Streams,
    listener: Listener,
    threads: int,
    *,
    losses: bool,
) -> Engine:
    """The engine of the run, on the training split; `losses` is whether it returns those of
    batches.
    """
    training = prepared.config.training
    network = prepared.network
    train = prepared.examples["train"]
    selected = prepared.select_engine()
    if selected.note is not None:
        listener.warn(selected.note)
    engine = build_engine(
        selected.name,
        network,
        optimizer,
        train.x,
        train.loss_target,
        rng=streams.dropout,
        clip_norm=training.clip_norm,
        batch_size=training.batch_size,
        losses=losses,
        threads=threads,
        wait=listener.wait,
        compiled_functions=prepared.cache.code.get(f"made for {network.input_shape}", dict),
    )
    if not np.may_share_memory(engine.x, train.x):  # two copies would take twice the memory
        train = prepared.examples["train"] = replace(train, x=engine.x)
    if prepared.augmentation is None:
        return engine
    augmenter = Augmenter(
        prepared.augmentation,
        prepared.dataset.shape,
        training.batch_size,
        rng=streams.augmentation,
        spared=[*prepared.dataset.layout.columns.codes],
    )
    return AugmentingEngine(engine, augmenter, train.x, train.loss_target)
