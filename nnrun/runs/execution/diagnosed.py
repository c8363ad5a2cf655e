"""What the diagnosis of a run looks at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.data.dataset import Dataset
from nnrun.models.scores import Metrics
from nnrun.models.task import Task
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import DiagnosisInput
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.trainer import Trainer


def diagnosis_input(
    prepared: Prepared,
    trainer: Trainer,
    task: Task,
    outputs: dict[str, Array],
    metrics: dict[str, Metrics | None],
) -> DiagnosisInput:
    """The input of a diagnosis; without outputs for a run that diverged.

    `task` has the threshold that was fitted, if any; outputs and metrics are by split.
    """
    first = trainer.schedule.rates(np.zeros(1), trainer.iterations)
    return DiagnosisInput(
        config=prepared.config,
        task=task,
        features=_column_names(prepared.dataset),
        examples=prepared.examples,
        outputs=outputs,
        metrics=metrics,
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
