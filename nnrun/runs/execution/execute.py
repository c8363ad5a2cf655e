"""Training one prepared run, in memory, with the checks before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from nnrun import __version__
from nnrun.engines.base import Batches, Engine, Sampler
from nnrun.engines.selection import build_engine
from nnrun.errors import EngineFaultError, NnrunError, PluginFaultError
from nnrun.metrics.table import larger_is_better
from nnrun.models.task import Task
from nnrun.nn.gradient_check import GradientCheck
from nnrun.nn.optimizers import Optimizer
from nnrun.plugins.loading import checks_gradients
from nnrun.plugins.running import describe_fault
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import environment, run_arithmetic
from nnrun.runs.execution.members import Joining, OfMember, separate_states, updates_of
from nnrun.runs.execution.reference_models import train_beside
from nnrun.runs.execution.result import Ending, trained_result
from nnrun.runs.preparation.gradients import check_run_gradients
from nnrun.runs.preparation.members import members_of
from nnrun.runs.preparation.prepare import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult, Status, environment_of_updates, now
from nnrun.training.augment import Augmenter, AugmentingEngine
from nnrun.training.selfcheck import Disagreement, compare_engines
from nnrun.training.state import Streams, TrainingState, allocate
from nnrun.training.stopping import EarlyStopping, LossCurve, monitored_metric
from nnrun.training.trainer import Trainer
from nnrun.training.watched import record_in

# The trainer of a run, before its first update.


def trainer_of(
    prepared: Prepared,
    listener: Listener,
    threads: int = 1,
    *,
    task: Task | None = None,
    stopping: EarlyStopping | None = None,
    curve: LossCurve | None = None,
) -> Trainer:
    """The trainer of a run, whose network it initializes.

    `task` and `stopping` replace those of the run; `curve` collects the losses of batches.
    """
    training = prepared.config.training
    task = task or prepared.task
    network = prepared.network
    parts = prepared.parts
    streams = prepared.streams
    network.initialize(rng=streams.weights)
    optimizer = training.make_optimizer()
    allocate(network, optimizer)
    engine = _engine_of(prepared, optimizer, streams, listener, threads, losses=curve is not None)
    examples = prepared.examples
    if stopping is None and (config := training.early_stopping) is not None:
        larger = larger_is_better(config.monitor.removeprefix("validation_"))
        stopping = EarlyStopping(config.monitor, larger, config.patience, config.restore_best)
    monitored = monitored_metric(task, stopping)
    unmonitored = monitored.undefined({**examples, **parts}["validation"]) if monitored else ""
    if monitored and unmonitored:
        unmonitored = (
            f"{monitored.column} is undefined, since {unmonitored}, so training could not stop "
            "early"
        )
        stopping = monitored = None
    watch = None
    if prepared.watched:
        from nnrun.training.watch import Watch  # noqa: PLC0415  # slow to import

        drawn = prepared.dataset.layout.is_drawn
        watch = Watch(network, examples["train"], prepared.evaluate_every, frames=drawn)
    rows = len(examples["train"])
    return Trainer(
        network=network,
        optimizer=optimizer,
        engine=engine,
        sampler=Sampler(rows, training.batch_size, training.sampling, rng=streams.order),
        schedule=copy(prepared.schedule),  # it may change while it is followed
        dropout=streams.dropout,
        splits=examples,
        task=task,
        iterations=prepared.iterations,
        evaluate_every=prepared.evaluate_every,
        baseline=(prepared.baseline["train"] or {}).get("loss") or 0.0,
        stopping=stopping,
        monitored=monitored,
        unmonitored=unmonitored,
        curve=curve,
        parts=parts,
        watch=watch,
    )


def _engine_of(
    prepared: Prepared,
    optimizer: Optimizer,
    streams: Streams,
    listener: Listener,
    threads: int,
    *,
    losses: bool,
) -> Engine:
    """The engine of the run, on the training split; `losses` is whether it returns those of
    batches.
    """
    training = prepared.config.training
    network = prepared.network
    train = prepared.examples["train"]
    selected = prepared.select_engine()
    if selected.note is not None:
        listener.warn(selected.note)
    engine = build_engine(
        selected.name,
        network,
        optimizer,
        train.x,
        train.loss_target,
        rng=streams.dropout,
        clip_norm=training.clip_norm,
        batch_size=training.batch_size,
        losses=losses,
        threads=threads,
        wait=listener.wait,
        compiled_functions=prepared.cache.code.get(f"made for {network.input_shape}", dict),
    )
    if not np.may_share_memory(engine.x, train.x):  # two copies would take twice the memory
        train = prepared.examples["train"] = replace(train, x=engine.x)
    if prepared.augmentation is None:
        return engine
    shape, (width, *_) = prepared.dataset.shape, network.input_shape
    added = prepared.added
    augmenter = Augmenter(
        prepared.augmentation,
        (width,) if added else shape,
        training.batch_size,
        rng=streams.augmentation,
        spared=[*prepared.dataset.layout.columns.codes, *range(width - added, width)],
    )
    return AugmentingEngine(engine, augmenter, train.x, train.loss_target)


# Checks that a run begins with: of its engine (see `nnrun.training.selfcheck`), and of plugins.


def check_engine(prepared: Prepared, trainer: Trainer) -> None:
    """Compare the compiled engine with NumPy on the first batch, once for each compiled code.

    The trainer, which has made no update yet, is not changed.

    Raises: EngineFaultError if they differ beyond rounding, for this run or another of its config.
    """
    if trainer.engine.name == "numpy":
        return

    def compare() -> Disagreement | None:
        train = trainer.splits["train"]
        batches = Batches(*deepcopy(trainer.sampler).take(2), rates=np.zeros(2))
        with run_arithmetic():
            return compare_engines(
                trainer.engine,
                trainer.network,
                trainer.optimizer,
                train.x,
                train.loss_target,
                batches=batches,
                dropout=trainer.dropout,
                clip_norm=prepared.config.training.clip_norm,
                losses=trainer.curve is not None,
            )

    found = prepared.cache.code.get("disagreement", compare)
    if found is not None:
        raise EngineFaultError(_message(found))


def _message(found: Disagreement) -> str:
    here = environment()
    return (
        "the compiled engine does not train this network as NumPy does: in the first batch "
        f"{found.what} is {found.found:.6g}, and by NumPy {found.expected:.6g}, where rounding "
        f"makes a difference of at most {found.rounding:.2g}. It would give wrong results, so "
        "there are none; training.engine=numpy gives right ones. This is a fault of nnrun: please "
        f"report it with this text and the config (nnrun {__version__}, Python {here['python']}, "
        f"NumPy {here['packages']['numpy']}, {here['platform']}, {here['cpu']})"
    )


_WITH_GRADIENTS = ("layer", "activation", "loss")
# Entries and random directions that are compared of each parameter: a wrong formula shows in any.
_ENTRIES, _DIRECTIONS = 8, 2
# Larger than that of `nnrun check --gradients`: functions of plugins may be approximations.
_TOLERANCE = 1e-5


def check_plugins(prepared: Prepared) -> None:
    """Compare the gradients of a network with parts of plugins with numerical ones.

    It is done once for each compiled code, before the first update, unless the command or a part
    (`exact_gradient = False`) says otherwise.

    Raises: PluginFaultError if one is wrong.
    """
    parts = [part for part in prepared.plugins if part.kind in _WITH_GRADIENTS]
    inexact = any(not getattr(part.entry, "exact_gradient", True) for part in parts)
    if not parts or inexact or not checks_gradients():
        return

    def compare() -> list[GradientCheck]:
        with run_arithmetic():
            return check_run_gradients(prepared, most=_ENTRIES, directions=_DIRECTIONS)

    checks = prepared.cache.code.get("gradients of plugins", compare)
    wrong = next((check for check in checks if not check.error <= _TOLERANCE), None)
    if wrong is not None:
        named = " and ".join(part.title for part in parts)
        source = parts[0].source.path
        advice = f"nnrun check {parts[0].source.name} looks for the mistake, and " * bool(source)
        raise PluginFaultError(
            f"the gradient of {wrong.name} is wrong with {named}: by backpropagation an entry is "
            f"{wrong.backpropagated:.6g}, by differences of the loss {wrong.numerical:.6g}; "
            f"{advice}--no-gradient-check trains all the same"
        )


@contextmanager
def naming_plugins() -> Iterator[None]:
    """Name the line of a plugin that raised an error.

    Raises: PluginFaultError in place of an error that is not nnrun's own.
    """
    try:
        yield
    except NnrunError:
        raise
    except Exception as error:
        fault = describe_fault(error)
        if fault is None:
            raise
        raise PluginFaultError(fault) from error


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
        if prepared.config.networks > 1:
            states = separate_states(checkpoint), separate_states(start)
            return _train_members(prepared, *states, origin, listener, threads, until)
        execution = _begun(prepared, checkpoint, start, origin, listener, threads)
        return execution.run(listener, until)


def _begun(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    start: TrainingState | None,
    origin: dict[str, Any] | None,
    listener: Listener,
    threads: int,
    *,
    checked: bool = False,
) -> Execution:
    """A network ready to be trained, from its checkpoint if that fits."""
    execution = _resumed(prepared, checkpoint, origin, listener, threads)
    try:
        return execution or Execution(
            prepared, start, origin, listener, threads=threads, checked=checked
        )
    except _UNFIT as error:
        if start is None:
            raise
        raise NnrunError(f"the state that {origin} ended in is damaged") from error


def _train_members(
    prepared: Prepared,
    checkpoints: Sequence[TrainingState],
    starts: Sequence[TrainingState],
    origin: dict[str, Any] | None,
    listener: Listener,
    threads: int,
    until: int | None,
) -> RunResult:
    """Train the networks of a run one after the other; `until` counts the updates of all."""
    joining, started = Joining(prepared), now()
    status: Status | None = None
    members = members_of(prepared)
    planned = [member.iterations for member in members]
    for number, member in enumerate(members):
        checkpoint, start = (
            states[number] if number < len(states) else None for states in (checkpoints, starts)
        )
        told = Listener(wait=listener.wait) if number else listener  # of the engine, once
        checked = number >= len(prepared.settings)
        execution = _begun(member, checkpoint, start, origin, told, threads, checked=checked)
        left = None if until is None else until - updates_of(joining.states)
        status = execution.train(OfMember(listener, prepared, joining.states, planned), left)
        with run_arithmetic():
            joining.add(member, execution.trainer)
        if status is not None or joining.diverged:
            break
    uncut: Status = "diverged" if joining.diverged else "completed"
    with run_arithmetic():
        return trained_result(
            prepared,
            joining.ending(),
            status or uncut,
            started=started,
            extended_from=origin,
        )


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
                Ending.of(self.prepared, self.trainer),
                cut or uncut,
                started=self.started,
                extended_from=self.extended_from,
            )

    def train(self, listener: Listener, until: int | None = None) -> Status | None:
        """Train without making a result; returns how it was stopped or paused, if it was."""
        with run_arithmetic():
            return self._train(listener, until)

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
