"""How models of scikit-learn do beside the best network of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from nnrun.config.setting_words import choice_words
from nnrun.config.settings import BESIDE
from nnrun.metrics.table import span_of
from nnrun.sweeps.board.comparison.comparisons import beside_best
from nnrun.sweeps.board.comparison.statistics import AS_WRITTEN
from nnrun.sweeps.board.comparison.verdicts import completed_runs, table_of, values_of
from nnrun.sweeps.progress import Member


@dataclass(frozen=True)
class Beside:
    """A model beside the best of the networks.

    `network` is the best in these comparisons, each on the seeds that the two have in common, so
    that it may be another one than the first of the table. `difference` is that to its mean, in
    favour of the model: positive where it is better. `low` and `high` are the ends of its 95%
    interval, which holds for all models and networks of the table at once.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    model: str
    network: str
    difference: float
    low: float
    high: float


def beside_networks(ranked: Sequence[Member], split: str, column: int, sign: int) -> list[Beside]:
    """Of each model with two runs or more, in the order of the rows; none without such a network.

    Networks with runs that diverged are left out, since the others flatter them. The arguments are
    those of `verdicts`.
    """
    if not any(BESIDE in variant.choice for variant, _ in ranked):
        return []
    known = [(member, values_of(completed_runs(member), column, sign)) for member in ranked]
    known = [(member, values) for member, values in known if len(values) > 1]
    members, values = [member for member, _ in known], [found for _, found in known]
    models = [i for i, (variant, _) in enumerate(members) if BESIDE in variant.choice]
    if not models or len(models) == len(members):
        return []
    table = table_of(members, values, split)
    networks = [i for i in range(len(members)) if i not in models]
    networks = [i for i in networks if table.sound[i]] or networks
    found = beside_best(table, np.array(models), np.array(networks))
    span = span_of(members[0][0].metric)
    low, high = (np.clip(end, -span, span) for end in (found.low, found.high))
    rows = zip(models, found.opponent, found.mean, low, high, strict=True)
    return [
        Beside(model_words(members[i][0].choice), members[j][0].label, *map(float, ends))
        for i, j, *ends in rows
        if all(map(isfinite, ends))
    ]


def model_words(choice: Mapping[str, Any]) -> str:
    """The model of a row, with what else was chosen for it."""
    others = {key: value for key, value in choice.items() if key != BESIDE}
    return " ".join([str(choice[BESIDE]), *choice_words(others)])
