"""Makes the plan of a sweep, and checks each value of each key before any run starts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import sha256
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import Origin
from nnrun.errors import ConfigError, NnrunError, Problem
from nnrun.nn.signature import Array
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.record import Identity
from nnrun.sweeps.planning.arguments import Arguments, Seeds, refuse_too_many, seeds_of
from nnrun.sweeps.planning.grid import BesideGrid, Grid, Positions, grids_beside
from nnrun.sweeps.planning.load import Problems, load_grid
from nnrun.sweeps.planning.plan import Plan, Settings, Variant
from nnrun.sweeps.planning.variants import Datasets, folds_of, make_variant

# All settings of a grid of at most this many are made before any run starts, in a fraction of a
# second.
MOST_AT_ONCE = 500
# Of a key, to find whether a problem depends on its value; and of the problems of a config.
_MOST_TRIED = 20

CheckProgress = Callable[[], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: yields a function to call after each step, with the number of all steps."""


def make_plan(
    origins: Mapping[str, Origin],
    arguments: Arguments,
    datasets: Datasets,
    progress: CheckProgress = lambda: nullcontext(lambda checks: None),
) -> Plan:
    """The plan for these configs: files or their contents, by the name that errors use.

    What `progress` yields is called after each setting that is checked.

    Raises: PlanError, with all problems, if configs are invalid with a value of one of their keys;
    UsageError if there are more runs than there may be.
    """
    planner = _Planner(arguments, datasets)
    planner.problems.add(arguments.wrong_seeds())
    for file, origin in origins.items():
        planner.open(file, origin)
    refuse_too_many(planner.count, arguments.most_runs)
    with progress() as checked:
        planner.check(checked)
    planner.problems.require_none(len(origins))
    return Plan(planner.maker.settings(), notes=[*planner.notes()])


@dataclass(frozen=True)
class _Wrong:
    """Why a setting is invalid; `loaded` is whether its config alone is valid."""

    problems: Sequence[Problem]
    exit_code: int
    loaded: bool

    @property
    def texts(self) -> set[str]:
        """The problems as text."""
        return set(map(str, self.problems))

    @property
    def reason(self) -> str:
        """The problems with their places, on one line."""
        return "; ".join(str(problem).partition("\n")[0] for problem in self.problems)


@dataclass
class _Place:
    """A grid in a plan.

    Args:
        file: its config.
        grid: of the config.
        seeds: of each setting.
        offset: the number of its first setting.
        outcomes: of the settings that were checked, by the positions of their values.
        folds: that the grid names, once these values are checked.
    """

    file: str
    grid: Grid
    seeds: Seeds
    offset: int
    outcomes: dict[Positions, Variant | _Wrong]
    folds: Sequence[int] = ()

    @property
    def first(self) -> Variant:
        """The setting with the first value of each key, which is valid."""
        first = self.outcomes[(0,) * len(self.grid.axes)]
        assert isinstance(first, Variant)
        return first

    def estimates(self, value: Callable[[Variant], float]) -> Array:
        """A number for each setting, from those of the settings that were checked.

        If two epochs take twice as long as one, and 64 units three times as long as 8, then both
        together take about six times as long.
        """
        factors = self.factors(value)
        found: Array = np.ravel(reduce(np.multiply.outer, factors, np.array(value(self.first))))
        for positions, variant in self.outcomes.items():
            if isinstance(variant, Variant):
                found[self.grid.number(positions)] = value(variant)
        return found

    def factors(self, value: Callable[[Variant], float]) -> list[Array]:
        """Factors that the values of each axis put on a number of the first setting."""
        factors = [np.ones(length) for length in self.grid.shape]
        for positions, variant in self.outcomes.items():
            moved = [axis for axis, at in enumerate(positions) if at]
            if len(moved) == 1 and isinstance(variant, Variant):
                factors[moved[0]][positions[moved[0]]] = value(variant) / value(self.first)
        return factors


