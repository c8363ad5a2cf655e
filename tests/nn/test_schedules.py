"""Learning rates by hand: at the start, at every boundary, and past the end."""

from __future__ import annotations

from math import cos, pi, sqrt

import numpy as np
import pytest

from nnrun.nn import SCHEDULES
from nnrun.nn.schedules import Schedule

TOTAL = 100


def rate(schedule: Schedule, t: int, total: int = TOTAL) -> float:
    """η(t) of one iteration."""
    return float(schedule.rates(np.array([t], float), total)[0])


# (name, arguments, {iteration: rate})
BY_HAND = [
    ("constant", {"value": 0.5}, {0: 0.5, 99: 0.5, 1000: 0.5}),
    ("step", {"initial": 1.0, "every": 10}, {0: 1, 9: 1, 10: 0.1, 19: 0.1, 20: 0.01, 99: 1e-9}),
    ("step", {"initial": 8.0, "every": 3, "factor": 0.5}, {2: 8, 3: 4, 5: 4, 6: 2}),
    (
        "exponential",
        {"initial": 1.0, "every": 10},
        {0: 1, 5: sqrt(0.5), 10: 0.5, 20: 0.25, 30: 0.125},
    ),
    ("exponential", {"initial": 3.0, "every": 1, "factor": 0.1}, {0: 3, 1: 0.3, 2: 0.03}),
    ("inverse_time", {"initial": 1.0, "every": 10}, {0: 1, 10: 1 / 2, 20: 1 / 3, 5: 1 / 1.5}),
    ("inverse_time", {"initial": 1.0, "every": 1, "rate": 0.0}, {0: 1, 99: 1}),
    ("inverse_time", {"initial": 6.0, "every": 2, "rate": 2.0}, {1: 3, 2: 2}),
    (
        "cosine",
        {"initial": 1.0},
        {0: 1, 25: (1 + sqrt(0.5)) / 2, 50: 0.5, 99: (1 + cos(0.99 * pi)) / 2, 100: 0, 500: 0},
    ),
    ("cosine", {"initial": 1.0, "final": 0.2, "over": 10}, {0: 1, 5: 0.6, 10: 0.2, 99: 0.2}),
    (
        "warmup_cosine",
        {"peak": 1.0, "warmup": 20},
        {0: 0.05, 9: 0.5, 18: 0.95, 19: 1, 20: 1, 60: 0.5, 100: 0, 500: 0},
    ),
    (
        "warmup_cosine",
        {"peak": 2.0, "warmup": 4, "final": 1.0, "over": 24},
        {0: 0.5, 3: 2, 4: 2, 14: 1.5, 24: 1, 99: 1},
    ),
    ("warmup_cosine", {"peak": 1.0, "warmup": 0}, {0: 1, 50: 0.5, 100: 0}),
    ("cosine_restarts", {"initial": 1.0, "period": 10}, {0: 1, 5: 0.5, 10: 1, 95: 0.5, 100: 1}),
    (
        "cosine_restarts",
        {"initial": 2.0, "period": 4, "growth": 3, "final": 1.0},
        {0: 2, 2: 1.5, 4: 2, 10: 1.5, 16: 2, 34: 1.5, 52: 2},
    ),
    ("one_cycle", {"peak": 25.0}, {0: 1, 14.5: 13, 29: 25, 64: 12.50005, 99: 1e-4, 500: 1e-4}),
    (
        "one_cycle",
        {"peak": 1.0, "rise": 0.5, "initial": 0.0, "final": 0.5, "over": 10},
        {0: 0, 2: 0.5, 4: 1, 6.5: 0.75, 9: 0.5, 99: 0.5},
    ),
    ("one_cycle", {"peak": 1.0, "rise": 0.0}, {0: 1, 99: 4e-6}),
    ("one_cycle", {"peak": 25.0, "over": 3}, {0: 1, 1: 12.50005, 2: 1e-4, 99: 1e-4}),
    ("one_cycle", {"peak": 25.0, "rise": 0.01}, {0: 1, 99: 1e-4}),
    ("reduce_on_plateau", {"initial": 0.5}, {0: 0.5, 99: 0.5}),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), BY_HAND)
def test_rates_by_hand(name: str, arguments: dict[str, float], expected: dict[int, float]):
    """η(t) is what the schedule's equation gives, on either side of each boundary."""
    schedule = SCHEDULES[name](**arguments)
    actual = {t: rate(schedule, t) for t in expected}
    assert expected == pytest.approx(actual, rel=1e-12, abs=1e-15)


