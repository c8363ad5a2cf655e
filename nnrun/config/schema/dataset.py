"""The `dataset` block, with the split and folders of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from nnrun.config.schema.block import Block, BlockChoice, ConfigIssue, show
from nnrun.config.schema.columns import (
    ColumnsConfig,
    Dates,
    Features,
    Lags,
    Missing,
    MissingWords,
    indicates,
    rule_of,
)
from nnrun.config.schema.columns import contradictions as about_times
from nnrun.config.schema.fields import Flag, Integer, OneOf, Rows, Text
from nnrun.config.schema.from_signature import LazyBlocks, NamedBlock, Translator
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.encodings import UTF_8, WINDOWS, checked_encoding
from nnrun.data.images import CHANNELS as MODES
from nnrun.data.readers.npz import CHANNELS as CHANNEL_AXES
from nnrun.data.readers.opening import (
    GIVEN,
    about_address,
    format_of,
    holds_arrays,
    is_address,
    is_data_file,
    names_table,
    why_no_file,
)
from nnrun.data.readers.text_lines import SEPARATORS
from nnrun.data.steps import SCALERS
from nnrun.nn.signature import Bounds
from nnrun.suggestions import suggestion
from nnrun.tables import Words

# Larger images are for larger networks than these.
_Side = Annotated[int, Bounds(gt=0, le=1024)]
if TYPE_CHECKING:
    Sides = int | tuple[int, int]
else:
    Sides = Translator({}, {}).field(_Side | tuple[_Side, _Side])


class ImagesConfig(Block):
    """A folder with a sub-folder of images for each class, or with `train` and `test` of these."""

    noun: ClassVar[str] = "images"
    must_be: ClassVar[str] = "a mapping like {folder: cats, size: 32, mode: rgb}"
    digest_ignores: ClassVar[frozenset[str]] = frozenset({"folder"})  # the data stand for it

    folder: Annotated[str, Text()]
    """The folder, whose sub-folders are named as the classes."""
    size: Sides | None = None
    """The pixels that all images are stretched to: a side, or [height, width]; by default they are
    left as they are, and all need one size."""
    mode: Annotated[str, OneOf(tuple(MODES))] = "rgb"
    """Whether images are grey, one number for each pixel, or in colours, three."""

    @classmethod
    def hint(cls, value: Any) -> str:
        return f"; write {{folder: {value}}}" if isinstance(value, str) else ""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        folder = data.get("folder")
        if isinstance(folder, str) and (not folder or "\0" in folder):
            yield ConfigIssue("this is not the path of a folder", ("folder",))
        elif isinstance(folder, str) and is_address(folder):
            yield ConfigIssue(about_address(folder, "folder"), ("folder",))


def contradictions(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Keys of a `dataset` block that images do not have, or only they have."""
    if data.get("channel_axis") is not None and not holds_arrays(data.get("path")):
        yield ConfigIssue("channel_axis is for npz files only", ("channel_axis",), "key")
    if data.get("images") is None:
        return
    for key in ("name", "path"):
        if data.get(key) is not None:
            message = f"the images are the data; remove one of 'images' and '{key}'"
            yield ConfigIssue(message, ("images",), "key")
            return
    if data.get("columns") is not None:
        yield ConfigIssue("columns are for tables only", ("columns",), "key")
    if data.get("task") == "regression":
        yield ConfigIssue("images have the classes of their folders", ("task",))


# The keys of `dataset` that say how rows are split, and their contradictions.

SPLITTINGS = ("random", "group", "time")


