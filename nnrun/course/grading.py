"""Grades: a student's config is compared with the start, trained, and asked the criteria."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import zip_longest
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import Experiment, config_from_dict, config_to_dict
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.settings import flatten
from nnrun.config.source_map import Source
from nnrun.config.yaml_scalars import flow
from nnrun.nn import Activation
from nnrun.nn.signature import Array
from nnrun.plugins.checker.findings import Finding, Points
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult
from nnrun.sweeps.planning.estimate import estimate

# A student's config, with the runs that its grade needs.

SEEDS = range(1001, 1006)
"""Of graded runs; the seed of a config is not used."""

_MOST_SECONDS = 2.0  # of one run, as a sweep estimates them


class UnmetError(Exception):
    """A criterion cannot be met; the message says why."""


class SlowError(UnmetError):
    """The runs of an attempt would take long, and are not made."""


@dataclass(frozen=True)
class Runs:
    """The runs of a config, one for each seed."""

    results: Sequence[RunResult]

    def values(self, split: str, metric: str) -> Array:
        """A metric of each run.

        Raises:
            UnmetError: some have none, since they diverged.
        """
        lost = sum(result.record.status != "completed" for result in self.results)
        if lost:
            raise UnmetError(f"training diverges with {lost} of {len(self.results)} seeds")
        return np.array([result.record.metrics[split][metric] for result in self.results])

    def mean(self, split: str, metric: str) -> float:
        """The mean of a metric; raises as `values` does."""
        return float(self.values(split, metric).mean())


class Attempt:
    """A config that a student hands in for an exercise.

    Args:
        experiment: the config.
        start: of the exercise.
        seeds: of the runs by which it is graded.
    """

    def __init__(
        self, experiment: Experiment, start: Experiment, seeds: Sequence[int] = SEEDS
    ) -> None:
        self.experiment = experiment
        self.start = start
        self.seeds = seeds
        self.error = ""
        """Why it cannot be graded, where its runs would take long."""

    @property
    def config(self) -> ExperimentConfig:
        """What the student has written."""
        return self.experiment.config

    @cached_property
    def prepared(self) -> Prepared:
        """Its run with the first seed.

        Raises:
            ConfigError: the network does not fit together, or does not fit the data.
        """
        return seeded(self.experiment, self.seeds[0])

    @property
    def runs(self) -> Runs:
        """Its runs."""
        return self.trained(self.experiment)

    @property
    def before(self) -> Runs:
        """Runs of the start."""
        return self.trained(self.start)

    def trained(self, experiment: Experiment) -> Runs:
        """The runs of an experiment, in memory.

        Raises:
            SlowError: they would take long.
        """
        try:
            return _trained(json.dumps(config_to_dict(experiment.config)), tuple(self.seeds))
        except SlowError as error:
            self.error = str(error)
            raise


def seeded(experiment: Experiment, seed: int) -> Prepared:
    """The run of an experiment with this seed, unwatched."""
    config = experiment.config
    training = config.training.model_copy(update={"watch": False})
    updates = {"seed": seed, "training": training}
    return prepare(replace(experiment, config=config.model_copy(update=updates)))


def changed(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with other values of these dotted keys."""
    content = config_to_dict(experiment.config)
    for key, value in values.items():
        *blocks, last = key.split(".")
        block = content
        for name in blocks:
            block = block[name]
        block[last] = value
    return Experiment(config_from_dict(content), Source(content), experiment.file)


@lru_cache(maxsize=16)  # starts, and what attempts are compared with, are the same for a class
def _trained(config: str, seeds: tuple[int, ...]) -> Runs:
    content, results = json.loads(config), []
    experiment = Experiment(config_from_dict(content), Source(content), Path())
    for seed in seeds:
        prepared = seeded(experiment, seed)
        if (seconds := estimate(prepared).seconds) > _MOST_SECONDS:
            most = f"at most {_MOST_SECONDS:.0f} s are graded"
            raise SlowError(f"a run takes about {seconds:.0f} s, and {most}")
        results.append(execute(prepared, None, Listener()))
    return Runs(results)


Verdict = tuple[bool, str]
"""Whether a criterion is met, and what was found, in a sentence."""
Check = Callable[[Attempt], Verdict]
"""Raises UnmetError if the criterion cannot be met."""

_TASK = "task"
_MOST_NAMED = 3
_SHOWN = ("accuracy", "mse")
_FREE = ("name", "description", "training.watch")  # they change no number


@dataclass(frozen=True)
class Criterion:
    """Something that an exercise asks for.

    Args:
        name: in tables, such as `small`.
        check: says whether an attempt meets it.
        hint: for those who do not meet it; a function where the advice depends on the attempt, and
            gives an empty text where all of it is followed already.
        kept: whether the start meets it. Then it earns no point, and without it others earn none.
    """

    name: str
    check: Check
    hint: str | Callable[[Attempt], str]
    kept: bool = False


