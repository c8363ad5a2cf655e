"""Checks that a run begins with: of its engine (see `nnrun.training.selfcheck`), and of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np

from nnrun import __version__
from nnrun.engines.base import Batches
from nnrun.errors import EngineFaultError, NnrunError, PluginFaultError
from nnrun.nn.gradient_check import GradientCheck
from nnrun.plugins.loading import checks_gradients
from nnrun.plugins.running import describe_fault
from nnrun.runs.execution.environment import environment, run_arithmetic
from nnrun.runs.preparation.gradients import check_run_gradients
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.selfcheck import Disagreement, compare_engines
from nnrun.training.trainer import Trainer


def check_engine(prepared: Prepared, trainer: Trainer) -> None:
    """Compare the compiled engine with NumPy on the first batch, once for each compiled code.

    The trainer, which has made no update yet, is not changed.

    Raises: EngineFaultError if they differ beyond rounding, for this run or another of its config.
    """
    if trainer.engine.name == "numpy":
        return

    def compare() -> Disagreement | None:
        train = trainer.splits["train"]
        batches = Batches(*deepcopy(trainer.sampler).take(2), rates=np.zeros(2))
        with run_arithmetic():
            return compare_engines(
                trainer.engine,
                trainer.network,
                trainer.optimizer,
                train.x,
                train.loss_target,
                batches=batches,
                dropout=trainer.dropout,
                clip_norm=prepared.config.training.clip_norm,
                losses=trainer.curve is not None,
            )

    found = prepared.cache.code.get("disagreement", compare)
    if found is not None:
        raise EngineFaultError(_message(found))


def _message(found: Disagreement) -> str:
    here = environment()
    return (
        "the compiled engine does not train this network as NumPy does: in the first batch "
        f"{found.what} is {found.found:.6g}, and by NumPy {found.expected:.6g}, where rounding "
        f"makes a difference of at most {found.rounding:.2g}. It would give wrong results, so "
        "there are none; training.engine=numpy gives right ones. This is a fault of nnrun: please "
        f"report it with this text and the config (nnrun {__version__}, Python {here['python']}, "
        f"NumPy {here['packages']['numpy']}, {here['platform']}, {here['cpu']})"
    )


_WITH_GRADIENTS = ("layer", "activation", "loss")
# Entries and random directions that are compared of each parameter: a wrong formula shows in any.
_ENTRIES, _DIRECTIONS = 8, 2
# Larger than that of `nnrun check --gradients`: functions of plugins may be approximations.
_TOLERANCE = 1e-5


def check_plugins(prepared: Prepared) -> None:
    """Compare the gradients of a network with parts of plugins with numerical ones.

    It is done once for each compiled code, before the first update, unless the command or a part
    (`exact_gradient = False`) says otherwise.

    Raises: PluginFaultError if one is wrong.
    """
    parts = [part for part in prepared.plugins if part.kind in _WITH_GRADIENTS]
    inexact = any(not getattr(part.entry, "exact_gradient", True) for part in parts)
    if not parts or inexact or not checks_gradients():
        return

    def compare() -> list[GradientCheck]:
        with run_arithmetic():
            return check_run_gradients(prepared, most=_ENTRIES, directions=_DIRECTIONS)

    checks = prepared.cache.code.get("gradients of plugins", compare)
    wrong = next((check for check in checks if not check.error <= _TOLERANCE), None)
    if wrong is not None:
        named = " and ".join(part.title for part in parts)
        source = parts[0].source.path
        advice = f"nnrun check {parts[0].source.name} looks for the mistake, and " * bool(source)
        raise PluginFaultError(
            f"the gradient of {wrong.name} is wrong with {named}: by backpropagation an entry is "
            f"{wrong.backpropagated:.6g}, by differences of the loss {wrong.numerical:.6g}; "
            f"{advice}--no-gradient-check trains all the same"
        )


@contextmanager
def naming_plugins() -> Iterator[None]:
    """Name the line of a plugin that raised an error.

    Raises: PluginFaultError in place of an error that is not nnrun's own.
    """
    try:
        yield
    except NnrunError:
        raise
    except Exception as error:
        fault = describe_fault(error)
        if fault is None:
            raise
        raise PluginFaultError(fault) from error
