"""The loop that draws rows and calls the generated function: here one that notes what it gets."""

from __future__ import annotations

import ctypes
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.compiler.arguments import ARGUMENTS, NUMBER
from nnrun.engines.base import Sampler, Steps
from nnrun.engines.generated.steps import Sampling
from nnrun.engines.kernels.stream_fields import PIECE, RATE_BYTES, SAMPLINGS
from nnrun.nn.schedules import Constant

_INTEGERS = ctypes.POINTER(ctypes.c_int64)
_GENERATED = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(ARGUMENTS))


class Calls:
    """A function in the place of a generated one, and what it was called with."""

    def __init__(self, drawn: int = 0) -> None:
        self.batches: list[list[int]] = []
        self.rates: list[float] = []
        self.steps: list[int] = []
        self.uniforms: list[int] = []
        self.longest = 0
        self.drawn = drawn
        self._callback = _GENERATED(self._call)
        self.address: int = ctypes.cast(self._callback, ctypes.c_void_p).value or 0

    def _call(self, *arguments: int) -> None:
        def numbers(name: str, count: int, kind: str = "int64") -> np.ndarray:
            size = 8 * count
            held = ctypes.string_at(arguments[NUMBER[name]], size)
            return np.frombuffer(held, kind)

        count = arguments[NUMBER["count"]]
        bounds = numbers("bounds", count + 1)
        rows = numbers("rows", int(bounds[-1]))
        self.batches += [rows[a:b].tolist() for a, b in pairwise(bounds)]
        self.rates += numbers("rates", count, "float64").tolist()
        self.steps.append(arguments[NUMBER["steps"]])
        self.uniforms.append(arguments[NUMBER["uniforms"]])
        self.longest = max(self.longest, count)

    def run(self, sampling: Sampling, iterations: int, rates: np.ndarray | None = None) -> None:
        """Have the loop make this many updates."""
        table = np.zeros(len(ARGUMENTS), np.int64)
        given = np.full(min(iterations, PIECE), 0.1) if rates is None else rates
        sampling.fields[RATE_BYTES] = 0 if rates is None else 8
        table[NUMBER["rates"]] = given.ctypes.data
        table[NUMBER["bounds"]] = sampling.bounds.ctypes.data
        sampling.take_over()
        sampling.run(table.ctypes.data, iterations)
        sampling.hand_back()


def sampler(rows: int, batch_size: int, kind: str, seed: int) -> Sampler:
    return Sampler(rows, batch_size, kind, rng=np.random.default_rng(seed))


def taken(source: Sampler, iterations: int) -> list[list[int]]:
    """What NumPy draws."""
    rows, bounds = source.take(iterations)
    return [rows[a:b].tolist() for a, b in pairwise(bounds)]


def started(source: Sampler, calls: Calls) -> Sampling:
    return Sampling(source, calls.address, together=False, drawn=calls.drawn)


@pytest.mark.parametrize("kind", SAMPLINGS)
@settings(deadline=None)  # the loop may have to be compiled
@given(
    rows=st.integers(1, 300),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 2**64),
    cuts=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_rows_are_those_that_numpy_draws(
    kind: str, rows: int, batch_size: int, seed: int, cuts: list[int]
) -> None:
    """However many iterations at a time: the same batches, and the same state after each."""
    expected, actual, calls = (
        sampler(rows, batch_size, kind, seed),
        sampler(rows, batch_size, kind, seed),
        Calls(),
    )
    sampling = started(actual, calls)
    batches = []
    for cut in cuts:
        if cut:
            batches += taken(expected, cut)
        calls.run(sampling, cut)
        if batches:
            assert expected.state() == actual.state()
    assert batches == calls.batches


@pytest.mark.parametrize("kind", SAMPLINGS)
@pytest.mark.parametrize("before", [0, 1, 5, 1234, 40_000])
def test_either_goes_on_where_the_other_has_stopped(kind: str, before: int) -> None:
    """NumPy and compiled code take turns; a state goes through JSON to others in between."""
    expected = taken(sampler(70, 3, kind, 5), before + 2000)
    first, calls = sampler(70, 3, kind, 5), Calls()
    actual = taken(first, before) if before else []
    second = sampler(70, 3, kind, 6)
    second.restore(json.loads(json.dumps(first.state())))
    calls.run(started(second, calls), 1500)
    third = sampler(70, 3, kind, 7)
    third.restore(json.loads(json.dumps(second.state())))
    assert expected == [*actual, *calls.batches, *taken(third, 500)]


def test_a_sampler_that_was_put_elsewhere_is_followed() -> None:
    """Between two calls the order may go back: what had been drawn ahead does not count."""
    source, calls = sampler(50, 1, "with_replacement", 1), Calls()
    sampling = started(source, calls)
    start = source.state()
    calls.run(sampling, 100)
    source.restore(start)
    calls.run(sampling, 100)
    assert calls.batches[:100] == calls.batches[100:]


@pytest.mark.parametrize("rows", [2, 2**31 + 1, 3 * 2**30, 2**32 - 1])
def test_bounds_of_any_size(rows: int) -> None:
    """Numbers that would favour some rows are drawn anew, up to every other one of them."""
    expected = taken(sampler(rows, 1, "with_replacement", 3), 40_000)
    calls = Calls()
    calls.run(started(sampler(rows, 1, "with_replacement", 3), calls), 40_000)
    assert expected == calls.batches


def test_pieces_fit_the_cache() -> None:
    """No call is longer than PIECE, whatever the block; rates, steps and masks move along."""
    calls, rates = Calls(drawn=3), np.linspace(1, 2, 10_000)
    calls.run(started(sampler(9_000, 1, "in_order", 0), calls), 10_000, rates)
    assert PIECE == calls.longest
    assert rates.tolist() == calls.rates
    assert [0, PIECE, 2 * PIECE, 9_000] == calls.steps
    assert [0, 24 * PIECE, 48 * PIECE, 24 * 9_000] == calls.uniforms


def steps(order: Sampler) -> Steps:
    return Steps(order, Constant(0.1), first=0, iterations=4, total=4)


def test_other_generators_are_left_to_numpy() -> None:
    """Compiled code knows PCG64 alone."""
    others: Any = np.random.Generator(np.random.Philox(1))
    assert not Sampling.fits(steps(Sampler(10, 1, "shuffle", rng=others)))
    assert Sampling.fits(steps(sampler(10, 1, "shuffle", 1)))


def test_rows_that_have_been_asked_for_are_not_drawn_again() -> None:
    """The arrays of steps that have been read are taken from the order, and count."""
    one = steps(sampler(10, 1, "shuffle", 1))
    assert Sampling.fits(one)
    assert [0, 1, 2, 3, 4] == one.bounds.tolist()
    assert not Sampling.fits(one)