class SplitConfig(Block):
    """How rows are assigned to training, validation and test."""

    noun: ClassVar[str] = "split"
    must_be: ClassVar[str] = "a mapping like {by: group, column: patient}"

    by: Annotated[str, OneOf(SPLITTINGS)] = "random"
    """Rows at random; by groups, each within one split; or by time, trained on what came before."""
    column: Annotated[str, Text()] | None = None
    """The groups or the times of rows: a column of the CSV file, an array of the npz file. It is no
    feature unless `columns.features` names it. Times are ISO dates or numbers; equal ones stay
    together."""
    seed: Annotated[int, Integer(ge=0)] | None = None
    """Draws the split alone; by default the config's `seed`, which draws initial weights, sample
    order and dropout too."""
    test_seed: Annotated[int, Integer(ge=0)] | None = None
    """Draws the test rows alone, so that other seeds draw the validation rows among the rest."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        by, column = data.get("by", "random"), data.get("column")
        if by in ("group", "time") and column is None and not cls.misspells(data, "column"):
            yield ConfigIssue(f"a split by {by} needs 'column'", part="block")
        if by == "random" and column is not None:
            message = "rows are split at random; add `by: group` or `by: time` to use a column"
            yield ConfigIssue(message, ("column",), "key")
        for key in ("seed", "test_seed"):
            if by == "time" and data.get(key) is not None:
                message = "a split by time draws nothing, so no seed changes it"
                yield ConfigIssue(message, (key,), "key")


def _word(value: Any) -> Any:
    """`random` as a mapping; the other ways need a column."""
    if not isinstance(value, str):
        return value
    if value == "random":
        return {"by": value}
    if value in SPLITTINGS:
        hint = f"; write {{by: {value}, column: …}}"
        raise ConfigIssue(phrase="'random' or a mapping", hint=lambda: hint).error()
    raise ConfigIssue(
        phrase=f"'random' or {SplitConfig.phrase()}", hint=lambda: suggestion(value, SPLITTINGS)
    ).error()


Splitting = Annotated[
    SplitConfig,
    BeforeValidator(_word, json_schema_input_type=SplitConfig | Annotated[str, OneOf(("random",))]),
]


def split_contradictions(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Mistakes in how the keys of a `dataset` block go together."""
    folds, fold, test_size = (data.get(key) for key in ("folds", "fold", "test_size"))
    if folds is not None and test_size is not None:
        message = (
            "with 'folds' every fold is tested in turn; remove one of the two, or add "
            "dataset.test_size=null"
        )
        yield ConfigIssue(message, ("test_size",), "key")
    if fold is not None and folds is None:
        yield ConfigIssue("'fold' is one of 'folds'; give their number too", ("fold",), "key")
    elif isinstance(fold, int) and isinstance(folds, int) and fold > folds:
        yield ConfigIssue(f"there are {folds} folds", ("fold",))
    split = data.get("split")
    if isinstance(split, dict) and split.get("by") in ("group", "time"):
        yield from _by_column(split["by"], split, data)


def _by_column(by: str, split: dict[str, Any], data: dict[str, Any]) -> Iterator[ConfigIssue]:
    columns = data.get("columns")
    if data.get("name") is not None:
        message = "a built-in data set has no column to split by; its split is random"
        yield ConfigIssue(message, ("split",))
    if data.get("test_size") == "given":
        message = f"the given test rows are not split by {by}; remove one of the two"
        yield ConfigIssue(message, ("test_size",))
    if by == "time" and data.get("stratify") is True:
        message = "rows are split by time, regardless of their class; remove one of the two"
        yield ConfigIssue(message, ("stratify",))
    if isinstance(columns, dict) and split.get("column") == columns.get("target") is not None:
        yield ConfigIssue("this is the target", ("split", "column"))


# The `dataset` block: which data, how it is split, and how it is prepared.

_SOURCES = ("name", "path", "images")
TASKS = ("regression", "classification")
TARGET_STEPS = Words(("none",), SCALERS)
UNKNOWN = ("error", "ignore", "most_frequent")
_TRANSLATOR = Translator({}, {})


@dataclass(frozen=True)
class DatasetName(OneOf):
    """The name of a built-in data set; users often write a file instead."""

    def hint(self, value: Any) -> str:
        if isinstance(value, str) and is_data_file(value):
            return f"; a file stands under 'path': dataset.path={value}"
        return super().hint(value)


