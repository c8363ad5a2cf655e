"""Makes the plan of a sweep, and checks every config before any run starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

from nnrun.config.content import Origin
from nnrun.data.splits.parts import Sizes
from nnrun.errors import ConfigError, NnrunError, Problem
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.replicate import KEYS
from nnrun.sweeps.planning.between import Between
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.estimate import costs_of, estimate
from nnrun.sweeps.planning.families import Family, Variants
from nnrun.sweeps.planning.grid.arguments import Arguments, refuse_too_many
from nnrun.sweeps.planning.grid.beside import BesideGrid, grids_beside
from nnrun.sweeps.planning.grid.combinations import Grid, GridPoint
from nnrun.sweeps.planning.grid.groups import Group
from nnrun.sweeps.planning.grid.load import load_grid
from nnrun.sweeps.planning.grid.together import Together
from nnrun.sweeps.planning.grid.whole import join
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.planning.problems import Problems
from nnrun.sweeps.planning.seeds import Seeds, seeds_of
from nnrun.sweeps.planning.texts import Texts
from nnrun.sweeps.planning.variants import folds_of, shared_fields

Watching = Callable[[], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: yields a function to call after each step, with the number of all steps."""


def make_plan(
    origins: Mapping[str, Origin],
    arguments: Arguments,
    datasets: Datasets,
    watching: Watching = lambda: nullcontext(lambda checks: None),
) -> Plan:
    """The plan for these configs: files or their contents, by the name that errors use.

    What `watching` yields is called after each setting that is checked.

    Raises: PlanError, with all problems, if configs are invalid; UsageError if there are more runs
    than there may be.
    """
    planner = _Planner(arguments, datasets)
    planner.problems.add(arguments.wrong_seeds())
    for file, origin in origins.items():
        planner.open(file, origin)
    refuse_too_many(planner.count, arguments.most_runs)
    with watching() as checked:
        planner.plan(checked)
    planner.problems.require_none(len(origins))
    grids = [(place.grid, families) for place, families in planner.planned]
    return Plan(Variants(grids), planner.families, notes=[*planner.notes()])


class _NotJoinedError(Exception):
    """Whole numbers of a grid have to be checked one by one."""


class _Checked(NamedTuple):
    """A valid setting, with the first run of each fold, and the fields that it shares."""

    prepared: Prepared
    runs: Mapping[int | None, Prepared]
    shared: Mapping[str, Any]


class _Place(NamedTuple):
    """A grid of the plan, the name of its file, and the number of its first variant."""

    file: str
    grid: Grid
    seeds: Seeds
    offset: int
    texts: Texts


