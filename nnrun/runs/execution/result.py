"""The result of a run, however it has ended: its record with what else its folder has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from nnrun import __version__
from nnrun.config.names import SPLITS
from nnrun.config.schema.experiment import CostConfig, DecideConfig
from nnrun.models.load import weights_of, weights_sha256
from nnrun.models.scores import Metrics
from nnrun.models.task import (
    DEFAULT,
    Classification,
    Counts,
    Decision,
    Fitted,
    Objective,
    Task,
    fit_threshold,
)
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import (
    DiagnosisInput,
    Diagnostic,
    about_data,
    about_undefined,
    describe_divergence,
    diagnose,
    diagnose_divergence,
)
from nnrun.runs.execution.coverage import calibration_of, errors_of, measured_coverage
from nnrun.runs.execution.descriptions import (
    Description,
    describe_dataset,
    describe_model,
    described_network,
    environment,
)
from nnrun.runs.metrics import Evaluation, metrics_of_splits
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import (
    RunRecord,
    RunResult,
    Status,
    compare_published,
    now,
    published_of,
    with_earlier,
)
from nnrun.training.state import PreparedSplit, TrainingState
from nnrun.training.trainer import Trainer

# How many causes the error of a diverged run names; its report has all.
_CAUSES_NAMED = 2


@dataclass
class Ending:
    """What a run has when its training ends, or is ended.

    Args:
        trainer: that ended; of several networks the first one's, or that of the one that diverged.
        examples: the rows of each split that was evaluated.
        evaluations: their losses and outputs; empty once numbers are not finite.
        weights: by name; None once numbers are not finite.
        timing: of all updates and evaluations.
        checkpoint: the state to continue from.
        ending: what a longer run needs to continue, besides the weights.
        baseline: that of these rows, if they are not those of the run's splits.
        networks: how many have been trained.
        members: what a report says of several networks, by the task with its threshold.
        variances: of the outputs of several networks, by split that was held out.
        times: from how many networks each validation row was held out; None if from all.
        judged: the validation rows, in the data set, if they are not those of the run's split.
        aside: the outputs for the calibration rows; None without such rows.
    """

    trainer: Trainer
    examples: dict[str, PreparedSplit]
    evaluations: Mapping[str, Evaluation]
    weights: dict[str, Array] | None
    timing: Description
    checkpoint: Callable[[], TrainingState]
    ending: Callable[[], TrainingState]
    baseline: dict[str, Metrics | None] | None = None
    networks: int = 1
    members: Callable[[Task], Description | None] = lambda task: None
    variances: Mapping[str, Array] = field(default_factory=dict)
    times: Array | None = None
    judged: Array | None = None
    aside: Array | None = None

    @classmethod
    def of(cls, prepared: Prepared, trainer: Trainer) -> Ending:
        """The ending of a run with one network."""
        divergence, examples = trainer.divergence, prepared.examples
        lost = divergence if divergence is not None and divergence.cause == "not_finite" else None
        # Updates after numbers that are not finite were no training.
        iterations = lost.iteration if lost else trainer.iteration
        with trainer.averaged():
            weights = None if lost else weights_of(trainer.network)
        rows = None if lost else prepared.calibration
        return cls(
            trainer,
            examples,
            evaluations={} if lost else {name: trainer.evaluate(name) for name in examples},
            weights=weights,
            timing=timing_of(trainer.train_seconds, trainer.evaluation_seconds, iterations),
            checkpoint=trainer.checkpoint,
            ending=trainer.ending,
            aside=None if rows is None else trainer.evaluate_rows(rows)[1],
        )


def trained_result(
    prepared: Prepared,
    ended: Ending,
    status: Status,
    *,
    started: str,
    extended_from: Description | None,
) -> RunResult:
    """The result of a run that was trained, to its last update or before."""
    trainer, examples, evaluations = ended.trainer, ended.examples, ended.evaluations
    completed, divergence = status == "completed", trainer.divergence
    task, decision = trainer.task, None
    errors = covered = calibration = measured = None
    outputs = {name: given for name, (_, given) in evaluations.items()}
    if completed and divergence is None:
        rows, by_split, config = dict(examples), dict(outputs), prepared.config.decide
        if ended.aside is not None and prepared.calibration is not None:
            rows["calibration"], by_split["calibration"] = prepared.calibration, ended.aside
        case, times = (task, rows, by_split), ended.times
        groups, networks = groups_of(prepared, ended.judged), ended.networks
        errors = errors_of(*case, ended.variances, times, networks, groups)
        covered = errors and measured_coverage(errors, *case, ended.variances, networks, groups)
        used = config is not None and config.calibrated
        calibration, measured = calibration_of(*case, times, used=used)
    if calibration and calibration.used and isinstance(task, Classification):
        task = replace(task, calibration=calibration)
    if completed and prepared.config.decide is not None:
        task, decision = decide(prepared, task, examples, outputs)
    undecided = metrics_of_splits(trainer.task, examples, evaluations, prepared.metrics)
    metrics = undecided
    if task is not trainer.task:
        metrics = metrics_of_splits(task, examples, evaluations, prepared.metrics)
    # A diagnosis is of predictions without the threshold: an accuracy below the baseline's may be
    # intended.
    error, diagnostics = diagnosed(prepared, ended, status, undecided)
    if prepared.config.networks > 1:
        # The units of one of several networks say little of their mean.
        diagnostics = [each for each in diagnostics if each.kind != "dead_units" or error]
        if error is not None and divergence is not None:
            place = f"network {ended.networks} of {prepared.config.networks}"
            error = error.replace("diverged: ", f"diverged: in {place} ", 1)
    if completed and trainer.unmonitored:
        diagnostics.append(Diagnostic("nothing_monitored", trainer.unmonitored))
    if decision is not None and decision["note"]:
        diagnostics.append(Diagnostic("no_threshold", decision["note"]))
    if calibration and calibration.used and calibration.unfit:
        diagnostics.append(Diagnostic("not_calibrated", calibration.unfit))
    record = record_of(
        prepared,
        status,
        error,
        diagnostics,
        metrics=metrics,
        timing=ended.timing,
        weights=ended.weights,
        surroundings=with_earlier(trainer.engine.surroundings, trainer.environments[:-1]),
        engine=trainer.engine.name,
        started=started,
        best_iteration=trainer.stopping.best_iteration if trainer.stopping else None,
        stopped_early=trainer.stopped_early,
        divergence=asdict(divergence) if divergence else None,
        decision=decision,
        extended_from=extended_from,
        members=ended.members(task),
        coverage=covered,
        calibration=measured,
        baseline=ended.baseline or prepared.baseline,
    )
    return RunResult(
        record,
        trainer.history,
        weights=ended.weights,
        metadata={}
        if ended.weights is None
        else describe_model(prepared, decision, ended.networks, errors, calibration),
        checkpoint=ended.checkpoint() if status in ("interrupted", "stopped") else None,
        ending=ended.ending() if completed else None,
        watched=None if trainer.watch is None else trainer.watch.watched,
    )


def groups_of(prepared: Prepared, judged: Array | None) -> dict[str, Array]:
    """The group of each row that was held out, by split; empty unless they are split by group.

    `judged` is as an `Ending` has it.
    """
    values = prepared.dataset.split_values
    if values is None or prepared.config.dataset.split.by != "group":
        return {}
    rows = {name: part.rows for name, part in prepared.split.held_out.items()}
    rows |= {} if judged is None else {"validation": judged}
    aside = prepared.split.calibration
    rows |= {} if aside is None else {"calibration": aside.rows}
    return {name: values[part] for name, part in rows.items()}


def record_of(
    prepared: Prepared,
    status: Status,
    error: str | None = None,
    diagnostics: Sequence[Diagnostic] = (),
    *,
    metrics: Mapping[str, Metrics | None] | None = None,
    timing: Description | None = None,
    weights: dict[str, Array] | None = None,
    surroundings: Description | None = None,
    **others: Any,
) -> RunRecord:
    """The record of a run; by default of one that was not trained.

    Args:
        prepared: the run.
        status: with the reason, in `error`, if it is not completed.
        error: the reason.
        diagnostics: of its training; those of its data are not among them.
        metrics: by split.
        timing: as `timing_of` returns it.
        weights: as trained; None without any.
        surroundings: what the bits depend on besides the usual environment: by the engine, and by
            the environments of earlier updates.
        others: fields of `RunRecord`, by default those of a run that starts now.
    """
    config, metrics = prepared.config, metrics or dict.fromkeys(SPLITS)
    dataset = describe_dataset(prepared)
    if status == "completed":
        undefined = about_undefined(metrics, prepared.task.main_metric)
        of_data = about_data(prepared.dataset, prepared.split, dataset)
        diagnostics = [*of_data, *diagnostics, *undefined]
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
        metrics=dict(metrics),
        published=compare_published(published_of(config), metrics),
        timing=timing or timing_of(0.0, 0.0, 0),
        environment={**environment(), **(surroundings or {})},
        weights_sha256=None if weights is None else weights_sha256(weights),
        main_metric=prepared.main_metric,
        warnings=[found.to_dict() for found in diagnostics],
        plugins=[part.fingerprint for part in prepared.plugins],
        description=config.description,
        nnrun_version=__version__,
        **{
            "engine": prepared.requested_engine,
            "started": now(),
            "baseline": dict.fromkeys(SPLITS) if status == "failed" else prepared.baseline,
            "naive": {} if status == "failed" else prepared.naive,
            **others,
        },
    )


def timing_of(train_seconds: float, evaluation_seconds: float, iterations: int) -> Description:
    """Seconds of updates and of evaluations, and the speed of the updates."""
    timed = iterations > 0 and train_seconds > 0
    return {
        "train_seconds": train_seconds,
        "evaluation_seconds": evaluation_seconds,
        "iterations": iterations,
        "iterations_per_second": iterations / train_seconds if timed else None,
    }


def diagnosed(
    prepared: Prepared,
    ended: Ending,
    status: Status,
    metrics: dict[str, Metrics | None],
) -> tuple[str | None, list[Diagnostic]]:
    """What went wrong, in a sentence, and what is wrong with the result."""
    if status == "interrupted":
        return "stopped before its end; it can continue from here", []
    trainer = ended.trainer
    if status == "stopped":
        done, planned = ended.timing["iterations"], prepared.updates
        return f"on_evaluation stopped it at iteration {done:,} of {planned:,}", []
    case, found = diagnosis_input(prepared, ended, metrics), trainer.divergence
    if found is None:
        return None, diagnose(case)
    causes = diagnose_divergence(case)
    return describe_divergence(prepared.config, found, causes[:_CAUSES_NAMED]), causes


def diagnosis_input(
    prepared: Prepared,
    ended: Ending,
    metrics: dict[str, Metrics | None],
) -> DiagnosisInput:
    """The input of a diagnosis; without outputs and metrics for a run that diverged."""
    trainer = ended.trainer
    diverged = trainer.divergence is not None
    first = trainer.schedule.rates(np.zeros(1), trainer.iterations)
    return DiagnosisInput(
        config=prepared.config,
        task=trainer.task,
        features=prepared.input_names,
        examples=ended.examples,
        outputs={} if diverged else {name: y for name, (_, y) in ended.evaluations.items()},
        metrics={} if diverged else metrics,
        baseline=ended.baseline or prepared.baseline,
        history=trainer.history,
        network=trainer.network,
        peak_rate=max([float(first[0]), *(row["learning_rate"] for row in trainer.history)]),
        iterations=trainer.iteration,
        stopped_early=trainer.stopped_early,
        codes=[*prepared.dataset.layout.columns.codes],
        kept_iteration=(
            trainer.stopping.best_iteration if trainer.stopping and trainer.best else None
        ),
        sources=_sources(prepared),
        watched=None if trainer.watch is None else trainer.watch.watched,
        naive=prepared.naive,
    )


def _sources(prepared: Prepared) -> dict[str, str]:
    """The column of the file by the name of a column that the network takes."""
    sources = prepared.dataset.layout.columns.sources
    added = prepared.preprocessing.sources
    return {**sources, **{name: sources.get(feature, feature) for name, feature in added}}


# The threshold of a run, fitted on its validation split once training has ended.


def decide(
    prepared: Prepared,
    task: Task,
    examples: Mapping[str, PreparedSplit],
    outputs: Mapping[str, Array],
) -> tuple[Task, dict[str, Any] | None]:
    """Fit the threshold, if the config wants one; the task with it, and its description.

    `examples` and `outputs` are the rows by split, `validation` among them, and the outputs for
    these.
    """
    config, classes = prepared.config.decide, prepared.dataset.classes
    if config is None or not isinstance(task, Classification):
        return task, None
    objective = objective_of(config)
    positive = config.positive_class(classes)
    assert positive is not None  # checked before training
    part, scores = examples["validation"], task.probability(outputs["validation"], positive)
    found = fit_threshold(objective, scores, part.y == positive, part.sample_weight)
    decided = task
    if found.threshold is not None:
        calibrated = task.calibration is not None
        decided = replace(task, decision=Decision(positive, found.threshold, calibrated))

    def measured(by: Classification, name: str) -> dict[str, Any]:
        chosen, part = by.decode(outputs[name]) == positive, examples[name]
        return _measured(objective, chosen, part.y == positive, part.sample_weight)

    return decided, {
        "objective": objective.name,
        **({"precision": objective.precision} if objective.precision else {}),
        "positive": classes[positive],
        "threshold": DEFAULT if found.threshold is None else found.threshold,
        "fitted": found.threshold is not None,
        "note": _note(found),
        **({"calibrated": True} if task.calibration else {}),
        "splits": {
            name: {"fitted": measured(decided, name), "default": measured(task, name)}
            for name in ("validation", "test")
            if name in examples
        },
    }


def objective_of(config: DecideConfig) -> Objective:
    """What the threshold is chosen for."""
    if config.cost is not None:
        return Objective("cost", _cost(config.cost), costs=True)
    if isinstance(config.maximize, str):
        name = config.maximize
        return Objective(name, lambda counts: getattr(counts, name), beats_all=True)
    assert config.maximize is not None  # or `cost` is given
    return Objective(
        "recall", lambda counts: counts.recall, precision=config.maximize.recall_at_precision
    )


def _cost(cost: CostConfig) -> Any:
    return lambda counts: cost.false_positive * counts.fp + cost.false_negative * counts.fn


def _measured(
    objective: Objective, chosen: Array, positive: Array, weight: Array | None
) -> dict[str, Any]:
    """Numbers of rows; precision, recall and the objective's value, of weighted rows."""
    rows, sums = Counts.of(positive, chosen), Counts.of(positive, chosen, weight)
    return {
        **{name: int(number) for name, number in vars(rows).items()},
        "precision": float(sums.precision),
        "recall": float(sums.recall),
        objective.name: float(objective.value(sums)),
    }


def _note(found: Fitted) -> str | None:
    if found.threshold is not None:
        return None
    return f"the validation split has {found.reason}, so the threshold is {DEFAULT}"
