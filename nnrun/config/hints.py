"""Hints for keys that are written in the wrong place, and for arguments that are options.

The words "did you mean" are in `nnrun/suggestions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from nnrun.config.overrides import OverrideError, values_of
from nnrun.config.schema.block import Block, ConfigIssue
from nnrun.config.schema.columns import ColumnsConfig
from nnrun.config.schema.dataset import BuiltInConfig, DatasetConfig, ImagesConfig
from nnrun.config.schema.experiment import (
    CostConfig,
    DecideConfig,
    ExperimentConfig,
    PublishedConfig,
    RecallAtPrecision,
)
from nnrun.config.schema.from_signature import NamedBlock
from nnrun.config.schema.network import LayerConfig, LossConfig, NetworkConfig, StackConfig
from nnrun.config.schema.search import SearchConfig
from nnrun.config.schema.training import (
    AugmentConfig,
    AverageConfig,
    CrossedSeeds,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    SweepConfig,
    TrainingConfig,
)
from nnrun.errors import Problem
from nnrun.suggestions import synonym

BLOCKS: tuple[tuple[str, type[Block]], ...] = (
    ("", ExperimentConfig),
    ("training.", TrainingConfig),
    ("dataset.", DatasetConfig),
    ("network.", NetworkConfig),
    ("network.", StackConfig),
    ("dataset.columns.", ColumnsConfig),
    ("training.early_stopping.", EarlyStoppingConfig),
    ("sweep.", SweepConfig),
    ("sweep.seeds.", CrossedSeeds),
    ("decide.", DecideConfig),
    ("decide.maximize.", RecallAtPrecision),
    ("decide.cost.", CostConfig),
    ("published.", PublishedConfig),
    ("dataset.images.", ImagesConfig),
    ("training.augment.", AugmentConfig),
    ("training.average.", AverageConfig),
    ("search.", SearchConfig),
)
"""The blocks with keys of their own, those with the most frequent keys first."""

TABLES: dict[str, type[NamedBlock]] = {
    "training.optimizer.": OptimizerConfig,
    "training.learning_rate.": ScheduleConfig,
    "network.layers.0.": LayerConfig,
    "loss.": LossConfig,
    "dataset.": BuiltInConfig,
}
"""Blocks whose keys depend on the entry of a table that they name."""
# Options of commands, by the words that users try as arguments.
_OPTIONS = {
    "seeds": "nnrun sweep with --seeds {value}",
    "n_seeds": "nnrun sweep with --seeds {value}",
    "jobs": "nnrun sweep with --jobs {value}",
    "n_jobs": "nnrun sweep with --jobs {value}",
    "workers": "nnrun sweep with --jobs {value}",
    "beside": "nnrun sweep with --beside {value}",
    "results": "--results {value}",
    "output": "--results {value}",
    "output_dir": "--results {value}",
    "verbose": "--quiet, or leave it out",
}
# Keys that take one value or a list.
_LISTS = frozenset(
    {
        "dataset.features",
        "dataset.columns.drop",
        "dataset.columns.categorical",
        "dataset.columns.target_mean",
    }
)


def located(issue: ConfigIssue) -> ConfigIssue:
    """The issue; if it is about an unknown key, with the place where that key belongs."""
    if not issue.unknown:
        return issue
    elsewhere = place_of(issue.unknown) or ""
    hint = f"; did you mean {elsewhere}?" if elsewhere else issue.hint()
    return replace(issue, message=issue.message + hint, unknown="", elsewhere=elsewhere)


def place_of(key: str) -> str | None:
    """The dotted key for this key or, if it is a word of another library, for ours."""
    known = _places(tuple(name for base in TABLES.values() for name in base.blocks))
    meant = key if key in known else synonym(key, known)
    return None if meant is None else known[meant]


@lru_cache(maxsize=2)  # for the entries that the tables have, and had before a plugin
def _places(entries: tuple[str, ...]) -> dict[str, str]:
    """The first place of each key, in an order that puts common keys first."""
    known: dict[str, str] = {}
    for key, place in _all_keys():
        known.setdefault(key, place)
    return known


def _all_keys() -> Iterator[tuple[str, str]]:
    for prefix, block in BLOCKS:
        yield from ((name, f"{prefix}{name}") for name in block.model_fields)
    for prefix, base in TABLES.items():
        for entry in base.blocks.values():
            yield from ((name, f"{prefix}{name}") for name in entry.parameters)


def option_of(key: str, value: str) -> str | None:
    """The option that this argument seems to be meant for, if there is one."""
    return _OPTIONS[key].format(value=value).rstrip() if key in _OPTIONS else None


def explained(problem: Problem, issue: ConfigIssue) -> Problem:
    """The problem; if it is of an argument, with a hint for what was meant."""
    if problem.argument is None:
        return problem
    key, _, value = problem.argument.partition("=")
    if len(issue.path) == 1 and issue.part == "key" and (meant := option_of(key, value)):
        message = f"'{key}' is not a key of the config; did you mean {meant}?"
        return replace(problem, message=message)
    if issue.elsewhere and len(issue.path) == 1:
        hint = f"did you mean {issue.elsewhere}"
        return replace(problem, message=problem.message.replace(f"{hint}?", f"{hint}={value}?"))
    if issue.part == "value" and _has_several(value):
        hint = "only nnrun sweep takes several values"
        if "list" in issue.phrase or key in _LISTS:
            hint = f"a list stands in brackets: {key}=[{value}]"
        return replace(problem, message=f"{problem.message}; {hint}")
    return problem


@lru_cache(maxsize=64)  # thousands of problems may be those of one argument
def _has_several(text: str) -> bool:
    try:
        return len(values_of(text)) > 1
    except OverrideError:
        return False
