"""Parts of dates, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nnrun.data.columns.kinds import CYCLIC, PARTS, PERIODS, date_parts, part_names

LOCAL = pd.date_range("1967-01-01", "2033-01-01", freq="1273h19min7s").to_numpy("datetime64[us]")
UTC = LOCAL - np.timedelta64(90, "m")


@pytest.mark.parametrize("part", [part for part in PARTS if part != "elapsed"])
def test_a_part_is_what_pandas_says(part):
    """Each part of a date is what pandas has, of the clock as it is written."""
    names = {"weekday": "day_of_week", "dayofyear": "day_of_year"}
    expected = getattr(pd.Series(LOCAL).dt, names.get(part, part)).to_numpy(np.float64)
    assert date_parts(LOCAL, UTC, [part])[:, 0].tolist() == expected.tolist()


def test_elapsed_is_days_since_2000():
    """The days gone by count from the start of 2000 in UTC, with the part of the day."""
    expected = (pd.Series(UTC) - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)
    assert date_parts(LOCAL, UTC, ["elapsed"])[:, 0].tolist() == expected.tolist()


@pytest.mark.parametrize("part", PERIODS)
def test_cyclic_parts_are_positions_on_a_circle(part):
    """With `cyclic` a periodic part is a sine and a cosine, to 12 decimals."""
    first, count = PERIODS[part]
    angles = 2 * np.pi * (date_parts(LOCAL, UTC, [part]) - first) / count
    expected = np.hstack([np.sin(angles), np.cos(angles)]).round(12) + 0.0
    assert date_parts(LOCAL, UTC, [CYCLIC, part]).tolist() == expected.tolist()
    assert part_names([CYCLIC, part]) == [f"{part}_sin", f"{part}_cos"]


def test_missing_dates_are_nan_in_every_part():
    """A missing date is NaN in each of its features; other rows stay as they are."""
    parts = ["year", "hour", "elapsed", CYCLIC]
    some = LOCAL[:4].copy()
    some[1] = np.datetime64("NaT", "s")
    found, whole = date_parts(some, some, parts), date_parts(LOCAL[:4], LOCAL[:4], parts)
    assert np.isnan(found[1]).all()
    assert found[[0, 2, 3]].tolist() == whole[[0, 2, 3]].tolist()
    assert part_names(parts) == ["year", "hour_sin", "hour_cos", "elapsed"]
