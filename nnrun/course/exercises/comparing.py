"""Lesson 9: which settings runs can tell apart."""

from __future__ import annotations

import json
from functools import cache

from nnrun.config.load import config_to_dict
from nnrun.course.attempt import Attempt
from nnrun.course.grading import Criterion, Exercise, Verdict
from nnrun.runs.events import Listener
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.rows import Row
from nnrun.sweeps.choose import local_workers
from nnrun.sweeps.planning.arguments import Arguments, seeds_of
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.sweep import Sweep

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
        Criterion("kept", _kept, "Keep all rows that the board marks with *."),
        Criterion(
            "dropped",
            _dropped,
            "Choose among the rates of the exercise, and drop the rows without *.",
        ),
    ),
)
