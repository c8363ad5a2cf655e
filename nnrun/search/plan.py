"""The plan of a search: its config, what it varies and how it judges, all valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from nnrun.config.canonical_json import canonical_json
from nnrun.config.content import Origin, read_config
from nnrun.config.load import Experiment, config_to_dict, load_content
from nnrun.config.overrides import parse_overrides
from nnrun.config.schema.search.search import SearchConfig
from nnrun.errors import ConfigError, UsageError
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.search.checks import check_space
from nnrun.search.proposer import optuna
from nnrun.search.settings import Judging, Setting, Settings
from nnrun.search.spaces.choices import Space
from nnrun.search.trials.pruning import Goal, Pruning, make_pruning
from nnrun.sweeps.planning.datasets import Datasets

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
    """

    block: SearchConfig
    asynchronous: bool
    space: Space
    settings: Settings
    default: Setting
    seeds: Sequence[int]
    identity: str
    notes: Sequence[str]

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.default.variant.name

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
        """Those of the final comparison: no trial has them."""
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


def plan_search(
    origin: Origin,
    words: Sequence[str],
    datasets: Datasets,
    iterations: int | None = None,
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
        block, asynchronous, space, settings, default, seeds, identity, experiment.notes
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