@dataclass(frozen=True)
class TargetStep(OneOf):
    """How a target is scaled; users often write the column to predict instead."""

    def hint(self, value: Any) -> str:
        where = "the column to predict stands under dataset.columns.target"
        return super().hint(value) or (f"; {where}" if isinstance(value, str) else "")


@dataclass(frozen=True)
class EncodingName(Text):
    """The name of an encoding of text that Python knows."""

    phrase = "an encoding of text that Python knows, such as cp1252 or utf-16"
    example = WINDOWS

    def prepare(self, value: Any) -> Any:
        return checked_encoding(value) if isinstance(value, str) else value

    def hint(self, value: Any) -> str:
        return "" if isinstance(value, str) else f"; write it in quotes: '{value}'"


class SourceConfig(Block):
    """Source of the data, and how they are read."""

    name: Annotated[str, DatasetName(DATASETS, "a built-in data set")] | None = None
    """A built-in data set; `nnrun datasets` lists them."""
    path: Annotated[str, Text()] | None = None
    """A table (.csv, .tsv, .jsonl, .parquet, .xlsx) or arrays (.npz); texts may be packed (.csv.gz,
    .csv.zst). For sets that take one, the folder of their files."""
    columns: ColumnsConfig | None = None
    """What the columns of a table are."""
    images: ImagesConfig | None = None
    """A folder of images, in place of a file."""
    channel_axis: Annotated[str, OneOf(CHANNEL_AXES)] | None = None
    """Whether images in an npz file have their channels `first` or `last`; by default last where
    the last axis has 1, 3 or 4 numbers, the second has not, and images at least 8×8 pixels."""
    task: Annotated[str, OneOf(TASKS)] | None = None
    """By default what the loss and the last activation say, or the data."""
    missing: Missing = "error"
    """What is done about blank cells of a table, and those like NA, in categories and classes
    too; rows are dropped where one is in a column that is used."""
    unknown: Annotated[str, OneOf(UNKNOWN)] = "ignore"
    """What becomes of a category that no training row has, in held-out and in new rows: `error`;
    `ignore`, which counts it among the rare ones that `columns.min_count` puts together, else as
    none of the categories; or `most_frequent`."""
    separator: Annotated[str, OneOf(tuple(SEPARATORS), "a separator")] | None = None
    """Of the columns of a CSV file; by default the header shows it."""
    decimal: Annotated[str, OneOf((".", ","))] = "."
    """What stands before the decimals in a CSV file."""
    encoding: Annotated[str, EncodingName()] = UTF_8
    """Of the text of a CSV file; new rows are read by it, too. Excel may write cp1252."""
    missing_values: MissingWords = Field(default={})
    """Words that stand for missing values, besides blank cells and those like NA, in upper or lower
    case: [k.A., -999] in every column, or {size: [k.A.]}. A number does by its value: -999 is
    -999.0, too."""
    dates: Dates = Field(default={})
    """For columns of dates in a CSV file, the parts that are features: year, quarter, month, day,
    dayofyear, weekday (0 is Monday), hour, minute, elapsed (days since 2000); with cyclic, periodic
    ones as a sine and a cosine."""
    lags: Lags = Field(default={})
    """For columns of numbers in a CSV file that is split by time, how many rows earlier their
    values are features: {load: [1, 24]}. Rows without that many before them are left out."""

    def missing_rule(self) -> str:
        """`error`, `drop_rows`, or the statistic to fill in."""
        return rule_of(self.missing)

    def missing_rules(self) -> dict[str, str]:
        """The rules of columns that have their own."""
        columns = self.columns
        return {} if columns is None else {n: rule_of(rule) for n, rule in columns.missing.items()}

    def words_for_missing(self) -> dict[str, list[str]]:
        """Words for missing values by column; under "" those of every column."""
        return dict(self.missing_values)

    def indicators(self) -> dict[str, bool]:
        """Whether blanks have an indicator, by column with a rule of its own; "" for all others."""
        own = {} if self.columns is None else self.columns.missing
        return {name: indicates(rule) for name, rule in {"": self.missing, **own}.items()}


