"""The plan of a search: its config, what it varies and how it judges, all valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

from nnrun.config.files import SUFFIXES
from nnrun.config.load import Experiment, Origin, config_to_dict, load_content, read_config
from nnrun.config.overrides import parse_overrides
from nnrun.config.scaffold.findings import Findings
from nnrun.config.scaffold.from_data import draft, name_of, searched_content
from nnrun.config.scaffold.tried import Tried, with_taken
from nnrun.config.schema.search import (
    DEPTH,
    Choice,
    Depth,
    Distribution,
    Range,
    SearchConfig,
    seconds_of_argument,
)
from nnrun.config.settings import canonical_json
from nnrun.config.yaml import KeyPath
from nnrun.errors import ConfigError, DamageError, DataError, UsageError
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.search.proposer import drawn_with, optuna
from nnrun.search.settings import Draw, Judging, Setting, Settings, Space, parameters_of
from nnrun.search.trials import Goal, Pruning, make_pruning
from nnrun.sweeps.board.best import FILE, read_search
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.tried import settled, try_readings

# Mistakes in what a search may choose that show when its settings are made.

# An option is refused if this many settings that have it are.
_MOST_SETTINGS = 50
# By this share of its range a depth is one of the deepest: an activation needs a layer.
_DEEP = 0.99
# By this share of its range a number is the largest one, or next to it.
_LARGEST = 1 - 1e-9


def check_space(experiment: Experiment, space: Space, settings: Settings) -> None:
    """Refuse a space with values that cannot be trained, each at its place.

    Raises: ConfigError.
    """
    _check_depth(experiment, space)
    _check_largest(experiment, space, settings)
    refused = [*_useless_options(space, settings)]
    if refused:
        raise ConfigError(
            experiment.problem(("search", *path), f"no setting with it can be trained: {reason}")
            for path, reason in refused
        )


def _check_depth(experiment: Experiment, space: Space) -> None:
    """Find a network that cannot have another number of hidden layers."""
    if DEPTH not in space.keys:
        return
    for key in space.keys:
        if key.startswith(("network.layers", "network.sizes", "network.activations")):
            message = f"{DEPTH} makes all hidden layers; remove one of the two"
            raise ConfigError([experiment.problem(("search", key), message)])
    try:
        Space({DEPTH: space.keys[DEPTH]}, space.layers).draw(_Largest())
    except UsageError as error:
        raise ConfigError([experiment.problem(("search", DEPTH), str(error))]) from None


def _check_largest(experiment: Experiment, space: Space, settings: Settings) -> None:
    """Find values that are too large to train, at the key that is so by itself.

    Of networks it is the first key if none is; other keys may fit together, as the iterations of
    a warm-up and those of the run.
    """
    networks = {key: among for key, among in space.keys.items() if key.startswith("network.")}
    numbers = {
        key: among
        for key, among in space.keys.items()
        if key not in networks and isinstance(among, Range)
    }
    for keys, what in ((networks, "network of this search"), (numbers, "value")):
        reason = _largest_refused(keys, space, settings)
        if reason is None:
            continue
        alone = [key for key in keys if _largest_refused({key: keys[key]}, space, settings)]
        if alone or keys is networks:
            message = f"the largest {what} is refused: {reason}"
            raise ConfigError([experiment.problem(("search", [*alone, *keys][0]), message)])


def _largest_refused(
    keys: Mapping[str, Distribution], space: Space, settings: Settings
) -> str | None:
    """Why the largest numbers of these keys are refused, if they are with all options tried.

    Those that do not go with the first options may go with others, and with other keys.
    """
    alone = Space(keys, space.layers)
    reason = _refusal(alone.draw(_Largest()), settings)
    if reason is None:
        return None
    ranges = (name for name, among in parameters_of(alone).items() if isinstance(among, Range))
    others = drawn_with(dict.fromkeys(ranges, _LARGEST), space, _MOST_SETTINGS)
    return reason if all(_refusal(draw, settings) for draw in others) else None


def _useless_options(space: Space, settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Options of choices with which no setting can be trained: their places, and why.

    One that does not go with the config's own values may go with others of the space.
    """
    for name, path, choice in _choices(space):
        key = str(path[0])
        alone = Space({key: space.keys[key]}, space.layers)
        for at in range(len(choice.options)):
            fixed = {name: (at + 0.5) / len(choice.options)}
            if key == DEPTH:
                fixed[DEPTH] = _DEEP
            tried = chain(drawn_with(fixed, alone, 1), drawn_with(fixed, space, _MOST_SETTINGS))
            reasons = [*takewhile(bool, (_refusal(draw, settings) for draw in tried))]
            if len(reasons) > _MOST_SETTINGS:
                yield (*path, "choice", at), str(reasons[0])


