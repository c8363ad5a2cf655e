"""The `training` block: the optimizer, how long, in what steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import Flag, Integer, Number, OneOf
from nnrun.config.schema.base.from_signature import NamedBlock, Translator
from nnrun.config.schema.metrics import MetricName
from nnrun.metrics.table import LOSS
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES

SAMPLINGS = ("shuffle", "with_replacement", "in_order")
DTYPES = ("float64", "float32")
ENGINES = ("auto", "numpy", "compiled")

_TRANSLATOR = Translator(names={}, blocks={})


class OptimizerConfig(NamedBlock):
    """How gradients become updates."""

    part_keys: ClassVar[Mapping[str, str]] = {"type": "optimizer"}

    type: str

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
    Optimizer = _TRANSLATOR.union(OPTIMIZERS, OptimizerConfig, "an optimizer", word=True)
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

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        given = [key for key in data if key in ("iterations", "epochs") and data[key] is not None]
        if len(given) == 2:
            message = f"'{given[0]}' says already how long to train; remove one of the two"
            yield ConfigIssue(message, (given[1],), "key")
        if not given and not cls.misspells(data, "iterations", "epochs"):
            yield ConfigIssue("training needs 'iterations' or 'epochs'", part="block")
