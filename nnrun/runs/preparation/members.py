"""The members of a run: networks of one setting, each with random numbers of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits import rows_of_members
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.state import PreparedSplit, Streams

Places = npt.NDArray[np.intp]
# What all members take over.
_OF_RUN = ("preprocessing", "class_factors", "evaluate_every", "evaluate_rows", "schedule")


@dataclass(frozen=True)
class Member(Prepared):
    """One network of a run, to be trained as a run is.

    Columns, preprocessing and classes' weights are those of the run, fitted to the training split
    of its first member, whose bits are those of the run with a single network.

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
        if self.pool is not None and self.number:
            for name, places in zip(("train", "validation"), self.places, strict=True):
                found[name] = self.pool.part(places)
        return found


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
    shared = [*_OF_RUN]
    if config.own_validation:
        rngs = [Streams(config.seed, config.dataset.fold, m).validation for m in numbers[1:]]
        places = rows_of_members(prepared.dataset, config.dataset, prepared.split, rngs)
        pool = pooled(prepared)
        own = [{"places": each, "pool": pool} for each in places]
    else:
        shared.append("baseline")
    given: dict[str, Any] = {each.name: getattr(prepared, each.name) for each in fields(Prepared)}
    found = [
        Member(**{**given, "grid": None}, whole=prepared, number=number, **more)
        for number, more in zip(numbers, own, strict=True)
    ]
    for member in found:
        vars(member).update({name: getattr(prepared, name) for name in shared})
    return found
