"""The training loop: updates, evaluations, early stopping, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from time import perf_counter
from typing import Any, cast

import numpy as np

from nnrun.engines.base import MOST_ITERATIONS
from nnrun.nn.signature import Array
from nnrun.training.moment import TrainingCore, find_divergence
from nnrun.training.state import (
    HistoryRow,
    TrainingState,
    copies,
    copy_into,
    network_arrays,
    under,
)
from nnrun.training.stopping import Cause
from nnrun.training.watched import add_record, record_in

# The loop yields after about this many seconds of updates, so that the caller can show progress,
# save a checkpoint or stop; and after this many updates at the latest.
_SECONDS_AT_ONCE = 0.05
_MOST_AT_ONCE = 1 << 24
# Messages about progress have this many evaluations.
_MOST_POINTS = 100


@dataclass(frozen=True)
class Progress:
    """How far training has come; the loss is that of the last evaluation.

    `history` are the evaluations so far, which grow while training goes on.
    """

    iteration: int
    total: int
    loss: float | None
    train_seconds: float
    history: Sequence[Mapping[str, float | None]] = ()

    def since(self, known: int) -> list[HistoryRow]:
        """Copies of the evaluations after the first `known` ones; not of a brief progress."""
        return [cast(HistoryRow, dict(row)) for row in self.history[known:]]

    def brief(self) -> Progress:
        """Progress with evenly spread evaluations, the last one included, by losses alone."""
        step = -(-len(self.history) // _MOST_POINTS) or 1
        rows = self.history[(len(self.history) - 1) % step :: step]
        return replace(self, history=[*map(_losses, rows)])


def _losses(row: Mapping[str, float | None]) -> dict[str, float | None]:
    found = {name: value for name, value in row.items() if name.endswith("_loss")}
    known = {name: v if v is not None and isfinite(v) else None for name, v in found.items()}
    return {"iteration": row["iteration"], **known}


@dataclass
class Trainer(TrainingCore):
    """Trains a network; iterating over `run()` does the work.

    `environments` are those of its updates so far, the present one last. Training only carries them
    from one process to the next.
    """

    environments: list[dict[str, Any]] = field(default_factory=list)
    _steps: int = 1
    _last: TrainingState | None = None  # before other weights were put into the network

    def run(self, until: int | None = None, *, at_once: bool = True) -> Iterator[Progress]:
        """Train to the end, to early stopping or to divergence; yields after each engine call.

        With `until`, pause at the first evaluation from that iteration on. Else a short run may be
        one call, but for `at_once`; its bits are the same.
        """
        if until is None and at_once and run_at_once(self):
            yield self._progress()
            return
        if self.parts and self.history and self.history[-1]["iteration"] == self.iteration:
            # The last row of a shorter run that this one continues is of all rows.
            self.history[-1] = self.evaluate_splits(whole=False)
        self.look()
        while self.goes_on:
            if until is not None and self.iteration >= until:
                return
            evaluation = min(
                (self.iteration // self.evaluate_every + 1) * self.evaluate_every, self.iterations
            )
            yield from self._advance_to(evaluation)
            cause = self._evaluate()
            if cause == "not_finite":
                self.divergence = find_divergence(self, cause)
                return
            if cause is None:
                self.last_good = self.snapshot()
            yield self._progress()
        self._finish()
        cause = self.check_divergence()
        if cause is not None:
            self.divergence = find_divergence(self, cause)

    def _evaluate(self) -> Cause | None:
        """Evaluate, add a row to the history, and return why the state counts as diverged, if so.

        Early stopping and schedules follow the parts of splits to the end, so that what they
        compare is of the same rows; the last row of the history is of all rows.
        """
        followed = self.stopping is not None or self.schedule.follows_loss
        whole = self.iteration == self.iterations and not followed
        row, cause = self.evaluate_splits(whole=whole), self.check_divergence(whole=whole)
        if cause != "not_finite":
            self._follow(row)
        if self.parts and not whole and (self._stopped or self.iteration == self.iterations):
            row, cause = self.evaluate_splits(), self.check_divergence()
        if cause != "not_finite":
            self.history.append(row)
            self._loss = float(row["train_loss"])
            self.look(last=not self.goes_on)
        return cause

    def checkpoint(self) -> TrainingState:
        """A copy of everything needed to continue later, with the same bits.

        That of a finished training is from before other weights were put into the network.
        """
        state, good = self.snapshot(), self.last_good
        if self._last is not None:
            state = TrainingState({**self._last.arrays}, {**self._last.values})
        if good.iteration != self.iteration:
            state.arrays.update({f"good.{name}": array for name, array in good.arrays.items()})
            state.values["good"] = good.values
        state.values["environments"] = [*self.environments]
        if self.watch is not None:
            add_record(state, self.watch.watched)
        return state

    def resume(self, checkpoint: TrainingState) -> None:
        """Continue from a checkpoint of the same run."""
        arrays, values = checkpoint.arrays, checkpoint.values
        own = {name: array for name, array in arrays.items() if not name.startswith("good.")}
        self.restore(TrainingState(own, values))
        earlier = [each for each in values["environments"] if each not in self.environments]
        self.environments = [*earlier, *self.environments]
        record = record_in(checkpoint)
        if self.watch is not None and record is not None:
            self.watch.restore(record)
        if "good" in values:
            self.last_good = TrainingState(under("good.", arrays), values["good"])
        else:
            self.last_good = self.snapshot()

    def ending(self) -> TrainingState:
        """What a longer run needs to continue from this finished one, besides its weights.

        The arrays are the optimizer's; and the last weights, if the best or an average are kept.
        """
        restored = self._last is not None
        state = self._last or self._current()
        known = () if restored else network_arrays(self.network)
        arrays: dict[str, Array] = {
            name: array
            for name, array in state.arrays.items()
            if name not in known and not name.startswith("best.")
        }
        reported = ("history", "train_seconds", "evaluation_seconds")
        return TrainingState(arrays, {k: v for k, v in state.values.items() if k not in reported})

    def _current(self) -> TrainingState:
        """The current state, which must not change any more."""
        return self.last_good if self.last_good.iteration == self.iteration else self.snapshot()

    @property
    def stopped_early(self) -> bool:
        """Whether training ended before its last iteration."""
        return self._stopped and self.iteration < self.iterations

    @property
    def goes_on(self) -> bool:
        """Whether there are more updates to make."""
        return self.iteration < self.iterations and not self._stopped

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

    def _follow(self, row: HistoryRow) -> None:
        self.schedule.observe(float(row.get("validation_loss", row["train_loss"])))
        if self.stopping is None:
            return
        improved = self.stopping.update(row[self.stopping.monitor], self.iteration)
        if improved and self.stopping.restore_best:
            self.best = copies(self.kept)

    def _finish(self) -> None:
        if self.best or self.optimizer.average is not None:
            self._last = self.snapshot()
        if self.best:
            self._evaluated.clear()
            copy_into(self.kept, self.best)
        copy_into(network_arrays(self.network), self.kept)

    def _progress(self) -> Progress:
        return Progress(
            self.iteration, self.iterations, self._loss, self.train_seconds, self.history
        )


def run_at_once(core: TrainingCore) -> bool:
    """Run all remaining updates in one call if nothing depends on evaluations; the same bits.

    Returns:
        False if updates remain: the run is long or large, stops early, is watched, or follows the
        losses of evaluations or batches, or averages weights. Or it has diverged: then it is back
        at its last good evaluation, for the loop to find where.
    """
    first = core.iteration
    followed = core.stopping is not None or core.schedule.follows_loss
    apart = followed or core.curve is not None or core.parts or core.watch is not None
    apart = apart or core.optimizer.average is not None
    if apart or first == core.iterations:
        return False
    every = core.evaluate_every
    iterations = list(range((first // every + 1) * every, core.iterations, every))
    iterations.append(core.iterations)
    found = core.engine.run_and_evaluate(
        core.steps(core.iterations - first),
        [iteration - first for iteration in iterations],
        [core.evaluator(name) for name in core.splits],
    )
    if found is None:
        return False
    begun = perf_counter()
    losses = dict(zip(core.splits, found.losses, strict=True))
    outputs = dict(zip(core.splits, found.outputs, strict=True))
    core.adopt(iterations, losses, outputs)
    # Arrays that are not finite stay so, and the last check finds them; a loss may come back.
    if not np.isfinite(losses["train"]).all() or core.check_divergence() is not None:
        core.restore(core.last_good)
        return False
    core.train_seconds += found.update_seconds
    core.evaluation_seconds += found.evaluation_seconds + perf_counter() - begun
    core.last_good = core.snapshot()
    return True
