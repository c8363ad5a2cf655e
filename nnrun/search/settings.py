"""From proposals to configs that can be trained, judged without a look at test rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnrun.config.content import Content
from nnrun.config.load import Experiment, config_to_dict, load_content
from nnrun.config.overrides import Override
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepared import Prepared
from nnrun.sweeps.planning.arguments import Seeds
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.grid import overrides_of
from nnrun.sweeps.planning.plan import Variant
from nnrun.sweeps.planning.variants import folds_of, make_variant

VALIDATION_SIZE = 0.2
"""The share of training rows that judge trials, where the config has no validation split."""


@dataclass(frozen=True)
class Setting:
    """A config that can be trained, resolved as plain values, with its runs; evaluations of a run
    are `evaluate_every` iterations apart.
    """

    variant: Variant
    iterations: int
    evaluate_every: int
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Judging:
    """How trials are judged.

    Args:
        split: by whose rows: `validation`, or with folds `test`.
        values: of keys of the config, by which no trial evaluates test rows.
        revealed: the same for the winner, which evaluates them.
        note: what was assumed, in a sentence.
    """

    split: str
    values: Mapping[str, Any]
    revealed: Mapping[str, Any]
    note: str = ""

    @property
    def has_test(self) -> bool:
        """Whether test rows are set aside."""
        return bool(self.values.get("dataset.hide_test"))

    @classmethod
    def of(cls, prepared: Prepared) -> Judging:
        """For a config that is prepared.

        Test rows are drawn by the seed of the config, and the same in all runs. Each seed of a run
        draws validation rows among the rest, or folds.
        """
        block = prepared.config.dataset
        values = _drawn_by_runs(prepared)
        if block.folds is not None and not block.validation_size:
            return cls("test", values, values)
        note = ""
        if not block.validation_size:
            values["dataset.validation_size"] = VALIDATION_SIZE
            note = (
                f"{VALIDATION_SIZE:.0%} of the training rows judge the trials, since the config "
                "has no validation split (dataset.validation_size)"
            )
        hidden = {"dataset.hide_test": True} if prepared.split.test is not None else {}
        return cls("validation", values | hidden, values, note)


def _drawn_by_runs(prepared: Prepared) -> dict[str, Any]:
    """The split without a seed of its own, but for one of test rows that a seed draws."""
    block = prepared.config.dataset
    split, drawn = block.split, prepared.split.test_size != "given" and block.folds is None
    found = {"by": split.by, "column": split.column, "test_seed": split.test_seed}
    if drawn and split.by != "time" and prepared.split.test is not None:
        own = prepared.config.seed if split.seed is None else split.seed
        found["test_seed"] = own if split.test_seed is None else split.test_seed
    elif split.seed is None:
        return {}
    return {"dataset.split": {key: value for key, value in found.items() if value is not None}}


@dataclass
class Settings:
    """Makes settings of one config, whose `content` is without what it varies.

    `overrides` are the arguments of the command; `iterations` as for `load_config`.
    """

    content: Content
    overrides: Sequence[Override]
    iterations: int | None
    judging: Judging
    datasets: Datasets
    _cache: GridCache = field(default_factory=GridCache)

    def make(
        self,
        number: int,
        choice: Mapping[str, Any],
        values: Mapping[str, Any],
        seeds: Sequence[int],
        *,
        revealed: bool = False,
    ) -> Setting:
        """A setting with its runs, by this number in its plan.

        `choice` has the value of each dotted key that was chosen, `values` what replaces parts of
        the config; `revealed` is whether test rows are evaluated.

        Raises: ConfigError if the config is invalid with these values.
        """
        own = self.judging.revealed if revealed else self.judging.values
        experiment = self._load({**own, **values})
        runs = folds_of(experiment, self.datasets.load, self._cache)
        prepared = next(iter(runs.values()))
        variant = make_variant(number, str(self.content.file), dict(choice), runs, Seeds([*seeds]))
        return Setting(
            variant, prepared.planned_iterations, prepared.evaluate_every,
            config_to_dict(prepared.config),
        )  # fmt: skip

    def _load(self, values: Mapping[str, Any]) -> Experiment:
        given = [copy.deepcopy(override) for override in self.overrides]
        return load_content(self.content, [*given, *overrides_of(values)], self.iterations)
