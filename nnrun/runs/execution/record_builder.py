"""The one maker of records, for runs of each status."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from nnrun import __version__
from nnrun.config.names import SPLITS
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.columns.embedding import Embedding as EmbeddedColumn
from nnrun.data.layout import Columns
from nnrun.models.scores import Metrics
from nnrun.models.weights import weights_of, weights_sha256
from nnrun.nn.embedding import Embedding
from nnrun.nn.layer import Layer, Place
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.runs.diagnosis import Diagnostic, about_held_out
from nnrun.runs.execution.described_data import Description, describe_dataset
from nnrun.runs.execution.environment import environment
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord, RunResult, Status
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Trainer

_NO_TIME = {
    "train_seconds": 0.0,
    "evaluation_seconds": 0.0,
    "iterations": 0,
    "iterations_per_second": None,
}
# The kinds of parts that a model cannot do without; its config names initializers, too.
_IN_MODELS = ("layer", "activation", "loss", "initializer", "step")


def build_record(
    prepared: Prepared,
    status: Status,
    error: str | None,
    diagnostics: Sequence[Diagnostic] = (),
    **trained: Any,
) -> RunRecord:
    """The record of a run, regardless of its status.

    `diagnostics` are those of its training; those of its data are added here. `trained` has fields
    of the record that are known after training; their defaults are those of a run that was not
    trained.
    """
    config, dataset, nothing = prepared.config, describe_dataset(prepared), dict.fromkeys(SPLITS)
    if status == "completed":
        diagnostics = [*diagnostics, *about_held_out(dataset)]
    untrained = {
        "metrics": nothing,
        "baseline": nothing,
        "timing": _NO_TIME,
        "engine": prepared.requested_engine,
        "environment": environment(),
        "weights_sha256": None,
        "started": now(),
    }
    fields = untrained | trained
    return RunRecord(
        name=config.name,
        run_id=prepared.run_id,
        status=status,
        error=error,
        task=prepared.dataset.task,
        config=prepared.config_dict,
        seed=config.seed,
        dataset=dataset,
        network=described_network(prepared),
        published=compare_published(published_of(config), fields["metrics"]),
        main_metric=prepared.main_metric,
        description=config.description,
        nnrun_version=__version__,
        plugins=[part.fingerprint for part in prepared.plugins],
        warnings=[diagnostic.to_dict() for diagnostic in diagnostics],
        **fields,
    )


def trained_result(
    prepared: Prepared,
    trainer: Trainer,
    status: Status,
    error: str | None,
    diagnostics: Sequence[Diagnostic],
    **fields: Any,
) -> RunResult:
    """The result of a run that was trained, to its end or not.

    `fields` are those of the record that the trainer does not know.
    """
    stopping, found = trainer.stopping, trainer.divergence
    weights = None if is_lost(trainer) else weights_of(trainer.network)
    record = build_record(
        prepared,
        status,
        error,
        diagnostics,
        baseline=prepared.baseline,
        timing=describe_timing(trainer),
        engine=trainer.engine.name,
        environment={**environment(), **trainer.engine.surroundings},
        weights_sha256=None if weights is None else weights_sha256(weights),
        best_iteration=stopping.best_iteration if stopping else None,
        stopped_early=trainer.stopped_early,
        divergence=asdict(found) if found else None,
        **fields,
    )
    checkpoint = trainer.checkpoint() if status in ("interrupted", "stopped") else None
    ending = trainer.ending() if status == "completed" else None
    metadata = describe_model(prepared, record.decision)
    watched = None if trainer.watch is None else trainer.watch.watched
    return RunResult(
        record, trainer.history, weights, metadata, checkpoint, ending, watched=watched
    )


def failed_result(
    prepared: Prepared,
    reason: str,
    checkpoint: TrainingState | None,
    traceback: str | None = None,
) -> RunResult:
    """The result of a run that could not be trained, for this reason.

    `traceback` is that of an error that nnrun did not expect.
    """
    record = build_record(prepared, "failed", reason)
    return RunResult(record, [], None, checkpoint=checkpoint, traceback=traceback)


def is_lost(trainer: Trainer) -> bool:
    """Whether training reached numbers that are not finite."""
    return trainer.divergence is not None and trainer.divergence.cause == "not_finite"


def reworded(record: RunRecord, prepared: Prepared) -> RunRecord:
    """A record with the config's present description and published numbers."""
    return replace(
        record,
        config=prepared.config_dict,
        description=prepared.config.description,
        published=compare_published(published_of(prepared.config), record.metrics),
    )


