"""Makes the plan of a sweep, and checks every config before any run starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from hashlib import blake2b
from itertools import compress
from pathlib import Path
from typing import Any

from nnrun.config.content import Origin
from nnrun.config.settings import choice_words
from nnrun.errors import ConfigError, InterruptionError, NnrunError, Problem
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.replicate import KEYS
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.estimate import estimate
from nnrun.sweeps.planning.families import Family, Variants
from nnrun.sweeps.planning.grid.arguments import Arguments, refuse_too_many
from nnrun.sweeps.planning.grid.axes import Together
from nnrun.sweeps.planning.grid.beside import BesideGrid, grids_beside
from nnrun.sweeps.planning.grid.combinations import Grid, GridPoint
from nnrun.sweeps.planning.grid.load import load_grid
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.planning.seeds import Seeds, seeds_of
from nnrun.sweeps.planning.texts import Texts
from nnrun.sweeps.planning.variants import folds_of, shared_fields

Watching = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Shows how far work has come: takes the number of its steps, and yields what follows each."""


class PlanError(ConfigError):
    """All problems of all configs of a sweep."""

    def __init__(self, problems: Sequence[Problem], exit_code: int) -> None:
        super().__init__(problems)
        self.exit_code = exit_code


def make_plan(
    origins: Mapping[str, Origin],
    arguments: Arguments,
    datasets: Datasets,
    watching: Watching = lambda checks: nullcontext(lambda: None),
) -> Plan:
    """The plan for these configs: files or their contents, by the name that errors use.

    `watching` takes the number of settings that are checked; what it yields is called after each.

    Raises: PlanError, with all problems, if configs are invalid; UsageError if there are more runs
    than there may be.
    """
    planner = _Planner(arguments, datasets)
    planner.refuse(arguments.wrong_seeds())
    for file, origin in origins.items():
        planner.open(file, origin)
    refuse_too_many(planner.count, arguments.most_runs)
    with watching(sum(grid.checks for _, grid, _ in planner.opened)) as checked:
        planner.plan(checked)
    if planner.problems:
        raise PlanError(list(planner.problems.values()), max(planner.codes))
    return Plan(Variants(planner.grids), planner.families, notes=[*planner.notes()])


