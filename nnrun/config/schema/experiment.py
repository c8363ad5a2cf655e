"""The config language as a whole: the outermost blocks, also of models beside networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from nnrun.config.names import BESIDE, CHANGE_NOTHING, NAME_PATTERN, NAME_RULE, is_name
from nnrun.config.schema.block import MOST_LOOKED_AT, Block, ConfigIssue, show
from nnrun.config.schema.dataset import BuiltInConfig, Dataset
from nnrun.config.schema.fields import Flag, Integer, Number, OneOf, Text
from nnrun.config.schema.network import Loss, Network
from nnrun.config.schema.search import SearchConfig
from nnrun.config.schema.training import (
    MetricName,
    SweepConfig,
    TrainingConfig,
    is_published,
    published_keys,
    published_pattern,
)
from nnrun.config.yaml import KeyPath
from nnrun.config.yaml_scalars import write_scalar
from nnrun.metrics.table import LOSS
from nnrun.suggestions import nearest

# The `decide` block: the threshold at which the positive one of two classes is predicted.

MEASURES = ("f1", "balanced_accuracy", "mcc")


class RecallAtPrecision(Block):
    """The largest recall among thresholds with at least this precision."""

    noun: ClassVar[str] = "maximize"
    must_be: ClassVar[str] = "a mapping like {recall_at_precision: 0.9}"

    recall_at_precision: Annotated[float, Number(gt=0, le=1)]
    """The least share of right ones among the rows that are predicted positive."""

    @classmethod
    def hint(cls, value: Any) -> str:
        return "; write {recall_at_precision: 0.9}" if value == "recall_at_precision" else ""


class CostConfig(Block):
    """What errors cost; the threshold makes their sum smallest."""

    noun: ClassVar[str] = "cost"
    must_be: ClassVar[str] = "a mapping like {false_positive: 1, false_negative: 50}"

    false_positive: Annotated[float, Number(ge=0)]
    """The cost of a row that is predicted positive and is not."""
    false_negative: Annotated[float, Number(ge=0)]
    """The cost of a positive row that is not predicted."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        if data.get("false_positive") == 0 == data.get("false_negative"):
            message = "both costs are 0, so that every threshold costs the same; raise one"
            yield ConfigIssue(message, part="block")


