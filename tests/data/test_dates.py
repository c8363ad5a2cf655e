"""Dates: how they are written, and their parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from nnrun.data.columns.date_formats import DateEvidence, DateFormat
from nnrun.data.columns.kinds import CYCLIC, PARTS, PERIODS, date_parts, part_names

BERLIN = timezone(timedelta(hours=1))

# An example, and what it is as a date.
EXAMPLES = {
    "2024-12-31": datetime(2024, 12, 31),
    "2024-12": datetime(2024, 12, 1),
    "2024-12-31T23:59:30": datetime(2024, 12, 31, 23, 59, 30),
    "2024-12-31 23:59+01:00": datetime(2024, 12, 31, 23, 59, tzinfo=BERLIN),
    "2024-12-31T23:59:30.5Z": datetime(2024, 12, 31, 23, 59, 30, 500_000, UTC),
    "31.12.2024": datetime(2024, 12, 31),
    "31.12.24": datetime(2024, 12, 31),
    "31.12.2024, 23:59": datetime(2024, 12, 31, 23, 59),
    "12/31/2024": datetime(2024, 12, 31),
    "31/12/2024 23:59:59 +0100": datetime(2024, 12, 31, 23, 59, 59, tzinfo=BERLIN),
    "12/31/2024 12:59 PM": datetime(2024, 12, 31, 12, 59),
    "12/31/2024 12:59 am": datetime(2024, 12, 31, 0, 59),
    "2024/3/5": datetime(2024, 3, 5),
    "31 Dec 2024": datetime(2024, 12, 31),
    "31-DEC-69": datetime(1969, 12, 31),
    "December 31, 2024": datetime(2024, 12, 31),
    "20241231": datetime(2024, 12, 31),
}

# The cells of a column: the codes of its format (empty for ISO), the first cell that is none, and
# whether the day may be the month in all cells.
COLUMNS = {
    ("1.2.2024", "31.12.2024"): ("%d.%m.%Y", "", False),
    ("1/2/2024", "12/31/2024"): ("%m/%d/%Y", "", False),
    ("1/2/2024", "31/12/2024"): ("%d/%m/%Y", "", False),
    ("1/2/2024", "3/4/2024"): ("%m/%d/%Y", "", True),
    ("1.2.2024", "3.4.2024"): ("%d.%m.%Y", "", True),
    ("1-2-2024", "3-4-2024"): ("%d-%m-%Y", "", True),
    ("2024-01-02", "2024-01-03T12:30"): ("", "", False),
    ("01.02.24 05:00", "13.02.24 06:00"): ("%d.%m.%y %H:%M", "", False),
    ("12/31/2024", "31/12/2024"): (None, "31/12/2024", False),
    ("2024-01-02", "n.d.", "2024-01-04"): (None, "n.d.", False),
    ("2024-01-02", "2024-01-03T12:30Z"): (None, "2024-01-03T12:30Z", False),
    ("30.02.2024",): (None, "30.02.2024", False),
    ("12:30",): (None, "12:30", False),
}


def evidence(cells):
    """What a column of these cells shows, the header being line 1."""
    found = DateEvidence()
    for line, text in enumerate(cells, 2):
        found.add(text, line)
    return found


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_shows_the_format(text):
    """A date is read by the format that it shows itself, and so is the format's own example."""
    form = DateFormat.from_example(text)
    assert form.read(text) == EXAMPLES[text]
    assert DateFormat.from_example(form.example()).codes == form.codes


def test_codes_are_those_of_strptime():
    """A format may be given by codes; they read what strptime reads."""
    codes = "%d.%m.%Y %H:%M"
    assert DateFormat.from_example(codes).read("3.4.2024 5:06") == datetime.strptime(
        "3.4.2024 5:06", codes
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("01.02.2024", "the day or the month may come first"),
        ("12:30", "is no date"),
        ("yesterday", "is no date"),
        ("30.02.2024", "is no date"),
        ("%d.%Q.%Y", "'%Q' is no code of dates"),
        ("%d.%m", "has no year and month"),
        ("%d.%d.%m.%Y", "a code stands twice"),
    ],
)
def test_an_example_that_shows_no_single_format_is_refused(text, said):
    """An example that may be two dates, or none, is an error that says so."""
    with pytest.raises(ValueError, match=said):
        DateFormat.from_example(text)


