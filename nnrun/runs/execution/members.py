"""Training the members of a run one after the other, and joining what they predict.

The run predicts with the mean of the members' outputs. Targets are scaled by a line, so that this
is the mean of their values; of classes it is the mean of their probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np

from nnrun.data.rows import Places
from nnrun.models.load import of_member, of_members, weights_of
from nnrun.models.model import Model, variance_of
from nnrun.models.scores import Metrics
from nnrun.models.task import Task
from nnrun.nn.losses import Weighted
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import Description
from nnrun.runs.execution.result import Ending, timing_of
from nnrun.runs.metrics import baselines_of, metrics_of
from nnrun.runs.preparation.members import Member, members_of
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.state import HistoryRow, PreparedSplit, TrainingState
from nnrun.training.trainer import Progress, Trainer

# The states of several networks as one, whose values are those of the last one.


def joined_states(states: Sequence[TrainingState]) -> TrainingState:
    """The states of the members so far as one."""
    arrays = of_members([state.arrays for state in states])
    values = {**states[-1].values, "members": [state.values for state in states]}
    return TrainingState(arrays, values)


def separate_states(state: TrainingState | None) -> list[TrainingState]:
    """The states of the members in a state as `joined_states` makes it."""
    if state is None:
        return []
    return [
        TrainingState(of_member(state.arrays, number), own)
        for number, own in enumerate(state.values["members"])
    ]


def updates_of(states: Sequence[TrainingState]) -> int:
    """The updates of all members so far."""
    return sum(state.iteration for state in states)


class OfMember(Listener):
    """Hands on the events of one member as those of the run.

    Args:
        listener: to the run's.
        run: of the members.
        states: of those before it.
        planned: the updates that each member may have.
    """

    def __init__(
        self,
        listener: Listener,
        run: Prepared,
        states: Sequence[TrainingState],
        planned: Sequence[int],
    ) -> None:
        super().__init__(stop=listener.stop, warn=listener.warn, wait=listener.wait)
        self.follows, self.decides = listener.follows, listener.decides
        self._listener, self._run, self._states = listener, run, states
        self._planned, self._total = sum(planned[: len(states)]), sum(planned)
        self._before = updates_of(states)
        self._seconds = sum(state.values["train_seconds"] for state in states)

    def started(self, run: Prepared, iteration: int) -> None:
        if not self._states:
            self._listener.started(self._run, iteration)

    def progressed(self, run: Prepared, progress: Progress) -> None:
        self._listener.progressed(
            self._run,
            replace(
                progress,
                iteration=self._planned + progress.iteration,
                total=self._total,
                train_seconds=self._seconds + progress.train_seconds,
            ),
        )

    def evaluated(self, run: Prepared, rows: Sequence[HistoryRow]) -> bool | None:
        counted = [{**row, "iteration": self._before + int(row["iteration"])} for row in rows]
        return self._listener.evaluated(self._run, counted)

    def checkpoint(self, state: Callable[[], TrainingState]) -> None:
        self._listener.checkpoint(lambda: joined_states([*self._states, state()]))


# What members predict together, and each of them alone.


class Judged(NamedTuple):
    """What a member puts out for the rows of a split, and what they are."""

    loss: float
    outputs: Array
    y: Array
    weight: Array | None

    def metrics(self, task: Task, names: Sequence[str]) -> Metrics:
        """The metrics of the member alone."""
        return metrics_of(task, self.loss, self.outputs, self.y, names, self.weight)


@dataclass
class Joining:
    """Collects what members have when their training ends.

    Args:
        run: their run.
        diverged: whether the last one has diverged, which ends the run.
    """

    run: Prepared
    diverged: bool = False
    states: list[TrainingState] = field(default_factory=list)
    _trainer: Trainer | None = None  # that the report describes
    _member: Member | None = None
    _endings: list[TrainingState] = field(default_factory=list)
    _weights: list[dict[str, Array]] = field(default_factory=list)
    _judged: list[dict[str, Judged]] = field(default_factory=list)
    _sums: dict[str, Array] = field(default_factory=dict)
    _over: list[Array] = field(default_factory=list)  # the pool, the outputs of each
    _held_out: list[Array] = field(default_factory=list)  # whether rows of the pool were, by member
    _pool: PreparedSplit | None = None

    def add(self, member: Member, trainer: Trainer) -> None:
        """Add a member whose training has ended, at its end or before."""
        if self._trainer is None or trainer.divergence is not None:
            self._trainer, self._member = trainer, member
        self.diverged = trainer.divergence is not None
        if self.diverged:
            return
        parts = dict(member.examples)
        evaluations = {name: trainer.evaluate(name) for name in parts}
        if member.calibration is not None:
            parts["calibration"] = member.calibration
            evaluations["calibration"] = trainer.evaluate_rows(member.calibration)
        self._judged.append(
            {
                name: Judged(*evaluation, part.y, part.sample_weight)
                for name, evaluation in evaluations.items()
                for part in [parts[name]]
            }
        )
        self.states.append(trainer.checkpoint())
        self._endings.append(trainer.ending())
        with trainer.averaged():
            self._weights.append(weights_of(trainer.network))
        outputs = {name: given for name, (_, given) in evaluations.items()}
        if member.pool is not None:
            self._pool = member.pool
            outputs = self._over_pool(member, outputs)
        for name, given in outputs.items():
            self._sums[name] = self._sums[name] + given if name in self._sums else given

    def _over_pool(self, member: Member, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs for the training rows of the run, and for each row if it was held out."""
        train, held_out = member.places
        rows = len(train) + len(held_out)
        whole = np.zeros((rows, *outputs["train"].shape[1:]), outputs["train"].dtype)
        whole[held_out] = outputs["validation"]
        validation = whole.copy()
        whole[train] = outputs["train"]
        if self.run.dataset.task == "regression":
            self._over.append(whole)
        self._held_out.append(np.isin(np.arange(rows), held_out))
        return {**outputs, "train": whole[: len(self.run.split.train)], "validation": validation}

    def ending(self) -> Ending:
        """The ending of the run, with the curves of its first member, or of one that diverged."""
        assert self._trainer is not None  # one has been added
        assert self._member is not None
        if self.diverged:
            ended = Ending.of(self._member, self._trainer)
            described = partial(self._described, {})
            return replace(ended, weights=None, networks=len(self.states) + 1, members=described)
        states, count = self.states, len(self.states)
        examples, times, pool = dict(self.run.examples), None, None
        variances: dict[str, Array] = {
            name: variance_of([each[name].outputs for each in self._judged])
            for name in ("calibration", "test", *["validation"] * (self._pool is None))
            if self._varies and name in self._judged[0]
        }
        outputs = {name: total / count for name, total in self._sums.items()}
        aside = outputs.pop("calibration", None)
        if self._pool is not None:
            held_out = np.stack(self._held_out)
            judged = np.flatnonzero(held_out.any(axis=0))
            split = self.run.split
            pool = np.concatenate([split.train.rows, split.held_out["validation"].rows])[judged]
            examples["validation"] = self._pool.part(judged)
            times = held_out.sum(axis=0)[judged, np.newaxis].astype(self._sums["validation"].dtype)
            outputs["validation"] = self._sums["validation"][judged] / times
            if self._varies:
                each = np.stack([whole[judged] for whole in self._over])
                variances["validation"] = _variance_if_new(each, held_out[:, judged])
        evaluations = {
            name: (loss_of(self.run, examples[name], given), given)
            for name, given in outputs.items()
        }
        seconds, waiting, iterations = (
            sum(state.values[key] for state in states)
            for key in ("train_seconds", "evaluation_seconds", "iteration")
        )
        return Ending(
            self._trainer,
            examples,
            evaluations,
            weights=of_members(self._weights),
            timing=timing_of(seconds, waiting, iterations),
            checkpoint=partial(joined_states, states),
            ending=partial(joined_states, self._endings),
            baseline=None if self._pool is None else self._baseline(examples),
            networks=count,
            members=partial(self._described, examples),
            variances=variances,
            times=times,
            judged=pool,
            aside=aside,
        )

    @property
    def _varies(self) -> bool:
        """Whether the outputs have a variance that is asked for: intervals are scaled by it."""
        return len(self.states) > 1 and self.run.dataset.task == "regression"

    def _baseline(self, examples: Mapping[str, PreparedSplit]) -> dict[str, Metrics | None]:
        run = self.run
        judged = baselines_of(run.task, run.loss, examples, run.metrics)["validation"]
        return {**run.baseline, "validation": judged}

    def _described(self, examples: Mapping[str, PreparedSplit], task: Task) -> Description:
        """What the members reach alone: of each metric the mean and the standard deviation."""
        config, names = self.run.config, self.run.metrics
        own = config.own_validation
        return {
            "number": config.networks,
            "validation": "own" if own else "shared",
            **({"rows_judged": len(examples["validation"])} if own and examples else {}),
            "iterations": [state.values["iteration"] for state in self.states],
            "metrics": {
                name: _spread([each[name].metrics(task, names) for each in self._judged])
                for name in examples
            },
        }