@dataclass(frozen=True)
class Label(Text):
    """The label of a class; numbers and truth values become text."""

    def prepare(self, value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return write_scalar(value) if isinstance(value, int | float) else value

    def in_json(self) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


class DecideConfig(Block):
    """How the threshold is chosen, on the validation split, once training has ended."""

    noun: ClassVar[str] = "decide"
    must_be: ClassVar[str] = "a mapping like {maximize: f1}"

    maximize: Annotated[str, OneOf(MEASURES)] | RecallAtPrecision | None = None
    """What the threshold makes largest; or give `cost`."""
    cost: CostConfig | None = None
    """What errors cost; or give `maximize`."""
    positive: Annotated[str, Label()] | None = None
    """The positive class; by default the second one."""
    calibrated: Annotated[bool, Flag()] = False
    """Whether the threshold is on calibrated probabilities, which the run then predicts with."""

    def positive_class(self, classes: Sequence[str]) -> int | None:
        """The number of the positive one of two classes; None if it is neither.

        Truth values of YAML have no case: `true` is the class True, too.
        """
        if self.positive is None:
            return 1
        if self.positive in classes:
            return classes.index(self.positive)
        lower = [name.lower() for name in classes]
        truth = self.positive in ("true", "false") and lower.count(self.positive) == 1
        return lower.index(self.positive) if truth else None

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        given = [key for key in ("maximize", "cost") if data.get(key) is not None]
        if len(given) == 2:
            message = "'maximize' says already how to decide; remove one of the two"
            yield ConfigIssue(message, ("cost",), "key")
        if not given and not cls.misspells(data, "maximize", "cost"):
            yield ConfigIssue("decide needs 'maximize' or 'cost'", part="block")


# The `members` key: how many networks are trained, whose mean the run predicts with.


class MembersConfig(Block):
    """Networks of one setting that predict together."""

    noun: ClassVar[str] = "members"
    must_be: ClassVar[str] = "a mapping like {number: 10, validation: own}"

    number: Annotated[int, Integer(ge=1, le=1000)]
    """How many networks; each draws its initial weights, order and dropout."""
    validation: Annotated[str, OneOf(("shared", "own"))] = "shared"
    """`own`: each draws validation rows among all that are not for testing, so that every row is
    trained on; the validation result is then that of each row by the members that did not."""
    settings: list[dict[str, Any]] = Field(default=[])
    """Other settings that members have: values of dotted keys of `network`, `loss` and `training`.
    The first member has those of the config, the next ones these in turn, and so on again."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        settings, number = data.get("settings"), data.get("number")
        if isinstance(settings, list) and type(number) is int and 0 < number <= len(settings):
            message = "no member has these settings: the first of {} has those of the config"
            yield ConfigIssue(message.format(number), ("settings", number - 1))
        for index, values in enumerate(settings if isinstance(settings, list) else ()):
            for key in values if isinstance(values, dict) else ():
                if str(key).partition(".")[0] not in _OF_MEMBERS:
                    message = f"'{key}' is the same for all members; settings are of "
                    message += f"{', '.join(_OF_MEMBERS[:-1])} and {_OF_MEMBERS[-1]}"
                    yield ConfigIssue(message, ("settings", index, key), "key")


_OF_MEMBERS = ("network", "loss", "training")


def _shortest(members: int | MembersConfig) -> int | MembersConfig:
    """The number alone where that says it all, so that equal configs look alike."""
    if isinstance(members, int):
        return members
    plain = members.validation == "shared" and not members.settings
    return members.number if plain or members.number == 1 else members


Members = Annotated[
    Annotated[int, Integer(ge=1, le=1000)] | MembersConfig, AfterValidator(_shortest)
]

# Numbers up to the first are rounded to 0, those from the second on to infinity.
_ZERO, _INFINITE = 2.0**-150, 2.0**128 - 2.0**103
OF_NETWORKS = ("network", "loss", "training", "members", "decide")
_PREPARATION = ("features", "target")
NO_LOSS = "models of scikit-learn have no loss of the config to be ordered by; name a metric"


@dataclass(frozen=True)
class RunName(Text):
    """A name that is safe as a folder anywhere."""

    phrase = f"a name ({NAME_RULE})"

    def prepare(self, value: Any) -> Any:
        if isinstance(value, str) and not is_name(value):
            raise ValueError
        return value

    def in_json(self) -> dict[str, Any]:
        return {"pattern": f"^{NAME_PATTERN}$"}


class PublishedConfig(Block):
    """Numbers from elsewhere to hold a run against; keys are `<split>_<metric>`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra=lambda schema: schema.update(
            patternProperties={published_pattern(): {"type": "number"}}, additionalProperties=False
        ),
    )
    noun: ClassVar[str] = "published"
    must_be: ClassVar[str] = "a mapping like {test_accuracy: 0.9}"
    __pydantic_extra__: dict[str, Annotated[float, Number()]]

    source: Annotated[str, Text()] = ""
    """Where the numbers come from."""

    @property
    def numbers(self) -> dict[str, float]:
        """The published value of each `<split>_<metric>`."""
        return dict(self.model_extra or {})

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        unknown = [key for key in data if key != "source" and not is_published(key)]
        for number, key in enumerate(unknown):
            near = nearest(key, ("source", *published_keys())) if number < MOST_LOOKED_AT else None
            form = f"did you mean '{near}'?" if near else "they are like test_accuracy"
            yield ConfigIssue(f"'{key}' is not a key of published; {form}", (key,), "key")


