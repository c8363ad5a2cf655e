"""The loop: updates, evaluations, early stopping, divergence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter

import numpy as np

from nnrun.engines.base import Engine, Evaluator, Steps
from nnrun.models.task import Task
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array, Rng
from nnrun.training.at_once import run_at_once
from nnrun.training.divergence import Bounds, Cause, Divergence
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.examples import PreparedSplit
from nnrun.training.loss_curve import LossCurve
from nnrun.training.replay import find_divergence
from nnrun.training.sampling import MOST_ITERATIONS, Sampler
from nnrun.training.state import (
    TrainingState,
    copies,
    copy_into,
    live_arrays,
    network_arrays,
)

HistoryRow = dict[str, float | int]

# The engine makes the updates of about this many seconds in one call, after which the loop can be
# watched, saved or left; and of no more updates than this.
_SECONDS_AT_ONCE = 0.05
_MOST_AT_ONCE = 1 << 24
# Rows that the loss of the initial weights is taken from, which bounds where the run may end.
_GLANCE = 256


@dataclass(frozen=True)
class Progress:
    """What there is to see after some steps; the loss is that of the last evaluation."""

    iteration: int
    total: int
    loss: float | None
    train_seconds: float


@dataclass
class Trainer:
    """Trains a network; iterate over `run()` to let it work.

    Args:
        network: initialized.
        optimizer: allocated for it.
        engine: made for these two and the training split.
        sampler: the order of the training rows.
        schedule: the learning rates.
        dropout: the stream of dropout masks, which the engine draws from.
        parts: the splits to evaluate, by name; `train` is one of them.
        task: what outputs mean.
        iterations: how many updates the whole run has.
        evaluate_every: updates between evaluations; there is one at the end in any case.
        baseline: the training loss of always predicting the mean of the targets.
        stopping: early stopping, if any.
        curve: follows the losses of batches, if any; for an engine that was made to tell them.
            It is no part of a state: an interrupted run has none.
    """

    network: Network
    optimizer: Optimizer
    engine: Engine
    sampler: Sampler
    schedule: Schedule
    dropout: Rng
    parts: dict[str, PreparedSplit]
    task: Task
    iterations: int
    evaluate_every: int
    baseline: float
    stopping: EarlyStopping | None = None
    curve: LossCurve | None = None

    iteration: int = 0
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    history: list[HistoryRow] = field(default_factory=list)
    divergence: Divergence | None = None
    best: dict[str, Array] = field(default_factory=dict)
    _seen: dict[str, tuple[float, Array]] = field(default_factory=dict)
    _evaluators: dict[str, Evaluator] = field(default_factory=dict)
    _ending: TrainingState | None = None
    _rate: float = 0.0
    _loss: float | None = None
    _steps: int = 1

    def __post_init__(self) -> None:
        self._live = live_arrays(self.network, self.optimizer)
        first_loss, train = self._glance(), self.parts["train"]
        self.bounds = Bounds.of(first_loss, self.baseline, self.network, train.target)
        self.good = self.here()

    def _glance(self) -> float:
        train = self.parts["train"]
        if len(train) <= _GLANCE:
            return self.evaluate("train")[0]
        head = train.head(_GLANCE)
        return self.engine.evaluate(head.x, head.target)[0]

    def run(self) -> Iterator[Progress]:
        """Train to the end, stopping early or diverging; yields after some steps each time."""
        if run_at_once(self):
            yield self._progress()
        while self.iteration < self.iterations and not self._stopped:
            evaluation = min(
                (self.iteration // self.evaluate_every + 1) * self.evaluate_every, self.iterations
            )
            yield from self._advance_to(evaluation)
            row = self._evaluate()
            cause = self.trouble()
            if cause == "not_finite":
                self.divergence = find_divergence(self, cause)
                return
            self.history.append(row)
            self._loss = float(row["train_loss"])
            self._follow(row)
            if cause is None:
                self.good = self.here()
            yield self._progress()
        self._finish()
        cause = self.trouble()
        if cause is not None:
            self.divergence = find_divergence(self, cause)

    def state(self) -> TrainingState:
        """A copy of everything needed to go on from here, to the same bits."""
        here, good = self.here(), self.good
        if good.iteration != self.iteration:
            here.arrays.update({f"good.{name}": array for name, array in good.arrays.items()})
            here.values["good"] = good.values
        return here

    def restore(self, state: TrainingState) -> None:
        """Go back to a state of the same run."""
        arrays = {name: state.arrays[name] for name in state.arrays if name[:5] != "good."}
        self.go_back(TrainingState(arrays, state.values))
        if "good" in state.values:
            arrays = _under("good.", state.arrays)
            self.good = TrainingState(arrays, state.values["good"])
        else:
            self.good = self.here()

    def here(self) -> TrainingState:
        """A copy of where training is, without where it was last well."""
        arrays = copies(self._live)
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
        }
        return TrainingState(arrays, values)

    def ending(self) -> TrainingState:
        """Where a finished run would go on, but for what its weights say already.

        The arrays are the optimizer's memory; and where the best weights were restored, the last
        ones, which they took the place of.
        """
        state, restored = self._ending or self.here(), self._ending is not None
        known = () if restored else network_arrays(self.network)
        arrays = {
            name: array
            for name, array in state.arrays.items()
            if name not in known and not name.startswith("best.")
        }
        told = ("history", "train_seconds", "evaluation_seconds")
        return TrainingState(arrays, {k: v for k, v in state.values.items() if k not in told})

    def go_back(self, state: TrainingState) -> None:
        """Be where training was."""
        self._seen.clear()
        copy_into(self._live, state.arrays)
        values = state.values
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
        self.best = _under("best.", state.arrays)

    def evaluate(self, name: str) -> tuple[float, Array]:
        """The loss over a split and the outputs for its rows, with the weights as they are."""
        if name not in self._seen:
            self._seen[name] = self.evaluator(name)()
        return self._seen[name]

    def evaluator(self, name: str) -> Evaluator:
        """What evaluates a split."""
        if name not in self._evaluators:
            part = self.parts[name]
            self._evaluators[name] = self.engine.evaluator(part.x, part.target)
        return self._evaluators[name]

    @property
    def stopped_early(self) -> bool:
        """Whether it has come to an end before its last iteration."""
        return self._stopped and self.iteration < self.iterations

    @property
    def _stopped(self) -> bool:
        by_curve = self.curve is not None and self.curve.exhausted
        return by_curve or (self.stopping is not None and self.stopping.exhausted)

    def _advance_to(self, goal: int) -> Iterator[Progress]:
        while self.iteration < goal and not self._stopped:
            steps = min(self._steps, goal - self.iteration)
            if self.curve is not None:
                steps = int(min(steps, self.curve.batches_left))
            start = perf_counter()
            self.update(steps)
            seconds = perf_counter() - start
            self.train_seconds += seconds
            if self.iteration < goal:
                yield self._progress()
            growth = min(_SECONDS_AT_ONCE / max(seconds, 1e-6), 8.0)
            most = _MOST_AT_ONCE if self.curve is None else MOST_ITERATIONS
            self._steps = max(1, min(int(steps * growth), most))

    def update(self, iterations: int) -> None:
        """Make so many updates, without looking."""
        self._seen.clear()
        steps = self.steps(iterations)
        if self.curve is None:
            self.engine.run(steps)
        else:
            sizes, losses = np.diff(steps.bounds), np.empty(iterations)
            self.engine.run(steps, losses)
            self.curve.add(losses, sizes)
        self.iteration += iterations
        self._rate = self.rate_of(self.iteration)

    def steps(self, iterations: int) -> Steps:
        """The next so many updates."""
        return Steps(
            self.sampler,
            self.schedule,
            first=self.iteration,
            iterations=iterations,
            total=self.iterations,
        )

    def rate_of(self, iteration: int) -> float:
        """The learning rate of this update, counted from 1."""
        return self.schedule.rate_at(iteration - 1, self.iterations)

    def arrive(
        self, iterations: Sequence[int], losses: dict[str, Array], outputs: dict[str, Array]
    ) -> None:
        """Be where the engine is that has made updates, with evaluations after so many of them.

        Args:
            iterations: of the evaluations; the last one is the last update.
            losses: by split, (evaluations).
            outputs: by split, (evaluations, rows, outputs).
        """
        self.iteration = iterations[-1]
        rates = [self.rate_of(iteration) for iteration in iterations]
        self._rate = rates[-1]
        self.history += self._rows(iterations, rates, losses, outputs)
        self._loss = float(losses["train"][-1])
        self._seen = {name: (float(losses[name][-1]), outputs[name][-1]) for name in self.parts}

    def _evaluate(self) -> HistoryRow:
        start = perf_counter()
        found = {name: self.evaluate(name) for name in self.parts}
        losses = {name: np.array([loss]) for name, (loss, _) in found.items()}
        outputs = {name: given[np.newaxis] for name, (_, given) in found.items()}
        (row,) = self._rows([self.iteration], [self._rate], losses, outputs)
        self.evaluation_seconds += perf_counter() - start
        return row

    def _rows(
        self,
        iterations: Sequence[int],
        rates: Sequence[float],
        losses: dict[str, Array],
        outputs: dict[str, Array],
    ) -> list[HistoryRow]:
        """What the history has of some evaluations."""
        columns: dict[str, Sequence[float | int]] = {
            "iteration": iterations,
            "epoch": [iteration / self.sampler.batches_per_epoch for iteration in iterations],
            "learning_rate": rates,
        }
        for name, part in self.parts.items():
            columns[f"{name}_loss"] = losses[name].tolist()
            for metric, values in self.task.quick_metrics(outputs[name], part.y).items():
                columns[f"{name}_{metric}"] = values.tolist()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def trouble(self) -> Cause | None:
        """What is wrong with the weights as they are, if anything."""
        loss, outputs = self.evaluate("train")
        y = self.parts["train"].y
        return self.bounds.broken_by(
            loss, self.network.theta, lambda: self.task.has_learned(outputs, y)
        )

    def _follow(self, row: HistoryRow) -> None:
        if self.stopping is None:
            return
        improved = self.stopping.update(row[self.stopping.monitor], self.iteration)
        if improved and self.stopping.restore_best:
            self.best = copies(network_arrays(self.network))

    def _finish(self) -> None:
        if self.best:
            self._ending = self.here()
            self._seen.clear()
            copy_into(network_arrays(self.network), self.best)

    def _progress(self) -> Progress:
        return Progress(self.iteration, self.iterations, self._loss, self.train_seconds)


def _under(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    """Those whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
