"""The one maker of results, however a run has ended."""

from __future__ import annotations

from nnrun import __version__
from nnrun.config.names import SPLITS
from nnrun.models.weights import weights_sha256
from nnrun.runs.diagnosis import about_held_out, about_undefined
from nnrun.runs.execution.described_data import describe_dataset
from nnrun.runs.execution.described_network import describe_model, described_network
from nnrun.runs.execution.ended import Ended
from nnrun.runs.execution.environment import environment
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.published import compare_published, published_of
from nnrun.runs.record import RunRecord, RunResult


def result_of(prepared: Prepared, ended: Ended) -> RunResult:
    """The record of a run, with everything else that is saved in its folder."""
    config, weights = prepared.config, ended.weights
    dataset = describe_dataset(prepared)
    model = {} if weights is None else describe_model(prepared, ended.decision)
    completed = ended.status == "completed"
    held_out = about_held_out(dataset) if completed else []
    main = prepared.task.main_metric
    undefined = about_undefined(ended.metrics, main) if completed else []
    record = RunRecord(
        name=config.name,
        run_id=prepared.run_id,
        status=ended.status,
        error=ended.error,
        task=prepared.dataset.task,
        config=prepared.config_dict,
        seed=config.seed,
        dataset=dataset,
        network=described_network(prepared),
        metrics=dict(ended.metrics),
        baseline=dict.fromkeys(SPLITS) if ended.status == "failed" else prepared.baseline,
        published=compare_published(published_of(config), ended.metrics),
        timing=ended.timing,
        engine=ended.engine or prepared.requested_engine,
        environment={**environment(), **ended.surroundings},
        weights_sha256=None if weights is None else weights_sha256(weights),
        started=ended.started,
        main_metric=prepared.main_metric,
        best_iteration=ended.best_iteration,
        stopped_early=ended.stopped_early,
        divergence=ended.divergence,
        warnings=[found.to_dict() for found in (*ended.diagnostics, *undefined, *held_out)],
        extended_from=ended.extended_from,
        decision=ended.decision,
        plugins=[part.fingerprint for part in prepared.plugins],
        description=config.description,
        nnrun_version=__version__,
    )
    return RunResult(
        record,
        ended.history,
        weights,
        model,
        ended.checkpoint,
        ended.ending,
        ended.traceback,
        ended.watched,
    )