class ExperimentConfig(Block):
    """One experiment: data, network, loss and training."""

    digest_ignores: ClassVar[frozenset[str]] = CHANGE_NOTHING | {"seed"}  # a run id names it
    part_keys: ClassVar[Mapping[str, str]] = {"metrics": "metric"}
    left_out: ClassVar[Mapping[str, Any] | None] = None
    """What a resolved config does not have, as pydantic's `exclude`."""

    name: Annotated[str, RunName()]
    """Names the folder of results."""
    description: Annotated[str, Text()] = ""
    """One line, shown in every report."""
    dataset: Dataset
    """The data, its splits and its preparation."""
    network: Network
    """The layers, or `sizes` and `activations` of a plain stack of dense layers."""
    loss: Loss
    """What training minimizes."""
    training: TrainingConfig
    """The optimizer, how long, in what steps."""
    members: Members = 1
    """How many networks are trained, each with its own initial weights; the run predicts with their
    mean. {number: 10, validation: own} gives each its own validation rows."""
    decide: DecideConfig | None = None
    """The threshold at which one of two classes is predicted, fitted on the validation split."""
    seed: Annotated[int, Integer(ge=0)] = 42
    """Decides split, initial weights, sample order and dropout."""
    metrics: list[Annotated[str, MetricName()]] | None = None
    """What a report has beside the loss and the usual metrics; by default balanced accuracy and AUC
    where classes are unequal: the smallest has less than half of an equal share."""
    published: PublishedConfig | None = None
    """Numbers from elsewhere to hold the run against."""
    sweep: SweepConfig | None = None
    """What `nnrun sweep` varies."""
    search: SearchConfig | None = None
    """What `nnrun search` varies, and how it chooses."""

    @property
    def in_order(self) -> bool:
        """Whether training rows stay in the order of the file."""
        return self.training.sampling == "in_order"

    @property
    def networks(self) -> int:
        """How many networks a run trains."""
        return self.members if isinstance(self.members, int) else self.members.number

    @property
    def own_validation(self) -> bool:
        """Whether each network has its own validation rows."""
        return not isinstance(self.members, int) and self.members.validation == "own"

    @property
    def settings_of_members(self) -> list[dict[str, Any]]:
        """The values of dotted keys that replace those of the config, for members in turn."""
        several = [] if isinstance(self.members, int) else self.members.settings
        return [{}, *several][: self.networks]

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        dataset, training = data.get("dataset"), data.get("training")
        if isinstance(dataset, dict) and isinstance(training, dict):
            stops_early = isinstance(training.get("early_stopping"), dict)
            if stops_early and dataset.get("validation_size", 0) in (0, None):
                message = "early stopping watches a validation split; set dataset.validation_size"
                yield ConfigIssue(message, ("training", "early_stopping"), "key")
        held_out = dataset.get("validation_size", 0) if isinstance(dataset, dict) else ""
        if isinstance(data.get("decide"), dict) and held_out in (0, None):
            message = "a threshold is fitted on a validation split; set dataset.validation_size"
            yield ConfigIssue(message, ("decide",), "key")
        yield from _without_own_rows(dataset, data.get("members"))
        yield from _drawing_nothing(dataset, data.get("sweep"))
        if isinstance(training, dict) and training.get("dtype") == "float32":
            for key in ("network", "loss"):
                yield from _lost_in_float32(data.get(key), (key,))
            yield from _lost_in_float32(training.get("optimizer"), ("training", "optimizer"))


def _without_own_rows(dataset: Any, members: Any) -> Iterator[ConfigIssue]:
    """Members that are to draw validation rows where there are none to draw."""
    if not isinstance(members, dict) or members.get("validation") != "own":
        return
    block = dataset if isinstance(dataset, dict) else {"validation_size": ""}
    split, path = block.get("split"), ("members", "validation")
    if block.get("validation_size", 0) in (0, None):
        yield ConfigIssue("members draw validation rows; set dataset.validation_size", path)
    elif isinstance(split, dict) and split.get("by") == "time":
        message = "by time the last rows are for validation, which no member draws; write 'shared'"
        yield ConfigIssue(message, path)


def _drawing_nothing(dataset: Any, sweep: Any) -> Iterator[ConfigIssue]:
    """Several seeds of a split that no seed draws."""
    split = dataset.get("split") if isinstance(dataset, dict) else None
    seeds = sweep.get("seeds") if isinstance(sweep, dict) else None
    by_time = isinstance(split, dict) and split.get("by") == "time"
    if by_time and isinstance(seeds, dict) and seeds.get("split") not in (None, 1):
        message = "a split by time draws nothing, so no seed changes it"
        yield ConfigIssue(message, ("sweep", "seeds", "split"), "key")