@dataclass(frozen=True)
class Exercise:
    """The exercise of a lesson.

    Args:
        free: the keys that may be changed, and all keys within them.
        criteria: in the order in which they are checked.
    """

    free: Sequence[str]
    criteria: Sequence[Criterion]


@dataclass(frozen=True)
class Grade(Points):
    """What is met and what is not, by a finding for each criterion.

    What the start of an exercise meets has to stay so: it earns no point, and where it is not met,
    nothing else earns one.

    Args:
        lesson: its number.
        file: the hand-in.
        findings: a verdict of each criterion.
        kept: the criteria that the start meets.
        error: why the hand-in cannot be graded, where training it would take long.
        tests: means on test rows by metric, once everything is met.
    """

    lesson: int
    file: str
    findings: list[Finding]
    kept: frozenset[str]
    error: str = ""
    tests: Mapping[str, float] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """A point for each criterion that the start does not meet."""
        return sum(criterion["points"] for criterion in self.criteria)

    @property
    def of(self) -> int:
        return len(self.findings) - len(self.kept)

    @property
    def criteria(self) -> list[dict[str, Any]]:
        """Each criterion as JSON data: whether it is met, and its points."""
        counts = all(each.passed for each in self.findings if each.check in self.kept)
        return [
            {
                "name": each.check,
                "met": each.passed,
                "points": int(counts and each.passed and each.check not in self.kept),
            }
            for each in self.findings
        ]

    def to_dict(self) -> dict[str, Any]:
        """The grade as JSON data."""
        head = {"lesson": self.lesson, "file": self.file}
        return {**head, **self.counted(), "criteria": self.criteria, "tests": self.tests}


def grade(
    lesson: int,
    exercise: Exercise,
    experiment: Experiment,
    start: Experiment,
    seeds: Sequence[int] = SEEDS,
) -> Grade:
    """The grade of a config for a lesson, whose exercise begins with `start`.

    Raises:
        ConfigError: the network does not fit together, or does not fit the data.
    """
    attempt, file = Attempt(experiment, start, seeds), str(experiment.file)
    others = [*differences(experiment.config, start.config, exercise.free)]
    may = " or ".join(f"`{key}`" for key in exercise.free)
    kept = frozenset({_TASK, *(each.name for each in exercise.criteria if each.kept)})
    if others:
        more = f", and {len(others) - _MOST_NAMED} more" * (len(others) > _MOST_NAMED)
        says = f"{'; '.join(others[:_MOST_NAMED])}{more}"
        missed = Finding(_TASK, False, says, f"Change nothing but {may}.")
        why = "not checked, since other keys are changed, too"
        rest = [Finding(each.name, False, why, reached=False) for each in exercise.criteria]
        return Grade(lesson, file, [missed, *rest], kept)
    _ = attempt.prepared  # whose errors are those of the config
    task = Finding(_TASK, True, "only the allowed keys are changed")
    findings = [task, *(_found(each, attempt) for each in exercise.criteria)]
    tests = _tests(attempt) if all(each.passed for each in findings) else {}
    return Grade(lesson, file, findings, kept, attempt.error, tests)


def _found(criterion: Criterion, attempt: Attempt) -> Finding:
    hint = ""
    try:
        met, says = criterion.check(attempt)
    except UnmetError as error:
        met, says = False, str(error)
    with suppress(UnmetError):  # the advice may be about runs, too
        hint = criterion.hint if isinstance(criterion.hint, str) else criterion.hint(attempt)
    return Finding(criterion.name, met, says, "" if met else hint)


def _tests(attempt: Attempt) -> dict[str, float]:
    """The numbers of test rows: until the end they choose nothing, and so are not shown."""
    with suppress(UnmetError):
        metrics = attempt.runs.results[0].record.metrics.get("test", {})
        return {name: attempt.runs.mean("test", name) for name in _SHOWN if name in metrics}
    return {}


def differences(
    config: ExperimentConfig, start: ExperimentConfig, free: Sequence[str]
) -> Iterator[str]:
    """The differences between a config and a start, except for the keys that may be changed."""
    ours, theirs = (flatten(config_to_dict(each)) for each in (config, start))
    for key in {**theirs, **ours}:
        may = any(f"{key}.".startswith(f"{part}.") for part in (*free, *_FREE))
        if not may and (key not in ours or key not in theirs or ours[key] != theirs[key]):
            mine, given = (flow(each[key]) if key in each else "not set" for each in (ours, theirs))
            yield f"{key} is {mine}, and {given} in the exercise"


