"""Training a model of scikit-learn, in memory; its record has no weights and no history."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nnrun.config.names import SPLITS
from nnrun.errors import NnrunError
from nnrun.models.scores import Metrics
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import Diagnostic
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.estimators import UNWEIGHTED, estimator_of, fit
from nnrun.runs.execution.record_builder import build_record, now
from nnrun.runs.metrics import metrics_of, without_loss
from nnrun.runs.preparation.beside import ENGINE, PreparedBeside
from nnrun.runs.record import RunResult


def train_beside(prepared: PreparedBeside, callbacks: Callbacks) -> RunResult:
    """Train the model and score it on each split; it cannot be stopped on the way.

    Raises: NnrunError if scikit-learn refuses the data, or its scores are not finite.
    """
    started, model, train = now(), prepared.model, prepared.examples["train"]
    callbacks.start(0)
    # Sums of several threads have no fixed order.
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = _estimator(prepared)  # imports are no part of training
        begun = perf_counter()
        try:
            fit(model, estimator, train.x, train.y, prepared.split.train.weight)
            trained = perf_counter()
            metrics = {name: _scored(prepared, estimator, name) for name in prepared.examples}
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise NnrunError(
                f"scikit-learn cannot train '{model}' on these data: {reason}"
            ) from error
        ended = perf_counter()
    if metrics["train"][prepared.task.main_metric] is None:
        raise NnrunError(
            f"the train {prepared.task.main_metric} of '{model}' is not finite: the numbers of the "
            "target are too large"
        )
    said = dict.fromkeys(
        f"scikit-learn warns: {str(warning.message).partition(chr(10))[0]}" for warning in caught
    )
    if prepared.dataset.weights is not None and model in UNWEIGHTED:
        said[f"'{model}' trains without the weights of rows, which it does not have"] = None
    record = build_record(
        prepared,
        "completed",
        None,
        [Diagnostic("scikit_learn", text) for text in said],
        metrics={name: metrics.get(name) for name in SPLITS},
        baseline=prepared.baseline,
        timing={
            "train_seconds": trained - begun,
            "evaluation_seconds": ended - trained,
            "iterations": 0,
            "iterations_per_second": None,
        },
        engine=ENGINE,
        started=started,
    )
    return RunResult(record, [], None)


def _estimator(prepared: PreparedBeside) -> Any:
    dataset = prepared.dataset
    return estimator_of(
        prepared.model,
        dataset.task,
        seed=prepared.config.seed,
        images=len(dataset.shape) > 1,
        outputs=1 if dataset.y.ndim == 1 else dataset.y.shape[1],
    )


def _scored(prepared: PreparedBeside, estimator: Any, name: str) -> Metrics:
    part, task = prepared.examples[name], prepared.task
    if isinstance(task, Classification):
        # A class without a training row is unknown to the model.
        outputs: Array = np.zeros((len(part), task.classes))
        outputs[:, estimator.classes_] = estimator.predict_proba(part.x)
    else:
        outputs = estimator.predict(part.x).reshape(len(part), -1)
    return without_loss(
        metrics_of(task, 0.0, outputs, part.y, prepared.metrics, part.sample_weight)
    )