def _choices(space: Space) -> Iterator[tuple[str, KeyPath, Choice]]:
    """The name of each choice, as of a parameter, and its place in the block."""
    for key, among in space.keys.items():
        if isinstance(among, Choice):
            yield key, (key,), among
        elif isinstance(among, Depth):
            inner = among.inner.items()
            yield from ((f"{key}.{n}", (key, n), c) for n, c in inner if isinstance(c, Choice))


def _refusal(draw: Draw, settings: Settings) -> str | None:
    """Why a config with these values is refused, if it is."""
    try:
        settings.make(-1, {}, draw.values, (0,))
    except ConfigError as error:
        return error.problems[0].message
    except DataError as error:
        return str(error)
    return None


class _Largest:
    """Chooses the largest numbers, and what comes first."""

    def number(self, name: str, among: Range) -> float | int:
        return among.high

    def option(self, name: str, labels: Sequence[Any]) -> int:
        return 0


TRIALS = 50
"""How many trials there are by default."""
_CURVES = ("accuracy", "mse", "loss")
_LOG_LOSSES = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class SearchPlan:
    """A search that can begin.

    Args:
        block: its `search` block, with the values of arguments.
        asynchronous: whether proposals depend on which trials have ended.
        space: what it may choose.
        settings: makes configs.
        default: the config's own settings, on the seeds of trials.
        seeds: of each trial.
        identity: the digest of all that decides its trials.
        notes: on what arguments replaced.
        tried: the readings of columns that its draft was chosen from, as JSON data, if it was.
    """

    block: SearchConfig
    asynchronous: bool
    space: Space
    settings: Settings
    default: Setting
    seeds: Sequence[int]
    identity: str
    notes: Sequence[str]
    tried: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.default.variant.name

    @property
    def networks(self) -> int:
        """How many networks a run of the config trains."""
        members = self.default.config.get("members", 1)
        return int(members["number"] if isinstance(members, dict) else members)

    @property
    def goal(self) -> Goal:
        """The direction of the metric."""
        return Goal(self.default.variant.larger_is_better)

    @property
    def trials(self) -> int | None:
        """How many trials there may be; None for as many as there is time for."""
        block = self.block
        return TRIALS if block.trials is None and block.time is None else block.trials

    @property
    def has_random(self) -> bool:
        """Whether a random search stands beside."""
        if self.block.sampler == "random":
            return False
        return self.block.time is None if self.block.random is None else self.block.random

    @property
    def fresh_seeds(self) -> range:
        """Seeds of the final comparison: no trial has them."""
        first = self.seeds[-1] + 1
        return range(first, first + self.block.fresh_seeds)

    def pruning(self) -> Pruning:
        """The rule by which bad trials end early."""
        block, kind = self.block, self.block.pruning
        if kind == "halving" and self.asynchronous:
            kind = "asynchronous_halving"
        return make_pruning(
            kind, window=block.window, reduction=block.reduction, rungs=block.rungs,
            maximize=self.goal.maximize,
        )  # fmt: skip


# Searches of data files, whose drafts are the configs, and searches that go on.

# Columns are read in other ways for at most one part in this many of the time.
_SHARE_OF_TIME = 10