class _Maker:
    """Makes the variants of a plan, each when it is needed.

    Args:
        datasets: that loads data.

    `replaced` has, by file, notes on what arguments and grids replace of a config.
    """

    def __init__(self, datasets: Datasets) -> None:
        self.places: list[_Place] = []
        self.replaced: dict[str, dict[str, None]] = {}
        self._datasets = datasets
        self._cache = GridCache()
        self._numbers: dict[str, int] = {}

    def settings(self) -> Settings:
        """Settings of all grids, which are checked."""
        made: dict[int, Variant | None] = {}
        seconds, runs = [np.zeros(0)], [np.zeros(0)]
        for place in self.places:
            # Of a large grid, the setting that takes most memory by estimate is made as well.
            factors = place.factors(lambda variant: variant.estimate.memory)
            largest = tuple([int(factor.argmax()) for factor in factors])
            place.outcomes[largest] = self.outcome(place, largest)
            for positions in sorted(place.outcomes):
                number = place.offset + place.grid.number(positions)
                made[number] = self._settled(place, positions, place.outcomes[positions])
            seconds.append(place.estimates(lambda variant: variant.estimate.seconds))
            runs.append(place.estimates(lambda variant: variant.planned))
        memory = max([v.estimate.memory for v in made.values() if v is not None], default=0)
        runs_of = np.rint(np.concatenate(runs)).astype(np.int64)
        return Settings(self._make, np.concatenate(seconds), runs_of, memory, made)

    def outcome(self, place: _Place, positions: Positions) -> Variant | _Wrong:
        """The variant with these values, or why there is none."""
        if positions in place.outcomes:
            return place.outcomes[positions]
        grid, loaded = place.grid, False
        of_runs = any(at for axis, at in zip(grid.axes, positions, strict=True) if axis.of_runs)
        try:
            experiment = grid.load(positions)
            loaded = True
            self.replaced.setdefault(place.file, {}).update(dict.fromkeys(experiment.notes))
            folds = () if of_runs else place.folds
            runs = folds_of(experiment, self._datasets.load, self._cache, folds)
            number = 0 if of_runs else place.offset + grid.number(positions)
            variant = make_variant(number, place.file, grid.choice(positions), runs, place.seeds)
            crossed = place.seeds.splits is not None and grid.split_seeds is None
            if crossed and len(variant.split_seeds) > 1 and not variant.drawn:
                message = "no seed decides which rows are in which split"
                raise ConfigError([experiment.problem(("sweep", "seeds", "split"), message)])
        except ConfigError as error:
            problems = grid.relocated(error, positions).problems if loaded else error.problems
            return _Wrong(problems, error.exit_code, loaded)
        except NnrunError as error:
            return _Wrong([Problem(str(error), path=place.file)], error.exit_code, loaded)
        return variant

    def refused(self, place: _Place, positions: Positions, wrong: _Wrong) -> Variant:
        """The setting with these values, whose runs all fail."""
        first, choice = place.first, place.grid.choice(positions)
        folds, like = [*first.identities], place.factors(lambda v: len(v.identities))
        count = round(len(folds) * prod(f[at] for f, at in zip(like, positions, strict=True)))
        if len(folds) != count:
            folds = [*range(1, count + 1)]
        return replace(
            first,
            number=place.offset + place.grid.number(positions),
            choice=choice,
            estimate=replace(first.estimate, seconds=0.0, compiling=0.0),
            identities={fold: _no_identity(place.file, choice, fold) for fold in folds},
            refused=wrong.reason,
        )

    def _make(self, number: int) -> Variant | None:
        """The variant with a number; None if it is equal to another."""
        place = self.places[bisect_right(self.places, number, key=lambda p: p.offset) - 1]
        positions = place.grid.positions(number - place.offset)
        return self._settled(place, positions, self.outcome(place, positions))

    def _settled(
        self, place: _Place, positions: Positions, outcome: Variant | _Wrong
    ) -> Variant | None:
        """The variant of an outcome; None if it is equal to another."""
        if isinstance(outcome, _Wrong):
            return self.refused(place, positions, outcome)
        # A model beside several configs on the same data is trained once.
        name = "" if isinstance(place.grid, BesideGrid) else outcome.name
        split_seed = outcome.split_seeds[0] if place.seeds.splits else None
        texts = [each.with_split_seed(split_seed).text for each in outcome.identities.values()]
        content = repr((name, [*outcome.seeds], [*outcome.split_seeds], sorted(texts)))
        digest = sha256(content.encode()).hexdigest()
        known = self._numbers.setdefault(digest, outcome.number)
        return outcome if known == outcome.number else None