# Where each schedule begins, and the first iteration, for a total, that has its last rate.
ENDS = {
    "constant": ({"value": 0.5}, 0.5, None),
    "step": ({"initial": 0.5, "every": 1}, 0.5, None),
    "exponential": ({"initial": 0.5, "every": 1}, 0.5, None),
    "inverse_time": ({"initial": 0.5, "every": 1}, 0.5, None),
    "cosine": ({"initial": 0.5, "final": 0.1}, 0.5, lambda total: total),
    "warmup_cosine": ({"peak": 1.0, "warmup": 2, "final": 0.1}, 0.5, lambda total: max(total, 3)),
    "cosine_restarts": ({"initial": 0.5, "period": 1}, 0.5, None),
    "one_cycle": (
        {"peak": 1.0, "initial": 0.5, "final": 0.1},
        0.5,
        lambda total: max(total - 1, 1),
    ),
    "reduce_on_plateau": ({"initial": 0.5}, 0.5, None),
}


@pytest.mark.parametrize("total", range(1, 6))
@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_the_shortest_runs_begin_and_end_as_documented(name: str, total: int):
    """At the first rate, and at the last one where there is one; never outside of the two ends."""
    arguments, first, end = ENDS[name]
    schedule = SCHEDULES[name](**arguments)
    rates = schedule.rates(np.arange(total, dtype=float), total)
    assert first == pytest.approx(rates[0], rel=1e-14)
    assert (rates >= 0).all()
    assert rates.max() <= arguments.get("peak", first) * (1 + 1e-15)
    if end is not None:
        assert 0.1 == pytest.approx(rate(schedule, end(total), total), rel=1e-14)


@pytest.mark.parametrize("rise", [0.001, 0.1, 0.25, 0.3, 0.5, 0.999])
def test_one_cycle_begins_at_its_initial_rate(rise: float):
    """Also where it rises for less than an iteration."""
    schedule = SCHEDULES["one_cycle"](peak=25.0, rise=rise)
    first = [rate(schedule, 0, total) for total in range(1, 41)]
    assert [1.0] * 40 == pytest.approx(first, rel=1e-12)


def test_cosine_begins_with_the_largest_number_there_is():
    """Half of twice a rate is the rate, but twice the largest number is none."""
    with np.errstate(over="raise"):
        assert 1.7e308 == rate(SCHEDULES["cosine"](initial=1.7e308), 0, 10)


def test_a_warmup_longer_than_the_run_only_rises():
    """Where the run ends within the warm-up, the line does not break."""
    rates = SCHEDULES["warmup_cosine"](peak=1.0, warmup=200).rates(np.arange(100.0), 100)
    np.testing.assert_allclose(rates, (np.arange(100) + 1) / 200, rtol=1e-15)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_many_iterations_at_once_are_those_one_by_one(name: str):
    """An array of t gives one rate each, the same as asked alone, in double precision."""
    arguments = next(arguments for one, arguments, _ in BY_HAND if one == name)
    schedule = SCHEDULES[name](**arguments)
    rates = schedule.rates(np.arange(TOTAL, dtype=float), TOTAL)
    assert (np.float64, (TOTAL,)) == (rates.dtype, rates.shape)
    np.testing.assert_allclose(rates, [rate(schedule, t) for t in range(TOTAL)], rtol=1e-14)
    assert np.all(rates >= 0)
    assert [rate(schedule, t) for t in range(TOTAL)] == [
        schedule.rate_at(t, TOTAL) for t in range(TOTAL)
    ]


def test_a_plateau_lowers_the_rate():
    """After `patience` losses in a row that are no better than the best, and counted anew."""
    schedule = SCHEDULES["reduce_on_plateau"](initial=1.0, factor=0.5, patience=2, final=0.2)
    losses = [9, 8, 8, 7, 7, 7.5, 7, 8, 6, 6, 6, 5, 5, 5, 5, 5]
    rates = []
    for loss in losses:
        rates.append(rate(schedule, 0))
        schedule.observe(loss)
    assert [*[1.0] * 6, *[0.5] * 2, *[0.25] * 3, *[0.2] * 5] == rates


def test_a_plateau_never_raises_the_rate():
    """A `final` above the rate leaves it where it is."""
    schedule = SCHEDULES["reduce_on_plateau"](initial=0.1, patience=1, final=0.5)
    for loss in (1, 1, 1):
        schedule.observe(loss)
    assert 0.1 == rate(schedule, 0)
