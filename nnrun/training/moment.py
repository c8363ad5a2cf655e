"""One moment of training that moves forward by updates: evaluate it, save it, go back to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from nnrun.engines.base import MOST_ITERATIONS, Engine, Evaluator, Sampler, Steps
from nnrun.models.task import Task
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array, Rng
from nnrun.training.state import (
    HistoryRow,
    PreparedSplit,
    TrainingState,
    copies,
    copy_into,
    live_arrays,
    network_arrays,
    under,
)
from nnrun.training.stopping import (
    Bounds,
    Cause,
    Divergence,
    EarlyStopping,
    LossCurve,
    MonitoredMetric,
    all_finite,
    culprit,
)

if TYPE_CHECKING:
    from nnrun.training.watch import Watch


# The initial loss is computed over this many rows at most; it limits where the run may end.
_INITIAL_ROWS = 256


@dataclass
class TrainingCore:
    """A network in training, with everything that its next update depends on.

    Args:
        network: initialized.
        optimizer: allocated for it.
        engine: built for these two and the training split.
        sampler: the order of the training rows.
        schedule: the learning rates.
        dropout: the stream of dropout masks, which the engine draws from.
        splits: the splits to evaluate, by name; `train` is one of them.
        task: what outputs mean.
        iterations: the updates of the whole run.
        evaluate_every: updates between evaluations; there is always one at the end.
        baseline: the training loss of always predicting the mean of the targets.
        stopping: early stopping, if any.
        monitored: the metric that early stopping follows, if the history has it only therefore.
        parts: of splits, by name, which evaluations before the last one take in their place.
        unmonitored: why training cannot stop early, if that metric is undefined; else empty.
        curve: collects the losses of batches, if any; the engine has to be built with `losses`.
            It is not part of a state: interrupted runs have none.
        watch: looks at the network at evaluations, if anything does.
    """

    network: Network
    optimizer: Optimizer
    engine: Engine
    sampler: Sampler
    schedule: Schedule
    dropout: Rng
    splits: dict[str, PreparedSplit]
    task: Task
    iterations: int
    evaluate_every: int
    baseline: float
    stopping: EarlyStopping | None = None
    monitored: MonitoredMetric | None = None
    unmonitored: str = ""
    curve: LossCurve | None = None
    parts: Mapping[str, PreparedSplit] = field(default_factory=dict)
    watch: Watch | None = None

    iteration: int = 0
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    history: list[HistoryRow] = field(default_factory=list)
    divergence: Divergence | None = None
    best: dict[str, Array] = field(default_factory=dict)
    _evaluated: dict[tuple[str, bool], tuple[float, Array]] = field(default_factory=dict)
    _evaluators: dict[tuple[str, bool], Evaluator] = field(default_factory=dict)
    _rate: float = 0.0
    _loss: float | None = None

    def __post_init__(self) -> None:
        self.live = live_arrays(self.network, self.optimizer)
        target = self.splits["train"].target
        self.bounds = Bounds.of(self._initial_loss(), self.baseline, self.network, target)
        self.last_good = self.snapshot()

    def _initial_loss(self) -> float:
        train = self.splits["train"]
        if len(train) <= _INITIAL_ROWS:
            return self.evaluate("train")[0]
        head = train.head(_INITIAL_ROWS)
        return self.engine.evaluate(head.x, head.loss_target)[0]

    def update(self, iterations: int) -> None:
        """Make this many updates, without evaluations.

        The one after a look is made alone, to measure how far it moves the parameters.
        """
        if self.watch is not None and self.watch.awaits_update(self.iteration):
            before = self.network.theta.astype(np.float64)
            self._update(1)
            self.watch.measure_update(self.iteration - 1, before)
            iterations -= 1
        if iterations:
            self._update(iterations)

    def _update(self, iterations: int) -> None:
        self._evaluated.clear()
        steps = self.steps(iterations)
        if self.curve is None:
            self.engine.run(steps)
        else:
            sizes, losses = np.diff(steps.bounds), np.empty(iterations)
            self.engine.run(steps, losses)
            self.curve.add(losses, sizes)
        self.iteration += iterations
        self._rate = self._rate_of(self.iteration)

    def look(self, *, last: bool = False) -> None:
        """Look at the network, if it is watched and this is one of the moments to do so."""
        if self.watch is not None:
            start = perf_counter()
            self.watch.look(self.iteration, self._rate, last=last)
            self.evaluation_seconds += perf_counter() - start

    @property
    def rate(self) -> float:
        """The learning rate of the last update."""
        return self._rate

    def steps(self, iterations: int) -> Steps:
        """The next updates, this many of them."""
        return Steps(
            self.sampler,
            self.schedule,
            first=self.iteration,
            iterations=iterations,
            total=self.iterations,
        )

    def _rate_of(self, iteration: int) -> float:
        """The learning rate of this update, counted from 1."""
        return self.schedule.rate_at(iteration - 1, self.iterations)

    def evaluate(self, name: str, *, whole: bool = True) -> tuple[float, Array]:
        """The loss of a split and the outputs for its rows, with the current weights, or their
        average if there is one.

        If it is not evaluated whole, they are those of its part, if there is one.
        """
        key = name, whole or name not in self.parts
        if key not in self._evaluated:
            with self.averaged():
                self._evaluated[key] = self.evaluator(*key)()
        return self._evaluated[key]

    def evaluate_rows(self, part: PreparedSplit) -> tuple[float, Array]:
        """The same for rows that are in none of the splits."""
        with self.averaged():
            return self.engine.evaluate(part.x, part.loss_target)

    @property
    def kept(self) -> dict[str, Array]:
        """The arrays of the network that is evaluated: views of its own, or of their average."""
        average = self.optimizer.average
        return network_arrays(self.network) if average is None else average.arrays

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the average into the network, and its own arrays back."""
        if self.optimizer.average is None:
            yield
            return
        live = network_arrays(self.network)
        own = copies(live)
        copy_into(live, self.kept)
        try:
            yield
        finally:
            copy_into(live, own)

    def evaluator(self, name: str, whole: bool = True) -> Evaluator:
        """The engine's evaluator for a split, or for its part."""
        key = name, whole
        if key not in self._evaluators:
            split = self.rows_of(name, whole=whole)
            self._evaluators[key] = self.engine.evaluator(split.x, split.loss_target)
        return self._evaluators[key]

    def rows_of(self, name: str, *, whole: bool) -> PreparedSplit:
        """A split, or the part of it that evaluations on the way take."""
        return self.splits[name] if whole else self.parts.get(name, self.splits[name])

    def evaluate_splits(self, *, whole: bool = True) -> HistoryRow:
        """Evaluate every split, or its part; return the row of the history."""
        start = perf_counter()
        found = {name: self.evaluate(name, whole=whole) for name in self.splits}
        losses = {name: np.array([loss]) for name, (loss, _) in found.items()}
        outputs = {name: given[np.newaxis] for name, (_, given) in found.items()}
        (row,) = self._rows([self.iteration], [self._rate], losses, outputs, whole=whole)
        if self.monitored is not None:
            held_out, (_, given) = self.rows_of("validation", whole=whole), found["validation"]
            value = self.monitored.value(given, held_out.y, held_out.sample_weight)
            row[self.monitored.column] = value
        self.evaluation_seconds += perf_counter() - start
        return row

    def _rows(
        self,
        iterations: Sequence[int],
        rates: Sequence[float],
        losses: dict[str, Array],
        outputs: dict[str, Array],
        *,
        whole: bool = True,
    ) -> list[HistoryRow]:
        """The history's rows for these evaluations; where splits have parts, with their rows."""
        columns: dict[str, Sequence[float | int]] = {
            "iteration": iterations,
            "epoch": [iteration / self.sampler.batches_per_epoch for iteration in iterations],
            "learning_rate": rates,
        }
        for name in self.splits:
            split = self.rows_of(name, whole=whole)
            if self.parts:
                columns[f"{name}_rows"] = [len(split)] * len(iterations)
            columns[f"{name}_loss"] = losses[name].tolist()
            for metric, values in self._metrics(outputs[name], split).items():
                columns[f"{name}_{metric}"] = values.tolist()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _metrics(self, outputs: Array, split: PreparedSplit) -> dict[str, Array]:
        return self.task.quick_metrics(outputs, split.y, split.sample_weight)

    def check_divergence(self, *, whole: bool = True) -> Cause | None:
        """Why the current state counts as diverged; None if it does not."""
        loss, outputs = self.evaluate("train", whole=whole)
        y = self.rows_of("train", whole=whole).y
        return self.bounds.broken_by(loss, self.live, lambda: self.task.has_learned(outputs, y))

    def snapshot(self) -> TrainingState:
        """A copy of the current state; `last_good` is not part of it."""
        arrays = copies(self.live)
        arrays.update({f"best.{name}": array for name, array in self.best.items()})
        values = {
            "iteration": self.iteration,
            "train_seconds": self.train_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "rate": self._rate,
            "history": list(self.history),
            "optimizer_steps": self.optimizer.steps,
            "sampler": self.sampler.state(),
            "dropout": self.dropout.bit_generator.state,
            "stopping": asdict(self.stopping) if self.stopping else None,
            **({"schedule": self.schedule.state()} if self.schedule.follows_loss else {}),
        }
        return TrainingState(arrays, values)

    def restore(self, snapshot: TrainingState) -> None:
        """Go back to a snapshot."""
        self._evaluated.clear()
        copy_into(self.live, snapshot.arrays)
        values = snapshot.values
        self.iteration = values["iteration"]
        self.train_seconds = values["train_seconds"]
        self.evaluation_seconds = values["evaluation_seconds"]
        self._rate = values["rate"]
        self.history = list(values["history"])
        if self.history:
            self._loss = float(self.history[-1]["train_loss"])
        self.optimizer.steps = values["optimizer_steps"]
        self.sampler.restore(values["sampler"])
        self.dropout.bit_generator.state = values["dropout"]
        if self.stopping:
            self.stopping = replace(self.stopping, **values["stopping"])
        if self.schedule.follows_loss:
            self.schedule.restore(values["schedule"])
        self.best = under("best.", snapshot.arrays)

    def adopt(
        self, iterations: Sequence[int], losses: dict[str, Array], outputs: dict[str, Array]
    ) -> None:
        """Record updates and evaluations that the engine has made in one call.

        Args:
            iterations: of the evaluations; the last one is the last update.
            losses: by split, (evaluations).
            outputs: by split, (evaluations, rows, outputs).
        """
        self.iteration = iterations[-1]
        rates = [self._rate_of(iteration) for iteration in iterations]
        self._rate = rates[-1]
        self.history += self._rows(iterations, rates, losses, outputs)
        self._loss = float(losses["train"][-1])
        self._evaluated = {
            (name, True): (float(losses[name][-1]), outputs[name][-1]) for name in self.splits
        }