def _no_identity(file: str, choice: dict[str, Any], fold: int | None) -> Identity:
    """One that no run has."""
    return Identity.of({"dataset": {}}, f"{file} {choice} {fold}", {})


class _Planner:
    """Loads configs, checks their values, and collects problems."""

    def __init__(self, arguments: Arguments, datasets: Datasets) -> None:
        self.arguments = arguments
        self.maker = _Maker(datasets)
        self.problems = Problems(arguments)
        self.count = 0
        self._names: dict[str, tuple[str, str]] = {}

    def open(self, file: str, origin: Origin) -> None:
        """Load a config with its grid and seeds."""
        if not isinstance(origin, Path):
            self.problems.unwritten.add(file)
        try:
            grid = load_grid(origin, self.arguments)
            beside = grids_beside(grid, self.arguments.beside)
            seeds = seeds_of(grid.base, self.arguments.listed_seeds, self.arguments.seeds)
            self._require_new_name(grid.base.config.name, file)
        except ConfigError as error:
            self.problems.add(error.problems, error.exit_code, file)
        else:
            for each in (grid, *beside):
                self.count += each.count_of_folds * len(seeds)
                offset = sum(place.grid.size for place in self.maker.places)
                self.maker.places.append(_Place(file, each, seeds, offset, {}))

    def check(self, checked: Callable[[int], None]) -> None:
        """Check the loaded configs; `checked` is called after each setting, with their number."""
        places = self.maker.places
        of_runs = [[*place.grid.values_of_runs()] for place in places]
        settings = [[*place.grid.settings_to_check(MOST_AT_ONCE)] for place in places]
        count = sum(map(len, [*of_runs, *settings]))
        for place, first, then in zip(places, of_runs, settings, strict=True):
            wrong = False
            for positions in first:
                wrong |= self._is_refused(place, positions, self.maker.outcome(place, positions))
                checked(count)
            if wrong:
                continue
            place.folds = place.grid.folds
            if place.grid.split_seeds:
                place.seeds = replace(place.seeds, splits=place.grid.split_seeds)
            for positions in then:
                outcome = place.outcomes[positions] = self.maker.outcome(place, positions)
                self._is_refused(place, positions, outcome)
                checked(count)

    def _is_refused(self, place: _Place, positions: Positions, outcome: Variant | _Wrong) -> bool:
        """Whether a setting is refused; if so, its problems are recorded.

        One whose config is valid, as each of its values is, fails when its runs start.
        """
        if isinstance(outcome, Variant) or (outcome.loaded and sum(map(bool, positions)) > 1):
            return False

        def causes(problem: Problem) -> dict[str, Any]:
            """The values without which the setting does not have the problem."""
            name, before, values = str(problem), outcome.texts, {}
            for at, axis in enumerate(place.grid.axes):
                own = problem.argument == self.arguments.words.get(axis.key, "")
                for other in islice(range(len(axis.values)), _MOST_TRIED):
                    changed = (*positions[:at], other, *positions[at + 1 :])
                    tried = self.maker.outcome(place, changed)
                    after = tried.texts if isinstance(tried, _Wrong) else set()
                    # A problem of its own may hide those at other keys.
                    if name not in after and (after <= before or own):
                        values[axis.key] = axis.values[positions[at]]
                        break
            return values

        self.problems.add(outcome.problems, outcome.exit_code, place.file, causes)
        return True

    def notes(self) -> Iterator[str]:
        """Sentences on what arguments and grids replace: settings, or values of their own."""
        for file, notes in self.maker.replaced.items():
            yield from (f"{file}: {note}" for note in notes)
        keys = dict.fromkeys(
            f"'{key}'" for place in self.maker.places for key in place.grid.lengths
        )
        if keys:
            yield (
                f"--iterations {self.arguments.iterations} replaces the values of "
                f"{' and '.join(keys)}, so that they make no settings of their own"
            )

    def _require_new_name(self, name: str, file: str) -> None:
        known = self._names.setdefault(name.casefold(), (name, file))
        if known[1] != file:
            differ = " but for upper and lower case" if known[0] != name else ""
            message = (
                f"the name '{name}' is that of {known[1]} as well{differ}; results are stored "
                "by name, so give each its own name"
            )
            raise ConfigError([Problem(message, path=file)])