class _Planner:
    """Collects variants and problems, each problem once."""

    def __init__(self, arguments: Arguments, datasets: Datasets) -> None:
        self.arguments = arguments
        self.datasets = datasets
        self.grids: list[tuple[Grid, dict[tuple[int, ...], Family]]] = []
        self.count = 0
        self.problems: dict[str, Problem] = {}
        self.codes: set[int] = set()
        self._refused: set[str] = set()
        self.opened: list[tuple[str, Grid, Seeds]] = []
        self._names: dict[str, tuple[str, str]] = {}
        self._unwritten: set[str] = set()
        self._cache = GridCache()
        self._known: set[bytes] = set()

    def open(self, file: str, origin: Origin) -> None:
        """Load a config with its grid and seeds."""
        if not isinstance(origin, Path):
            self._unwritten.add(file)
        try:
            grid = load_grid(origin, self.arguments)
            beside = grids_beside(grid, self.arguments.beside)
            seeds = seeds_of(grid.base, self.arguments.seed, self.arguments.seeds)
            self._require_new_name(grid.base.config.name, file)
        except ConfigError as error:
            self.refuse(error.problems, error.exit_code, file)
        else:
            for each in (grid, *beside):
                self.count += each.count_of_folds * len(seeds)
                self.opened.append((file, each, seeds))

    def plan(self, checked: Callable[[], None]) -> None:
        """Check the loaded configs with every combination of values that may contradict.

        `checked` is called after each.
        """
        offset, texts = 0, Texts()
        for file, grid, seeds in self.opened:
            families: dict[tuple[int, ...], Family] = {}
            settings: dict[tuple[int, ...], tuple[int, ...]] = {}
            varied = [axis.key not in KEYS for axis in grid.axes]
            together = Together(grid.axes)
            for groups, choice in grid.combinations():
                self._refused.clear()
                members = tuple([axis.groups[g] for axis, g in zip(grid.axes, groups, strict=True)])
                family = self._family(file, grid, choice, seeds, members, offset, texts)
                together.add(groups, self._refused)
                if family is not None:
                    # Folds and seeds of splits in a grid are runs of the same setting.
                    first = settings.setdefault(tuple(compress(groups, varied)), groups)
                    known = families.get(first)
                    families[first] = family if known is None else known.joined(family)
                checked()
            for name, values in together.causes():
                problem = self.problems[name]
                # Unless it stands at the one key that causes it, or another config has it too.
                if str(problem) == name and (len(values) > 1 or not self._is_at(problem, *values)):
                    message = f"{problem.message} (with {', '.join(choice_words(values))})"
                    self.problems[name] = replace(problem, message=message)
            self.grids.append((grid, families))
            offset += grid.size

    def _is_at(self, problem: Problem, key: str) -> bool:
        """Whether a problem is shown at the values of a key of the grid."""
        if problem.argument is not None:
            return problem.argument == self.arguments.words.get(key)
        return f"{_dotted(problem.path)}.".startswith(f"{_dotted(key)}.")

    def notes(self) -> Iterator[str]:
        """A sentence on the keys of grids that `--iterations` replaces, if there are any."""
        keys = dict.fromkeys(f"'{key}'" for _, grid, _ in self.opened for key in grid.lengths)
        if keys:
            yield (
                f"--iterations {self.arguments.iterations} replaces the values of "
                f"{' and '.join(keys)}, so that they make no settings of their own"
            )

    @property
    def families(self) -> list[Family]:
        """The families of all grids."""
        return [family for _, families in self.grids for family in families.values()]

    def _family(
        self,
        file: str,
        grid: Grid,
        choice: GridPoint | ConfigError,
        seeds: Seeds,
        members: Sequence[Sequence[int]],
        offset: int,
        texts: Texts,
    ) -> Family | None:
        """The family of a setting; None if it is invalid, or equal to an earlier one."""
        if isinstance(choice, ConfigError):
            self.refuse(choice.problems, choice.exit_code, file)
            return None
        try:
            prepared = prepare(choice.experiment, self.datasets.load, cache=self._cache)
            runs = folds_of(choice.experiment, prepared)
            shared = shared_fields(file, runs, seeds)
            if seeds.splits is not None and len(seeds.splits) > 1 and not shared["drawn"]:
                message = "no seed decides which rows are in which split"
                raise ConfigError([choice.experiment.problem(("sweep", "seeds", "split"), message)])
        except ConfigError as error:
            self.refuse(map(choice.relocated, error.problems), error.exit_code, file)
        except InterruptionError:
            raise
        except NnrunError as error:
            self.refuse([Problem(str(error), path=file)], error.exit_code)
        else:
            # A model beside several configs on the same data is trained once.
            name = str(seeds) if isinstance(grid, BesideGrid) else prepared.config.name
            identities = [run.identity.text for run in runs.values()]
            digests = {_digest(name, text) for text in identities}
            if not digests <= self._known:
                self._known |= digests
                packed = texts.pack([prepared.config_json, *identities])
                return Family(
                    shared, estimate(prepared), _evaluations(runs), grid, members, offset, texts,
                    packed,
                )  # fmt: skip
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

    def refuse(
        self, problems: Iterable[Problem], exit_code: int = 2, file: str | None = None
    ) -> None:
        """Record problems, adding the name of the config where they name no place."""
        for problem in problems:
            self.codes.add(exit_code)
            located = problem.place or problem.argument or problem.path == file
            if file in self._unwritten and not located:
                path = f"{file}: {problem.path}" if problem.path else file
                found = replace(problem, path=path)
            else:
                found = problem
            name = str(found)
            self.problems.setdefault(name, found)
            self._refused.add(name)


def _digest(name: str, text: str) -> bytes:
    """Of a name and an identity."""
    return blake2b(f"{name} {text}".encode(), digest_size=16).digest()


def _evaluations(runs: Mapping[int | None, Prepared]) -> Mapping[int | None, Any]:
    """Those of the first run of each fold: the same object for the same ones."""
    found = {fold: run.evaluations for fold, run in runs.items()}
    memo = next(iter(runs.values())).cache.memo
    key = ("evaluations", *((fold, *each.values()) for fold, each in found.items()))
    return memo.get(key, (), lambda: found)


def _dotted(key: str) -> str:
    return key.replace("[", ".").replace("]", "")