# Criteria that several exercises share.


def types(config: ExperimentConfig) -> list[str]:
    """The types of all layers, each before those inside it."""
    return [layer.type for _, layer in config.network.named_layers()]


def same_widths(attempt: Attempt) -> Verdict:
    """The dense layers are those of the exercise; others may stand between them."""
    ours, wanted = (_widths(each.config) for each in (attempt, attempt.start))
    if ours != wanted:
        return False, f"its dense layers have {ours} units; the exercise has {wanted}"
    return True, "its dense layers are as wide as in the exercise"


def same_layers(*between: str) -> Check:
    """The layers are those of the exercise, activations and first weights too.

    Others of these types may stand between them.
    """

    def check(attempt: Attempt) -> Verdict:
        met, says = same_widths(attempt)
        pairs = zip_longest(_steps(attempt.config, between), _steps(attempt.start.config, ()))
        for mine, theirs in ((ours or {}, other or {}) for ours, other in pairs):
            if met and mine != theirs:
                keys = [key for key in theirs | mine if mine.get(key) != theirs.get(key)]
                one, other = (flow({key: e.get(key) for key in keys}) for e in (mine, theirs))
                return False, f"where the exercise has {other}, it has {one}"
        return met, says

    return check


def _steps(config: ExperimentConfig, without: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The layers of a config, each activation behind the layer that it is written in."""
    for layer in config_to_dict(config)["network"]["layers"]:
        activation = layer.pop("activation", None)
        if layer["type"] not in without:
            yield layer
        if activation not in (None, "linear"):
            yield {"type": "activation", "name": activation}


def at_most(parameters: int) -> Check:
    """The network has no more parameters than this."""

    def check(attempt: Attempt) -> Verdict:
        network = attempt.prepared.network
        name, largest = max(network.parameters.items(), key=lambda item: item[1].size)
        where = f"{largest.size:,} of them in {name}"
        says = f"it has {network.size:,} parameters, {where}; it may have {parameters:,}"
        return network.size <= parameters, says

    return check


def accurate(least: float) -> Check:
    """The mean accuracy on test rows is at least this."""
    return lambda attempt: accuracy_of(attempt.runs, least)


def accuracy_of(runs: Runs, least: float) -> Verdict:
    """Whether the mean accuracy on test rows is at least this, without its number."""
    if runs.mean("test", "accuracy") >= least:
        return True, f"its accuracy on new rows is {least:g} or more"
    known = runs.mean("train", "accuracy")
    return False, f"its accuracy on new rows is below {least:g}; on training rows it is {known:.3f}"


def ends(attempt: Attempt) -> Verdict:
    """No run diverges."""
    runs = attempt.runs.values("train", "loss")
    return True, f"training ends well with all {len(runs)} seeds"


def _widths(config: ExperimentConfig) -> list[int]:
    layers = (layer for _, layer in config.network.named_layers())
    return [vars(layer)["units"] for layer in layers if layer.type == "dense"]


def bends(attempt: Attempt) -> Verdict:
    """Some hidden layer is not linear."""
    if any(isinstance(layer, Activation) for layer in attempt.prepared.network.steps):
        return True, "there is an activation between its matrices"
    return False, "it is linear: two matrices in a row are one matrix"


def bends_everywhere(attempt: Attempt) -> Verdict:
    """Every hidden layer has an activation that is not linear."""
    found = sum(isinstance(layer, Activation) for layer in attempt.prepared.network.steps)
    hidden = len(_widths(attempt.config)) - 1
    if found >= hidden:
        return True, "every hidden layer has an activation"
    return False, f"{found} of {hidden} hidden layers have an activation that is not linear"


# Lessons 1 and 4: linear models, whose smallest error is known.


def _least_squares(attempt: Attempt, seed: int) -> float:
    """The smallest mean squared error that a linear model has on the training rows."""
    rows = seeded(attempt.start, seed).examples["train"]
    x = np.column_stack([rows.x, np.ones(len(rows))])
    w = np.linalg.lstsq(x, rows.target, rcond=None)[0]
    return float(np.mean((x @ w - rows.target) ** 2))


def _near(most: float) -> Check:
    """The training error is near the smallest."""

    def check(attempt: Attempt) -> Verdict:
        best = np.array([_least_squares(attempt, seed) for seed in attempt.seeds])
        above = float(np.mean(attempt.runs.values("train", "mse") / best)) - 1
        says = f"its training error is {above:.1%} above the smallest there is; {most:.0%} passes"
        return above <= most, says

    return check


def _settles(attempt: Attempt) -> Verdict:
    """Training ends lower than with the largest rate all the time."""
    schedule, total = attempt.prepared.schedule, attempt.prepared.iterations
    asked = 1 if schedule.follows_loss else total  # others know their rates before training
    peak = float(schedule.rates(np.arange(asked), total).max())
    ours = attempt.runs.values("train", "mse")
    try:
        constant = attempt.trained(changed(attempt.experiment, {"training.learning_rate": peak}))
        lower = int((ours < constant.values("train", "mse")).sum())
    except UnmetError:
        return True, f"it ends well, and a constant rate of {peak:g} diverges"
    seeds = len(attempt.seeds)
    says = f"it ends lower than with a constant rate of {peak:g} for {lower} of {seeds} seeds"
    return lower == seeds, says


def _survives(attempt: Attempt) -> str:
    if attempt.config.dataset.features:
        return "Take a smaller rate."
    return "The larger the features, the smaller the largest rate."


def _on_one_scale(attempt: Attempt) -> str:
    if attempt.config.dataset.features:
        return "The features are on one scale, and a rate for them is left to find."
    return "Bring all features to one scale, so that one rate suits every weight."


def _let_it_fall(attempt: Attempt) -> str:
    rate = attempt.config.training.learning_rate
    falls = "Let it end nearer to zero, or take larger steps before."
    constant = isinstance(rate, float)
    return "A constant rate jumps about the minimum; let it fall." if constant else falls


LINEAR_MODEL = Exercise(
    ("dataset.features", "training.learning_rate"),
    (
        Criterion("stable", ends, _survives),
        Criterion(
            "least squares",
            _near(0.05),
            _on_one_scale,
        ),
    ),
)
SCHEDULE = Exercise(
    ("training.learning_rate",),
    (
        Criterion("stable", ends, "Begin with a smaller rate.", kept=True),
        Criterion("settles", _settles, _let_it_fall),
        Criterion(
            "close",
            _near(0.01),
            "Begin with a rate not far below the largest that works, and end near zero.",
        ),
    ),
)


# Lessons 2 and 5: what a hidden layer and what a convolution are for.

_MOST = 450  # parameters
_AHEAD = 0.8  # of the seeds


def _convolves(attempt: Attempt) -> Verdict:
    count = types(attempt.config).count("conv2d")
    return count > 0, f"it has {count} conv2d layer{'s' * (count != 1)}"


def _beats_dense(attempt: Attempt) -> Verdict:
    """It is more accurate than a dense network that may have as many parameters."""
    network = attempt.prepared.network
    if network.size > _MOST:
        return False, f"it may have {_MOST} parameters, and is not compared"
    inputs, outputs = prod(network.input_shape), prod(network.output_shape)
    units = (_MOST - outputs) // (inputs + 1 + outputs)
    layers: list[dict[str, Any]] = [
        {"type": "flatten"},
        {"type": "dense", "units": units, "activation": "relu"},
        {"type": "dense", "units": outputs, "activation": "softmax"},
    ]
    dense = attempt.trained(changed(attempt.start, {"network": {"layers": layers}}))
    ours, theirs = (runs.values("test", "accuracy") for runs in (attempt.runs, dense))
    ahead, needed = int((ours > theirs).sum()), ceil(_AHEAD * len(attempt.seeds))
    says = f"on new rows it is ahead of a dense network with {units} hidden units for {ahead} of "
    return ahead >= needed, f"{says}{len(attempt.seeds)} seeds; {needed} are needed"


_SMALL = 30  # parameters


def _bend(attempt: Attempt) -> str:
    if len(_widths(attempt.config)) > 1:
        return "Give the hidden layer another activation than linear."
    return "Put a hidden layer before the last, with an activation that is not linear."


def _more_lines(attempt: Attempt) -> str:
    """More hidden units, where these are not linear, and there is room for another."""
    network = attempt.prepared.network
    more = prod(network.input_shape) + 1 + prod(network.output_shape)
    if not bends(attempt)[0] or network.size + more > _SMALL:
        return ""
    return f"Each hidden unit is one line; take as many as {_SMALL} parameters allow."


HIDDEN_LAYER = Exercise(
    ("network",),
    (
        Criterion("not linear", bends, _bend),
        Criterion("small", at_most(_SMALL), "A few lines are enough to go around a circle."),
        Criterion("accurate", accurate(0.9), _more_lines),
    ),
)
CONVOLUTION = Exercise(
    ("network",),
    (
        Criterion("convolution", _convolves, "Put a conv2d before the flatten."),
        Criterion(
            "small",
            at_most(_MOST),
            "Take fewer channels, or pool before the flatten: the dense layer has a weight for "
            "each number that comes in and each class.",
        ),
        Criterion(
            "better than dense",
            _beats_dense,
            "A small kernel looks for the same strokes everywhere; one as large as the image is a "
            "dense layer.",
        ),
    ),
)
