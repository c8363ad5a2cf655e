"""Values of earlier rows, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.data.columns.kinds import EqualTimes, lagged

TABLES = st.integers(0, 2**32 - 1).map(np.random.default_rng)
STEPS = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def table(rng):
    """Values, times and groups of up to 30 rows in a drawn order; some values are missing."""
    rows = int(rng.integers(1, 30))
    values = rng.normal(size=rows)
    values[rng.random(rows) < 0.1] = np.nan
    return values, rng.permutation(rows) * 3, rng.integers(0, 3, rows)


@given(TABLES, STEPS, st.booleans())
def test_lags_are_those_of_pandas(rng, steps, grouped):
    """A lag is the value of the row that is this many steps earlier, within its group."""
    values, times, groups = table(rng)
    if not grouped:
        groups = np.zeros_like(groups)
    frame = pd.DataFrame({"value": values, "time": times, "group": groups}).sort_values("time")
    expected = pd.concat([frame.groupby("group")["value"].shift(k) for k in steps], axis=1)
    found = lagged(values, times, steps, groups if grouped else None)
    assert np.array_equal(found, expected.sort_index().to_numpy(), equal_nan=True)


@given(TABLES, STEPS)
def test_nothing_looks_ahead(rng, steps):
    """Whatever a row and all later ones hold, the lags of it and of earlier rows stay the same."""
    values, times, groups = table(rng)
    now = times[rng.integers(len(times))]
    changed = np.where(times >= now, rng.normal(size=len(values)), values)
    before, after = (lagged(v, times, steps, groups) for v in (values, changed))
    known = times <= now
    assert np.array_equal(before[known], after[known], equal_nan=True)


def test_rows_of_one_time_have_no_order():
    """Two rows of one group and time are an error that has both."""
    with pytest.raises(EqualTimes) as error:
        lagged(np.arange(4.0), np.array([1, 2, 1, 3]), [1])
    assert error.value.rows == (0, 2)
    groups = np.array([0, 0, 1, 1])
    assert np.isnan(lagged(np.arange(4.0), np.array([1, 2, 1, 3]), [1], groups)[[0, 2]]).all()
