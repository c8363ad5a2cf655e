"""The lessons, and the criteria of their exercises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import config_to_dict, load_config
from nnrun.course.files import OWN_GRADIENT, OWN_LAYER
from nnrun.course.grading import (
    CONVOLUTION,
    HIDDEN_LAYER,
    LINEAR_MODEL,
    SCHEDULE,
    Attempt,
    Check,
    Criterion,
    Exercise,
    Grade,
    Verdict,
    accuracy_of,
    accurate,
    bends_everywhere,
    changed,
    differences,
    grade,
    same_layers,
    same_widths,
    seeded,
    types,
)
from nnrun.course.own_exercise import load_exercise
from nnrun.course.own_gradient import grade_gradient
from nnrun.course.own_layer import grade_layer
from nnrun.course.variants import name_in, start
from nnrun.nn import Activation
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis.inputs import in_words
from nnrun.runs.events import Listener
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.rows import Row
from nnrun.sweeps.planning.arguments import Arguments, seeds_of
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep, local_workers

_ROWS = 256
_MOST_CHANGE = 3.0
_ACCURACY = 0.8


def _dense_alone(attempt: Attempt) -> Verdict:
    """There are dense layers and no others, as many as before and as wide."""
    others = {*types(attempt.config)} - {"dense"}
    if others:
        return False, f"it has {' and '.join(sorted(others))} beside its dense layers"
    return same_widths(attempt)


def _growth(attempt: Attempt, seed: int) -> tuple[float, float]:
    """How much larger values, and gradients, become on their way through the hidden layers.

    Before training, as ratios of root mean squares behind the activations.
    """
    prepared = seeded(attempt.experiment, seed)
    network, rows = prepared.network, prepared.examples["train"]
    x, target = rows.x[:_ROWS], rows.target[:_ROWS]
    network.initialize(rng=prepared.streams.weights)
    layers, values, gradients = network.active_layers, list[float](), list[float]()
    for layer in layers:
        x = layer.forward(x, prepared.streams.dropout)
        values.append(_size(x))
    dy = network.loss.gradient(x, target)
    for layer in reversed(layers):
        gradients.insert(0, _size(dy))
        dy = layer.backward(dy)
    hidden = [index for index, layer in enumerate(layers) if isinstance(layer, Activation)]
    first, last = (hidden[0], hidden[-1]) if hidden else (0, -1)  # where all is linear
    return _ratio(values[last], values[first]), _ratio(gradients[first], gradients[last])


def _size(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))


def _ratio(after: float, before: float) -> float:
    return after / before if before else 0.0  # nothing arrives where all weights are zero


def _keeps(what: str, which: int) -> Check:
    """They keep their size on the way, in the geometric mean over seeds."""

    def check(attempt: Attempt) -> Verdict:
        factors = [_growth(attempt, seed)[which] for seed in attempt.seeds]
        factor = float(np.prod(factors)) ** (1 / len(factors))
        grown = f"{what} become {in_words(factor, '.2g')} times as large through the layers"
        says = f"{grown}; 1/3 to 3 is needed"
        return 1 / _MOST_CHANGE <= factor <= _MOST_CHANGE, says

    return check


def _at_scale(factor: float) -> Check:
    """It learns with initial weights this many times as large."""

    def check(attempt: Attempt) -> Verdict:
        layers = config_to_dict(attempt.config)["network"]["layers"]
        scaled = changed(attempt.experiment, {"network.layers": _scaled(layers, factor)})
        return accuracy_of(attempt.trained(scaled), _ACCURACY)

    return check


def _scaled(layers: Any, factor: float) -> Any:
    """The layers, with every scale of initial weights multiplied."""
    if isinstance(layers, list):
        return [_scaled(each, factor) for each in layers]
    if not isinstance(layers, dict):
        return layers
    return {
        key: each * factor if key == "scale" else _scaled(each, factor)
        for key, each in layers.items()
    }


def _normalizes(attempt: Attempt) -> Verdict:
    """There is a batch_norm between dense layers."""
    kinds = types(attempt.config)
    hidden = kinds[kinds.index("dense") : len(kinds) - kinds[::-1].index("dense")]
    count = hidden.count("batch_norm")
    return count > 0, f"it has {count} batch_norm between its dense layers"


_BENT = "Give every hidden layer an activation: lesson 3 says what happens without."
_SPREAD = "With n inputs take weights of variance 2/n before relu, and 1/n before tanh."
_FEW_ROWS = 16


def _normalized(attempt: Attempt) -> str:
    """The advice that is not followed yet."""
    pairs = pairwise(attempt.prepared.network.steps)
    placed = sum(a.type == "batch_norm" and isinstance(b, Activation) for a, b in pairs)
    missing = placed < types(attempt.config).count("dense") - 1
    norm = "Put batch_norm between the matrix and the activation of every hidden layer. " * missing
    few = attempt.config.training.batch_size < _FEW_ROWS
    return (norm + "Take batches of more rows: the mean of a few says little." * few).rstrip()


INITIALIZATION = Exercise(
    ("network",),
    (
        Criterion("layers", _dense_alone, "Change initializer or activations alone.", kept=True),
        Criterion("nonlinear", bends_everywhere, _BENT, kept=True),
        Criterion("forward", _keeps("values", 0), _SPREAD),
        Criterion("backward", _keeps("gradients", 1), _SPREAD),
        Criterion("learns", accurate(_ACCURACY), _SPREAD),
    ),
)
NORMALIZATION = Exercise(
    ("network", "training.batch_size"),
    (
        Criterion("layers", same_layers("batch_norm"), "Add batch_norm alone.", kept=True),
        Criterion("batch_norm", _normalizes, _normalized),
        *(
            Criterion(f"weights × {factor:g}", _at_scale(factor), _normalized)
            for factor in (0.3, 1.0, 3.0)
        ),
    ),
)


# Lessons 7 and 9: errors on new rows.

_LESS_LOSS, _LESS_GAP = 0.75, 0.5  # of those of the start
_POINTS = 100  # of the curve that is graded
_FEWEST_POINTS = 20  # of the student's
_ABOVE = 0.05


def _better(attempt: Attempt) -> Verdict:
    """The loss on test rows is well below that of the start."""
    ours, before = (runs.mean("test", "loss") for runs in (attempt.runs, attempt.before))
    met = ours <= _LESS_LOSS * before
    return met, f"on new rows its loss has {'' if met else 'not '}fallen by a quarter"


def _gap(attempt: Attempt) -> Verdict:
    """Test and training loss are closer to each other than at the start."""
    ours, before = (
        runs.mean("test", "loss") - runs.mean("train", "loss")
        for runs in (attempt.runs, attempt.before)
    )
    met = ours <= _LESS_GAP * before
    return met, f"the gap between test and training loss is {'' if met else 'not '}halved"


def _still_bends(attempt: Attempt) -> Verdict:
    """It is better than a linear model, so that not everything is smoothed away."""
    layers = [{"type": "dense", "units": 2, "activation": "softmax"}]
    linear = attempt.trained(changed(attempt.start, {"network": {"layers": layers}}))
    ours, theirs = (runs.mean("test", "loss") for runs in (attempt.runs, linear))
    met = ours < theirs
    return met, f"on new rows it is {'' if met else 'not '}better than a linear model"


def _readable(attempt: Attempt) -> Verdict:
    """A curve of all iterations of the exercise has enough points."""
    whole, every = attempt.start.config.training.iterations or 0, attempt.prepared.evaluate_every
    points, asked = whole // every, f"{_FEWEST_POINTS} are asked for"
    return points >= _FEWEST_POINTS, f"the whole curve has {points} points; {asked}"


def _minimum(attempt: Attempt) -> Verdict:
    """It ends where the mean validation curve of the start is near its lowest point."""
    whole, ours = attempt.start.config.training.iterations or 0, attempt.prepared.iterations
    if ours > whole:
        return False, f"{ours:,} iterations are more than the {whole:,} of the exercise"
    often = {"training.evaluate_every": whole // _POINTS}
    results = attempt.trained(changed(attempt.start, often)).results
    at = np.array([row["iteration"] for row in results[0].history])
    curve = np.mean([[row["validation_loss"] for row in r.history] for r in results], axis=0)
    mine, least = float(np.interp(ours, at, curve)), float(curve.min())
    way = "still falls" if ours < at[curve.argmin()] else "rises again"
    says = f"after {ours:,} iterations the mean validation loss is {mine:.3f}"
    if mine <= (1 + _ABOVE) * least:
        return True, f"{says}, at its lowest {least:.3f}"
    return False, f"{says} and {way}: it is {mine / least - 1:.1%} above the lowest"


def _strength(attempt: Attempt) -> str:
    """One advice for all: a network that knows its rows needs more, and where the gap is closed
    less.
    """
    if attempt.config.training == attempt.start.config.training and "dropout" not in types(
        attempt.config
    ):
        return "Try weight_decay, dropout, early_stopping, or augment with noise."
    less = "Regularize less, so that it can still bend."
    return less if _gap(attempt)[0] else "Regularize more."


REGULARIZATION = Exercise(
    ("network", "training.optimizer.weight_decay", "training.early_stopping", "training.augment"),
    (
        Criterion("layers", same_layers("dropout"), "Add dropout alone.", kept=True),
        Criterion("new rows", _better, _strength),
        Criterion("gap", _gap, _strength),
        Criterion("not too much", _still_bends, _strength),
    ),
)
LEARNING_CURVE = Exercise(
    ("training.iterations", "training.evaluate_every"),
    (
        Criterion("readable", _readable, "Evaluate more often, by a smaller evaluate_every."),
        Criterion(
            "minimum",
            _minimum,
            "Train all iterations, find the lowest validation loss in the curve of nnrun show, and "
            "end there.",
        ),
    ),
)


# Lesson 10: which settings runs can tell apart.

_KEY = "training.learning_rate"
_FEWEST = 5
_LEAST_SHARE = 0.1
_GRADED = ("seed=range(1001, 1011)", "dataset.validation_size=0.2")


def _several(attempt: Attempt) -> Verdict:
    sweep = attempt.config.sweep
    if sweep is not None and not isinstance(sweep.seeds, int | None):
        return False, "its seeds are chosen one by one; a number of them is asked for"
    seeds = len(seeds_of(attempt.experiment, (), None))
    return seeds >= _FEWEST, f"seeds for each setting: {seeds}; at least {_FEWEST} are asked for"


def _by_validation(attempt: Attempt) -> Verdict:
    split = attempt.prepared.split
    if split.validation is None:
        return False, "the board is ordered by the test split"
    rows, others = len(split.validation), len(split.train)
    says = f"the board is ordered by {rows} validation rows, of {rows + others} without test rows"
    return _LEAST_SHARE <= rows / (rows + others) <= 1 / 2, f"{says}; a tenth to a half will do"


def _kept(attempt: Attempt) -> Verdict:
    """No rate is missing that may be the best."""
    left = _left(attempt)
    lost = [_rate(row) for row in _rows(attempt) if row.tied and _rate(row) not in left]
    if not lost:
        return True, "every rate that may be the best is kept"
    return False, f"dropped, and perhaps the best by ten other seeds: {_list(lost)}"


def _dropped(attempt: Attempt) -> Verdict:
    """No rate is left that is worse for sure."""
    rows, left = _rows(attempt), _left(attempt)
    others = [f"{rate:g}" for rate in sorted(left - {_rate(row) for row in rows})]
    if others := [*others, *_grid(attempt).keys() - {_KEY}]:
        return False, f"not in the grid of the exercise: {', '.join(others)}"
    worse = [_rate(row) for row in rows if not row.tied and _rate(row) in left]
    if not worse:
        return True, "every rate that is surely worse is dropped"
    return False, f"kept, and surely worse by ten other seeds: {_list(worse)}"


def _rows(attempt: Attempt) -> list[Row]:
    """The board of the exercise's grid, with ten seeds of the grade."""
    return _board(json.dumps(config_to_dict(attempt.start.config)))


