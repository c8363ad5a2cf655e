"""The column or array that rows are split by: groups, times, and what is neither."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import DatasetProblem
from nnrun.data.splits import load_dataset
from nnrun.errors import DataError


def load(path, by, column="c", columns=None, **given):
    """The data set of a config that splits by a column."""
    block = {"path": str(path), "split": {"by": by, "column": column}, **given}
    if path.suffix == ".csv":
        block |= {"columns": {"target": "y", **(columns or {})}, "task": "regression"}
    return load_dataset(DatasetConfig.model_validate(block))


def table(*cells):
    """A table with these cells in column c."""
    return "a,c,y\n" + "".join(f"{row},{cell},1\n" for row, cell in enumerate(cells))


def test_groups_are_text_or_numbers(csv):
    """Blanks around text do not matter, and numbers are compared by value."""
    assert [0, 1, 0, 2] == load(csv(table("p", "q", " p", "r")), "group").split_values.tolist()
    assert [0, 1, 0, 0] == load(csv(table("7", "10", "7.0", "7e0")), "group").split_values.tolist()
    assert 2 == len({*load(csv(table("007", "7")), "group").split_values})


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (("3", "1e1", "-2.5"), [3.0, 10.0, -2.5]),
        (("2024-03-31", "2023-12-01"), ["2024-03-31", "2023-12-01"]),
        (("2024-03-31T12:30", "2024-03-31 09:00:01"), ["2024-03-31T12:30", "2024-03-31T09:00:01"]),
        (("2024-02", "2024-01"), ["2024-02-01", "2024-01-01"]),
        (("20240331", "20231201"), [20240331.0, 20231201.0]),
        (("2024-03-31T12:00+02:00", "2024-03-31T11:30Z"), ["2024-03-31T10:00", "2024-03-31T11:30"]),
    ],
)
def test_times_are_numbers_or_iso_dates(csv, cells, times):
    """Months are their first day; with a time zone, the moment counts."""
    values = load(csv(table(*cells)), "time").split_values
    expected = np.array(times, "datetime64[us]" if isinstance(times[0], str) else float)
    assert (expected.dtype, expected.tolist()) == (values.dtype, values.tolist())


def test_numbers_have_the_decimal_sign_of_the_file(csv):
    """A comma, where the file has one."""
    path = csv("a;c;y\n1;2,5;1\n2;0,5;1\n")
    assert [2.5, 0.5] == load(path, "time", decimal=",").split_values.tolist()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("31.03.2024", "1.1.2024"), ":2:c: '31.03.2024' is not a time (1 more like it in this "
         'column); `columns: {formats: {c: "31.03.2024"}}` reads such dates'),
        (("01.03.2024", "2.1.2024"), 'c: "31.12.2024"}}` or "12.31.2024" says whether the day '
         "comes first"),
        (("2024-01-01", "soon"), ":3:c: 'soon' is not a time; write ISO dates"),
        (("2024-02-30", "1"), ":2:c: '2024-02-30' is not a time; write ISO dates"),
        (("1", "inf"), ":3:c: 'inf' is not a time"),
        (("1", "2024-01-01"), ":3:c: '2024-01-01' is a date, and the first row has a number; write "
         "all in one form"),
        (("2024-01-01", "2024-01-01T00:00Z"), ":3:c: '2024-01-01T00:00Z' is a date with a time "
         "zone, and the first row has a date"),
        (("1", ""), ":3:c: the cell is blank; `columns: {missing: {c: drop_rows}}` leaves such "
         "rows out of all splits"),
        (("1", "NA"), ":3:c: 'NA' stands for a missing value"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_told_with_its_line(csv, cells, message):
    """And with what to write."""
    with pytest.raises(DataError) as error:
        load(csv(table(*cells)), "time")
    assert message in str(error.value)


def test_rows_without_a_group_are_a_mistake_or_dropped(csv):
    """No group is filled in."""
    path = csv(table("p", "", "q"))
    for given in ({}, {"missing": {"impute": "median"}}):
        with pytest.raises(DataError, match=r":3:c: the cell is blank; .*drop_rows"):
            load(path, "group", **given)
    for data in (
        load(path, "group", missing="drop_rows"),
        load(path, "group", columns={"missing": {"c": "drop_rows"}}),
    ):
        assert ([[0.0], [2.0]], [0, 1]) == (data.x.tolist(), data.split_values.tolist())
        assert ((1,), [1, 3]) == (data.dropped, data.row_numbers.tolist())


def test_the_column_is_a_feature_only_where_features_name_it(csv):
    """It may be among the dropped ones, too."""
    path = csv(table("3", "4"))
    assert ("a",) == load(path, "group").feature_names
    assert ("a",) == load(path, "time", columns={"drop": ["c"]}).feature_names
    data = load(path, "time", columns={"features": ["c", "a"]})
    assert (("c", "a"), [3.0, 4.0]) == (data.feature_names, data.split_values.tolist())
    with pytest.raises(DatasetProblem, match="as rows are split by it; `features` may name it"):
        load(path, "group", columns={"categorical": ["c"]})


def test_a_column_that_is_not_there(csv):
    """The key of the split, and what may have been meant."""
    with pytest.raises(DatasetProblem, match="'patiens'; did you mean 'patient'") as error:
        load(csv("a,patient,y\n1,2,3\n"), "group", "patiens")
    assert ("dataset", "split", "column") == error.value.key


@pytest.mark.parametrize(
    ("by", "values", "expected"),
    [
        ("group", ["q", "p", "q"], [1, 0, 1]),
        ("group", [5, 3, 5], [1, 0, 1]),
        ("time", [5, 3, 4], [5.0, 3.0, 4.0]),
        ("time", np.array(["2024-02-01", "2024-01-01", "2024-01-01"], "datetime64[D]"),
         np.array(["2024-02-01", "2024-01-01", "2024-01-01"], "datetime64[us]").tolist()),
    ],
)  # fmt: skip
def test_an_array_of_an_npz_file(tmp_path, by, values, expected):
    """By its name."""
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 1)), y=np.zeros(3), c=values)
    assert expected == load(tmp_path / "a.npz", by).split_values.tolist()


@pytest.mark.parametrize(
    ("by", "values", "message"),
    [
        ("group", np.zeros(2), "c: has shape (2,); expected (3,)"),
        ("group", np.zeros((3, 1)), "c: has shape (3, 1); expected (3,)"),
        ("group", [1.0, np.nan, 2.0], "c[1]: nan is not a finite number"),
        ("group", np.zeros(3, complex), "c: holds complex128, neither numbers nor text"),
        ("time", ["2024", "2025", "2026"], "c: holds <U4, neither numbers nor dates; save"),
        ("time", [1.0, np.inf, 2.0], "c[1]: inf is not a finite number"),
        ("time", np.array(["2024", "NaT", "2025"], "datetime64[D]"), "c[1]: the time is missing"),
    ],
)  # fmt: skip
def test_an_array_that_cannot_split(tmp_path, by, values, message):
    """With the file, the array and the row."""
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 1)), y=np.zeros(3), c=values)
    with pytest.raises(DataError) as error:
        load(tmp_path / "a.npz", by)
    assert f"a.npz: {message}" in str(error.value)


def test_an_npz_file_without_the_array_or_with_its_own_test_rows(tmp_path):
    """Both name the key of the split."""
    rows = {"x": np.zeros((3, 1)), "y": np.zeros(3)}
    np.savez(tmp_path / "a.npz", **rows)
    with pytest.raises(DatasetProblem, match=r"split\.column: there is no array 'c'; its"):
        load(tmp_path / "a.npz", "group")
    np.savez(tmp_path / "b.npz", **rows, c=np.zeros(3), x_test=rows["x"], y_test=rows["y"])
    with pytest.raises(DatasetProblem, match="split: b has its own test rows, which are not split"):
        load(tmp_path / "b.npz", "group")
