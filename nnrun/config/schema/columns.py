"""The keys of `dataset` about columns: categories, dates, earlier rows and steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from inspect import Parameter, getdoc, isclass, signature
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from nnrun.config.schema.block import MOST_LOOKED_AT, Block, BlockChoice, ConfigIssue, argument_docs
from nnrun.config.schema.fields import Flag, Integer, Listed, OneOf, Text, example_of
from nnrun.config.schema.from_signature import LazyBlocks, Translator
from nnrun.config.yaml_scalars import flow, write_scalar
from nnrun.data.columns.date_formats import DateFormat
from nnrun.data.columns.kinds import CYCLIC, PARTS, PERIODS
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.readers.opening import names_table
from nnrun.data.steps import STATISTICS, STEPS, Step
from nnrun.plugins.loading import find
from nnrun.plugins.part import PluginError
from nnrun.suggestions import nearest, part_suggestion
from nnrun.tables import Chosen

_LIKE_A_DATE = re.compile(r"%[a-zA-Z]|\d([-/.:])\d+\1\d|\d:\d")
CATEGORIES = ("categorical", "embedding", "target_mean")
"""The keys of `columns` that name columns of categories."""
PART_NAMES = (*PARTS, CYCLIC)
Dates = dict[
    str,
    Annotated[
        list[Annotated[str, OneOf(PART_NAMES, "a part of a date")]], Listed("parts of dates")
    ],
]
Steps = Annotated[list[Annotated[int, Integer(ge=1)]], Listed("numbers of rows")]


def _checked(text: str) -> str:
    """The example, if it shows the format of numbers or of dates."""
    if _fault(NumberFormat, text) and _fault(DateFormat, text):
        meant = DateFormat if _LIKE_A_DATE.search(text) else NumberFormat
        raise ConfigIssue(_fault(meant, text)).error()
    return text


def _fault(form: type[NumberFormat] | type[DateFormat], text: str | list[str]) -> str:
    try:
        form.from_example(text)
    except ValueError as error:
        return str(error)
    return ""


def _checked_list(examples: list[str]) -> list[str]:
    """The examples, if all show the format of numbers, or all that of dates."""
    if len(examples) > MOST_FORMATS:
        raise ConfigIssue(f"a column has at most {MOST_FORMATS} formats").error()
    if _fault(NumberFormat, examples) and _fault(DateFormat, examples):
        raise ConfigIssue("some of these are numbers, and some are dates").error()
    return examples


_Example = Annotated[str, Text(), AfterValidator(_checked)]
MOST_FORMATS = 8
Formats = dict[
    str,
    _Example | Annotated[list[_Example], Listed("examples"), AfterValidator(_checked_list)],
]


@dataclass(frozen=True)
class Word(Text):
    """A word for missing values; numbers are such words, too."""

    phrase = "a word or a number for missing values, of at most 100 characters"
    example = "k.A."

    def prepare(self, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return write_scalar(value)
        if isinstance(value, str) and not 0 < len(value.strip()) <= _LONGEST_WORD:
            raise ValueError
        return value.strip() if isinstance(value, str) else value

    def hint(self, value: Any) -> str:
        if isinstance(value, str) and not value.strip():
            return "; a blank cell is missing anyway"
        return "; write it in quotes" if isinstance(value, bool) else ""


_LONGEST_WORD = 100
_Words = Annotated[list[Annotated[str, Word()]], Listed("words for missing values")]


def _everywhere(value: Any) -> Any:
    """A list of words, as those of every column."""
    return {"": value} if isinstance(value, list | tuple) else value


MissingWords = Annotated[
    dict[str, _Words],
    BeforeValidator(_everywhere, json_schema_input_type=_Words | dict[str, _Words]),
]


class LagConfig(Block):
    """Values that a column has some rows earlier, in the order of time."""

    noun: ClassVar[str] = "lags"
    must_be: ClassVar[str] = "a list like [1, 24] or a mapping like {steps: [1, 24], group: shop}"

    steps: Steps
    """How many rows earlier; 24 is a day where rows are hours."""
    group: Annotated[str, Text()] | None = None
    """The column that says which series a row belongs to, if there are several, such as shops:
    rows are counted within each."""


def _listed(value: Any) -> Any:
    """A list, as a mapping."""
    return {"steps": value} if isinstance(value, list | tuple) else value


Lags = dict[
    str, Annotated[LagConfig, BeforeValidator(_listed, json_schema_input_type=LagConfig | Steps)]
]


def contradictions(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Mistakes in how these keys and others of a `dataset` block go together."""
    columns, split = (
        found if isinstance(found, dict) else {}
        for found in (data.get("columns"), data.get("split"))
    )
    dates, lags = (
        found if isinstance(found, dict) else {} for found in (data.get("dates"), data.get("lags"))
    )
    yield from _about_dates(dates, columns)
    yield from _about_formats(dates, columns, split)
    if lags and split.get("by") != "time":
        message = "earlier rows need an order: add `split: {by: time, column: …}`; a random split "
        message += "would train on what comes after the rows that are tested"
        yield ConfigIssue(message, ("lags",), "key")
    for name, lag in lags.items():
        steps = lag.get("steps") if isinstance(lag, dict) else lag
        if isinstance(steps, list) and len({*map(str, steps)}) < len(steps):
            yield ConfigIssue("a number of rows stands twice", ("lags", name))
    if not names_table(data):
        for key in ("dates", "lags"):
            if data.get(key):
                yield ConfigIssue(f"{key} are for tables only", (key,), "key")