@pytest.mark.parametrize("cells", COLUMNS)
def test_a_column_shows_its_format(cells):
    """All cells decide whether the day or the month comes first; the first odd one has its line."""
    found = evidence(cells)
    codes = found.format and found.format.codes
    odd = next(iter(found.words), "")
    assert (codes, odd, bool(found.doubt)) == COLUMNS[cells]
    assert not odd or found.words[odd].line == cells.index(odd) + 2


def test_times_have_a_range_an_order_and_a_step():
    """The span, the order of rows, the usual step and the hours of a column are known."""
    times = evidence(
        ["02.01.2024 00:00", "02.01.2024 01:00", "02.01.2024 03:00", "02.01.2024 04:00"]
    )
    assert times.times.span == timedelta(hours=4)
    assert times.times.step == timedelta(hours=1)
    assert times.times.hours == {0, 1, 3, 4}
    assert times.times.in_order
    assert not evidence(["2024-01-02", "2024-01-01", "2024-01-05"]).times.in_order


# Parts of dates, against pandas.

LOCAL_TIMES = pd.date_range("1967-01-01", "2033-01-01", freq="1273h19min7s").to_numpy(
    "datetime64[us]"
)
UTC_TIMES = LOCAL_TIMES - np.timedelta64(90, "m")


@pytest.mark.parametrize("part", [part for part in PARTS if part != "elapsed"])
def test_a_part_is_what_pandas_says(part):
    """Each part of a date is what pandas has, of the clock as it is written."""
    names = {"weekday": "day_of_week", "dayofyear": "day_of_year"}
    expected = getattr(pd.Series(LOCAL_TIMES).dt, names.get(part, part)).to_numpy(np.float64)
    assert date_parts(LOCAL_TIMES, UTC_TIMES, [part])[:, 0].tolist() == expected.tolist()


def test_elapsed_is_days_since_2000():
    """The days gone by count from the start of 2000 in UTC, with the part of the day."""
    expected = (pd.Series(UTC_TIMES) - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)
    assert date_parts(LOCAL_TIMES, UTC_TIMES, ["elapsed"])[:, 0].tolist() == expected.tolist()


@pytest.mark.parametrize("part", PERIODS)
def test_cyclic_parts_are_positions_on_a_circle(part):
    """With `cyclic` a periodic part is a sine and a cosine, to 12 decimals."""
    first, count = PERIODS[part]
    angles = 2 * np.pi * (date_parts(LOCAL_TIMES, UTC_TIMES, [part]) - first) / count
    expected = np.hstack([np.sin(angles), np.cos(angles)]).round(12) + 0.0
    assert date_parts(LOCAL_TIMES, UTC_TIMES, [CYCLIC, part]).tolist() == expected.tolist()
    assert part_names([CYCLIC, part]) == [f"{part}_sin", f"{part}_cos"]


def test_missing_dates_are_nan_in_every_part():
    """A missing date is NaN in each of its features; other rows stay as they are."""
    parts = ["year", "hour", "elapsed", CYCLIC]
    some = LOCAL_TIMES[:4].copy()
    some[1] = np.datetime64("NaT", "s")
    found, whole = (
        date_parts(some, some, parts),
        date_parts(LOCAL_TIMES[:4], LOCAL_TIMES[:4], parts),
    )
    assert np.isnan(found[1]).all()
    assert found[[0, 2, 3]].tolist() == whole[[0, 2, 3]].tolist()
    assert part_names(parts) == ["year", "hour_sin", "hour_cos", "elapsed"]
