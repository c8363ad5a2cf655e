"""Criteria that several exercises share."""

from __future__ import annotations

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.course.attempt import Attempt
from nnrun.course.grading import Check, Verdict
from nnrun.nn import Activation


def types(config: ExperimentConfig) -> list[str]:
    """The types of all layers, each before those inside it."""
    return [layer.type for _, layer in config.network.named_layers()]


def same_widths(attempt: Attempt) -> Verdict:
    """The dense layers are those of the exercise; others may stand between them."""
    ours, wanted = (_widths(each.config) for each in (attempt, attempt.start))
    if ours != wanted:
        return False, f"its dense layers have {ours} units; the exercise has {wanted}"
    return True, "its dense layers are as wide as in the exercise"


def at_most(parameters: int) -> Check:
    """The network has no more parameters than this."""

    def check(attempt: Attempt) -> Verdict:
        network = attempt.prepared.network
        name, largest = max(network.parameters.items(), key=lambda item: item[1].size)
        where = f"{largest.size:,} of them in {name}"
        says = f"it has {network.size:,} parameters, {where}; it may have {parameters:,}"
        return network.size <= parameters, says

    return check


def accurate(least: float) -> Check:
    """The mean accuracy on test rows is at least this."""

    def check(attempt: Attempt) -> Verdict:
        found = attempt.runs.mean("test", "accuracy")
        return found >= least, f"its mean test accuracy is {found:.3f}; {least:g} is needed"

    return check


def ends(attempt: Attempt) -> Verdict:
    """No run diverges."""
    runs = attempt.runs.values("train", "loss")
    return True, f"training ends well with all {len(runs)} seeds"


def _widths(config: ExperimentConfig) -> list[int]:
    layers = (layer for _, layer in config.network.named_layers())
    return [vars(layer)["units"] for layer in layers if layer.type == "dense"]


def bends(attempt: Attempt) -> Verdict:
    """Some hidden layer is not linear."""
    if any(isinstance(layer, Activation) for layer in attempt.prepared.network.steps):
        return True, "there is an activation between its matrices"
    return False, "it is linear: two matrices in a row are one matrix"


def bends_everywhere(attempt: Attempt) -> Verdict:
    """Every hidden layer has an activation that is not linear."""
    found = sum(isinstance(layer, Activation) for layer in attempt.prepared.network.steps)
    hidden = len(_widths(attempt.config)) - 1
    if found >= hidden:
        return True, "every hidden layer has an activation"
    return False, f"{found} of {hidden} hidden layers have an activation that is not linear"
