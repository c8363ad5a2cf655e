"""Training one prepared run, in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nnrun.errors import NnrunError
from nnrun.models.task import Task
from nnrun.runs.events import Listener
from nnrun.runs.execution.beside import train_beside
from nnrun.runs.execution.checks import check_engine, check_plugins, naming_plugins
from nnrun.runs.execution.environment import environment, run_arithmetic
from nnrun.runs.execution.result import trained_result
from nnrun.runs.execution.trainer import trainer_of
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult, Status, environment_of_updates, now
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.loss_curve import LossCurve
from nnrun.training.state import TrainingState
from nnrun.training.watching.watched import record_in

# Errors from restoring the state of another run.
_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def execute(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    listener: Listener,
    start: TrainingState | None = None,
    origin: dict[str, Any] | None = None,
    *,
    threads: int = 1,
    until: int | None = None,
) -> RunResult:
    """Train a run in this process, from its last checkpoint if that fits the run.

    `start` is the state at the end of a shorter run that this one continues, if any, and `origin`
    that run, as the report names it.
    """
    with naming_plugins():
        if isinstance(prepared, PreparedBeside):
            return train_beside(prepared, listener)
        execution = _resumed(prepared, checkpoint, origin, listener, threads)
        try:
            execution = execution or Execution(prepared, start, origin, listener, threads=threads)
        except _UNFIT as error:
            if start is None:
                raise
            raise NnrunError(f"the state that {origin} ended in is damaged") from error
        return execution.run(listener, until)


def _resumed(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    origin: dict[str, Any] | None,
    listener: Listener,
    threads: int,
) -> Execution | None:
    if checkpoint is None:
        return None
    # Without a record of its looks, that of the run would have a beginning that is missing.
    unwatched = prepared.watched and record_in(checkpoint) is None
    if checkpoint.iteration <= prepared.iterations and not unwatched:
        with suppress(*_UNFIT):
            return Execution(prepared, checkpoint, origin, listener, threads=threads)
    listener.warn("its checkpoint does not fit the run, so it starts over")
    return None


class Execution:
    """One run being trained, from a checkpoint if there is one.

    Args:
        prepared: the run; its network is trained in place.
        checkpoint: the state to continue from.
        extended_from: the shorter run that it continues, as its report names it.
        listener: `warn` and `wait` are called before training begins.
        threads: how many it may use.
        checked: whether the engine has been checked before.
        task, stopping, curve: as for `trainer_of`.

    Raises: EngineFaultError if the compiled engine does not compute what NumPy does;
    PluginFaultError if the gradient of a plugin's part is wrong.
    """

    def __init__(
        self,
        prepared: Prepared,
        checkpoint: TrainingState | None = None,
        extended_from: dict[str, Any] | None = None,
        listener: Listener | None = None,
        *,
        threads: int = 1,
        checked: bool = False,
        task: Task | None = None,
        stopping: EarlyStopping | None = None,
        curve: LossCurve | None = None,
    ) -> None:
        self.prepared = prepared
        self.extended_from = extended_from
        self.started = now()
        self.trainer = trainer_of(
            prepared, listener or Listener(), threads, task=task, stopping=stopping, curve=curve
        )
        if not checked:
            check_plugins(prepared)
            check_engine(prepared, self.trainer)
        here = {**environment(), **self.trainer.engine.surroundings}
        self.trainer.environments = [environment_of_updates(here)]
        if checkpoint is not None:
            self.trainer.resume(checkpoint)

    def run(self, listener: Listener, until: int | None = None) -> RunResult:
        """Train to the end, or until the listener stops it or it pauses."""
        with run_arithmetic():
            cut = self._train(listener, until)
            uncut: Status = "completed" if self.trainer.divergence is None else "diverged"
            return trained_result(
                self.prepared,
                self.trainer,
                cut or uncut,
                started=self.started,
                extended_from=self.extended_from,
            )

    def train(self, listener: Listener, until: int | None = None) -> bool:
        """Train without making a result; returns whether it was stopped or paused."""
        with run_arithmetic():
            return self._train(listener, until) is not None

    def _train(self, listener: Listener, until: int | None) -> Status | None:
        """Returns how it ended before its end, if it did."""
        trainer, run = self.trainer, self.prepared
        listener.started(run, trainer.iteration)
        known = len(trainer.history) if listener.decides else 0
        for state in trainer.run(until, at_once=not listener.decides):
            listener.progressed(run, state)
            if len(trainer.history) > known and (listener.follows or listener.decides):
                rows = state.since(known)
                known += len(rows)
                if listener.evaluated(run, rows) and trainer.goes_on:
                    return "stopped"
            if state.iteration < state.total and listener.stop():
                return "interrupted"
            listener.checkpoint(trainer.checkpoint)
        paused = trainer.goes_on and trainer.divergence is None
        return "interrupted" if paused else None
