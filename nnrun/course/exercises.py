"""The lessons, and the criteria of their exercises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import config_to_dict, load_config
from nnrun.course.files import OWN_GRADIENT, OWN_LAYER, exercise_file
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
    accurate,
    bends_everywhere,
    changed,
    grade,
    same_widths,
    seeded,
    types,
)
from nnrun.course.own_gradient import grade_gradient
from nnrun.course.own_layer import grade_layer
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
        found = attempt.trained(scaled).mean("test", "accuracy")
        return found >= _ACCURACY, f"its mean test accuracy is {found:.3f}; 0.8 is needed"

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
    missing = types(attempt.config).count("batch_norm") < types(attempt.config).count("dense") - 1
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
        Criterion("layers", same_widths, "Leave the dense layers as they are.", kept=True),
        Criterion("nonlinear", bends_everywhere, _BENT, kept=True),
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
    most = _LESS_LOSS * before
    return ours <= most, f"its mean test loss is {ours:.3f}, before {before:.3f}; {most:.3f} passes"


def _gap(attempt: Attempt) -> Verdict:
    """Test and training loss are closer to each other than at the start."""
    ours, before = (
        runs.mean("test", "loss") - runs.mean("train", "loss")
        for runs in (attempt.runs, attempt.before)
    )
    most = _LESS_GAP * before
    says = f"test loss minus training loss is {ours:.3f}, before {before:.3f}; {most:.3f} passes"
    return ours <= most, says


def _still_bends(attempt: Attempt) -> Verdict:
    """It is better than a linear model, so that not everything is smoothed away."""
    layers = [{"type": "dense", "units": 2, "activation": "softmax"}]
    linear = attempt.trained(changed(attempt.start, {"network": {"layers": layers}}))
    ours, theirs = (runs.mean("test", "loss") for runs in (attempt.runs, linear))
    return ours < theirs, f"its mean test loss is {ours:.3f}, that of a linear model {theirs:.3f}"


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


def _less(attempt: Attempt) -> str:
    """The advice is right where the gap is closed: a network that knows its rows needs more."""
    return "Regularize less, so that it can still bend." if _gap(attempt)[0] else ""


REGULARIZATION = Exercise(
    ("network", "training.optimizer.weight_decay", "training.early_stopping", "training.augment"),
    (
        Criterion("layers", same_widths, "Leave the dense layers as they are.", kept=True),
        Criterion(
            "new rows",
            _better,
            "Try weight_decay, dropout, early_stopping, or augment with noise.",
        ),
        Criterion("gap", _gap, "Regularize more."),
        Criterion("not too much", _still_bends, _less),
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
_GRADED = ("seed=range(1001, 1011)", "dataset.validation_size=0.2")


def _several(attempt: Attempt) -> Verdict:
    seeds = len(seeds_of(attempt.experiment, (), None))
    return seeds >= _FEWEST, f"seeds for each setting: {seeds}; at least {_FEWEST} are asked for"


def _by_validation(attempt: Attempt) -> Verdict:
    there = attempt.prepared.split.validation is not None
    return there, f"the board is ordered by the {'validation' if there else 'test'} split"


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
    if others := left - {_rate(row) for row in rows}:
        return False, f"not in the grid of the exercise: {_list(sorted(others))}"
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
    content = config_to_dict(attempt.config)
    grid = (content.get("sweep") or {}).get("grid") or {}
    return {float(rate) for rate in grid.get(_KEY, [content["training"]["learning_rate"]])}


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


def grade_file(lesson: int, file: Path, overrides: Sequence[str] = ()) -> Grade:
    """The grade of a config, of numbers, or of a Python file, for the exercise of a lesson.

    Raises:
        ConfigError: the config is invalid.
        PluginError: the Python file cannot be loaded.
    """
    if lesson == OWN_LAYER:
        return grade_layer(file)
    if lesson == OWN_GRADIENT:
        return grade_gradient(file)
    experiment = load_config(file, overrides)
    return grade(lesson, EXERCISES[lesson], experiment, load_config(exercise_file(lesson)))
