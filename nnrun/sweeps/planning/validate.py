"""Makes the plan of a sweep, and checks every config before any run starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nnrun.config.load import Origin
from nnrun.errors import ConfigError, InterruptionError, NnrunError, Problem
from nnrun.runs.identity import Identity, canonical_json
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.grid import Arguments, Grid, GridPoint, load_grid, refuse_too_many
from nnrun.sweeps.planning.plan import Plan, Variant
from nnrun.sweeps.planning.seeds import Seeds, seeds_of
from nnrun.sweeps.planning.variants import joined, make_variant


class PlanError(ConfigError):
    """All problems of all configs of a sweep."""

    def __init__(self, problems: Sequence[Problem], exit_code: int) -> None:
        super().__init__(problems)
        self.exit_code = exit_code


def make_plan(
    origins: Mapping[str, Origin],
    arguments: Arguments,
    datasets: Datasets,
    begin: Callable[[int], None] = lambda count: None,
) -> Plan:
    """The plan for these configs.

    Args:
        origins: files or their contents, by the name that errors use.
        arguments: of the sweep.
        datasets: load the data.
        begin: called with the number of grid points before they are checked, which takes some
            milliseconds each.

    Raises:
        PlanError: configs are invalid; it has all problems.
        UsageError: there are more runs than there may be.
    """
    planner = _Planner(arguments, datasets)
    planner.refuse(arguments.wrong_seeds())
    for file, origin in origins.items():
        planner.open(file, origin)
    refuse_too_many(planner.count, arguments.most_runs)
    begin(planner.choices)
    planner.plan()
    if planner.problems:
        raise PlanError(list(planner.problems.values()), max(planner.codes))
    return Plan(planner.variants)


class _Planner:
    """Collects variants and problems, each problem once."""

    def __init__(self, arguments: Arguments, datasets: Datasets) -> None:
        self.arguments = arguments
        self.datasets = datasets
        self.variants: list[Variant] = []
        self.count = 0
        self.choices = 0
        self.problems: dict[str, Problem] = {}
        self.codes: set[int] = set()
        self._opened: list[tuple[str, Grid, Seeds]] = []
        self._names: dict[str, tuple[str, str]] = {}
        self._unwritten: set[str] = set()
        self._known: set[tuple[str, Identity]] = set()
        self._by_choice: dict[tuple[str, str], int] = {}

    def open(self, file: str, origin: Origin) -> None:
        """Load a config with its grid and seeds."""
        if not isinstance(origin, Path):
            self._unwritten.add(file)
        try:
            grid = load_grid(origin, self.arguments)
            seeds = seeds_of(grid.base, self.arguments.seed, self.arguments.seeds)
            self._require_new_name(grid.base.config.name, file)
        except ConfigError as error:
            self.refuse(error.problems, error.exit_code, file)
        else:
            self.count += grid.folds * len(seeds)
            self.choices += grid.count
            self._opened.append((file, grid, seeds))

    def plan(self) -> None:
        """Check every grid point of the loaded configs."""
        for file, grid, seeds in self._opened:
            for choice in grid.choices:
                if isinstance(choice, ConfigError):
                    self.refuse(choice.problems, choice.exit_code, file)
                else:
                    self._add_choice(file, choice, seeds)

    def _add_choice(self, file: str, choice: GridPoint, seeds: Seeds) -> None:
        try:
            variant = self._variant(file, choice, seeds)
        except ConfigError as error:
            self.refuse(map(choice.relocated, error.problems), error.exit_code, file)
        except InterruptionError:
            raise
        except NnrunError as error:
            self.refuse([Problem(str(error), path=file)], error.exit_code)
        else:
            self._add(variant)

    def _variant(self, file: str, choice: GridPoint, seeds: Seeds) -> Variant:
        prepared = prepare(choice.experiment, self.datasets.load)
        variant = make_variant(len(self.variants), file, choice, prepared, seeds)
        if seeds.splits is not None and len(seeds.splits) > 1 and not variant.drawn:
            message = "no seed decides which rows are in which split"
            raise ConfigError([choice.experiment.problem(("sweep", "seeds", "split"), message)])
        return variant

    def _add(self, variant: Variant) -> None:
        """Add a variant, or the runs that it has beyond one with the same choice."""
        new = {
            fold: identity
            for fold, identity in variant.identities.items()
            if (variant.name, identity) not in self._known
        }
        if not new:
            return
        self._known |= {(variant.name, identity) for identity in new.values()}
        number = self._by_choice.setdefault(
            (variant.file, canonical_json(variant.choice)), variant.number
        )
        if number == variant.number:
            self.variants.append(variant)
        else:
            self.variants[number] = joined(self.variants[number], variant)

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
            self.problems.setdefault(str(found), found)
