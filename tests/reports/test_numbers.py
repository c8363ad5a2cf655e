"""Numbers as they are shown to people."""

from __future__ import annotations

from math import inf, nan

import pytest

from nnrun.nn.signature import shape_text
from nnrun.reports.numbers import (
    count,
    counted,
    difference,
    duration,
    durations,
    measured,
    metric_number,
    moment,
    number,
    percent,
    plural,
    probability,
    remaining,
    shape,
    signed,
    sparkline,
    spread,
    to_error,
)
from nnrun.runs.preparation.memory import human_bytes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (60.74937, "60.75"),
        (0.9, "0.9000"),
        (0.0, "0"),
        (-0.009077, "-0.009077"),
        (999.96, "1,000"),
        (123456.7, "123,457"),
        (12345678.0, "1.235e+07"),
        (0.00009999999, "0.0001000"),
        (1.5e-7, "1.500e-07"),
        (7, "7.000"),
        (None, "–"),
        (nan, "–"),
        (inf, "–"),
    ],
)
def test_four_significant_digits(value, text):
    """Short, aligned, and never an exponent where a plain number does."""
    assert text == number(value)


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (57.66, 38.14, "58 ± 38"),
        (0.92, 0.0497, "0.920 ± 0.050"),
        (0.92, 0.0996, "0.92 ± 0.10"),
        (123.4, 120.4, "120 ± 120"),
        (57661.0, 1234.0, "57,700 ± 1,200"),
        (-0.0001, 0.5, "0.00 ± 0.50"),
        (3.65, 0.96, "3.65 ± 0.96"),
        (0.5, 0.0, "0.5000"),
        (0.5, None, "0.5000"),
        (1.234e8, 3.21e7, "1.23e+08 ± 3.2e+07"),
        (1.234e-6, 3.21e-7, "1.23e-06 ± 3.2e-07"),
        (0.0, 1.2e8, "0 ± 1.2e+08"),
        (1.4e308, inf, "1.400e+308"),
        (None, None, "–"),
    ],
)
def test_numbers_are_rounded_to_their_uncertainty(value, half, text):
    """The uncertainty has two digits, and the number ends there; exponents only where they save.

    Where there is no room for the uncertainty, the number has the same digits.
    """
    assert text == measured(value, half)
    assert text.partition(" ± ")[0] == to_error(value, half)


@pytest.mark.parametrize(
    ("value", "text"),
    [(38.14, "38"), (1.346, "1.3"), (0.0204, "0.020"), (1234.0, "1,200"), (0.0, "0"), (None, "–")],
)
def test_a_spread_has_two_digits(value, text):
    """It is known no better from some tens of seeds."""
    assert text == spread(value)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-0.02044, -0.02155, 0.0), "-0.020 [-0.022, 0]"),
        ((123.4, 0.0, 251.0), "+120 [0, +250]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        ((-0.1, -0.1, 0.0), "-0.10 [-0.10, 0]"),
        ((1.4e308, 0.0, None), "+1.4e+308 [0, –]"),
        ((1e308, -1e308, 1.7e308), "+1.000e+308 [-1.000e+308, +1.700e+308]"),
        ((1.6, -0.044, 3.1), "+1.6 [-0.04, +3.1]"),
        ((0.31, -0.004, 0.62), "+0.31 [-0.004, +0.62]"),
        ((116.0, -1100.0, 1300.0), "+120 [-1,100, +1,300]"),
        ((91.0, -1100.0, 1300.0), "+91 [-1,100, +1,300]"),
        ((1e-20, -1.0, 1.0), "+1.0e-20 [-1.0, +1.0]"),
    ],
)
def test_a_difference_has_the_digits_of_its_interval(numbers, text):
    """And a sign, but for 0; the value has two digits at least, and a bound beside 0 has one."""
    assert text == difference(*numbers)
    plain = text.removeprefix("+").replace("[+", "[").replace(", +", ", ")
    assert plain == difference(*numbers, plus=False)


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        ([0.0078, 0.11], ["0.0078 s", "0.11 s"]),
        ([0.0004, 0.0078, None], ["0.40 ms", "7.8 ms", "–"]),
        ([3.72, 0.91], ["3.7 s", "0.91 s"]),
        ([0.39, 65.0, 3720.4, None, 0.0], ["0.39 s", "65 s", "3,720 s", "–", "0 s"]),
        ([65.0, 3720.4], ["1 min 05 s", "1 h 02 min"]),
        ([], []),
    ],
)
def test_durations_of_a_row_have_one_unit(seconds, texts):
    """They can be compared at a glance; where all take minutes, each is as short as alone."""
    assert texts == durations(seconds)


