"""The `search` block: its options, and the keys that it varies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, core_schema

from nnrun.config.names import changes_nothing
from nnrun.config.schema.base.block import MOST_LOOKED_AT, Block, ConfigIssue
from nnrun.config.schema.base.fields import Flag, Integer, Kind, OneOf
from nnrun.config.schema.search.distributions import (
    FORMS,
    Distribution,
    is_distribution,
    read_distribution,
)
from nnrun.config.schema.search.mistakes import issues_of
from nnrun.suggestions import nearest

SAMPLERS = ("tpe", "random", "quasi_random", "cma_es", "grid")
PRUNINGS = ("none", "halving", "asynchronous_halving", "median")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"(\d+(?:\.\d+)?) ?([smhd])", re.ASCII)
_SEEDS = ("seed", "dataset.split.seed", "dataset.split.test_seed", "dataset.fold")
_DATA = ("dataset.name", "dataset.path", "dataset.images", "dataset.columns.target")
_SIZES = ("dataset.test_size", "dataset.validation_size", "dataset.folds", "dataset.hide_test")
_FORM: JsonDict = {
    "type": "object",
    "description": "What to choose from: one of uniform, log_uniform, int, choice.",
    "anyOf": [{"required": [form]} for form in FORMS],
    "properties": {
        **{
            form: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
            for form in FORMS[:3]
        },
        "choice": {"type": "array", "minItems": 2},
        "log": {"type": "boolean"},
        "step": {"type": "number", "exclusiveMinimum": 0},
    },
}


@dataclass(frozen=True)
class Duration(Kind):
    """A time: seconds, or a number with a unit."""

    phrase = "a time above 0, like 90s, 10m or 2h"
    example = "10m"

    def prepare(self, value: Any) -> Any:
        if isinstance(value, str):
            return seconds_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return float(value)

    def schema(self) -> CoreSchema:
        return core_schema.float_schema(gt=0, allow_inf_nan=False)

    def in_json(self) -> dict[str, Any]:
        return {"type": ["string", "number"]}


def seconds_of(text: str) -> float:
    """The seconds of a time such as `90s`, `10m` or `2h`; a ValueError for other texts."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError
    return float(found[1]) * _UNITS[found[2]]


class SearchConfig(Block):
    """What `nnrun search` varies: keys in dotted form with what to choose from, and options."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "patternProperties": {r"^(loss|[a-z_]+\.[A-Za-z0-9_.]+)$": _FORM},
            "additionalProperties": False,
        },
    )
    noun: ClassVar[str] = "search"
    must_be: ClassVar[str] = "a mapping like {training.learning_rate: {log_uniform: [1e-4, 1]}}"
    __pydantic_extra__: dict[str, Any]

    trials: Annotated[int, Integer(gt=0, le=100_000)] | None = None
    """How many settings to try; by default 50, or with `time` as many as fit."""
    time: Annotated[float, Duration()] | None = None
    """How long trials, final comparison and test may take in all: 90s, 10m, 2h. No run begins after
    that."""
    sampler: Annotated[str, OneOf(SAMPLERS, "a sampler")] = "tpe"
    """How settings are proposed: a Parzen estimator, at random, evenly by a Sobol sequence, by
    CMA-ES, or all of a grid."""
    seeds: Annotated[int, Integer(gt=0, le=1000)] = 1
    """How many seeds, and so splits, judge each trial."""
    pruning: Annotated[str, OneOf(PRUNINGS)] = "none"
    """How bad trials end early, by their validation curves: successive halving of groups,
    halving of each trial among those before it, or worse than the median of these."""
    reduction: Annotated[int, Integer(ge=2, le=16)] = 3
    """One in this many trials goes on at a rung, and each rung has this many times the updates."""
    rungs: Annotated[int, Integer(ge=1, le=6)] = 2
    """How many times a trial may end before its end."""
    window: Annotated[int, Integer(ge=1, le=4096)] = 8
    """How many trials may be in progress: a trial is proposed from those this many before it."""
    top: Annotated[int, Integer(ge=1, le=100)] = 5
    """How many of the best settings are trained again on fresh seeds, for the final comparison."""
    fresh_seeds: Annotated[int, Integer(ge=2, le=1000)] = 5
    """How many seeds the final comparison has."""
    random: Annotated[bool, Flag()] | None = None
    """Whether a random search of the same budget is made too; by default unless `time` is given."""

    @property
    def space(self) -> dict[str, Distribution]:
        """What to choose from, by dotted key."""
        found = self.model_extra or {}
        return {key: read_distribution(value, key) for key, value in found.items()}

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        keys = [key for key in data if key not in cls.model_fields]
        for number, key in enumerate(keys):
            if changes_nothing(key):
                yield ConfigIssue(f"'{key}' changes no result, so no search", (key,), "key")
            elif key in (*_SEEDS, *_SIZES, *_DATA):
                message = f"'{key}' decides which rows judge a trial; a search cannot choose it"
                yield ConfigIssue(message, (key,), "key")
            elif "." not in key and key != "loss":
                yield _no_key(key, data[key], cls, looked_at=number < MOST_LOOKED_AT)
            else:
                yield from issues_of(data[key], (key,), key)
        if data.get("sampler") == "grid":
            yield from _off_grid(data, keys)


def _no_key(key: str, value: Any, block: type[Block], *, looked_at: bool) -> ConfigIssue:
    message = f"'{key}' is not a key of search"
    if isinstance(value, dict) and value and not is_distribution(value):
        return ConfigIssue(
            f"{message}; keys are dotted, like {key}.{next(iter(value))}", (key,), "key"
        )
    near = nearest(key, tuple(block.model_fields)) if looked_at else None
    if near:
        return ConfigIssue(f"{message}; did you mean '{near}'?", (key,), "key")
    dotted = "; keys are dotted, like training.learning_rate"
    # `config/hints.py` adds which block has this key.
    return ConfigIssue(message, (key,), "key", hint=lambda: dotted, unknown=key)


def _off_grid(data: dict[str, Any], keys: list[str]) -> Iterator[ConfigIssue]:
    """Ranges that have no steps to try all of."""
    for key in keys:
        value = data[key]
        if not isinstance(value, dict):
            continue
        for form in ("uniform", "log_uniform"):
            if form in value and "step" not in value:
                remedy = "add 'step'" if form == "uniform" else "write a choice"
                message = (
                    f"a grid cannot try all numbers of a range; {remedy}, or take another sampler"
                )
                yield ConfigIssue(message, (key, form), "key")