def _lost_in_float32(value: Any, path: KeyPath) -> Iterator[ConfigIssue]:
    """An issue for each such number of a block, at its path.

    An epsilon of 0 divides by zero; an infinite weight decay destroys all weights.
    """
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _lost_in_float32(part, (*path, key))
    elif isinstance(value, float) and value:
        size, remedy = abs(value), "in float32; take a number that it has, or dtype: float64"
        if size <= _ZERO:
            yield ConfigIssue(f"{show(value)} is 0 {remedy}", path)
        elif size >= _INFINITE:
            yield ConfigIssue(f"{show(value)} is infinite {remedy}", path)


class BesideConfig(ExperimentConfig):
    """An experiment with a model of scikit-learn in place of a network, its loss and training.

    The model has a preparation of its own, so that the config names none.
    """

    left_out: ClassVar[Mapping[str, Any]] = {"dataset": set(_PREPARATION)}

    network: Any = Field(default=None, exclude=True)
    loss: Any = Field(default=None, exclude=True)
    training: Any = Field(default=None, exclude=True)
    members: Any = Field(default=1, exclude=True)
    beside: Annotated[str, OneOf(BESIDE, "a model of scikit-learn")]
    """The model."""

    @classmethod
    def of(cls, config: ExperimentConfig, model: str, task: str | None) -> BesideConfig:
        """The config of a model on the data and the splits of a network's config."""
        plain: dict[str, Any] = {"features": [], "target": "none", "task": task}
        return cls.model_construct(
            name=config.name,
            description=config.description,
            dataset=config.dataset.model_copy(update=plain),
            seed=config.seed,
            metrics=config.metrics,
            sweep=config.sweep,
            beside=model,
        )

    @property
    def in_order(self) -> bool:
        return False

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        why = "is of networks, and 'beside' asks for a model of scikit-learn; remove one of the two"
        for key in OF_NETWORKS:
            if data.get(key) is not None:
                yield ConfigIssue(f"'{key}' {why}", (key,), "key")
        block = data.get("dataset")
        sweep = data.get("sweep")
        if isinstance(sweep, dict) and sweep.get("order_by") == LOSS:
            yield ConfigIssue(NO_LOSS, ("sweep", "order_by"))
        given = block if isinstance(block, dict) else {}
        for key in _PREPARATION:
            if given.get(key) not in (None, [], "none"):
                yield ConfigIssue(f"'{key}' {why}", ("dataset", key), "key")


# The JSON Schema of configs, for completion and checks in editors.


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 that accepts what `load_config` accepts, short forms included."""
    schema = ExperimentConfig.model_json_schema(mode="validation")
    # The file's stem is the default.
    schema["required"].remove("name")
    schema["properties"]["beside"] = BesideConfig.model_json_schema()["properties"]["beside"]
    needed = [key for key in OF_NETWORKS if key in schema["required"]]
    schema["required"] = [key for key in schema["required"] if key not in needed]
    schema |= {
        "if": {"required": ["beside"]},
        "then": {"properties": dict.fromkeys(needed, False)},
        "else": {"required": needed},
    }
    blocks = schema["$defs"]
    blocks["TrainingConfig"] |= _need("oneOf", iterations="integer", epochs="integer")
    blocks["DatasetConfig"] |= _need("anyOf", path="string", images="object")
    blocks["DatasetConfig"]["properties"]["name"] = _nothing("this is a file")
    for block in BuiltInConfig.blocks.values():
        for key in {"path", "columns", "images"} - {*block.parameters}:
            blocks[block.__name__]["properties"][key] = _nothing("this data set is built in")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "nnrun config",
    }


def _nothing(reason: str) -> dict[str, Any]:
    """A key that stands in resolved configs, but may not be given."""
    return {"description": f"None: {reason}", "type": "null"}


def _need(how_many: Literal["oneOf", "anyOf"], **types: str) -> dict[str, Any]:
    """One key of these is needed; null, as in a resolved config, counts as none."""
    return {
        how_many: [
            {"required": [key], "properties": {key: {"type": type_}}}
            for key, type_ in types.items()
        ]
    }
