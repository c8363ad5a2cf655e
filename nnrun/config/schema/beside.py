"""The config of a model of scikit-learn that is trained beside networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from nnrun.config.names import BESIDE
from nnrun.config.schema.base.block import ConfigIssue
from nnrun.config.schema.base.fields import OneOf
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.metrics.table import LOSS

OF_NETWORKS = ("network", "loss", "training", "decide")
_PREPARATION = ("features", "target")
NO_LOSS = "models of scikit-learn have no loss of the config to be ordered by; name a metric"


class BesideConfig(ExperimentConfig):
    """An experiment with a model of scikit-learn in place of a network, its loss and training.

    The model has a preparation of its own, so that the config names none.
    """

    left_out: ClassVar[Mapping[str, Any]] = {"dataset": set(_PREPARATION)}

    network: Any = Field(default=None, exclude=True)
    loss: Any = Field(default=None, exclude=True)
    training: Any = Field(default=None, exclude=True)
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
