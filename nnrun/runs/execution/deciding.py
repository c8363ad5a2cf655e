"""The threshold of a run, fitted on its validation split once training has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nnrun.config.schema.decide import CostConfig, DecideConfig
from nnrun.models.decision import DEFAULT, Counts, Decision, Fitted, Objective, fit_threshold
from nnrun.models.task import Classification, Task
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepared import Prepared


def decide(
    prepared: Prepared, task: Task, outputs: Mapping[str, Array]
) -> tuple[Task, dict[str, Any] | None]:
    """Fit the threshold, if the config wants one; the task with it, and its description.

    `outputs` are those of the network by split, `validation` among them.
    """
    config, classes, examples = prepared.config.decide, prepared.dataset.classes, prepared.examples
    if config is None or not isinstance(task, Classification):
        return task, None
    objective = objective_of(config)
    positive = config.positive_class(classes)
    assert positive is not None  # checked before training
    part, scores = examples["validation"], task.probability(outputs["validation"], positive)
    found = fit_threshold(objective, scores, part.y == positive, part.sample_weight)
    decided = task
    if found.threshold is not None:
        decided = replace(task, decision=Decision(positive, found.threshold))

    def measured(by: Classification, name: str) -> dict[str, Any]:
        chosen, part = by.decode(outputs[name]) == positive, examples[name]
        return _measured(objective, chosen, part.y == positive, part.sample_weight)

    return decided, {
        "objective": objective.name,
        **({"precision": objective.precision} if objective.precision else {}),
        "positive": classes[positive],
        "threshold": DEFAULT if found.threshold is None else found.threshold,
        "fitted": found.threshold is not None,
        "note": _note(found),
        "splits": {
            name: {"fitted": measured(decided, name), "default": measured(task, name)}
            for name in ("validation", "test")
            if name in examples
        },
    }


def objective_of(config: DecideConfig) -> Objective:
    """What the threshold is chosen for."""
    if config.cost is not None:
        return Objective("cost", _cost(config.cost), costs=True)
    if isinstance(config.maximize, str):
        name = config.maximize
        return Objective(name, lambda counts: getattr(counts, name), beats_all=True)
    assert config.maximize is not None  # or `cost` is given
    return Objective(
        "recall", lambda counts: counts.recall, precision=config.maximize.recall_at_precision
    )


def _cost(cost: CostConfig) -> Any:
    return lambda counts: cost.false_positive * counts.fp + cost.false_negative * counts.fn


def _measured(
    objective: Objective, chosen: Array, positive: Array, weight: Array | None
) -> dict[str, Any]:
    """Numbers of rows; precision, recall and the objective's value, of weighted rows."""
    rows, sums = Counts.of(positive, chosen), Counts.of(positive, chosen, weight)
    return {
        **{name: int(number) for name, number in vars(rows).items()},
        "precision": float(sums.precision),
        "recall": float(sums.recall),
        objective.name: float(objective.value(sums)),
    }


def _note(found: Fitted) -> str | None:
    if found.threshold is not None:
        return None
    return f"the validation split has {found.reason}, so the threshold is {DEFAULT}"
