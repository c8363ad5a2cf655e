"""A range test of the learning rate: a short training in which it rises, and the losses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nnrun.config.load import Experiment
from nnrun.config.schema.training import ScheduleConfig
from nnrun.runs.execution.descriptions import run_arithmetic
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared

LOWEST, HIGHEST = 1e-7, 10.0
# Updates: one epoch, but not fewer or more than these.
_FEWEST, _MOST = 200, 2000
# The training loss is evaluated this many times.
_POINTS = 100
# The test ends at a loss this many times the first one.
_EXPLODED = 2.0
# The loss has fallen if it is smaller than the first by this share.
FALLEN = 0.05
# The suggested rate is smaller by this factor than that of the smallest loss, as is usual.
_MARGIN = 10.0


@dataclass(frozen=True)
class RateCurve:
    """The training losses of one range test.

    Args:
        rates: (evaluations,), of the last update before each, rising by a constant factor.
        losses: (evaluations,), of the training split or the part that is evaluated.
        updates: how many were made.
        suggestion: a rate to begin with; None if no rate lowers the loss.
        highest: the rate at which the loss has exploded; None if it has not.
    """

    rates: list[float]
    losses: list[float]
    updates: int
    suggestion: float | None
    highest: float | None


def find_rate(prepared: Prepared, experiment: Experiment) -> RateCurve:
    """Train for about one epoch while the learning rate rises from 1e-7 to 10; the data are used
    again.

    The suggestion is a tenth of the rate at which the training loss is smallest. Smith, Cyclical
    Learning Rates for Training Neural Networks, 2017.
    """
    updates = int(np.clip(prepared.batches_per_epoch, _FEWEST, _MOST))
    factor = (HIGHEST / LOWEST) ** (1 / (updates - 1))
    trainer = Execution(_rising(prepared, experiment, updates, factor)).trainer
    rates: list[float] = []
    losses: list[float] = []
    highest = None
    first = trainer.evaluate("train", whole=False)[0]
    with run_arithmetic():
        for stop in np.linspace(0, updates, _POINTS + 1).round().astype(int)[1:]:
            trainer.update(int(stop) - trainer.iteration)
            rate, loss = trainer.rate, trainer.evaluate("train", whole=False)[0]
            if not loss <= _EXPLODED * abs(first):
                highest = rate
                break
            rates.append(rate)
            losses.append(loss)
    best = int(np.argmin(losses)) if losses else 0
    fallen = bool(losses) and losses[best] < first - FALLEN * abs(first)
    suggestion = rates[best] / _MARGIN if fallen else None
    return RateCurve(rates, losses, trainer.iteration, suggestion, highest)


def _rising(prepared: Prepared, experiment: Experiment, updates: int, factor: float) -> Prepared:
    """The run with this many updates and a rate that rises by a factor at each."""
    config, training = experiment.config, experiment.config.training
    rising = {"schedule": "exponential", "initial": LOWEST, "every": 1, "factor": factor}
    update = {
        "learning_rate": ScheduleConfig.blocks["exponential"].model_validate(rising),
        "iterations": updates,
        "epochs": None,
        "evaluate_every": max(updates // _POINTS, 1),
        "early_stopping": None,
    }
    test = config.model_copy(update={"training": training.model_copy(update=update)})
    dataset = prepared.dataset.whole or prepared.dataset
    found = prepare(replace(experiment, config=test), lambda _: dataset)
    assert isinstance(found, Prepared)
    return found
