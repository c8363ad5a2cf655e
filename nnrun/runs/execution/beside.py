"""Training a model of scikit-learn, in memory; it has no weights and no history."""

from __future__ import annotations

import warnings
from time import perf_counter

from threadpoolctl import threadpool_limits

from nnrun.errors import NnrunError
from nnrun.runs.diagnosis import Diagnostic
from nnrun.runs.events import Listener
from nnrun.runs.execution.estimators import UNWEIGHTED, estimator_of, fit, outputs_of
from nnrun.runs.execution.result import record_of, timing_of
from nnrun.runs.metrics import metrics_of_splits
from nnrun.runs.preparation.beside import ENGINE, PreparedBeside
from nnrun.runs.record import RunResult, now


def train_beside(prepared: PreparedBeside, listener: Listener) -> RunResult:
    """Train the model and score it on each split; it cannot be stopped on the way.

    Raises: NnrunError if scikit-learn refuses the data, or its scores are not finite.
    """
    started = now()
    model = prepared.model
    dataset = prepared.dataset
    train = prepared.examples["train"]
    listener.started(prepared, 0)
    # Sums of several threads have no fixed order.
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = estimator_of(  # imports are no part of training
            model,
            dataset.task,
            seed=prepared.config.seed,
            images=len(dataset.shape) > 1,
            outputs=1 if dataset.y.ndim == 1 else dataset.y.shape[1],
        )
        begun = perf_counter()
        try:
            fit(model, estimator, train.x, train.y, train.sample_weight)
            trained = perf_counter()
            evaluations = {
                name: (None, outputs_of(estimator, part.x, len(dataset.classes)))
                for name, part in prepared.examples.items()
            }
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise NnrunError(
                f"scikit-learn cannot train '{model}' on these data: {reason}"
            ) from error
        ended = perf_counter()
        metrics = metrics_of_splits(prepared.task, prepared.examples, evaluations, prepared.metrics)
    main = prepared.task.main_metric
    if (metrics["train"] or {})[main] is None:
        raise NnrunError(
            f"the train {main} of '{model}' is not finite: the numbers of the target are too large"
        )
    said = dict.fromkeys(
        f"scikit-learn warns: {str(warning.message).partition(chr(10))[0]}" for warning in caught
    )
    if dataset.weights is not None and model in UNWEIGHTED:
        said[f"'{model}' trains without the weights of rows, which it does not have"] = None
    record = record_of(
        prepared,
        "completed",
        diagnostics=[Diagnostic("scikit_learn", text) for text in said],
        metrics=metrics,
        timing=timing_of(trained - begun, ended - trained, 0),
        engine=ENGINE,
        started=started,
    )
    return RunResult(record)
