"""The `decide` block: the threshold at which the positive one of two classes is predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import Number, OneOf, Text
from nnrun.config.yaml.scalars import write_scalar

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
