"""The `training` block: optimizer, length, metrics; and the `sweep` block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from pydantic_core import CoreSchema, core_schema

from nnrun.config.names import BESIDE, SPLITS, changes_nothing
from nnrun.config.schema.block import Block, ConfigIssue, show
from nnrun.config.schema.fields import Flag, Integer, Kind, Listed, Number, OneOf
from nnrun.config.schema.from_signature import NamedBlock, Translator
from nnrun.metrics.table import LOSS, METRICS, find, pattern
from nnrun.nn import optimizers
from nnrun.nn.average import Average
from nnrun.nn.schedules import SCHEDULES
from nnrun.suggestions import PLUGINS, nearest

# Names of metrics in a config, alone or after the name of a split.

_LISTED = f"; `nnrun help metrics` lists them{PLUGINS}"


def is_metric(name: str) -> bool:
    """Whether a report may have this number: a metric, or the loss."""
    return name == LOSS or find(name) is not None


def is_published(key: str) -> bool:
    """Whether this is `<split>_<metric>`."""
    split, _, metric = key.partition("_")
    return split in SPLITS and is_metric(metric)


def published_keys() -> tuple[str, ...]:
    """Keys of published numbers, to suggest one."""
    return tuple(f"{split}_{metric}" for split in SPLITS for metric in (LOSS, *METRICS))


def published_pattern() -> str:
    """Matches every key of a published number."""
    return f"^({'|'.join(SPLITS)})_({LOSS}|{pattern()})$"


@dataclass(frozen=True)
class MetricName(Kind):
    """The name of a metric, after a prefix if there is one; `extra` are other names."""

    noun: str = "a metric"
    prefix: str = ""
    extra: Sequence[str] = ()

    @property
    def phrase(self) -> str:
        return self.noun

    @property
    def example(self) -> Any:
        return f"{self.prefix}roc_auc"

    def hint(self, value: Any) -> str:
        split, _, name = str(value).partition("_")
        if split in SPLITS and self._is_known(f"{self.prefix}{name}"):
            why = "no other split is monitored" if self.prefix else "the split is implied"
            return f"; write '{self.prefix}{name}', {why}"
        near = nearest(value, [f"{self.prefix}{name}" for name in (*self.extra, *METRICS)])
        if near is None and isinstance(value, str):
            meant = nearest(value.removeprefix(self.prefix), [*self.extra, *METRICS])
            near = meant and f"{self.prefix}{meant}"
        macro = (near or "").replace("_binary", "_macro")
        more = f", or '{macro}' for more than two classes" if macro != (near or "") else ""
        return f"; did you mean '{near}'{more}?" if near else _LISTED

    def prepare(self, value: Any) -> Any:
        if isinstance(value, str) and not self._is_known(value):
            raise ValueError
        return value

    def schema(self) -> CoreSchema:
        return core_schema.str_schema(strict=True)

    def _is_known(self, value: str) -> bool:
        name = value.removeprefix(self.prefix)
        return value == f"{self.prefix}{name}" and (name in self.extra or find(name) is not None)

    def in_json(self) -> dict[str, Any]:
        names = "|".join((*self.extra, pattern()))
        return {"pattern": f"^{self.prefix}({names})$"}


SAMPLINGS = ("shuffle", "with_replacement", "in_order")
DTYPES = ("float64", "float32")
ENGINES = ("auto", "numpy", "compiled")
EVALUATIONS = 20
"""Evaluations of a run whose config does not say how often."""

_TRANSLATOR = Translator(names={}, blocks={})


class OptimizerConfig(NamedBlock):
    """How gradients become updates."""

    part_keys: ClassVar[Mapping[str, str]] = {"type": "optimizer"}

    type: str

    def digested(self, keys: dict[str, Any]) -> dict[str, Any]:
        """Without `decay_all` where it is true, since all parameters decayed before there was the
        key; with it where weights alone decay, which is another run.
        """
        keys.pop("decay_all", None)
        decay: Any = getattr(self, "weight_decay", 0.0)
        spares = decay and getattr(self, "decay_all", None) is False
        return {**keys, "decay_all": False} if spares else keys

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        momentum = data.get("momentum", 0)
        if data.get("nesterov") is True and momentum == 0 and not cls.misspells(data, "momentum"):
            message = "Nesterov's step looks ahead along the momentum, so it needs 'momentum' > 0"
            yield ConfigIssue(message, ("nesterov",))


class ScheduleConfig(NamedBlock):
    """A learning rate that changes from iteration to iteration."""

    key: ClassVar[str] = "schedule"
    part_keys: ClassVar[Mapping[str, str]] = {"schedule": "schedule"}

    schedule: str

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        over: Any = data.get("over")
        warmup: Any = data.get("warmup")
        if {type(over), type(warmup)} <= {int, float} and over < warmup:
            message = (
                "these iterations are fewer than those of 'warmup', which are a part of them; "
                "leave 'over' out for all of the run"
            )
            yield ConfigIssue(message, ("over",))


if TYPE_CHECKING:
    Optimizer = OptimizerConfig
    Schedule = ScheduleConfig
else:
    Optimizer = _TRANSLATOR.union(optimizers.OPTIMIZERS, OptimizerConfig, "an optimizer", word=True)
    Schedule = _TRANSLATOR.union(SCHEDULES, ScheduleConfig, "a schedule")


_MONITOR = MetricName("something to monitor", "validation_", (LOSS,))


class EarlyStoppingConfig(Block):
    """Stops when the validation split shows no more progress."""

    noun: ClassVar[str] = "early_stopping"

    monitor: Annotated[str, _MONITOR] = "validation_loss"
    """The loss, or any metric, of the validation split. An undefined value counts as the worst."""
    patience: Annotated[int, Integer(gt=0)] = 5
    """Training stops after this many evaluations, not epochs, in a row without a new best.
    `evaluate_every` says how often they are."""
    restore_best: Annotated[bool, Flag()] = True
    """Whether to go back to the best weights at the end."""

    def named_parts(self) -> Iterator[tuple[str, str]]:
        yield "metric", self.monitor.removeprefix(_MONITOR.prefix)

    @classmethod
    def hint(cls, value: Any) -> str:
        if value is True:
            return "; write {} to take the defaults"
        return "; leave it out" if value is False else ""


class AverageConfig(Block):
    """The mean of the weights over updates, which is evaluated and kept in the place of the last.

    Training goes on with the weights themselves.
    """

    noun: ClassVar[str] = "average"
    must_be: ClassVar[str] = "a mapping like {ema: 0.999}"

    ema: Annotated[float, Number(gt=0, lt=1)]
    """The share of the mean that stays at each update, when they are many; about the last 1 / (1 -
    ema) updates count, and fewer at the beginning."""

    @classmethod
    def hint(cls, value: Any) -> str:
        if value is False:
            return "; leave it out"
        return f"; write {{ema: {value}}}" if type(value) is float and 0 < value < 1 else ""


class AugmentConfig(Block):
    """Random changes of training rows, new ones at each visit; evaluations take rows as they are.

    Images are moved after they have been prepared.
    """

    noun: ClassVar[str] = "augment"
    must_be: ClassVar[str] = "a mapping like {shift: 2, flip: true}"
    digest_when_empty: ClassVar[Any] = None  # nothing is changed

    shift: Annotated[int, Integer(ge=0)] = 0
    """The most pixels by which an image is shifted, in each direction; its border is repeated."""
    flip: Annotated[bool, Flag()] = False
    """Whether half of the images are mirrored, left to right."""
    rotate: Annotated[float, Number(ge=0, le=180)] = 0.0
    """The largest angle of a turn about the centre, in degrees, either way."""
    noise: Annotated[float, Number(ge=0, le=1e6)] = 0.0
    """The standard deviation of normal noise that is added to each prepared feature, of tables
    too."""


ClassWeight = (
    Annotated[str, OneOf(("balanced",))] | dict[str, Annotated[float, Number(ge=0, le=1e50)]]
)


class TrainingConfig(Block):
    """How the network is trained."""

    noun: ClassVar[str] = "training"
    digest_ignores: ClassVar[frozenset[str]] = frozenset({"watch"})  # the bits are the same

    optimizer: Optimizer = Field(default="sgd", validate_default=True)
    """The update rule."""
    learning_rate: Annotated[float, Number(gt=0)] | Schedule
    """The step size, or a schedule of it."""
    iterations: Annotated[int, Integer(gt=0)] | None = None
    """How many updates to make; or give `epochs`."""
    epochs: Annotated[int, Integer(gt=0)] | None = None
    """How many times to go through the training split; or give `iterations`."""
    batch_size: Annotated[int, Integer(gt=0)] = 1
    """Rows for each update. The last batch of an epoch has the rows that are left; with sampling
    `with_replacement` every batch is full."""
    sampling: Annotated[str, OneOf(SAMPLINGS)] = "shuffle"
    """Every epoch visits each row once, in a new order or as they stand in the file, or rows are
    drawn anew."""
    evaluate_every: Annotated[int, Integer(gt=0)] | None = None
    """Iterations between evaluations; by default there are 20 over the run."""
    evaluate_rows: Annotated[int, Integer(gt=0)] | Annotated[str, OneOf(("all",))] | None = None
    """The most rows of each split that evaluations during training use, drawn once by the seed; or
    `all`. The last evaluation uses all rows. By default splits of up to 10,000 rows are used whole;
    larger ones are cut so that an evaluation reads half as many rows as training does between two
    evaluations."""
    early_stopping: EarlyStoppingConfig | None = None
    """When to stop, once a validation metric shows no more progress; off by default."""
    class_weight: ClassWeight | None = None
    """How much a row of each class counts in the loss: `balanced` for all classes alike, or a
    mapping of labels to weights, 1 where a label is left out. Metrics count rows as they are."""
    augment: AugmentConfig | None = None
    """Random changes of training rows; off by default."""
    average: AverageConfig | None = None
    """An average of the weights over updates, for evaluations and predictions; off by default."""
    clip_norm: Annotated[float, Number(gt=0)] | None = None
    """The largest norm that the gradient of an update may have."""
    dtype: Annotated[str, OneOf(DTYPES)] = "float64"
    """The precision to compute in."""
    engine: Annotated[str, OneOf(ENGINES)] = "auto"
    """NumPy or compiled code; `auto` takes compiled code where the run is long enough to be faster
    with it."""
    watch: Annotated[bool, Flag()] = False
    """Whether to record, layer by layer, norms and histograms of weights, outputs and gradients
    while it trains, dead and saturated units, and how far updates move the weights. The run stays
    the same to the last bit."""

    def make_optimizer(self) -> optimizers.Optimizer:
        """A new optimizer, with the average of the weights if there is one."""
        optimizer: optimizers.Optimizer = self.optimizer.build()
        optimizer.average = None if self.average is None else Average(self.average.ema)
        return optimizer

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        given = [key for key in data if key in ("iterations", "epochs") and data[key] is not None]
        if len(given) == 2:
            message = f"'{given[0]}' says already how long to train; remove one of the two"
            yield ConfigIssue(message, (given[1],), "key")
        if not given and not cls.misspells(data, "iterations", "epochs"):
            yield ConfigIssue("training needs 'iterations' or 'epochs'", part="block")


# The `sweep` block: which seeds, and which values of which keys.

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
