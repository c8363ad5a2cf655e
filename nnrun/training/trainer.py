"""The loop: updates, evaluations, early stopping, divergence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from nnrun.engines.base import Batches, Engine
from nnrun.models.task import Task
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array, Rng
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.evaluation import Examples, evaluate
from nnrun.training.sampling import Sampler
from nnrun.training.state import (
    TrainingState,
    copies,
    copy_into,
    live_arrays,
    network_arrays,
)

HistoryRow = dict[str, float | int]

# Updates are made in stretches of about this many seconds, after each of which the loop can be
# watched, saved or left.
_STRETCH_SECONDS = 0.05
_MOST_ITERATIONS = 1 << 18
# Rows that a first loss is taken from, to have one to show before the first evaluation.
_GLANCE = 256


@dataclass(frozen=True)
class Divergence:
    """Where training left the range of numbers."""

    iteration: int
    parameter: str | None  # `<layer>.<name>`; None where only the loss overflowed
    last_good_loss: float  # on the training split
    last_good_iteration: int


@dataclass(frozen=True)
class Progress:
    """What there is to see after a stretch of updates."""

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
        stopping: early stopping, if any.
    """

    network: Network
    optimizer: Optimizer
    engine: Engine
    sampler: Sampler
    schedule: Schedule
    dropout: Rng
    parts: dict[str, Examples]
    task: Task
    iterations: int
    evaluate_every: int
    stopping: EarlyStopping | None = None

    iteration: int = 0
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    history: list[HistoryRow] = field(default_factory=list)
    divergence: Divergence | None = None
    _best: dict[str, Array] = field(default_factory=dict)
    _seen: dict[str, tuple[float, Array]] = field(default_factory=dict)
    _rate: float = 0.0
    _loss: float | None = None
    _stretch: int = 1

    def run(self) -> Iterator[Progress]:
        """Train to the end, stopping early or diverging; yields after every stretch."""
        good = self.state()
        if not self.history:
            self._loss = evaluate(self.network, self.parts["train"].head(_GLANCE))[0]
        while self.iteration < self.iterations and not self._stopped:
            evaluation = min(
                (self.iteration // self.evaluate_every + 1) * self.evaluate_every, self.iterations
            )
            yield from self._advance_to(evaluation)
            row = self._evaluate()
            if not self._sound(row):
                self.divergence = self._find_divergence(good)
                return
            self.history.append(row)
            self._loss = float(row["train_loss"])
            self._follow(row)
            good = self.state()
            yield self._progress()
        self._finish()

    def state(self) -> TrainingState:
        """A copy of everything needed to go on from here, to the same bits."""
        arrays = copies(live_arrays(self.network, self.optimizer))
        arrays.update({f"best.{name}": array for name, array in self._best.items()})
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

    def restore(self, state: TrainingState) -> None:
        """Go back to a state of the same run."""
        self._seen.clear()
        copy_into(live_arrays(self.network, self.optimizer), state.arrays)
        values = state.values
        self.iteration = values["iteration"]
        self.train_seconds = values["train_seconds"]
        self.evaluation_seconds = values["evaluation_seconds"]
        self._rate = values["rate"]
        self.history = list(values["history"])
        self._loss = float(self.history[-1]["train_loss"]) if self.history else None
        self.optimizer.steps = values["optimizer_steps"]
        self.sampler.restore(values["sampler"])
        self.dropout.bit_generator.state = values["dropout"]
        if self.stopping:
            self.stopping = EarlyStopping(**values["stopping"])
        self._best = {
            name.removeprefix("best."): array
            for name, array in state.arrays.items()
            if name.startswith("best.")
        }

    def evaluate(self, name: str) -> tuple[float, Array]:
        """The loss over a split and the outputs for its rows, with the weights as they are."""
        if name not in self._seen:
            self._seen[name] = evaluate(self.network, self.parts[name])
        return self._seen[name]

    @property
    def _stopped(self) -> bool:
        return self.stopping is not None and self.stopping.exhausted

    def _advance_to(self, goal: int) -> Iterator[Progress]:
        while self.iteration < goal:
            stretch = min(self._stretch, goal - self.iteration)
            start = perf_counter()
            self._update(stretch)
            seconds = perf_counter() - start
            self.train_seconds += seconds
            if self.iteration < goal:
                yield self._progress()
            growth = min(_STRETCH_SECONDS / max(seconds, 1e-6), 8.0)
            self._stretch = max(1, min(int(stretch * growth), _MOST_ITERATIONS))

    def _update(self, iterations: int) -> None:
        self._seen.clear()
        rows, bounds = self.sampler.take(iterations)
        steps = np.arange(self.iteration, self.iteration + iterations, dtype=np.float64)
        rates = self.schedule.rates(steps, self.iterations)
        self.engine.run(Batches(rows, bounds, rates))
        self.iteration += iterations
        self._rate = float(rates[-1])

    def _evaluate(self) -> HistoryRow:
        start = perf_counter()
        row: HistoryRow = {
            "iteration": self.iteration,
            "epoch": self.iteration / self.sampler.batches_per_epoch,
            "learning_rate": self._rate,
        }
        for name, part in self.parts.items():
            loss, outputs = self.evaluate(name)
            row[f"{name}_loss"] = loss
            for metric, value in self.task.quick_metrics(outputs, part.y).items():
                row[f"{name}_{metric}"] = value
        self.evaluation_seconds += perf_counter() - start
        return row

    def _sound(self, row: HistoryRow) -> bool:
        return isfinite(row["train_loss"]) and bool(np.isfinite(self.network.theta).all())

    def _follow(self, row: HistoryRow) -> None:
        if self.stopping is None:
            return
        improved = self.stopping.update(row[self.stopping.monitor], self.iteration)
        if improved and self.stopping.restore_best:
            self._best = copies(network_arrays(self.network))

    def _finish(self) -> None:
        if self._best:
            self._seen.clear()
            copy_into(network_arrays(self.network), self._best)

    def _progress(self) -> Progress:
        return Progress(self.iteration, self.iterations, self._loss, self.train_seconds)

    def _find_divergence(self, good: TrainingState) -> Divergence:
        """Go back to the last good evaluation and look for the update that went wrong.

        A parameter that has become infinite or NaN stays so, so halving finds the first.
        """
        end, last_good = self.iteration, good
        seconds = self.train_seconds, self.evaluation_seconds
        self.restore(good)
        loss, _ = self.evaluate("train")
        while end - self.iteration > 1:
            middle = (self.iteration + end) // 2
            while self.iteration < middle:
                self._update(min(middle - self.iteration, _MOST_ITERATIONS))
            if self._unsound_parameter() is None:
                good = self.state()
            else:
                end = middle
                self.restore(good)
        self._update(1)
        culprit = self._unsound_parameter()
        self.restore(last_good)
        self.train_seconds, self.evaluation_seconds = seconds
        return Divergence(end, culprit, loss, self.iteration)

    def _unsound_parameter(self) -> str | None:
        if np.isfinite(self.network.theta).all():
            return None
        parameters: dict[str, Any] = self.network.parameters
        return next(n for n, p in parameters.items() if not np.isfinite(p.value).all())