class PreparationConfig(Block):
    """How loaded data are divided and scaled."""

    test_size: (
        Annotated[float | int, Rows()] | Annotated[str, OneOf(("given", "pooled"))] | None
    ) = None
    """A share or a number of rows, or "given" for the data set's own test split; 0 for none, which
    leaves the set's own test rows out, or "pooled", which has them among the others.

    By default "given" where the data set has its own, else 0.2."""
    folds: Annotated[int, Integer(ge=2)] | None = None
    """How many parts to divide the rows into, each the test split of one run; in place of
    `test_size`. `nnrun sweep` trains all folds."""
    fold: Annotated[int, Integer(ge=1)] | None = None
    """The fold to test, from 1 on; the others are trained on. By time, only earlier ones are."""
    split: Splitting = Field(default="random", validate_default=True)
    """`random`; {by: group, column: C} for no group in two splits; or {by: time, column: C} to
    train on what came before. The column is no feature then, unless `columns.features` names it.
    `seed`, beside `by`, draws the split alone."""
    validation_size: Annotated[float | int, Rows()] = 0.0
    """A share or a number of rows, taken out of the training split."""
    calibration_size: Annotated[float | int, Rows()] = 0.0
    """A share or a number of the training rows that are left, set aside: they take no part in
    training, in early stopping or in choosing, and intervals, sets and calibrated probabilities go
    by them."""
    train_size: Annotated[float | int, Rows()] | None = None
    """A share or a number of the training rows that are left; by default all. Test and validation
    rows are the same for any size, and a smaller one has some of the rows of a larger one. By time,
    the last ones are kept."""
    copies: Annotated[str, OneOf(("keep", "drop", "together"))] = "keep"
    """What becomes of rows that are equal in all columns of the file, used or not: `keep` them as
    other rows; `drop` all but the first; or put them `together` into one split."""
    hide_test: Annotated[bool, Flag()] = False
    """Whether the test rows are set aside and not evaluated, as in the trials of `nnrun search`."""
    stratify: Annotated[bool, Flag()] | None = None
    """Whether every split gets the same share of each class; by default with `folds` of classes,
    unless by time."""
    features: Features = Field(default=[])
    """How features are prepared, in this order; fitted on the training split only."""
    target: Annotated[str, TargetStep(TARGET_STEPS)] = "none"
    """How a regression target is scaled; metrics are in its own units all the same."""


