"""The ensemble of a search: trials that predict better together, by the rows that judged them.

Trials are chosen greedily and with repetition, the one first that makes the mean of all outputs so
far best (Caruana, Niculescu-Mizil, Crew and Ksikes, *Ensemble selection from libraries of models*,
ICML 2004). What is chosen so fits these rows too well; so it is one more setting of the final
comparison, trained anew on fresh seeds, and wins only if it is better there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from nnrun.config.load import resolved_config
from nnrun.errors import NnrunError
from nnrun.metrics.table import LOSS
from nnrun.models import MODEL
from nnrun.models.load import load_model
from nnrun.models.scores import measured
from nnrun.models.task import Task
from nnrun.nn.signature import Array
from nnrun.runs.execution.members import loss_of, outputs_of_held_out
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.storage.reading import refuse_changed
from nnrun.runs.storage.store import Store
from nnrun.search.trials import Goal, Trial
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.sweeps.planning.variants import Datasets
from nnrun.training.state import PreparedSplit

LIBRARY = 15
"""Of the best trials so many may be chosen from."""
MOST = 8
"""So many are chosen at most, repetitions included; the gain of more is small."""
_SAME = ("network", "loss", "training")
"""The blocks in which trials that are members of one run may differ."""


@dataclass(frozen=True)
class _Judged:
    """What a run puts out for the rows that judge it."""

    run: Prepared
    task: Task
    part: PreparedSplit
    outputs: Array

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the outputs are: members of one run have the same."""
        return self.outputs.shape[1:], getattr(self.task, "probabilistic", None)


def chosen_together(
    trials: Sequence[Trial],
    values: Mapping[int, Mapping[str, Any]],
    goal: Goal,
    split: str,
    store: Store,
    datasets: Datasets,
) -> list[Trial]:
    """The trials that predict best together, the best one first; [] if that is one alone.

    Args:
        trials: completed ones, the best first.
        values: what replaces parts of the config, by the number of the trial.
        goal: the direction of the metric.
        split: whose rows judge.
        store: of their runs.
        datasets: loads their data.
    """
    best = _rest(values[trials[0].number])
    library: list[tuple[Trial, list[_Judged]]] = []
    for trial in trials[:LIBRARY]:
        if _rest(values[trial.number]) != best:
            continue
        try:
            runs = [_judged(run, split, store, datasets) for run in trial.runs]
        except NnrunError:
            continue  # its model is gone, or not what was written
        if not library or runs[0].kind == library[0][1][0].kind:
            library.append((trial, runs))
    metric, chosen = trials[0].runs[0].variant.metric, list[int]()
    kept, reached = list[int](), float("inf")
    while len(chosen) < MOST:
        costs = [
            goal.order(_value([library[at][1] for at in (*chosen, number)], metric))
            for number in range(len(library))
        ]
        if not costs or not min(costs) < float("inf"):
            break
        chosen.append(int(np.argmin(costs)))
        if min(costs) < reached:
            reached, kept = min(costs), [*chosen]
    ranked = sorted(kept)  # repetitions beside each other, the best trial first
    return [library[at][0] for at in ranked] if len({*kept}) > 1 else []


def values_of_members(
    chosen: Sequence[Mapping[str, Any]], members: int | Mapping[str, Any]
) -> dict[str, Any]:
    """What replaces parts of the config: the values of the first, and the others as members.

    Args:
        chosen: the values of each trial, as often as it was chosen.
        members: the config's own; as many networks are trained, or one for each that was chosen.
    """
    first, *others = chosen
    settings = [{k: v for k, v in each.items() if first.get(k) != v} for each in others]
    own = {"number": members} if isinstance(members, int) else dict(members)
    number = max(own["number"], len(chosen))
    return {**first, "members": {**own, "number": number, "settings": settings}}


def _rest(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that members of one run share."""
    return {key: value for key, value in values.items() if key.partition(".")[0] not in _SAME}


def _judged(run: PlannedRun, split: str, store: Store, datasets: Datasets) -> _Judged:
    folder, stored = store.folder(*run.key.split("/")), store.run(*run.key.split("/")).read()
    if stored is None or stored.record is None:
        raise NnrunError(f"{run.key}: its report is missing")
    refuse_changed(folder, stored.record, MODEL)
    config = run.replicate.applied(resolved_config(run.variant.config))
    prepared = prepare_again(config, datasets.load(config.dataset, run.variant.data))
    model = load_model(folder)
    part, outputs, _ = outputs_of_held_out(prepared, model, split)
    return _Judged(prepared, model.task, part, outputs)


def _value(members: Sequence[Sequence[_Judged]], metric: str) -> float:
    """The metric of the mean of outputs, averaged over the runs of a trial; NaN if undefined."""
    values = []
    for runs in zip(*members, strict=True):
        first, part = runs[0], runs[0].part
        outputs = np.stack([run.outputs for run in runs]).astype(np.float64).mean(axis=0)
        if metric == LOSS:
            values.append(loss_of(first.run, part, outputs))
            continue
        value = measured(first.task, outputs, part.y, [metric], part.sample_weight)[metric]
        values.append(float("nan") if value is None else float(value))
    return fmean(values)
