"""Trials of random networks: what the compiled engine gets wrong, in words."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from nnrun.engines.choice import refuses_function
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.kernels import KERNELS, load, sizes
from nnrun.engines.tape.engine import TapeEngine
from tests.architectures.trial import Trial
from tests.engines.guards import SIDES, GuardError, Side, apart, guarded
from tests.engines.outcomes import Outcome, made, misfits, outcome, reference

# Each function takes LLVM most of a second, kernels are compiled once: of this many trials, one is
# also made by a function of its own.
FUNCTIONS = 40


def faults(trial: Trial) -> list[str]:
    """What is wrong; nothing if the engine's two ways agree with the NumPy engine to rounding, and
    train to the same bits twice, with arrays that begin or end at guard pages, on any threads.
    """
    expected = reference(trial)
    with _zeros_looked_for(trial.skips):
        twice = [
            _trained(trial, TapeEngine, side, threads=threads)
            for side, threads in zip(SIDES, (1, trial.threads), strict=True)
        ]
    found = _compared("tape", trial, expected, twice)
    if trial.index % FUNCTIONS == 0 and not refuses_function(trial.network(), trial.optimizer()):
        twice = [_trained(trial, CompiledEngine, side) for side in SIDES]
        found += _compared("function", trial, expected, twice)
    return found


def faults_of(trials: Sequence[Trial]) -> dict[str, list[str]]:
    """The faults of those that have some, by the trials in words.

    They run in a process of their own, since a touch of a guard page ends it.
    """
    for dtype in {trial.dtype for trial in trials}:
        load.addresses(KERNELS, dtype)  # linked here, they need not be in each of the processes
    found: dict[str, list[str]] = {}
    left = list(trials)
    while left:
        try:
            found |= apart(partial(_all, left))
            break
        except GuardError as error:
            left, ended = _split(left, str(error))
            found[str(ended)] = [str(error)]
    return found


def _all(trials: Sequence[Trial]) -> dict[str, list[str]]:
    found = {}
    for trial in trials:
        os.write(2, f"in {trial.name}\n".encode())
        try:
            wrong = faults(trial)
        except Exception:  # whatever it is, the others are tried too
            wrong = [traceback.format_exc()]
        if wrong:
            found[str(trial)] = wrong
    return found


def _split(trials: Sequence[Trial], text: str) -> tuple[list[Trial], Trial]:
    """The trials after the last one that the text names, and that one."""
    last = max(place for place, trial in enumerate(trials) if f"in {trial.name}\n" in text)
    return list(trials[last + 1 :]), trials[last]


def _trained(trial: Trial, kind: Callable[..., Any], side: Side, **more: Any) -> Outcome:
    with guarded(side):
        engine = made(trial, kind, batch_size=trial.batch_size, losses=trial.with_losses, **more)
        return outcome(engine, trial.batches(), with_losses=trial.with_losses)


def _compared(way: str, trial: Trial, expected: Outcome, twice: Sequence[Outcome]) -> list[str]:
    found = [f"{way}: {text}" for text in misfits(trial, expected, twice[0])]
    for name in expected:
        first, second = (one[name] for one in twice)
        if first.tobytes() != second.tobytes():
            found.append(f"{way}: {name} has other bits the second time")
    return found


@contextmanager
def _zeros_looked_for(everywhere: bool) -> Iterator[None]:
    if not everywhere:
        yield
        return
    with patch.object(sizes, "may_skip_zeros", lambda *sizes: True):
        yield