def now() -> str:
    """The time in UTC, to the microsecond: runs of one second have an order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def described_network(prepared: Prepared) -> Description:
    """The description of the network, made once; each run has a copy of its own."""
    if isinstance(prepared, PreparedBeside):
        return {"input_shape": list(prepared.dataset.shape), "layers": [], "parameters": 0}
    network = prepared.network
    text = prepared.cache.code.get(
        f"network for {network.input_shape} of {network.size}",
        lambda: json.dumps(describe_network(prepared.config, network, prepared.dataset.columns)),
    )
    found: Description = json.loads(text)
    return found


def describe_network(
    config: ExperimentConfig, network: Network, columns: Columns | None = None
) -> Description:
    """The layers of the config, with their output shapes and numbers of parameters.

    A layer with inner layers has them under `layers`, each with a `name`, and counts their
    parameters. The embeddings of columns, which are before the first layer, are listed apart.
    """
    blocks: dict[Place, list[Layer]] = {}
    for place, layer in network.named_layers():
        blocks.setdefault(place, []).append(layer)
    found: dict[Place, Description] = {}
    outermost: list[Description] = []
    for place, config_layer in config.network.named_layers():
        block = blocks[place]
        learning = (part for part in block if not isinstance(part, Embedding))
        own = sum(parameter.size for part in learning for parameter in part.parameters)
        found[place] = {
            "type": config_layer.type,
            "activation": block[-1].type if len(block) > 1 else None,
            "output_shape": list(block[-1].output_shape),
            "parameters": own,
        }
        holders = [place[:end] for end in range(len(place)) if place[:end] in found]
        for holder in holders:
            found[holder]["parameters"] += own
        if holders:
            found[place]["name"] = dotted(place)
            found[holders[-1]].setdefault("layers", []).append(found[place])
        else:
            outermost.append(found[place])
    return {
        "input_shape": list(network.input_shape),
        **describe_embeddings(columns),
        "layers": outermost,
        "parameters": network.size,
    }


def describe_embeddings(columns: Columns | None) -> Description:
    """The tables of vectors of columns, if there are any."""
    found = [
        {
            "column": column.name,
            "entries": column.entries,
            "dimensions": column.dimensions,
            "parameters": column.entries * column.dimensions,
        }
        for column in columns or ()
        if isinstance(column, EmbeddedColumn)
    ]
    return {"embeddings": found} if found else {}


def describe_timing(trainer: Trainer) -> Description:
    """Seconds of updates and of evaluations, and the speed of the updates."""
    seconds = trainer.train_seconds
    # Updates after numbers that are not finite were no training.
    found = trainer.divergence if is_lost(trainer) else None
    iterations = trainer.iteration if found is None else found.iteration
    return {
        "train_seconds": seconds,
        "evaluation_seconds": trainer.evaluation_seconds,
        "iterations": iterations,
        "iterations_per_second": iterations / seconds if seconds > 0 else None,
    }


def describe_model(prepared: Prepared, decision: Description | None = None) -> Description:
    """The metadata that prediction needs besides the weights.

    `decision` is that of the record.
    """
    classes = prepared.dataset.classes
    needed = [part.fingerprint for part in prepared.plugins if part.kind in _IN_MODELS]
    fitted = (
        {}
        if decision is None or not decision["fitted"]
        else {
            "decision": {
                "positive": classes.index(decision["positive"]),
                "threshold": decision["threshold"],
            }
        }
    )
    return {
        **fitted,
        "run_id": prepared.run_id,
        "network": prepared.config_dict["network"],
        "loss": prepared.config_dict["loss"],
        "dtype": prepared.config.training.dtype,
        "input_shape": list(prepared.network.input_shape),
        "task": prepared.dataset.task,
        "classes": list(prepared.dataset.classes),
        "preprocessing": prepared.preprocessing.to_dict(),
        **({"plugins": needed} if needed else {}),
    }


def compare_published(
    numbers: Mapping[str, float], metrics: Mapping[str, Metrics | None]
) -> list[Description]:
    """Each published number with ours; `ours` is None where the run has no such number."""
    rows = []
    for key, number in numbers.items():
        split, _, metric = key.partition("_")
        ours = (metrics.get(split) or {}).get(metric)
        difference = None if ours is None else ours - number
        rows.append({"metric": key, "published": number, "ours": ours, "difference": difference})
    return rows


def published_of(config: ExperimentConfig) -> dict[str, float]:
    """The published numbers of a config, by `<split>_<metric>`."""
    return config.published.numbers if config.published else {}
