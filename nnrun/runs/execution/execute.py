"""Training one prepared run, in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nnrun.errors import NnrunError
from nnrun.models.task import Task
from nnrun.runs.execution.beside import train_beside
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.checks import check_engine, check_plugins, naming_plugins
from nnrun.runs.execution.environment import run_arithmetic
from nnrun.runs.execution.result import trained_result
from nnrun.runs.execution.trainer import trainer_of
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult, Status, now
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.loss_curve import LossCurve
from nnrun.training.state import TrainingState
from nnrun.training.watching.watched import record_in

# Errors from restoring the state of another run.
_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def execute(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    callbacks: Callbacks,
    start: TrainingState | None = None,
    origin: dict[str, Any] | None = None,
) -> RunResult:
    """Train a run in this process, from its last checkpoint if that fits the run.

    `start` is the state at the end of a shorter run that this one continues, if any, and `origin`
    that run, as the report names it.
    """
    with naming_plugins():
        if isinstance(prepared, PreparedBeside):
            return train_beside(prepared, callbacks)
        execution = _resumed(prepared, checkpoint, origin, callbacks)
        try:
            execution = execution or Execution(prepared, start, origin, callbacks)
        except _UNFIT as error:
            if start is None:
                raise
            raise NnrunError(f"the state that {origin} ended in is damaged") from error
        return execution.run(callbacks)


def _resumed(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    origin: dict[str, Any] | None,
    callbacks: Callbacks,
) -> Execution | None:
    if checkpoint is None:
        return None
    # Without a record of its looks, that of the run would have a beginning that is missing.
    unwatched = prepared.watched and record_in(checkpoint) is None
    if checkpoint.iteration <= prepared.iterations and not unwatched:
        with suppress(*_UNFIT):
            return Execution(prepared, checkpoint, origin, callbacks)
    callbacks.note("its checkpoint does not fit the run, so it starts over")
    return None


class Execution:
    """One run being trained, from a checkpoint if there is one.

    Args:
        prepared: the run; its network is trained in place.
        checkpoint: the state to continue from.
        extended_from: the shorter run that it continues, as its report names it.
        callbacks: `note` and `wait` are called before training begins.
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
        callbacks: Callbacks | None = None,
        *,
        checked: bool = False,
        task: Task | None = None,
        stopping: EarlyStopping | None = None,
        curve: LossCurve | None = None,
    ) -> None:
        self.prepared = prepared
        self.extended_from = extended_from
        self.started = now()
        callbacks = callbacks or Callbacks()
        self.trainer = trainer_of(prepared, callbacks, task=task, stopping=stopping, curve=curve)
        if not checked:
            check_plugins(prepared)
            check_engine(prepared, self.trainer)
        if checkpoint is not None:
            self.trainer.resume(checkpoint)

    def run(self, callbacks: Callbacks) -> RunResult:
        """Train to the end, or until `callbacks` stops or pauses it."""
        with run_arithmetic():
            cut = self._train(callbacks)
            uncut: Status = "completed" if self.trainer.divergence is None else "diverged"
            return trained_result(
                self.prepared,
                self.trainer,
                cut or uncut,
                started=self.started,
                extended_from=self.extended_from,
            )

    def train(self, callbacks: Callbacks) -> bool:
        """Train without making a result; returns whether `callbacks` stopped it."""
        with run_arithmetic():
            return self._train(callbacks) is not None

    def _train(self, callbacks: Callbacks) -> Status | None:
        """Returns how `callbacks` stopped it, if they did."""
        trainer, evaluated = self.trainer, callbacks.evaluated
        callbacks.start(trainer.iteration)
        known = len(trainer.history)
        for state in trainer.run(callbacks.until, at_once=evaluated is None):
            callbacks.observe(state)
            if evaluated is not None and len(trainer.history) > known:
                known = len(trainer.history)
                if evaluated(trainer.history[-1]) and trainer.goes_on:
                    return "stopped"
            if state.iteration < state.total and callbacks.stop():
                return "interrupted"
            callbacks.checkpoint(trainer.checkpoint)
        paused = trainer.goes_on and trainer.divergence is None
        return "interrupted" if paused else None
