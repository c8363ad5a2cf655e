"""Random networks: the engines agree to rounding, and the compiled one repeats itself exactly."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from nnrun.engines.kernels import KERNELS, load
from nnrun.engines.tape.maps import Convolution
from nnrun.engines.tape.plan import Address
from tests.architectures.coverage import CONVOLUTIONS, SUITES, pairs, suite
from tests.engines.trials import faults_of

PARTS = 5  # of a suite, which may run side by side


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("number", range(SUITES))
def test_random_networks(number: int, part: int) -> None:
    """500 random networks train as by the NumPy engine, twice to the same bits and in their own
    memory; with `-m campaign` 20,000 do.
    """
    trials = suite(number)
    first, end = (len(trials) * place // PARTS for place in (part, part + 1))
    assert {} == faults_of(trials[first:end])


def _from_the_middle(convolution: Convolution) -> dict[str, Address | int]:
    """Where a convolution begins to read, but on maps of one pixel without their border."""
    x = convolution.x
    if x.is_vector:
        return x.named("x")
    return x.named("x", down=-convolution.top, right=-convolution.left)


def test_a_border_that_is_forgotten_is_found() -> None:
    """At least ten networks find a fault of convolutions on maps of one pixel."""
    trials = [
        trial
        for trial in suite(0)
        if any(pair[1] == "1×1" and pair[2] in CONVOLUTIONS for pair in pairs(trial.plan))
    ]
    found: dict[str, list[str]] = {}
    with patch.object(Convolution, "_read", property(_from_the_middle)):
        for start in range(0, len(trials), 10):
            found |= faults_of(trials[start : start + 10])
            if len(found) >= 10:
                break
    assert len(found) >= 10


def test_a_wrong_seventh_digit_is_found() -> None:
    """An activation that is off by 1e-7 is found by 9 of 10 networks of float64 that use it."""
    trials = [
        trial
        for trial in suite(0)
        if trial.dtype == "float64" and any("tanh" in pair for pair in pairs(trial.plan))
    ]
    bug = replace(KERNELS["tanh"], constants={"formula": "tanh(x) * real(0.9999999)"})
    with patch.dict(KERNELS, tanh=bug), patch.object(load, "_addresses", {}):
        found = faults_of(trials[:10])
    assert len(found) >= 9