def _variance_if_new(each: Array, held_out: Array) -> Array:
    """The variance that members would have for these rows if none were trained on them.

    It is that of the members trained on a row, which differ less than others do, by a factor of all
    rows: from those that several members were not trained on, whose variance there is right. Fewer
    than 20 of these say too little of it, and a factor that is too large makes intervals too
    narrow: then it is 1.

    Args:
        each: the outputs of each member, (members, rows, outputs).
        held_out: whether the row was held out from the member, (members, rows).
    """
    known, new = _variance_among(each, ~held_out), _variance_among(each, held_out)
    both = np.isfinite(known) & np.isfinite(new)
    enough = both.sum() >= 20 * both.shape[1]
    factor = new[both].mean() / (known[both].mean() or 1.0) if enough else 1.0
    return np.where(np.isfinite(known), factor * known, variance_of(list(each)))


@np.errstate(all="ignore")
def _variance_among(each: Array, included: Array) -> Array:
    """The variance of the included outputs, (rows, outputs); NaN where there are not two."""
    weight, exact = included[:, :, np.newaxis], each.astype(np.float64)
    number = weight.sum(axis=0)
    mean = (weight * exact).sum(axis=0) / number
    squares: Array = (weight * (exact - mean) ** 2).sum(axis=0)
    return np.where(number > 1, squares / (number - 1), np.nan)


