"""The `sweep` block: which seeds, and which values of which keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from nnrun.config.names import BESIDE, changes_nothing
from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import Integer, Listed, OneOf
from nnrun.config.schema.base.pydantic_errors import show
from nnrun.config.schema.metrics import MetricName
from nnrun.metrics.table import LOSS

Seeds = (
    Annotated[int, Integer(gt=0)] | Annotated[list[Annotated[int, Integer(ge=0)]], Listed("seeds")]
)
Model = Annotated[str, OneOf(BESIDE, "a model of scikit-learn")]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Models = Annotated[
    list[Model], BeforeValidator(_listed, json_schema_input_type=list[Model] | Model)
]


class CrossedSeeds(Block):
    """Each seed of the split with each seed of everything else that is random."""

    noun: ClassVar[str] = "seeds"
    must_be: ClassVar[str] = "a mapping like {split: 5, weights: 4}"

    split: Seeds = 1
    """How many seeds of the split (`dataset.split.seed`), counted from it or from `seed` on, or a
    list of them."""
    weights: Seeds = 1
    """How many seeds of initial weights, sample order and dropout (`seed`), or a list of them."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        for key in cls.model_fields:
            yield from _twice(data.get(key), (key,))


class SweepConfig(Block):
    """What `nnrun sweep` varies."""

    noun: ClassVar[str] = "sweep"
    part_keys: ClassVar[Mapping[str, str]] = {"order_by": "metric"}

    seeds: Seeds | CrossedSeeds | None = None
    """How many seeds, counted from `seed` on, or a list of them; {split: 5, weights: 4} crosses
    five seeds of the split with four of everything else."""
    grid: dict[str, Annotated[list[Any], Listed("values")]] = Field(default={})
    """For keys in dotted form, such as training.learning_rate, the values to try."""
    beside: Models = Field(default=[])
    """Models of scikit-learn to train on the same splits and seeds; one, or a list of them."""

    order_by: Annotated[str, MetricName(extra=(LOSS,))] | None = None
    """The metric that runs and leaderboards are ordered by; by default accuracy, or mse."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        seeds, grid = data.get("seeds"), data.get("grid")
        yield from _twice(seeds, ("seeds",))
        models = data.get("beside")
        names = models if isinstance(models, list) else []
        for index, name in enumerate(names):
            if name in names[:index]:
                yield ConfigIssue(f"{show(name)} is given twice", ("beside", index))
        for key in grid if isinstance(grid, dict) else ():
            if changes_nothing(key):
                yield ConfigIssue(f"'{key}' changes no result, so no sweep", ("grid", key), "key")
            crossed = isinstance(seeds, dict) and key == "dataset.split.seed"
            if crossed or (key == "seed" and seeds is not None):
                message = "the seeds are given by 'seeds' already; remove one of the two"
                yield ConfigIssue(message, ("grid", key), "key")


def _twice(seeds: Any, path: tuple[str, ...]) -> Iterator[ConfigIssue]:
    known = set()
    for index, seed in enumerate(seeds if isinstance(seeds, list) else ()):
        if not isinstance(seed, int | float):
            continue  # not a seed, which the field reports
        if seed in known:
            yield ConfigIssue(f"the seed {show(seed)} is given twice", (*path, index))
        known.add(seed)