def _about_dates(dates: dict[str, Any], columns: dict[str, Any]) -> Iterator[ConfigIssue]:
    taken = {"target": "is the target", "weight": "has the weights of rows"}
    listed = {**dict.fromkeys(CATEGORIES, "is categorical"), "drop": "is dropped"}
    for name, parts in dates.items():
        reasons = [why for key, why in taken.items() if columns.get(key) == name]
        lists = ((columns.get(key), why) for key, why in listed.items())
        reasons += [why for names, why in lists if isinstance(names, list | dict) and name in names]
        if reasons:
            yield ConfigIssue(
                f"'{name}' {reasons[0]}, so it has no parts of dates", ("dates", name), "key"
            )
        if isinstance(parts, list) and len({*map(str, parts)}) < len(parts):
            yield ConfigIssue("a part stands twice", ("dates", name))
        elif isinstance(parts, list) and _is_empty({*map(str, parts)}):
            message = f"'{CYCLIC}' is a way to take the others: add one of {', '.join(PERIODS)}"
            yield ConfigIssue(message, ("dates", name))


def _is_empty(parts: set[str]) -> bool:
    """Whether none of the parts is periodic; an unknown one may be."""
    return CYCLIC in parts and parts <= {*PART_NAMES} - {*PERIODS}


def _about_formats(
    dates: dict[str, Any], columns: dict[str, Any], split: dict[str, Any]
) -> Iterator[ConfigIssue]:
    formats = columns.get("formats")
    listed = [found for key in CATEGORIES if isinstance(found := columns.get(key), list | dict)]
    words = {name for names in listed for name in names if isinstance(name, str)}
    for name, written in formats.items() if isinstance(formats, dict) else ():
        every = written if isinstance(written, list) else [written]
        if not every or not all(isinstance(each, str) for each in every):
            continue
        place = ("columns", "formats", name)
        timed = split.get("by") == "time" and split.get("column") == name
        if name in words:
            yield ConfigIssue(
                f"'{name}' is categorical: it is text, as the file writes it", place, "key"
            )
        elif name in dates or timed:
            if (fault := _fault(DateFormat, written)) and not _fault(NumberFormat, written):
                yield ConfigIssue(fault, place)
        elif _fault(NumberFormat, written) and not _fault(DateFormat, written):
            message = f"this is a date; dates: {{{name}: [month, weekday]}} makes features of dates"
            yield ConfigIssue(message, place)


# The `columns` block: what the columns of a CSV file are.

ColumnNames = Annotated[list[Annotated[str, Text()]], Listed("column names")]


class Impute(Block):
    """Missing numbers are filled in by a statistic of the training split."""

    noun: ClassVar[str] = "missing"
    must_be: ClassVar[str] = "a mapping like {impute: median}"

    impute: Annotated[str, OneOf(tuple(STATISTICS), "a statistic to fill in")]
    """What is filled in. Of categories, a missing one is a category of its own."""
    indicator: Annotated[bool, Flag()] = False
    """Whether each column of numbers or dates with blanks in training rows also has a column beside
    all others, which is 1 where it is blank, else 0."""


Missing = Annotated[str, OneOf(("error", "drop_rows"))] | Impute


def rule_of(missing: Missing) -> str:
    """`error`, `drop_rows`, or the statistic to fill in."""
    return missing.impute if isinstance(missing, Impute) else missing


def indicates(missing: Missing) -> bool:
    """Whether blank cells are shown by columns of their own."""
    return isinstance(missing, Impute) and missing.indicator


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
    or for dates by codes, "%d.%m.%Y"; or a list of these, of which the first that fits a cell reads
    it: ["12 kg", "12"]. What is written otherwise is an error."""

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


# The steps of `dataset.features`: by name alone or, where a step has an option, as a mapping.


class StepConfig(Block):
    """A feature step with an option: a mapping of its name to the option's value."""

    noun: ClassVar[str] = "a feature step"

    def named_parts(self) -> Iterator[tuple[str, str]]:
        yield from (("step", name) for name in type(self).model_fields)

    def __reduce__(self) -> tuple[Any, ...]:
        # Classes made at run time cannot be found by name, but by their place in the table.
        return _revive, (self.model_dump(),)

    @classmethod
    def phrase(cls) -> str:
        return f"a mapping like {flow(cls.example())}"

    @classmethod
    def example(cls) -> dict[str, Any]:
        """The step as a config may have it."""
        return example_of(cls)

    @classmethod
    def argument(cls) -> tuple[str, type[Block]]:
        """The key that holds the option, with its block."""
        ((name, field),) = cls.model_fields.items()
        within = field.annotation
        if isclass(within) and issubclass(within, StepArguments):
            return next(iter(within.model_fields)), within
        return name, cls