def loss_of(run: Prepared, part: PreparedSplit, outputs: Array) -> float:
    """The loss of outputs that several networks have together."""
    loss = run.loss
    assert loss is not None  # networks have one
    exact = outputs.astype(np.float64)
    if part.weight is None:
        return loss.value(exact, part.target)
    return Weighted(loss).value(exact, part.loss_target.astype(np.float64))


def outputs_of_held_out(
    run: Prepared, model: Model, split: str
) -> tuple[PreparedSplit, Array, Places]:
    """The rows of a split that was held out, the outputs of a stored run for them, and their
    numbers in the data set.

    If members have validation rows of their own, each row is judged by those that were not trained
    on it.
    """
    if split != "validation" or not run.config.own_validation:
        part = run.examples[split]
        rows = run.split.held_out[split]
        return part, model.evaluate(rows.raw), np.asarray(rows.rows)
    members = members_of(run)
    pool = members[0].pool
    assert pool is not None
    total = np.zeros((len(pool), *model.network.output_shape))
    times = np.zeros((len(pool), 1), np.intp)
    with np.errstate(all="ignore"):
        for member, network in zip(members, model.networks, strict=True):
            x = member.examples["validation"].x
            for start in range(0, len(x), step := chunk_rows(network)):
                places = member.places[1][start : start + step]
                total[places] += network.predict(x[start : start + step])
                times[places] += 1
    judged = np.flatnonzero(times)
    parts = [run.split.train, *filter(None, [run.split.validation])]
    numbers = np.concatenate([np.asarray(part.rows) for part in parts])[judged]
    return pool.part(judged), total[judged] / times[judged], numbers


def _spread(metrics: Sequence[Any]) -> dict[str, dict[str, float | None]]:
    """The mean and the standard deviation of each metric that is a number for all members."""
    found = {}
    for name in metrics[0]:
        values = [each.get(name) for each in metrics]
        if all(type(value) in (int, float) for value in values):
            found[name] = {
                "mean": fmean(values),
                "sd": stdev(values) if len(values) > 1 else None,
            }
    return found