@cache
def _board(config: str) -> list[Row]:
    content, datasets = json.loads(config), Datasets()
    del content["sweep"]["seeds"]
    plan = make_plan({"exercise": content}, Arguments.parse(_GRADED), datasets)
    sweep = Sweep(plan, None, datasets, Listener())
    return make_leaderboard(sweep.run(local_workers(sweep, 1)), "").groups[0].rows


def _left(attempt: Attempt) -> set[float]:
    """The rates that the student keeps; without a grid that of the config."""
    rates = _grid(attempt).get(_KEY, [attempt.config.training.learning_rate])
    return {float(rate) for rate in rates}


def _grid(attempt: Attempt) -> dict[str, list[Any]]:
    return {} if attempt.config.sweep is None else attempt.config.sweep.grid


def _rate(row: Row) -> float:
    return float(row.choice[_KEY])


def _list(rates: list[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates)


COMPARISON = Exercise(
    ("sweep.seeds", "sweep.grid", "dataset.validation_size"),
    (
        Criterion("seeds", _several, "One seed shows no spread. Give sweep.seeds a larger number."),
        Criterion(
            "validation",
            _by_validation,
            "Set dataset.validation_size, so that no test row takes part in the choice.",
        ),
        Criterion("kept", _kept, "Keep all rows that the board marks with *.", kept=True),
        Criterion(
            "dropped",
            _dropped,
            "Choose among the rates of the exercise, and drop the rows without *.",
        ),
    ),
)


# The exercises by their lessons.

EXERCISES: dict[int, Exercise] = {
    1: LINEAR_MODEL,
    3: HIDDEN_LAYER,
    4: INITIALIZATION,
    5: SCHEDULE,
    6: CONVOLUTION,
    7: REGULARIZATION,
    8: NORMALIZATION,
    9: LEARNING_CURVE,
    10: COMPARISON,
}


def grade_file(
    lesson: int, file: Path, overrides: Sequence[str] = (), exercise: Path | None = None
) -> Grade:
    """The grade of a config, numbers or a Python file for the exercise of a lesson, or of a file.

    A lesson's is the variant of the student whose name the first line has, if there is one.

    Raises:
        ConfigError: the config is invalid.
        PluginError: the Python file cannot be loaded.
    """
    if lesson == OWN_LAYER:
        return grade_layer(file)
    if lesson == OWN_GRADIENT:
        return grade_gradient(file)
    if exercise is not None:
        own, begin = _loaded(exercise)
        return grade(lesson, own, load_config(file, overrides), begin)
    experiment = load_config(file, overrides)
    return grade(lesson, EXERCISES[lesson], experiment, start(lesson, name_in(file)))


_loaded = cache(load_exercise)  # which trains the start


def owner_of(lesson: int, file: Path, names: Sequence[str], overrides: Sequence[str] = ()) -> str:
    """The student, among these, whose numbers a config has where its first line names another.

    Empty if there is none, or no lesson whose numbers are drawn.
    """
    names = [name for name in names if name != name_in(file)]
    if lesson not in EXERCISES or not names:
        return ""
    config, free = load_config(file, overrides).config, EXERCISES[lesson].free
    fits = (name for name in names if not [*differences(config, start(lesson, name).config, free)])
    return next(fits, "")