class _Planner:
    """Collects variants and problems."""

    def __init__(self, arguments: Arguments, datasets: Datasets) -> None:
        self.arguments = arguments
        self.datasets = datasets
        self.planned: list[tuple[_Place, dict[tuple[int, ...], Family]]] = []
        self.count = 0
        self.problems = Problems(arguments)
        self.opened: list[tuple[str, Grid, Seeds]] = []
        self._checks = self._done = 0
        self._again = 0  # checks that were counted already
        self._tell: Callable[[int], None] = lambda checks: None
        self._names: dict[str, tuple[str, str]] = {}
        self._cache = GridCache()
        self._known: set[bytes] = set()
        self._replaced: dict[str, dict[str, None]] = {}

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
                self.opened.append((file, each, seeds))

    def plan(self, checked: Callable[[int], None]) -> None:
        """Check the loaded configs with every combination of values that may contradict.

        `checked` is called after each, with how many there are, as far as is known.
        """
        offset, texts, self._tell = 0, Texts(), checked
        self._checks = sum(grid.checks for _, grid, _ in self.opened)
        for file, grid, seeds in self.opened:
            place = _Place(file, grid, seeds, offset, texts)
            families = None if grid.is_sure else self._joined(place)
            if families is None:
                place = place._replace(grid=grid.apart())
                families = self._families(place)
            self.planned.append((place, families))
            offset += place.grid.size

    def _joined(self, place: _Place) -> dict[tuple[int, ...], Family] | None:
        """The families of a grid with whole numbers that are checked together.

        None if a setting is invalid, or one between two valid ones may be: then each has to be
        checked alone, so that every problem is found.
        """
        kept, known, done = self.problems.kept(), set(self._known), self._done
        try:
            return self._families(place)
        except _NotJoinedError:
            self.problems.restore(kept)
            self._known = known
            self._checks += place.grid.apart().checks - place.grid.checks
            self._again = self._done - done
            return None

    def _families(self, place: _Place) -> dict[tuple[int, ...], Family]:
        """The families of a grid, by the groups of their values."""
        families: dict[tuple[int, ...], Family] = {}
        settings: dict[tuple[int, ...], tuple[int, ...]] = {}
        axes = place.grid.axes
        varied = [axis.key not in KEYS for axis in axes]
        together = Together(axes)
        for groups, points in place.grid.combinations():
            self.problems.of_setting.clear()
            members = tuple([axis.groups[g] for axis, g in zip(axes, groups, strict=True)])
            family = self._family(place, members, points)
            if self.problems.of_setting and not place.grid.is_sure:
                raise _NotJoinedError
            together.add(groups, self.problems.of_setting)
            if family is not None:
                # Folds and seeds of splits in a grid are runs of the same setting.
                first = settings.setdefault(tuple(compress(groups, varied)), groups)
                known = families.get(first)
                families[first] = family if known is None else known.joined(family)
        for name, values in together.causes():
            self.problems.add_cause(name, values)
        return families

    def notes(self) -> Iterator[str]:
        """Sentences on what arguments and grids replace: settings, or values of their own."""
        for file, notes in self._replaced.items():
            yield from (f"{file}: {note}" for note in notes)
        keys = dict.fromkeys(f"'{key}'" for _, grid, _ in self.opened for key in grid.lengths)
        if keys:
            yield (
                f"--iterations {self.arguments.iterations} replaces the values of "
                f"{' and '.join(keys)}, so that they make no settings of their own"
            )

    @property
    def families(self) -> list[Family]:
        """The families of all grids."""
        return [family for _, families in self.planned for family in families.values()]

    def _family(
        self,
        place: _Place,
        members: Sequence[Group],
        points: Iterable[GridPoint | ConfigError],
    ) -> Family | None:
        """The family of the settings with these members of each axis; `points` are checked for all.

        None if one is invalid, or the first is equal to that of an earlier family.

        Raises: _NotJoinedError if whole numbers between valid ones may be invalid.
        """
        grid, texts = place.grid, place.texts
        unsure = not all(group.is_sure for group in members)
        whole = {path: group.numbers[path] for group in members if (path := group.whole)}
        ends: list[_Checked] = []
        for point in points:
            checked = self._check(place, point)
            self._count()
            if checked is None:
                return None
            if unsure and not ends and not join(whole, checked.prepared):
                raise _NotJoinedError
            ends.append(checked)
        prepared, runs, shared = ends[0]
        # A model beside several configs on the same data is trained once.
        name = str(place.seeds) if isinstance(grid, BesideGrid) else prepared.config.name
        identities = [run.identity.text for run in runs.values()]
        split_seed = next(iter(place.seeds.splits or ()), None)  # that of a setting is not used
        first = [run.identity.with_split_seed(split_seed) for run in runs.values()]
        digests = {_digest(name, identity.text) for identity in first}
        if digests <= self._known:
            return None
        self._known |= digests
        between = None
        if whole:
            costs = [costs_of(end.prepared) for end in ends]
            between = Between(costs, whole, prepared.config.training, prepared.split.sizes)
        packed = texts.pack([prepared.config_json, *identities])
        return Family(
            shared,
            _sizes(runs),
            estimate(prepared),
            between,
            grid,
            members,
            place.offset,
            texts,
            packed,
        )

    def _count(self) -> None:
        """Count a check, unless it only repeats one."""
        if self._again:
            self._again -= 1
        else:
            self._done += 1
            self._tell(self._checks)

    def _check(self, place: _Place, point: GridPoint | ConfigError) -> _Checked | None:
        """What is known of a setting; None if it is invalid."""
        if isinstance(point, ConfigError):
            self.problems.add(point.problems, point.exit_code, place.file)
            return None
        self._replaced.setdefault(place.file, {}).update(dict.fromkeys(point.experiment.notes))
        try:
            runs = folds_of(point.experiment, self.datasets.load, self._cache)
            prepared = next(iter(runs.values()))
            seeds, shared = place.seeds, shared_fields(place.file, runs, place.seeds)
            if seeds.splits is not None and len(seeds.splits) > 1 and not shared["drawn"]:
                message = "no seed decides which rows are in which split"
                raise ConfigError([point.experiment.problem(("sweep", "seeds", "split"), message)])
        except ConfigError as error:
            self.problems.add(map(point.relocated, error.problems), error.exit_code, place.file)
        except NnrunError as error:
            self.problems.add([Problem(str(error), path=place.file)], error.exit_code)
        else:
            return _Checked(prepared, runs, shared)
        return None

    def _require_new_name(self, name: str, file: str) -> None:
        known = self._names.setdefault(name.casefold(), (name, file))
        if known[1] != file:
            differ = " but for upper and lower case" if known[0] != name else ""
            message = (
                f"the name '{name}' is that of {known[1]} as well{differ}; results are stored "
                "by name, so give each its own name"
            )
            raise ConfigError([Problem(message, path=file)])


def _digest(name: str, text: str) -> bytes:
    """Of a name and an identity."""
    return blake2b(f"{name} {text}".encode(), digest_size=16).digest()


def _sizes(runs: Mapping[int | None, Prepared]) -> Mapping[int | None, Sizes]:
    """Those of the splits of each fold: the same object for the same ones."""
    found = {fold: run.split.sizes for fold, run in runs.items()}
    memo = next(iter(runs.values())).cache.memo
    return memo.get(("sizes", *found.items()), (), lambda: found)
