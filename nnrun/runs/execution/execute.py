"""Training one prepared run, in memory."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import Any

from nnrun.engines.sampling import Sampler
from nnrun.engines.selection import why_not_compiled
from nnrun.errors import NnrunError
from nnrun.metrics.table import larger_is_better
from nnrun.models.task import Task
from nnrun.runs.diagnosis import Diagnostic
from nnrun.runs.execution.beside import train_beside
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.checks import check_engine, check_plugins, naming_plugins
from nnrun.runs.execution.engine import engine_of
from nnrun.runs.execution.environment import run_arithmetic
from nnrun.runs.execution.record_builder import now
from nnrun.runs.execution.result import result_of
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult, Status
from nnrun.training.early_stopping import EarlyStopping, monitored_metric
from nnrun.training.loss_curve import LossCurve
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Trainer
from nnrun.training.watching.watch import Watch
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
        return _execute(prepared, checkpoint, callbacks, start, origin)


def _execute(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    callbacks: Callbacks,
    start: TrainingState | None,
    origin: dict[str, Any] | None,
) -> RunResult:
    execution = None
    if checkpoint is not None:
        execution = _resumed(prepared, checkpoint, origin, callbacks)
        if execution is None:
            callbacks.note("its checkpoint does not fit the run, so it starts over")
    if execution is None:
        try:
            execution = Execution(prepared, start, origin, callbacks)
        except _UNFIT as error:
            if start is None:
                raise
            raise NnrunError(f"the state that {origin} ended in is damaged") from error
    return execution.run(callbacks)


def _resumed(
    prepared: Prepared,
    checkpoint: TrainingState,
    origin: dict[str, Any] | None,
    callbacks: Callbacks,
) -> Execution | None:
    if checkpoint.iteration > prepared.iterations:
        return None
    if prepared.watched and record_in(checkpoint) is None:
        return None  # its record would have a beginning that is missing
    with suppress(*_UNFIT):
        return Execution(prepared, checkpoint, origin, callbacks)
    return None


class Execution:
    """One run being trained, from a checkpoint if there is one.

    Args:
        prepared: the run; its network is trained in place.
        checkpoint: the state to continue from.
        extended_from: the shorter run that it continues, as its report names it.
        callbacks: `note` and `wait` are called before training begins.
        checked: whether the engine has been checked before.

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
    ) -> None:
        self.extended_from = extended_from
        self.prepared = prepared
        self.started = now()
        self.network = prepared.network
        self.task = self._task()
        self.examples = prepared.examples
        self.unmonitored: list[Diagnostic] = []
        self.trainer = self._trainer(callbacks or Callbacks())
        if not checked:
            check_plugins(prepared)
            check_engine(prepared, self.trainer)
        if checkpoint is not None:
            self.trainer.resume(checkpoint)

    def run(self, callbacks: Callbacks) -> RunResult:
        """Train to the end, or until `callbacks` stops or pauses it."""
        with run_arithmetic():
            cut = self._train(callbacks)
            ended: Status = "completed" if self.trainer.divergence is None else "diverged"
            return result_of(
                self.prepared,
                self.trainer,
                cut or ended,
                self.unmonitored,
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

    def _task(self) -> Task:
        return self.prepared.task

    def _curve(self) -> LossCurve | None:
        """The curve of batch losses, if they are followed."""
        return None

    def _trainer(self, callbacks: Callbacks) -> Trainer:
        config, rows = self.prepared.config.training, len(self.examples["train"])
        curve, stopping = self._curve(), self._stopping()
        monitored, parts = monitored_metric(self.task, stopping), self.prepared.parts
        followed = {**self.examples, **parts}
        if monitored and (why := monitored.undefined(followed["validation"])):
            text = f"{monitored.column} is undefined, since {why}, so training could not stop early"
            self.unmonitored = [Diagnostic("nothing_monitored", text)]
            stopping = monitored = None
        streams = self.prepared.streams
        self.network.initialize(rng=streams.weights)
        optimizer = config.optimizer.build()
        optimizer.allocate(self.network.theta)
        if reason := why_not_compiled(config.engine, self.network):
            callbacks.note(reason)
        engine = engine_of(self.prepared, optimizer, streams, callbacks, losses=curve is not None)
        sampler = Sampler(rows, config.batch_size, config.sampling, rng=streams.order)
        return Trainer(
            network=self.network,
            optimizer=optimizer,
            engine=engine,
            sampler=sampler,
            schedule=copy(self.prepared.schedule),  # it may change while it is followed
            dropout=streams.dropout,
            splits=self.examples,
            task=self.task,
            iterations=self.prepared.iterations,
            evaluate_every=self.prepared.evaluate_every,
            baseline=(self.prepared.baseline["train"] or {}).get("loss") or 0.0,
            stopping=stopping,
            monitored=monitored,
            curve=curve,
            parts=parts,
            watch=self._watch(),
        )

    def _watch(self) -> Watch | None:
        if not self.prepared.watched:
            return None
        layout = self.prepared.dataset.layout
        drawn = layout.shape in ((1,), (2,)) and layout.columns.plain
        every = self.prepared.evaluate_every
        return Watch(self.network, self.examples["train"], every, frames=drawn)

    def _stopping(self) -> EarlyStopping | None:
        config = self.prepared.config.training.early_stopping
        if config is None:
            return None
        return EarlyStopping(
            monitor=config.monitor,
            larger_is_better=larger_is_better(config.monitor.removeprefix("validation_")),
            patience=config.patience,
            restore_best=config.restore_best,
        )