def test_probabilities():
    """Two digits, and a bound where there are none to show."""
    assert ["0.034", "0.56", "1.0", "< 0.0001"] == [
        probability(p) for p in (0.0341, 0.5612, 1.0, 3e-9)
    ]


def test_an_r2_of_rounding_is_zero():
    """Of no other metric, where so little may be a result."""
    assert "0" == metric_number("r2", -2.220446e-16)
    assert "-1.000e-09" == metric_number("r2", -1e-9)
    assert "2.220e-16" == metric_number("mse", 2.220446e-16)
    assert "–" == metric_number("r2", None)


def test_differences_and_shares_carry_their_sign():
    """A difference without a sign would leave its direction open."""
    assert ["+5.000", "-5.000", "0", "–"] == [signed(v) for v in (5.0, -5.0, 0.0, None)]
    assert ["+25.0%", "-6.4%", "–"] == [percent(v) for v in (0.25, -0.0637, None)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 s"),
        (0.0000161, "0.016 ms"),
        (0.00169, "1.7 ms"),
        (0.00994, "9.9 ms"),
        (0.00996, "0.01 s"),
        (0.159, "0.16 s"),
        (9.999, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.9, "1 h 00 min"),
        (7384, "2 h 03 min"),
        (inf, "–"),
    ],
)
def test_durations(seconds, text):
    """No unit is ever full: 59.6 s is a minute."""
    assert text == duration(seconds)


def test_time_left_is_rounded_to_whole_seconds():
    """What is still to come is not known to the hundredth, and never 0 before the end."""
    assert ["1 s", "3 s", "1 min 30 s"] == [remaining(s) for s in (0.01, 2.8, 90)]


def test_how_many_of_all_takes_the_same_room_throughout():
    """With commas in both, and the smaller as wide as the larger."""
    assert ["    1/1,600", "1,600/1,600", " 7/60"] == [
        counted(1, 1600),
        counted(1600, 1600),
        counted(7, 60),
    ]


def test_sizes_and_shapes():
    """Bytes in powers of a thousand; shapes as products."""
    sizes = map(human_bytes, (512, 999.7, 1.5e6, 2e12))
    assert ["512 B", "1.0 kB", "1.5 MB", "2.0 TB"] == [*sizes]
    assert ["13", "1×8×8"] == [shape((13,)), shape((1, 8, 8))]
    assert shape((1, 8, 8)) == shape_text((1, 8, 8))  # of messages
    assert "1,234,567" == count(1234567)
    assert ["1 row", "0 rows", "2,000 rows"] == [plural(n, "row") for n in (1, 0, 2000)]


def test_moments_are_shown_to_the_second():
    """With and without a fraction, as reports of older versions have them."""
    for started in ("2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:05+00:00"):
        assert "2026-01-02T03:04:05+00:00" == moment(started)


def test_a_sparkline_goes_from_lowest_to_highest():
    """The first and the last value are always in it, however long the curve."""
    assert "▁▂▃▄▅▆▇█" == sparkline(range(8))
    assert "" == sparkline([])
    assert "▁▁▁" == sparkline([4.0, 4.0, 4.0])
    long = sparkline([0.0] * 999 + [1.0], width=40)
    assert len(long) <= 41
    assert long.endswith("▁█")
