"""The report of a run that could not be trained to any end."""

from __future__ import annotations

from datetime import UTC, datetime

from nnrun import __version__
from nnrun.config.names import SPLITS
from nnrun.runs.execution.environment import environment
from nnrun.runs.execution.record_builder import (
    compare_published,
    describe_dataset,
    describe_network,
    published_of,
)
from nnrun.runs.metrics import Metrics
from nnrun.runs.preparation.prepare import Prepared
from nnrun.runs.record import RunRecord, RunResult
from nnrun.training.state import TrainingState


def failed_result(prepared: Prepared, reason: str, checkpoint: TrainingState | None) -> RunResult:
    """What is known of a run without having trained it, and why it failed.

    Args:
        prepared: the run.
        reason: a sentence.
        checkpoint: how far it came, if that is known.
    """
    network, preprocessing = prepared.network(), prepared.preprocessing()
    task = prepared.task(network, preprocessing)
    nothing: dict[str, Metrics | None] = dict.fromkeys(SPLITS)
    record = RunRecord(
        name=prepared.config.name,
        run_id=prepared.run_id,
        status="failed",
        error=reason,
        task=prepared.dataset.task,
        config=prepared.config_dict,
        seed=prepared.config.seed,
        dataset=describe_dataset(prepared, prepared.examples(network, preprocessing, task)),
        network=describe_network(prepared.config, network),
        metrics=nothing,
        baseline=nothing,
        published=compare_published(published_of(prepared.config), nothing),
        timing={
            "train_seconds": 0.0,
            "evaluation_seconds": 0.0,
            "iterations": 0,
            "iterations_per_second": None,
        },
        engine=prepared.config.training.engine,
        environment=environment(),
        weights_sha256=None,
        started=datetime.now(UTC).isoformat(timespec="microseconds"),
        main_metric=task.main_metric,
        description=prepared.config.description,
        nnrun_version=__version__,
    )
    return RunResult(record, [], None, checkpoint=checkpoint)
