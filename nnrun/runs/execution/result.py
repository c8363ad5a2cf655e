"""The result of a run whose training has ended: metrics, diagnosis, threshold, record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnrun.config.names import SPLITS
from nnrun.data.dataset import Dataset
from nnrun.models.scores import Metrics
from nnrun.models.task import Classification, Task
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import (
    DiagnosisInput,
    Diagnostic,
    describe_divergence,
    diagnose,
    diagnose_divergence,
)
from nnrun.runs.execution.deciding import decide
from nnrun.runs.execution.record_builder import is_lost, trained_result
from nnrun.runs.metrics import metrics_of
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult, Status
from nnrun.training.trainer import Trainer

# How many causes the error of a diverged run names; its report has all.
_CAUSES_NAMED = 2


def result_of(
    prepared: Prepared,
    trainer: Trainer,
    status: Status,
    unmonitored: Sequence[Diagnostic],
    **fields: Any,
) -> RunResult:
    """The result of a run that was trained, to its end or not.

    `unmonitored` says why training could not stop early; `fields` are others of the record.
    """
    metrics = _measured(prepared, trainer, trainer.task)
    error, diagnostics = _diagnosed(prepared, trainer, status, metrics)
    if status == "completed":
        diagnostics += unmonitored
    # A diagnosis is of predictions without the threshold: an accuracy below the baseline's may be
    # intended.
    decision, config = None, prepared.config.decide
    if status == "completed" and config is not None and isinstance(trainer.task, Classification):
        outputs, examples = _outputs(trainer), prepared.examples
        decided, decision = decide(
            config, trainer.task, prepared.dataset.classes, outputs, examples
        )
        metrics = _measured(prepared, trainer, decided)
        if note := decision["note"]:
            diagnostics.append(Diagnostic("no_threshold", note))
    return trained_result(
        prepared, trainer, status, error, diagnostics, metrics=metrics, decision=decision, **fields
    )


def _measured(prepared: Prepared, trainer: Trainer, task: Task) -> dict[str, Metrics | None]:
    """The metrics by split; None for a split that does not exist."""
    measured: dict[str, Metrics | None] = dict.fromkeys(SPLITS)
    if not is_lost(trainer):
        for name, part in prepared.examples.items():
            loss, outputs = trainer.evaluate(name)
            given = part.y, prepared.metrics, part.sample_weight
            measured[name] = metrics_of(task, loss, outputs, *given)
    return measured


def _outputs(trainer: Trainer) -> dict[str, Array]:
    return {name: trainer.evaluate(name)[1] for name in trainer.splits}


def _diagnosed(
    prepared: Prepared,
    trainer: Trainer,
    status: Status,
    metrics: dict[str, Metrics | None],
) -> tuple[str | None, list[Diagnostic]]:
    """What went wrong, in a sentence, and what is wrong with the result."""
    if status == "interrupted":
        return "stopped before its end; it can continue from here", []
    if status == "stopped":
        done, planned = trainer.iteration, trainer.iterations
        return f"on_evaluation stopped it at iteration {done:,} of {planned:,}", []
    case, found = diagnosis_input(prepared, trainer, metrics), trainer.divergence
    if found is None:
        return None, diagnose(case)
    causes = diagnose_divergence(case)
    return describe_divergence(prepared.config, found, causes[:_CAUSES_NAMED]), causes


def diagnosis_input(
    prepared: Prepared,
    trainer: Trainer,
    metrics: dict[str, Metrics | None],
) -> DiagnosisInput:
    """The input of a diagnosis; without outputs and metrics for a run that diverged."""
    diverged = trainer.divergence is not None
    first = trainer.schedule.rates(np.zeros(1), trainer.iterations)
    return DiagnosisInput(
        config=prepared.config,
        task=trainer.task,
        features=_column_names(prepared.dataset),
        examples=prepared.examples,
        outputs={} if diverged else _outputs(trainer),
        metrics={} if diverged else metrics,
        baseline=prepared.baseline,
        history=trainer.history,
        network=prepared.network,
        peak_rate=max([float(first[0]), *(row["learning_rate"] for row in trainer.history)]),
        iterations=trainer.iteration,
        stopped_early=trainer.stopped_early,
        codes=[*prepared.dataset.layout.columns.codes],
        sources=prepared.dataset.layout.columns.sources,
        watched=None if trainer.watch is None else trainer.watch.watched,
    )


def _column_names(dataset: Dataset) -> Sequence[str]:
    if len(dataset.shape) > 1:
        return ()
    return dataset.feature_names or [f"column {index + 1}" for index in range(dataset.shape[0])]
