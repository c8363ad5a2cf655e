"""The diagnosis of a run: its input, and what a record says of an end before the last update."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.data.dataset import Dataset
from nnrun.models.scores import Metrics
from nnrun.runs.diagnosis import (
    DiagnosisInput,
    Diagnostic,
    describe_divergence,
    diagnose,
    diagnose_divergence,
)
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Status
from nnrun.training.trainer import Trainer

# How many causes the error of a diverged run names; its report has all.
_CAUSES_NAMED = 2


def diagnosed(
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
        outputs={} if diverged else {name: trainer.evaluate(name)[1] for name in trainer.splits},
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
