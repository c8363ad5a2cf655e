"""The place of each key in a config, to suggest it where the key is written elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from nnrun.config.schema.block import ConfigIssue
from nnrun.config.schema.dataset import BuiltInConfig, ColumnsConfig, DatasetConfig
from nnrun.config.schema.experiment import (
    CrossedSeeds,
    ExperimentConfig,
    PublishedConfig,
    SweepConfig,
)
from nnrun.config.schema.from_signature import NamedBlock
from nnrun.config.schema.network import STACK_KEYS, LayerConfig, LossConfig, NetworkConfig
from nnrun.config.schema.training import (
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)
from nnrun.suggestions import synonym


def located(issue: ConfigIssue) -> ConfigIssue:
    """The issue; if it is about an unknown key, with the place where that key belongs."""
    if not issue.unknown:
        return issue
    elsewhere = place_of(issue.unknown) or ""
    hint = f"; did you mean {elsewhere}?" if elsewhere else issue.hint()
    return replace(issue, message=issue.message + hint, unknown="", elsewhere=elsewhere)


def place_of(key: str) -> str | None:
    """The dotted key for this key or, if it is a word of another library, for ours."""
    known = _places()
    meant = key if key in known else synonym(key, known)
    return None if meant is None else known[meant]


@cache
def _places() -> dict[str, str]:
    """The first place of each key, in an order that puts common keys first."""
    known: dict[str, str] = {}
    for key, place in _all_keys():
        known.setdefault(key, place)
    return known


def _all_keys() -> Iterator[tuple[str, str]]:
    keys = {
        "": ExperimentConfig.model_fields,
        "training.": TrainingConfig.model_fields,
        "dataset.": DatasetConfig.model_fields,
        "network.": (*NetworkConfig.model_fields, *sorted(STACK_KEYS)),
        "dataset.columns.": ColumnsConfig.model_fields,
        "training.early_stopping.": EarlyStoppingConfig.model_fields,
        "sweep.": SweepConfig.model_fields,
        "sweep.seeds.": CrossedSeeds.model_fields,
        "published.": PublishedConfig.model_fields,
    }
    for prefix, names in keys.items():
        yield from ((name, f"{prefix}{name}") for name in names)
    tables: dict[str, type[NamedBlock]] = {
        "training.optimizer.": OptimizerConfig,
        "training.learning_rate.": ScheduleConfig,
        "network.layers.0.": LayerConfig,
        "loss.": LossConfig,
        "dataset.": BuiltInConfig,
    }
    for prefix, base in tables.items():
        for block in base.blocks.values():
            yield from ((name, f"{prefix}{name}") for name in block.parameters)
