"""The members of a run: networks of one setting, each with random numbers of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits import rows_of_members
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.state import PreparedSplit, Streams

Places = npt.NDArray[np.intp]
# What members of the same setting share.
_OF_SETTING = ("preprocessing", "class_factors", "evaluate_every", "evaluate_rows", "schedule")


@dataclass(frozen=True)
class Member(Prepared):
    """One network of a run, to be trained as a run is.

    Columns, preprocessing and the weights of classes are fitted to the training split of the first
    member, whose bits are those of the run with a single network.

    Args:
        number: from 0 on.
        whole: the run.
        pool: the rows of the training and the validation split, if the members divide these anew.
        places: the rows of the pool that it trains on, and those that it is validated on.
    """

    number: int = 0
    whole: Prepared | None = None
    pool: PreparedSplit | None = None
    places: tuple[Places, ...] = ()

    @property
    def streams(self) -> Streams:
        return Streams(self.config.seed, self.config.dataset.fold, self.number)

    @property
    def train_rows(self) -> int:
        return len(self.places[0]) if self.places else len(self.split.train)

    @property
    def watched(self) -> bool:
        return self.number == 0 and super().watched

    @cached_property
    def examples(self) -> dict[str, PreparedSplit]:
        assert self.whole is not None
        found = dict(self.whole.examples)
        own: Mapping[str, Places] = {}
        if self.pool is not None and self.number:
            own = dict(zip(("train", "validation"), self.places, strict=True))
            found |= {name: self.pool.part(places) for name, places in own.items()}
        like_run = self.config == self.whole.config
        return {
            name: part if like_run and name not in own else self._as_own(part)
            for name, part in found.items()
        }

    @cached_property
    def calibration(self) -> PreparedSplit | None:
        assert self.whole is not None
        part, like_run = self.whole.calibration, self.config == self.whole.config
        return part if part is None or like_run else self._as_own(part)

    def _as_own(self, part: PreparedSplit) -> PreparedSplit:
        """Rows of the run as this network takes them."""
        dtype, shape = self.network.dtype, self.network.input_shape
        return replace(
            part,
            x=part.x.reshape(len(part), *shape).astype(dtype, copy=False),
            target=part.target.astype(dtype, copy=False),
            weight=self.loss_weights(part.y, part.sample_weight),
        )


def pooled(prepared: Prepared) -> PreparedSplit:
    """The rows of the training and the validation split, weighted as one split."""
    parts = [prepared.examples["train"], prepared.examples["validation"]]
    y = np.concatenate([part.y for part in parts])
    weights = [part.sample_weight for part in parts if part.sample_weight is not None]
    sample_weight = np.concatenate(weights) if weights else None
    return PreparedSplit(
        x=np.concatenate([part.x for part in parts]),
        target=np.concatenate([part.target for part in parts]),
        y=y,
        weight=prepared.loss_weights(y, sample_weight),
        sample_weight=sample_weight,
    )


def members_of(prepared: Prepared) -> list[Member]:
    """The networks of a run that has several, the first one first."""
    config, numbers = prepared.config, range(prepared.config.networks)
    own: list[dict[str, Any]] = [{} for _ in numbers]
    if config.own_validation:
        rngs = [Streams(config.seed, config.dataset.fold, m).validation for m in numbers[1:]]
        places = rows_of_members(prepared.dataset, config.dataset, prepared.split, rngs)
        pool = pooled(prepared)
        own = [{"places": each, "pool": pool} for each in places]
    found = []
    for number, more in zip(numbers, own, strict=True):
        setting = prepared.settings[number % len(prepared.settings)]
        given: dict[str, Any] = {
            each.name: getattr(setting, each.name) for each in fields(Prepared)
        }
        member = Member(**{**given, "grid": None}, whole=prepared, number=number, **more)
        shared = (*_OF_SETTING, *(() if config.own_validation else ("baseline",)))
        vars(member).update({name: getattr(setting, name) for name in shared})
        found.append(member)
    return found