class DatasetConfig(PreparationConfig, SourceConfig):
    """The data of a run. Keys that are not of `PreparationConfig` decide what is loaded."""

    noun: ClassVar[str] = "dataset"
    digest_ignores: ClassVar[frozenset[str]] = frozenset({"path"})  # the data stand for it
    digest_defaults: ClassVar[Mapping[str, Any]] = {"stratify": False}
    part_keys: ClassVar[Mapping[str, str]] = {
        "name": "dataset",
        "features": "step",
        "target": "step",
    }
    parameters: ClassVar[tuple[str, ...]] = ()

    @property
    def source(self) -> dict[str, Any]:
        """The keys that decide what is loaded."""
        source = self.model_dump(mode="json", exclude=set(PreparationConfig.model_fields))
        return {**source, "split": self.split.model_dump(exclude={"seed", "test_seed"})}

    @classmethod
    def hint(cls, value: Any) -> str:
        if isinstance(value, str) and value in DATASETS:
            return f"; write {{name: {value}}}"
        is_file = isinstance(value, str) and is_data_file(value)
        return "; a file stands under 'path'" if is_file else ""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        if data.get("target") == "l2":
            message = "a row-wise norm would make every target 1; use 'standard' or 'minmax'"
            yield ConfigIssue(message, ("target",))
        yield from split_contradictions(data)
        yield from about_times(data)
        yield from contradictions(data)
        name, path = data.get("name"), data.get("path")
        if all(data.get(key) is None for key in _SOURCES) and not cls.misspells(data, *_SOURCES):
            message = "dataset needs 'name' (see `nnrun datasets`), 'path' or 'images'"
            yield ConfigIssue(message, part="block")
        if isinstance(path, str) and (not path or "\0" in path):
            yield ConfigIssue("this is not the path of a file", ("path",))
        elif isinstance(path, str) and name is None:
            yield from cls._about_file(path, data.get("columns"))
        kind = format_of(str(path)) if names_table(data) else None
        delimited = kind is not None and kind.is_delimited
        for key, fits in (
            ("missing", names_table(data)),
            ("unknown", names_table(data)),
            ("separator", delimited),
            ("decimal", delimited),
            ("encoding", delimited),
            ("missing_values", names_table(data)),
        ):
            if not fits and data.get(key) not in (None, cls.model_fields[key].default):
                what = "CSV files" if key in ("separator", "decimal", "encoding") else "tables"
                yield ConfigIssue(f"{key} is for {what} only", (key,), "key")

    @classmethod
    def _about_file(cls, path: str, columns: Any) -> Iterator[ConfigIssue]:
        kind = format_of(path)
        if path == GIVEN:
            return
        if kind is None or is_address(path):
            yield ConfigIssue(why_no_file(path) or "", ("path",))
        elif kind.is_table and columns is None:
            message = "a table needs 'columns', like columns: {target: price}"
            yield ConfigIssue(message, part="block")
        elif columns is not None and not kind.is_table:
            yield ConfigIssue("columns are for tables only", ("columns",), "key")

    @classmethod
    def _unknown(cls, key: str, *, suggesting: bool) -> ConfigIssue | None:
        owners = [name for name, block in BuiltInConfig.blocks.items() if key in block.parameters]
        if owners:
            own = ", ".join(cls.parameters) or "no options"
            holder = "a file" if cls.noun == DatasetConfig.noun else cls.noun
            message = f"'{key}' is an option of {' and '.join(owners)}; {holder} has {own}"
        else:
            block = cls.noun if cls.parameters else DatasetConfig.noun
            return cls._misplaced(key, f"'{key}' is not a key of {block}", suggesting=suggesting)
        return ConfigIssue(message, (key,), "key")

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of a built-in set's loader; none for files."""
        return {}


class BuiltInConfig(NamedBlock, DatasetConfig):
    """A built-in data set: what all have, and the options that its loader takes."""

    noun: ClassVar[str] = "dataset"
    key: ClassVar[str] = "name"

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        yield from super().contradictions(data)
        if "path" not in cls.parameters and data.get("path") is not None:
            message = (
                f"{show(data['name'])} is built in and has no path; remove one of 'name' and 'path'"
            )
            yield ConfigIssue(message, ("path",), "key")
        if data.get("columns") is not None:
            message = "columns are for a table in 'path'; a built-in data set has its own"
            yield ConfigIssue(message, ("columns",), "key")


@dataclass(frozen=True)
class Option:
    """An option of a built-in data set, for tables and help."""

    name: str
    description: str
    default: Any


def options_of(name: str) -> list[Option]:
    """The options of this built-in data set, which stand beside its name."""
    block = BuiltInConfig.blocks[name]
    fields = ((key, block.model_fields[key]) for key in block.parameters)
    return [Option(key, block.describe(key), field.default) for key, field in fields]


def takes_path(name: object) -> bool:
    """Whether this is a built-in data set that may be read from a `path`."""
    return (
        isinstance(name, str)
        and name in DATASETS
        and "path" in BuiltInConfig.blocks[name].parameters
    )


def _choose(value: Any) -> tuple[type[Block] | None, Any]:
    if isinstance(value, DatasetConfig):
        return type(value), value
    name = value.get("name") if isinstance(value, dict) else None
    if isinstance(name, str) and name in DATASETS:
        return BuiltInConfig.blocks[name], value
    return DatasetConfig, value


BuiltInConfig.blocks = LazyBlocks(
    DATASETS, lambda name: _TRANSLATOR.block(name, DATASETS[name].load, BuiltInConfig, "a data set")
)
Dataset = Annotated[
    DatasetConfig, BlockChoice(_choose, lambda: (DatasetConfig, *BuiltInConfig.blocks.values()))
]