# Training part of a run again, to find the update at which it diverged.


def find_divergence(core: TrainingCore, cause: Cause) -> Divergence:
    """Go back to the last good evaluation and look for the update that went wrong.

    An array with an infinite number or NaN keeps it, so bisection finds the first such update. A
    loss may leave its bounds several times; bisection finds one of these updates, always the same.

    Args:
        core: at the end of its run, and unchanged afterwards; but if its numbers are not finite,
            it is left at the last good evaluation, with the history up to the end.
        cause: why the run counts as diverged.
    """
    ended, last_good = core.snapshot(), core.last_good
    end = core.stopping.best_iteration if core.stopping and core.best else ended.iteration
    loss, largest = core.evaluate("train")[0], float(np.abs(core.network.theta).max())
    by_arrays = not all_finite(core.live)
    core.restore(last_good)
    good_loss, _ = core.evaluate("train")
    core.look(last=True)
    iteration = _bisect(core, end, cause, by_arrays)
    core.update(1)
    parameter, memory = culprit(core.network, core.optimizer, cause)
    core.restore(ended)
    if cause == "not_finite":
        copy_into(core.live, last_good.arrays)
    return Divergence(
        iteration=iteration,
        cause=cause,
        parameter=parameter,
        last_good_loss=good_loss if isfinite(good_loss) else None,
        last_good_iteration=last_good.iteration,
        began=core.bounds.began,
        loss=loss if isfinite(loss) else None,
        largest_weight=largest if isfinite(largest) else None,
        memory=memory,
    )


def _bisect(core: TrainingCore, end: int, cause: Cause, by_arrays: bool) -> int:
    """Find the update that went wrong, and leave the state just before it."""
    good = core.last_good
    while end - core.iteration > 1:
        middle = (core.iteration + end) // 2
        while core.iteration < middle:
            core.update(min(middle - core.iteration, MOST_ITERATIONS))
        if _diverged(core, cause, by_arrays):
            end = middle
            core.restore(good)
        else:
            good = core.snapshot()
            core.look(last=True)
    return end


def _diverged(core: TrainingCore, cause: Cause, by_arrays: bool) -> bool:
    if by_arrays:
        return not all_finite(core.live)
    found = core.check_divergence()
    # A loss leaves its bounds long before it overflows.
    return found == cause if cause == "not_finite" else found is not None
