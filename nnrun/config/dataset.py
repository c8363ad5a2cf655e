"""The `dataset` block: which data, how it is split, and how it is prepared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from nnrun.config.blocks import Block, Complaint
from nnrun.config.fields import Flag, Listed, Number, OneOf, Rows, Text
from nnrun.config.messages import show
from nnrun.config.names import DATASETS, LOCATED_DATASETS

TASKS = ("regression", "classification")
TARGET_STEPS = ("none", "standard", "minmax")
FEATURE_STEPS = ("l2", "standard", "minmax")
ColumnNames = Annotated[list[Annotated[str, Text()]], Listed("column names")]


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
    """Text columns to encode one-hot."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[Complaint]:
        target, features, drop = (data.get(key) for key in ("target", "features", "drop"))
        if isinstance(features, list) and target in features:
            message = f"the target '{target}' cannot be a feature too"
            yield Complaint(message, ("features", features.index(target)))
        dropped = {name for name in drop if isinstance(name, str)} if isinstance(drop, list) else ()
        for key, names in (("features", features), ("categorical", data.get("categorical"))):
            for index, name in enumerate(names if isinstance(names, list) else ()):
                if isinstance(name, str) and name in dropped:
                    yield Complaint(f"'{name}' is dropped, so it cannot stand here", (key, index))


class Binarize(Block):
    """1 where a feature is at least the threshold, 0 elsewhere."""

    noun: ClassVar[str] = "a feature step"

    binarize: Annotated[float, Number()]
    """The threshold."""

    @classmethod
    def phrase(cls) -> str:
        return "a mapping like {binarize: 8}"


def _steps(value: Any) -> Any:
    """`none`, one step, or a list of steps, as a list."""
    if value == "none":
        return []
    return [value] if isinstance(value, str | dict | Binarize) else value


FeatureStep = Annotated[str, OneOf(FEATURE_STEPS, "a feature step")] | Binarize
Features = Annotated[
    list[FeatureStep],
    BeforeValidator(
        _steps, json_schema_input_type=list[FeatureStep] | FeatureStep | Literal["none"]
    ),
]


class SourceConfig(Block):
    """Where data come from, and how they are read."""

    name: Annotated[str, OneOf(DATASETS, "a built-in data set")] | None = None
    """A built-in data set; `nnrun datasets` lists them."""
    path: Annotated[str, Text()] | None = None
    """A .csv or .npz file, or the folder of IDX files for mnist and fashion_mnist."""
    columns: ColumnsConfig | None = None
    """What the columns of a CSV file are."""
    task: Annotated[str, OneOf(TASKS)] | None = None
    """By default what the data suggests."""


class PreparationConfig(Block):
    """What is done with data that are loaded: how they are divided, and scaled."""

    test_size: Annotated[float | int, Rows()] | Annotated[str, OneOf(("given",))] | None = None
    """A share or a number of rows, or "given" for the data set's own test split; 0 for none.

    By default "given" where the data set has its own, else 0.2."""
    validation_size: Annotated[float | int, Rows()] = 0.0
    """A share or a number of rows, taken out of the training split."""
    stratify: Annotated[bool, Flag()] = False
    """Whether every split gets the same share of each class."""
    features: Features = Field(default=[])
    """How features are prepared, in this order; fitted on the training split only."""
    target: Annotated[str, OneOf(TARGET_STEPS)] = "none"
    """How a regression target is scaled; metrics are in its own units all the same."""


class DatasetConfig(PreparationConfig, SourceConfig):
    """The data of a run. Whatever is no key of the preparation decides what is loaded."""

    noun: ClassVar[str] = "dataset"
    digest_ignores: ClassVar[frozenset[str]] = frozenset({"path"})  # the data stand for it

    @property
    def source(self) -> dict[str, Any]:
        """What decides what is loaded; a key that is added counts among it."""
        return self.model_dump(mode="json", exclude=set(PreparationConfig.model_fields))

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[Complaint]:
        name, path = data.get("name"), data.get("path")
        if data.get("target") == "l2":
            message = "a row-wise norm would make every target 1; use 'standard' or 'minmax'"
            yield Complaint(message, ("target",))
        if name is None and path is None and not cls.misspells(data, "name", "path"):
            yield Complaint("dataset needs 'name' (see `nnrun datasets`) or 'path'", part="block")
        if isinstance(path, str):
            yield from cls._about_path(name, path, data.get("columns"))
        elif path is None and data.get("columns") is not None:
            message = "columns are for a CSV file in 'path'; a built-in data set has its own"
            yield Complaint(message, ("columns",), "key")

    @classmethod
    def _about_path(cls, name: Any, path: str, columns: Any) -> Iterator[Complaint]:
        kind = path.lower().rpartition(".")[2]
        located = name in LOCATED_DATASETS
        if not path or "\0" in path:
            yield Complaint("this is not the path of a file", ("path",))
        elif name is not None and not located:
            message = f"{show(name)} is built in and has no path; remove one of 'name' and 'path'"
            yield Complaint(message, ("path",), "key")
        elif not located and kind not in ("csv", "npz"):
            yield Complaint(f"'{path}' is neither a .csv nor a .npz file", ("path",))
        elif not located and kind == "csv" and columns is None:
            message = "a CSV file needs 'columns', like columns: {target: price}"
            yield Complaint(message, part="block")
        elif columns is not None and (located or kind != "csv"):
            yield Complaint("columns are for CSV files only", ("columns",), "key")