def origin_of(
    config: Origin, target: str | None, words: Sequence[str], results: Path,
    say: Callable[[str], object],
) -> tuple[Origin, Mapping[str, Any] | None]:  # fmt: skip
    """The config to search; of a data file its draft, and what was tried of that.

    With `search.time` among the `key=value` words, other readings of its columns are tried; in the
    results folder, a search that goes on finds those that it began with. `say` is called with what
    is chosen.

    Raises: UsageError if there is no such file, or a config has a target already.
    """
    if isinstance(config, Path) and not config.exists():
        raise UsageError(f"{config}: there is no such file; a search is of a config or a data file")
    if isinstance(config, Mapping) or config.suffix.lower() in SUFFIXES:
        if target is not None:
            owner = "a config" if isinstance(config, Mapping) else config
            raise UsageError(f"--target {target}: it is for data files; {owner} has its own")
        return config, None
    made = draft(config.absolute(), target, Path.cwd())
    for choice in made.choices:
        say(choice)
    values = {".".join(each.steps): str(each.value) for each in parse_overrides(words)[0]}
    try:
        seconds = seconds_of_argument(values.get("search.time", "")) / _SHARE_OF_TIME
    except ValueError:  # there is none, or the plan says what is wrong with it
        seconds = 0.0
    if not seconds or made.table is None:
        return searched_content(settled(made, say), config), None
    digest = sha256(f"readings of {made.text}".encode()).hexdigest()
    name, before = values.get("name") or name_of(config), dict[str, Any]()
    with suppress(DamageError):
        before = (read_search(results, name) or {}).get("tried") or {}
    if before.get("draft") == digest:
        tried = [Tried(**each) for each in before["readings"]]
    else:
        tried = try_readings(made, Findings(*made.table, name).problems, seconds, say)
    for each in tried:
        say(f"tried: {each.words}")
    data = {"draft": digest, "readings": [asdict(each) for each in tried]}
    return searched_content(with_taken(made, tried), config), data if tried else None


def stored_search(
    plan: SearchPlan, results: Path, say: Callable[[str], object]
) -> Mapping[str, Any] | None:
    """What an earlier call of a search has written, if that can be used; `say` is warned if not."""
    try:
        content = read_search(results, plan.name)
    except DamageError as error:
        say(f"{error.what}; it is written anew from the runs that are stored")
        if plan.block.time is not None:
            say("the time that earlier calls have used is not known, and begins anew")
        return None
    if content is not None and content.get("identity") != plan.identity:
        say(f"{FILE} of {plan.name} is of another search, which this one replaces")
    return content


def plan_search(
    origin: Origin,
    words: Sequence[str],
    datasets: Datasets,
    iterations: int | None = None,
    tried: Mapping[str, Any] | None = None,
    *,
    asynchronous: bool = False,
) -> SearchPlan:
    """The plan of a search of a config, with `key=value` arguments.

    Raises: ConfigError if the config is invalid, or cannot be prepared; UsageError if it has
    nothing to choose from, or Optuna is not installed.
    """
    overrides, problems = parse_overrides(words)
    content = read_config(origin)
    experiment = load_content(content, overrides, iterations, problems, words)
    block = experiment.config.search
    if block is None or not block.space:
        raise UsageError(
            f"{content.file}: there is nothing to choose from; add a block like "
            "search: {training.learning_rate: {log_uniform: [1e-4, 1]}}"
        )
    optuna()  # refuses if it is not installed
    prepared = prepare(experiment, datasets.load)
    if block.pruning != "none" and not _has_curve(prepared):
        message = (
            f"trials end early by their learning curves, which have {_CURVES[0]} or {_CURVES[1]} "
            f"and the loss (of a cross entropy, the log loss), and not {prepared.main_metric}"
        )
        raise ConfigError([experiment.problem(("search", "pruning"), message)])
    own = [one for one in overrides if one.steps[0] != "search"]
    settings = Settings(content.without_sweep(), own, iterations, Judging.of(prepared), datasets)
    space = Space(block.space, config_to_dict(experiment.config)["network"]["layers"])
    first = experiment.config.seed
    seeds = range(first, first + block.seeds)
    default = settings.make(-1, {}, {}, seeds)
    check_space(experiment, space, settings)
    identity = _identity(experiment, block, default, asynchronous=asynchronous)
    return SearchPlan(
        block, asynchronous, space, settings, default, seeds, identity, experiment.notes, tried
    )


def _has_curve(prepared: Prepared) -> bool:
    """Whether learning curves have the metric that trials are judged by."""
    if prepared.main_metric in _CURVES:
        return True
    loss = getattr(prepared.config, "loss", None)  # models of scikit-learn have none
    return prepared.main_metric == "log_loss" and getattr(loss, "type", None) in _LOG_LOSSES


def _identity(
    experiment: Experiment, block: SearchConfig, default: Setting, *, asynchronous: bool
) -> str:
    """The digest of what decides the trials; how many there are, and the time, do not."""
    options = block.model_dump(
        mode="json", exclude={"trials", "time", "top", "fresh_seeds", "random"}
    )
    ids = [run.run_id for run in default.variant.runs()]
    content = [options, ids, asynchronous]
    return sha256(canonical_json(content).encode()).hexdigest()
