"""Values of earlier rows, alone and in tables with dates; nothing looks ahead."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.data.columns.kinds import EqualTimes, lagged
from nnrun.data.dataset import DatasetProblem
from nnrun.data.series import earlier_values
from nnrun.errors import DataError
from tests.data.tables import CategorySettings, read_csv


@dataclass
class Steps:
    """Which earlier rows are features."""

    steps: list[int]
    group: str | None = None


def series(seed, shops, holes):
    """A table of hours and loads of some shops in a drawn order, some without a value."""
    rng = np.random.default_rng(seed)
    hours = pd.date_range("2024-02-28 20:00", periods=20, freq="h")
    rows = [*product(hours, range(shops))]
    frame = pd.DataFrame(rows, columns=["at", "shop"])
    frame["warm"] = rng.integers(-90, 90, len(frame)) / 4
    frame["load"] = rng.integers(0, 4000, len(frame)) / 8
    if holes:
        frame.loc[rng.random(len(frame)) < 0.1, "load"] = np.nan
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def read(csv, frame, lags, missing="error"):
    """The data set of the table, which predicts the load."""
    written = frame.assign(at=frame["at"].dt.strftime("%d.%m.%Y %H:%M"))
    return read_csv(
        csv(written.to_csv(index=False)),
        "load",
        task="regression",
        missing_by_column={"load": "drop_rows"} if missing != "error" else None,
        split_by="time",
        split_column="at",
        formats={"at": "31.12.2024 23:59"},
        dates={"at": ["weekday", "hour", "elapsed"]},
        lags=lags,
    )


def expected(frame, lags):
    """The features by pandas, with the number of the row in the file as the index."""
    found = pd.DataFrame({"at.weekday": frame["at"].dt.day_of_week})
    found["at.hour"] = frame["at"].dt.hour
    found["at.elapsed"] = (frame["at"] - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)
    found["shop"], found["warm"] = frame["shop"], frame["warm"]
    ordered = frame.sort_values("at", kind="stable")
    for name, lag in lags.items():
        for step in lag.steps:
            column = ordered.groupby("shop")[name].shift(step)
            found[f"{name}.lag_{step}"] = column.sort_index()
    return found[frame["load"].notna()].dropna()


LAGS = [
    (1, {"load": Steps([1])}),
    (1, {"load": Steps([1, 5]), "warm": Steps([2])}),
    (3, {"load": Steps([3, 1], "shop")}),
]


@pytest.mark.parametrize(("shops", "lags"), LAGS)
@pytest.mark.parametrize("holes", [False, True])
def test_features_are_those_of_pandas(csv, shops, lags, holes):
    """Rows without a value at each earlier time are left out, and counted with their numbers."""
    frame = series(7, shops, holes)
    data, meant = read(csv, frame, lags, "drop_rows" if holes else "error"), expected(frame, lags)
    assert tuple(meant.columns) == data.feature_names
    assert (meant.index + 1).tolist() == data.row_numbers.tolist()
    assert meant.to_numpy().tolist() == data.x.tolist()
    assert frame["load"][meant.index].tolist() == data.y[:, 0].tolist()
    assert "more left out for too few earlier rows" in data.description


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("shops", "lags"), LAGS)
def test_later_rows_change_no_feature_of_earlier_ones(csv, seed, shops, lags):
    """Whatever all rows from a time on hold, every feature of earlier rows stays as it is."""
    frame = series(seed, shops, holes=False)
    rng = np.random.default_rng(seed)
    now = frame["at"][rng.integers(len(frame))]
    later = frame["at"] >= now
    changed = frame.copy()
    changed.loc[later, ["load", "warm"]] = rng.integers(0, 99, (int(later.sum()), 2))
    before, after = read(csv, frame, lags), read(csv, changed, lags)
    assert before.row_numbers.tolist() == after.row_numbers.tolist()
    earlier = ~later.to_numpy()[before.row_numbers - 1]
    assert before.x[earlier].tolist() == after.x[earlier].tolist()
    same_time = (frame["at"] == now).to_numpy()[before.row_numbers - 1]
    lagged = [place for place, name in enumerate(before.feature_names) if ".lag_" in name]
    assert before.x[same_time][:, lagged].tolist() == after.x[same_time][:, lagged].tolist()


def test_rows_of_one_time_need_groups(csv):
    """Two rows of one time are an error that has both lines and the key for several series."""
    with pytest.raises(DataError) as error:
        read(csv, series(1, 2, holes=False), {"load": Steps([1])})
    assert "has the time of line" in str(error.value)
    assert "`dataset: {lags: {load: {steps: [1], group: …}}}`" in str(error.value)


def test_a_table_that_is_too_short_is_refused(csv):
    """If no row has all earlier values, the key of the lags is at fault."""
    with pytest.raises(
        DatasetProblem, match=r"dataset\.lags: no row has the values of the 30 rows before"
    ):
        read(csv, series(1, 1, holes=False), {"load": Steps([30])})


def test_columns_that_do_not_exist_are_named_with_their_keys(csv):
    """Formats, dates and lags have the message of other keys that name columns."""
    with pytest.raises(DatasetProblem) as error:
        read_csv(
            csv("a,y\n1,2\n"),
            "y",
            task="regression",
            formats={"aa": "12 kg"},
            dates={"b": ["year"]},
            lags={"y": Steps([1], "shop")},
        )
    keys = [("columns", "formats", "aa"), ("dates", "b"), ("lags", "y", "group")]
    assert [("dataset", *key) for key in keys] == [key for key, _ in error.value.problems]


def test_text_in_a_column_of_lags_is_reported_once(csv):
    """With its line, also if the column is the target too."""
    with pytest.raises(DataError) as error:
        read_csv(
            csv("t,y\n1,2\n2,red\n3,4\n"),
            "y",
            task="regression",
            split_by="time",
            split_column="t",
            lags={"y": Steps([1])},
        )
    assert ["3:y: 'red' is not a number"] == [
        line.partition("csv:")[2].partition(",")[0] for line in str(error.value).splitlines()
    ]


def test_missing_dates_follow_the_rule(csv):
    """They are an error, leave rows out, or are filled in part by part."""
    rows = csv("d,y\n2024-01-01,1\n,2\n2024-03-01,3\n")
    given = {"target": "y", "task": "regression", "dates": {"d": ["month", "day"]}}
    with pytest.raises(DataError, match=r":3:d: the cell is blank"):
        read_csv(rows, **given)
    assert [[1, 1], [3, 1]] == read_csv(rows, **given, missing="drop_rows").x.tolist()
    data = read_csv(rows, **given, missing="mean")
    assert {0: "mean", 1: "mean"} == data.layout.columns.imputed
    assert np.isnan(data.x[1]).all()


def test_time_zones_are_those_of_the_cells(csv):
    """Parts are of the clock as written, days gone by are in UTC; both forms do not mix."""
    rows = "d,y\n2024-01-01T00:30+02:00,1\n2023-12-31T22:30Z,2\n"
    parts = {"d": ["year", "hour", "elapsed"]}
    x = read_csv(csv(rows), "y", task="regression", dates=parts).x
    assert ([2024.0, 0.0], [2023.0, 22.0], x[0, 2]) == (*x[:, :2].tolist(), x[1, 2])
    with pytest.raises(DataError, match=r":4:d: '2024-01-01' is without a time zone"):
        read_csv(csv(rows + "2024-01-01,3\n"), "y", task="regression", dates=parts)


def test_a_target_with_a_format_is_a_number(csv):
    """In its own unit, percent as percent; classes are text, and a format of them is refused."""
    rows, formats = csv('a,y\n1,"1,200 %"\n2,-5 %\n'), {"y": "1,234.50 %"}
    data = read_csv(rows, "y", formats=formats)
    assert ("regression", [[1200.0], [-5.0]]) == (data.task, data.y.tolist())
    with pytest.raises(DatasetProblem, match=r"columns\.formats\.y: the target holds classes"):
        read_csv(rows, "y", formats=formats, task="classification")


@pytest.mark.parametrize("kind", ["one_hot", "embedding", "target_mean"])
def test_lags_are_of_numbers_whatever_else_a_column_is(csv, kind):
    """Text in a column that has lags is a mistake with its line, also if it has categories."""
    names = {"size": (2, None)} if kind == "embedding" else ["size"]
    with pytest.raises(DataError, match=r":4:size: 'XL' is not a number; lags are of numbers$"):
        read_csv(
            csv("t,size,y\n1,38,1\n2,40,3\n3,XL,4\n4,38,4\n"),
            "y",
            task="regression",
            categories=CategorySettings(**{kind: names}),
            split_by="time",
            split_column="t",
            lags={"size": Steps([1])},
        )


def test_the_times_of_rows_have_no_lags(csv):
    """Dates that put rows in order are no numbers: the first is named."""
    date = r":2:t: '2024-01-01' is not a number but a date .*; lags are of numbers"
    with pytest.raises(DataError, match=date):
        read_csv(
            csv("t,y\n2024-01-01,1\n2024-01-02,3\n"),
            "y",
            task="regression",
            split_by="time",
            split_column="t",
            lags={"t": Steps([1])},
        )


@pytest.mark.parametrize(
    ("cells", "formats", "hint"),
    [
        ("13.01.2023", {}, '; `columns: {formats: {d: "13.01.2023"}}` reads such dates'),
        (
            "13.01.2023",
            {"d": "12/31/2024"},
            '; `columns: {formats: {d: "13.01.2023"}}` reads such dates',
        ),
        (
            "01.02.2023",
            {},
            '; `columns: {formats: {d: "31.12.2024"}}` or "12.31.2024" says whether the day comes '
            "first",
        ),
        ("soon", {}, ""),
    ],
)
def test_dates_in_another_form_are_told_the_format(csv, cells, formats, hint):
    """The message of a column under `dates` names `columns.formats`, with what the cell shows."""
    with pytest.raises(DataError) as error:
        read_csv(
            csv(f"d,y\n{cells},1\n"),
            "y",
            task="regression",
            dates={"d": ["month"]},
            formats=formats,
        )
    written = "12/31/2024" if formats else "2024-03-31"
    message = f"'{cells}' is not a date that is written as {written} is{hint}"
    assert message == str(error.value).rpartition(":2:d: ")[2]


# Values of earlier rows, against pandas.

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


# Earlier targets as predictions.


@pytest.mark.parametrize("seed", range(3))
def test_earlier_values_are_those_of_pandas(seed):
    """One step and one day of hours earlier, within each series, in any order of rows."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        product(pd.date_range("2024-02-28", periods=200, freq="h"), range(3)),
        columns=["at", "shop"],
    )
    frame = frame[rng.random(len(frame)) > 0.1]  # hours that a shop lacks
    frame["y"] = rng.normal(size=len(frame))
    frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    found = earlier_values(
        frame[["y"]].to_numpy(), frame["at"].to_numpy(), frame["shop"].to_numpy()
    )
    assert ["1", "24"] == [*found]  # a week needs four of them
    for steps, values in found.items():
        ordered = frame.sort_values("at").groupby("shop")["y"]
        expected = ordered.shift(int(steps)).sort_index().to_numpy()
        np.testing.assert_array_equal(expected, values[:, 0])


def test_rows_of_one_time_count_with_their_mean():
    """Where no column says which series a row belongs to, no row of its own time is used."""
    y, times = np.array([[1.0], [4.0], [2.0], [7.0]]), np.array([2.0, 3.0, 2.0, 4.0])
    (values,) = earlier_values(y, times).values()
    np.testing.assert_array_equal([np.nan, 1.5, np.nan, 4.0], values[:, 0])
