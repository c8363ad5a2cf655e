"""The `columns` block: what the columns of a CSV file are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import Integer, Listed, OneOf, Text
from nnrun.config.schema.data.times import CATEGORIES, Formats
from nnrun.data.preprocessing.impute import STATISTICS

ColumnNames = Annotated[list[Annotated[str, Text()]], Listed("column names")]


class Impute(Block):
    """Missing numbers are filled in by a statistic of the training split."""

    noun: ClassVar[str] = "missing"
    must_be: ClassVar[str] = "a mapping like {impute: median}"

    impute: Annotated[str, OneOf(tuple(STATISTICS), "a statistic to fill in")]
    """What is filled in. Of categories, a missing one is a category of its own."""


Missing = Annotated[str, OneOf(("error", "drop_rows"))] | Impute


def rule_of(missing: Missing) -> str:
    """`error`, `drop_rows`, or the statistic to fill in."""
    return missing.impute if isinstance(missing, Impute) else missing


class EmbeddingConfig(Block):
    """A learned vector for each category of a column."""

    noun: ClassVar[str] = "an embedding"
    must_be: ClassVar[str] = "a number of dimensions, or a mapping of dimensions, min_count"

    dimensions: Annotated[int, Integer(ge=1, le=1024)]
    """The length of the vectors."""
    min_count: Annotated[int, Integer(ge=1)] | None = None
    """Like `columns.min_count`, for this column."""


def _embedding(value: Any) -> Any:
    """The number of dimensions alone."""
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return {"dimensions": value} if whole else value


EmbeddingField = Annotated[
    EmbeddingConfig,
    BeforeValidator(
        _embedding, json_schema_input_type=EmbeddingConfig | Annotated[int, Integer(ge=1, le=1024)]
    ),
]


class ColumnsConfig(Block):
    """The columns of a CSV file."""

    noun: ClassVar[str] = "columns"

    target: Annotated[str, Text()]
    """The column to predict."""
    features: ColumnNames | None = None
    """The columns to predict from; by default all but the target and those dropped."""
    drop: list[Annotated[str, Text()]] = Field(default=[])
    """Columns to leave out."""
    categorical: list[Annotated[str, Text()]] = Field(default=[])
    """Text columns to encode one-hot, by the categories that training rows have."""
    embedding: dict[str, EmbeddingField] = Field(default={})
    """Text columns with many categories, each with the length of the vectors that the network
    learns for them: `{shop: 4}`, or `{shop: {dimensions: 4, min_count: 5}}`. `categorical` may
    name them, too."""
    target_mean: list[Annotated[str, Text()]] = Field(default=[])
    """Text columns that become the mean of the target over the training rows of each category; of
    more than two classes, the share of each class. A training row has the mean over other rows."""
    min_count: Annotated[int, Integer(ge=1)] = 1
    """Categories in fewer training rows are put together."""
    weight: Annotated[str, Text()] | None = None
    """The column of the rows' weights, numbers of at least 0: a row with a weight of 2 counts as
    two rows in the loss and in metrics. It is no feature."""
    missing: dict[str, Missing] = Field(default={})
    """For single columns, what is done about missing values."""
    formats: Formats = Field(default={})
    """For single columns, how they are written, by an example: "1,234.50 €", "12 kg", "31.12.2024",
    or for dates by codes, "%d.%m.%Y". What is written otherwise is an error."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        features, drop, missing = (data.get(key) for key in ("features", "drop", "missing"))
        dropped = {name for name in drop if isinstance(name, str)} if isinstance(drop, list) else ()
        for key in ("target", "weight"):
            name = data.get(key)
            if isinstance(features, list) and name in features:
                message = f"the {key} '{name}' cannot be a feature too"
                yield ConfigIssue(message, ("features", features.index(name)))
            if isinstance(missing, dict) and isinstance(missing.get(str(name)), dict):
                message = f"no {key} is filled in; leave such rows out with {name}: drop_rows"
                yield ConfigIssue(message, ("missing", str(name)))
        weight = data.get("weight")
        if weight is not None and weight == data.get("target"):
            yield ConfigIssue("this is the target", ("weight",))
        elif isinstance(weight, str) and weight in dropped:
            yield ConfigIssue(f"'{weight}' is dropped, so it cannot be used here", ("weight",))
        for key in ("features", *CATEGORIES):
            for place, name in _named(data.get(key)):
                if isinstance(name, str) and name in dropped:
                    yield ConfigIssue(
                        f"'{name}' is dropped, so it cannot be used here", (key, place)
                    )
        yield from _ambiguous(data)


def _named(names: Any) -> list[tuple[int | str, Any]]:
    """The columns in a list, or the keys of a mapping, with their places."""
    if isinstance(names, dict):
        return [(name, name) for name in names]
    return [*enumerate(names)] if isinstance(names, list) else []


def _ambiguous(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Columns of categories that are named under two keys."""
    first: dict[str, str] = {}
    for key in CATEGORIES:
        for place, name in _named(data.get(key)):
            if not isinstance(name, str) or first.setdefault(name, key) == key:
                continue
            if (first[name], key) != ("categorical", "embedding"):  # which says how it is encoded
                message = f"'{name}' is under {first[name]} already; leave it in one of them"
                yield ConfigIssue(message, (key, place))
