"""Readings of columns tried on folds, in memory: a draft is trained with each, and without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, isfinite, sqrt
from statistics import fmean
from time import monotonic
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.config.load import Experiment, load_content, read_config
from nnrun.config.overrides import parse_overrides
from nnrun.config.scaffold.findings import Findings, Problem
from nnrun.config.scaffold.from_data import Draft
from nnrun.config.scaffold.tried import Tried, with_taken
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.yaml import Text, parse
from nnrun.data.dataset import Dataset
from nnrun.data.readers.profile import Reading
from nnrun.data.rows import Places
from nnrun.data.splits import load_dataset
from nnrun.errors import ConfigError, NnrunError, clipped
from nnrun.metrics.table import larger_is_better
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.prepare import check_rows, prepare, prepare_again
from nnrun.runs.record import Replicate
from nnrun.sweeps.board.means import CONFIDENCE, in_units, rounding_of
from nnrun.sweeps.board.variance import estimate
from nnrun.sweeps.board.verdicts import design_of
from nnrun.sweeps.planning.variants import mean_rows, overlap_of

SECONDS = 20.0
"""How long readings are tried by default."""
FOLDS = 5
# Fewer rows are divided twice: their folds differ more. Neither number depends on the clock.
_FEW_ROWS, _DIVISIONS = 2_000, 2
# A draft of more rows or columns would take longer than some seconds.
_MOST_ROWS, _MOST_COLUMNS = 10_000, 40
# Rows that a network sees, about, in all of its epochs.
_VISITS = 200_000

LoadData = Callable[[DatasetConfig], Dataset]


class _OutOfTimeError(NnrunError):
    """The time for trying is over."""


@dataclass(frozen=True)
class _Scores:
    """A metric of each fold, but for those that diverged, and rows tested per row trained on."""

    metric: str
    values: Mapping[Replicate, float]
    overlap: float

    @property
    def mean(self) -> float:
        return fmean(self.values.values())


def first_line(error: NnrunError) -> str:
    """What is wrong, without a place in a file that is not written."""
    text = error.in_short if isinstance(error, ConfigError) else str(error)
    return clipped(text.partition("\n")[0])


def try_readings(
    draft: Draft,
    problems: Sequence[Problem],
    seconds: float = SECONDS,
    begin: Callable[[str], object] = lambda _: None,
    clock: Callable[[], float] = monotonic,
    load: LoadData = load_dataset,
) -> list[Tried]:
    """Try the readings that problems offer, each by itself, and at last those taken together.

    A reading is taken where it is better than the draft beyond chance: where the mean difference
    over the same folds exceeds that of chance as on boards, for all readings at once. Test rows of
    the draft are in no fold.

    Args:
        draft: of a table.
        problems: those without another reading are left out.
        seconds: that it may take.
        begin: is called with what will be done, in words.
        clock: returns seconds.
        load: loads the data of the draft.
    """
    readings = [problem for problem in problems if problem.readings]
    if not readings:
        return []
    try:
        trial = _Trial(draft, clock() + seconds, clock, len(readings), load)
    except NnrunError as error:  # the draft itself cannot be trained
        why = first_line(error)
        return [Tried(each.readings, each.arguments, "not possible", why=why) for each in readings]
    folds = f"{FOLDS} folds" + f", {_DIVISIONS} times over" * (trial.divisions > 1)
    what = f"{len(readings)} other reading{'s' * (len(readings) > 1)} of columns"
    at_most = f", for {seconds:g} s at the most" * isfinite(seconds)
    begin(f"trying {what} on {folds}{at_most}; test rows are in none of them")
    found = [trial.tried(problem.readings, problem.arguments) for problem in readings]
    return trial.together(found)


def settled(draft: Draft, begin: Callable[[str], object], load: LoadData = load_dataset) -> Draft:
    """A draft of any data, of a table with the means or vectors of many categories tried.

    How many rows a category has does not say which of the two is better. No clock decides, so that
    a table has one draft everywhere: a large table has that without a trial.
    """
    if draft.table is None:
        return draft
    found = draft.table[0]
    if found.rows > _MOST_ROWS or len(found.columns) > _MOST_COLUMNS:
        return draft
    problems = [problem for problem in Findings(*draft.table, "").problems if problem.is_settled]
    tried = try_readings(draft, problems, inf, begin, load=load)
    for each in tried:
        if each.outcome != "taken":
            begin(f"tried: {each.words}")
    return with_taken(draft, tried)


@dataclass
class _Trial:
    """A draft, and what was measured with it.

    Args:
        draft: of a table.
        end: when the time is over.
        clock: returns seconds.
        readings: how many there are.
        load: loads the data of the draft.
    """

    draft: Draft
    end: float
    clock: Callable[[], float]
    readings: int
    load: LoadData = load_dataset

    def __post_init__(self) -> None:
        experiment = self._experiment(self.draft)
        data = self.load(experiment.config.dataset)
        split, numbers = prepare(experiment, lambda _: data).split, data.row_numbers
        parts = [split.train, *filter(None, [split.validation])]
        self.rows: Places = np.sort(np.concatenate([numbers[part.rows] for part in parts]))
        by_time = experiment.config.dataset.split.by == "time"
        self.divisions = 1 if by_time or len(self.rows) >= _FEW_ROWS else _DIVISIONS
        names = data.target_names
        self._target = escaped(names[0], kept="") if names else ""

    @cached_property
    def _as_drafted(self) -> _Scores:
        return self._scores(self.draft)

    def tried(self, readings: Mapping[str, Reading], arguments: Sequence[str]) -> Tried:
        """Other readings of some columns beside the draft."""
        found = Tried(readings, arguments, "not tried", why="there was no time")
        try:
            drafted = self._as_drafted
            scores = self._scores(self.draft.read_as(readings, {}))
        except _OutOfTimeError:
            return found
        except NnrunError as error:
            return replace(found, outcome="not possible", why=first_line(error))
        if not len(drafted.values) == len(scores.values) == FOLDS * self.divisions:
            return replace(found, outcome="not possible", why="training diverged in a fold")
        gain, chance = self._difference(drafted, scores)
        metric = f"RMSE of {self._target}" if drafted.metric == "mse" else drafted.metric
        return replace(
            found, outcome="taken" if gain > chance else "kept", metric=metric,
            draft=drafted.mean, reading=scores.mean, gain=gain,
            why="better, but not beyond chance" if 0 < gain <= chance else "",
        )  # fmt: skip

    def together(self, found: Sequence[Tried]) -> list[Tried]:
        """The same with those taken that are better together, else the best of them alone."""
        taken = [each for each in found if each.outcome == "taken"]
        if len(taken) < 2:
            return [*found]
        best = max(taken, key=lambda each: each.gain)
        readings = {name: each.readings[name] for each in taken for name in each.columns}
        every = replace(self.tried(readings, ()), together=True)
        if every.outcome == "taken" and every.gain >= best.gain:
            return [*found, every]
        why = "of those that are better, the best alone is taken"
        others = [
            replace(each, outcome="kept", why=why) if each in taken and each is not best else each
            for each in found
        ]
        if every.outcome == "taken":
            every = replace(every, outcome="kept", why="less than the best of them alone")
        return [*others, every]

    def _experiment(self, draft: Draft, words: Sequence[str] = ()) -> Experiment:
        content = read_config({"name": "tried", **parse(Text(draft.text, "draft")).data})
        return load_content(content, parse_overrides(words)[0])

    def _scores(self, draft: Draft) -> _Scores:
        """The metric of each fold of the rows, by one network that is trained on the others."""
        config = self._experiment(draft).config
        data, epochs = _taken(self.load(config.dataset), self.rows), config.training.epochs or 1
        words = {"dataset.test_size": "null", "dataset.folds": FOLDS, "members": 1}
        words["training.epochs"] = max(1, min(epochs, _VISITS // len(data.y)))
        experiment = self._experiment(draft, [f"{key}={value}" for key, value in words.items()])
        first = prepare(experiment, lambda _: data)
        seed, metric = first.config.seed, first.main_metric
        values: dict[Replicate, float] = {}
        sizes = []
        for number in range(self.divisions * FOLDS):
            if self.clock() > self.end:
                raise _OutOfTimeError
            replicate = Replicate(seed + number // FOLDS, fold=number % FOLDS + 1)
            run = prepare_again(replicate.applied(first.config), data, first.cache)
            check_rows(run, first)
            record = execute(run, None, Listener(stop=lambda: self.clock() > self.end)).record
            if record.status == "interrupted":
                raise _OutOfTimeError
            value = (record.metrics.get("test") or {}).get(metric)
            if value is not None:
                value = sqrt(value) if metric == "mse" else value
                values[replicate.resolved(drawn=True)] = value
            sizes.append([len(run.split.train), *map(len, run.split.held_out.values())])
        parts = ["train", *first.split.held_out]
        means = dict(zip(parts, mean_rows(sizes).values(), strict=True))
        return _Scores(metric, values, overlap_of(means, first.config_dict["dataset"])["test"])

    def _difference(self, drafted: _Scores, scores: _Scores) -> tuple[float, float]:
        """How much better a reading is over the same folds, and what chance may make of it."""
        sign = 1 if larger_is_better(drafted.metric) else -1
        values = scores.values.items()
        unit, gains = in_units([sign * (value - drafted.values[key]) for key, value in values])
        found = estimate(gains, design_of(scores.values), scores.overlap)
        chance = found.degrees.quantile((1 - CONFIDENCE) / self.readings) * found.error
        least = rounding_of(np.array([*drafted.values.values()]))
        return float(found.mean) * unit, max(float(chance) * unit, float(least))


def _taken(data: Dataset, numbers: Places) -> Dataset:
    """The rows of a table that have these numbers in its file."""
    chosen = np.isin(data.row_numbers, numbers)
    last = int(data.row_numbers[-1])
    others = np.setdiff1d(np.arange(last), data.row_numbers[chosen] - 1)
    rows: dict[str, Any] = {
        key: None if values is None else values[chosen]
        for key in ("x", "y", "weights", "split_values")
        for values in [getattr(data, key)]
    }
    return replace(data, **rows, dropped=tuple(others.tolist()))