def _revive(values: dict[str, Any]) -> StepConfig:
    return STEP_BLOCKS[next(iter(values))].model_validate(values)


class StepArguments(Block):
    """The option of a step as a mapping, where the step wants its argument's name."""

    @classmethod
    def phrase(cls) -> str:
        return f"a mapping like {flow(example_of(cls))}"


@cache
def _option(name: str, step: Callable[..., Step]) -> Parameter | None:
    """The argument that a config has to give; those with defaults are learned from data."""
    if isclass(step) and step.__init__ is object.__init__ and step.__new__ is object.__new__:
        return None  # `signature` is slow where a class has neither of its own
    arguments = signature(step).parameters.values()
    required = [each for each in arguments if each.default is Parameter.empty]
    if len(required) > 1:
        message = f"step {name}: a config gives one argument, so the others need a default"
        part = find("step", name)
        raise TypeError(message) if part is None else PluginError(f"{part.place}: {message}")
    return required[0] if required else None


def _has_option(name: str, step: Callable[..., Step]) -> bool:
    return _option(name, step) is not None


def step_blocks(steps: Mapping[str, Callable[..., Step]]) -> Mapping[str, type[StepConfig]]:
    """The blocks of those steps that have an option, which stands under the step's own name."""
    for name, step in steps.items():
        _option(name, step)

    def make(name: str) -> type[StepConfig]:
        step = steps[name]
        option = _option(name, step)
        assert option is not None, name
        hints = get_type_hints(step.__init__ if isclass(step) else step, include_extras=True)
        about = argument_docs(step).get(option.name, option.name)
        title = "".join(word.capitalize() for word in name.split("_"))
        text = (getdoc(step) or name).split("\n\n")[0]
        field: Any = (Translator({}, {}).field(hints[option.name]), Field(description=about))
        if getattr(step, "keyed", False):
            within: type[StepArguments] = create_model(
                f"{title}Arguments",
                __base__=StepArguments,
                __module__=__name__,
                __doc__=f"The argument of {name}.",
                **{option.name: field},
            )
            within.noun = f"'{name}'"
            field = (within, Field(description=text))
        block: type[StepConfig] = create_model(
            title, __base__=StepConfig, __module__=__name__, __doc__=text, **{name: field}
        )
        return block

    return LazyBlocks(Chosen(steps, _has_option), make)


def step_type(names: Collection[str], blocks: Mapping[str, type[StepConfig]]) -> Any:
    """The type of a field that holds a step: one of these names, or one of these blocks."""

    def hint(value: Any) -> str:
        block = blocks.get(value) if isinstance(value, str) else None
        return (
            part_suggestion(value, names) if block is None else f"; write {flow(block.example())}"
        )

    def choose(value: Any) -> tuple[type[Block] | None, Any]:
        if isinstance(value, StepConfig):
            return type(value), value
        if isinstance(value, str) and value in names:
            return None, value
        if not isinstance(value, dict):
            forms = ["a feature step", *(block.phrase() for block in blocks.values())]
            raise ConfigIssue(phrase=" or ".join(forms), hint=partial(hint, value)).error()
        step = _step_of(value, blocks)
        if step is None:
            if plain := next((key for key in islice(value, MOST_LOOKED_AT) if key in names), None):
                raise ConfigIssue(f"'{plain}' has no settings; write {plain}", part="block").error()
            needed = " or ".join(f"'{name}'" for name in blocks)
            raise ConfigIssue(f"a feature step needs {needed}", part="block").error()
        return blocks[step], value

    return Annotated[Any, BlockChoice(choose, blocks.values, OneOf(names, "a feature step"))]


def _step_of(value: dict[str, Any], blocks: Mapping[str, Any]) -> str | None:
    """The step whose option a mapping gives, or seems to give under a misspelt name."""
    keys = [*islice(value, MOST_LOOKED_AT)]
    known = (key for key in keys if key in blocks)
    return next(known, None) or next(filter(None, (nearest(key, blocks) for key in keys)), None)


STEP_BLOCKS = step_blocks(STEPS)
FEATURE_STEPS = Chosen(STEPS, lambda name, step: not _has_option(name, step))
if TYPE_CHECKING:
    FeatureStep = str | StepConfig
else:
    FeatureStep = step_type(FEATURE_STEPS, STEP_BLOCKS)


def _listed_steps(value: Any) -> Any:
    """`none`, one step, or a list of steps, as a list."""
    if value == "none":
        return []
    return [value] if isinstance(value, str | dict | StepConfig) else value


Features = Annotated[
    list[FeatureStep],
    BeforeValidator(
        _listed_steps, json_schema_input_type=list[FeatureStep] | FeatureStep | Literal["none"]
    ),
]
