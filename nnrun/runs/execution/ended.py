"""How a run has ended: all that its record needs besides the run itself, collected in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from nnrun.config.names import SPLITS
from nnrun.models.scores import Metrics
from nnrun.models.weights import weights_of
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import Diagnostic
from nnrun.runs.execution.described_data import Description
from nnrun.runs.execution.diagnosing import diagnosed
from nnrun.runs.metrics import metrics_of_splits
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Status, now
from nnrun.training.state import HistoryRow, TrainingState
from nnrun.training.trainer import Trainer
from nnrun.training.watching.watched import Watched


def timing_of(train_seconds: float, evaluation_seconds: float, iterations: int) -> Description:
    """Seconds of updates and of evaluations, and the speed of the updates."""
    timed = iterations > 0 and train_seconds > 0
    return {
        "train_seconds": train_seconds,
        "evaluation_seconds": evaluation_seconds,
        "iterations": iterations,
        "iterations_per_second": iterations / train_seconds if timed else None,
    }


@dataclass(frozen=True)
class Ended:
    """How a run has ended; by default one that was not trained.

    Args:
        status: with the reason, in `error`, if it is not completed.
        diagnostics: of its training; those of its data are not among them.
        metrics: by split.
        engine: its name; empty if none was chosen.
        surroundings: what the bits of the engine depend on, besides the usual environment.

    The others are as in `RunRecord` and `RunResult`.
    """

    status: Status
    error: str | None = None
    diagnostics: Sequence[Diagnostic] = ()
    metrics: Mapping[str, Metrics | None] = field(default_factory=lambda: dict.fromkeys(SPLITS))
    timing: Description = field(default_factory=lambda: timing_of(0.0, 0.0, 0))
    engine: str = ""
    surroundings: Description = field(default_factory=dict)
    started: str = field(default_factory=now)
    best_iteration: int | None = None
    stopped_early: bool = False
    divergence: Description | None = None
    decision: Description | None = None
    extended_from: Description | None = None
    history: list[HistoryRow] = field(default_factory=list)
    weights: dict[str, Array] | None = None
    checkpoint: TrainingState | None = None
    ending: TrainingState | None = None
    watched: Watched | None = None
    traceback: str | None = None


def ended_of(
    prepared: Prepared,
    trainer: Trainer,
    status: Status,
    *,
    started: str,
    extended_from: Description | None,
) -> Ended:
    """How a run that was trained has ended, at its last update or before."""
    examples = prepared.examples
    completed, found = status == "completed", trainer.divergence
    lost = found if found is not None and found.cause == "not_finite" else None
    # Updates after numbers that are not finite were no training.
    iterations = lost.iteration if lost else trainer.iteration
    timing = timing_of(trainer.train_seconds, trainer.evaluation_seconds, iterations)
    evaluations = {} if lost else {name: trainer.evaluate(name) for name in examples}
    task, decision = trainer.task, None
    if completed and prepared.config.decide is not None:
        from nnrun.runs.execution.deciding import decide  # noqa: PLC0415  # slow to import

        outputs = {name: given for name, (_, given) in evaluations.items()}
        task, decision = decide(prepared, trainer.task, outputs)
    undecided = metrics_of_splits(trainer.task, examples, evaluations, prepared.metrics)
    metrics = undecided
    if task is not trainer.task:
        metrics = metrics_of_splits(task, examples, evaluations, prepared.metrics)
    # A diagnosis is of predictions without the threshold: an accuracy below the baseline's may be
    # intended.
    error, diagnostics = diagnosed(prepared, trainer, status, undecided)
    if completed and trainer.unmonitored:
        diagnostics.append(Diagnostic("nothing_monitored", trainer.unmonitored))
    if decision is not None and decision["note"]:
        diagnostics.append(Diagnostic("no_threshold", decision["note"]))
    return Ended(
        status,
        error,
        diagnostics,
        metrics,
        timing,
        engine=trainer.engine.name,
        surroundings=trainer.engine.surroundings,
        started=started,
        best_iteration=trainer.stopping.best_iteration if trainer.stopping else None,
        stopped_early=trainer.stopped_early,
        divergence=asdict(found) if found else None,
        decision=decision,
        extended_from=extended_from,
        history=trainer.history,
        weights=None if lost else weights_of(trainer.network),
        checkpoint=trainer.checkpoint() if status in ("interrupted", "stopped") else None,
        ending=trainer.ending() if completed else None,
        watched=None if trainer.watch is None else trainer.watch.watched,
    )
