"""Splits at random, by groups and by time: their rows, their sizes, and what a table must have."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.config.schema.dataset import DatasetConfig, SplitConfig
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.splits import load_dataset, make_split
from nnrun.errors import DataError


def regression(rows, tests=0):
    """Row i holds i, so that rows can be identified."""
    values = np.arange(rows + tests, dtype=np.float64)[:, None]
    own = (values[rows:], values[rows:]) if tests else (None, None)
    return Dataset("numbers", "regression", values[:rows], values[:rows], (), (), (), *own)


def classification(*sizes):
    """As many rows of each class as given, sorted by class."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = np.arange(len(y), dtype=np.float64)[:, None]
    return Dataset("labels", "classification", x, y, tuple("abcdefgh"[: len(sizes)]))


def rng(seed=0):
    """A fresh generator."""
    return np.random.default_rng(seed)


@given(
    rows=st.integers(2, 60),
    test=st.floats(0, 0.6),
    validation=st.floats(0, 0.4),
    seed=st.integers(0, 99),
)
def test_parts_are_disjoint_and_exhaustive(rows, test, validation, seed):
    """Every row is in exactly one part, x and y belong together, sizes follow ceil(n · share)."""
    data = regression(rows)
    config = DatasetConfig(path="a.npz", test_size=test, validation_size=validation)
    tests = int(np.ceil(test * rows))
    held = int(np.ceil(validation * (rows - tests)))
    if tests >= rows or (held and held >= rows - tests):
        with pytest.raises(DatasetProblem, match="leaves none to train on"):
            make_split(data, config, rng(seed))
        return
    split = make_split(data, config, rng(seed))
    parts = [part for part in (split.train, split.validation, split.test) if part is not None]
    assert list(range(rows)) == sorted(np.concatenate([part.rows for part in parts]))
    for part in parts:
        assert np.array_equal(part.rows, part.x[:, 0])
        assert np.array_equal(part.rows, part.y[:, 0])
    assert tests == (0 if split.test is None else len(split.test))
    assert held == (0 if split.validation is None else len(split.validation))


@pytest.mark.parametrize(
    ("size", "tests"), [(0.2, 102), (0.3, 152), (100, 100), (0, 0), (0.0, 0), (None, 102)]
)
def test_sizes_are_scikit_learns(config, size, tests):
    """A share is rounded up, a whole number is a count, 0 is no test split, the default is 0.2."""
    from sklearn.model_selection import train_test_split

    split = make_split(regression(506), config(test_size=size), rng())
    assert tests == (0 if split.test is None else len(split.test))
    if tests:
        assert tests == len(train_test_split(range(506), test_size=size or 0.2)[1])
    assert 506 - tests == len(split.train)


def test_the_generator_decides_alone(config):
    """The same seed gives the same rows, another seed others."""
    options = config(test_size=0.3, validation_size=0.2)
    first, second = (make_split(regression(50), options, rng(1)) for _ in range(2))
    other = make_split(regression(50), options, rng(2))
    assert first.train.rows.tolist() == second.train.rows.tolist()
    assert first.validation.rows.tolist() == second.validation.rows.tolist()
    assert set(first.test.rows) != set(other.test.rows)


def test_test_rows_are_drawn_evenly(config):
    """Over many seeds every row is about equally often in the test split."""
    options = config(test_size=0.25)
    counts = np.zeros(20)
    for seed in range(400):
        counts[make_split(regression(20), options, rng(seed)).test.rows] += 1
    assert 100 == counts.mean()
    assert np.abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)


@pytest.mark.parametrize("other", [{}, {"stratify": True}, {"validation_size": 0}])
def test_fewer_training_rows_beside_the_same_held_out_rows(config, other):
    """Test and validation rows stay, and training rows are some of those of all."""
    data = classification(30, 30, 30)
    sizes = {"validation_size": 0.2, **other}
    whole = make_split(data, config(**sizes), rng())
    for size, rows in ((0.5, math.ceil(len(whole.train) / 2)), (20, 20), (len(whole.train),) * 2):
        part = make_split(data, config(**sizes, train_size=size), rng())
        assert rows == len(part.train)
        assert len(whole.train) - rows == part.left_out
        assert {*part.train.rows} <= {*whole.train.rows}
        for name, held_out in whole.held_out.items():
            assert held_out.rows.tolist() == part.held_out[name].rows.tolist()


@pytest.mark.parametrize("size", [0.25, 12])
@pytest.mark.parametrize("by", ["random", "stratified", "folds", "group", "time"])
def test_calibration_rows_come_out_of_training_alone(config, by, size):
    """Test and validation rows stay, and the other splits and groups have none of these rows."""
    data, options = classification(40, 40, 40), {"stratify": by == "stratified"}
    options |= {"folds": 4, "fold": 2} if by == "folds" else {}
    if by in ("group", "time"):
        data = replace(data, split_values=np.arange(120) // 3)
        options["split"] = SplitConfig(by=by, column="c")
    sizes = ({}, {"calibration_size": size})
    whole, split = (
        make_split(data, config(validation_size=0.2, **options, **more), rng()) for more in sizes
    )
    train, aside = split.train.rows, split.calibration.rows
    for name, part in whole.held_out.items():
        assert part.rows.tolist() == split.held_out[name].rows.tolist()
    assert sorted([*train, *aside]) == sorted(whole.train.rows)
    wanted = math.ceil(size * len(whole.train)) if isinstance(size, float) else size
    assert wanted == pytest.approx(len(aside), abs=2 if "split" in options else 0)
    if "split" in options:
        assert not {*data.split_values[train]} & {*data.split_values[aside]}
    if by == "stratified":
        assert np.ptp(np.bincount(split.calibration.y)) <= 1
    if by == "time":
        assert max(train) < min(aside) < max(aside) < min(split.validation.rows)


def test_large_parts_leave_a_group_for_calibration_and_training(config):
    """Of four groups, each of the four parts has one, though validation asks for two."""
    data = replace(classification(20, 20), split_values=np.arange(40) // 10)
    sizes = {"test_size": 0.25, "validation_size": 0.7, "calibration_size": 0.5}
    split = make_split(data, config(split=SplitConfig(by="group", column="c"), **sizes), rng())
    assert {10} == {len(part) for part in (split.train, *split.untrained.values())}


@pytest.mark.parametrize("more", [{}, {"validation_size": 10}, {"folds": 5}])
def test_calibration_sizes_that_leave_no_training_row(config, more):
    """They are a mistake at their own key, counted after the test and the validation rows."""
    left = 40 - more.get("validation_size", 0)
    with pytest.raises(DatasetProblem, match=f"takes {left} of {left} rows and leaves") as error:
        make_split(regression(50), config(calibration_size=left, **more), rng())
    assert ("dataset", "calibration_size") == error.value.key


def test_smaller_training_sizes_are_nested_and_the_latest_by_time(config):
    """Each size has the rows of the smaller ones; by time they are those before the test rows."""
    parts = [make_split(regression(50), config(train_size=size), rng()) for size in (5, 20, 39)]
    for smaller, larger in pairwise(parts):
        assert {*smaller.train.rows} < {*larger.train.rows}
    timed = replace(regression(50), split_values=np.arange(50))
    by_time = config(split=SplitConfig(by="time", column="t"), train_size=10)
    assert [*range(30, 40)] == sorted(make_split(timed, by_time, rng()).train.rows)


@pytest.mark.parametrize("size", [0.0, 41, 1000])
def test_training_sizes_that_are_not_there(config, size):
    """No row, or more than are left, is a mistake at its key."""
    with pytest.raises(DatasetProblem, match="of 40 training rows are asked for") as error:
        make_split(regression(50), config(train_size=size), rng())
    assert ("dataset", "train_size") == error.value.key


def test_other_seeds_draw_validation_rows_beside_the_same_test_rows(config):
    """With a generator of its own, the test split is the same for all seeds of the rest."""
    options = config(test_size=0.3, validation_size=0.2)
    usual = make_split(regression(50), options, rng(1))
    first, second = (make_split(regression(50), options, rng(seed), rng(1)) for seed in (2, 3))
    assert usual.test.rows.tolist() == first.test.rows.tolist() == second.test.rows.tolist()
    assert set(first.validation.rows) != set(second.validation.rows)


def test_hidden_test_rows_are_in_no_split(config):
    """They are set aside, and counted: the other splits are what they would be anyway."""
    options = config(test_size=0.3, validation_size=0.2)
    shown = make_split(regression(50), options, rng(1))
    hidden = make_split(regression(50), config(**vars(options) | {"hide_test": True}), rng(1))
    assert (None, 15) == (hidden.test, hidden.left_out)
    assert shown.validation.rows.tolist() == hidden.validation.rows.tolist()
    assert shown.train.rows.tolist() == hidden.train.rows.tolist()


def test_own_test_split_is_the_default_where_there_is_one(config):
    """The set's test rows stay together and in order; validation never touches them."""
    split = make_split(regression(10, tests=4), config(validation_size=3), rng())
    assert "given" == split.test_size
    assert [10, 11, 12, 13] == split.test.rows.tolist()
    assert [10, 11, 12, 13] == split.test.x[:, 0].tolist()
    assert set(range(10)) == {*split.train.rows, *split.validation.rows}
    assert 3 == len(split.validation)


def test_a_number_pools_the_sets_own_split(config):
    """The division is made anew over all rows."""
    split = make_split(regression(10, tests=4), config(test_size=7), rng(1))
    assert 7 == len(split.test)
    assert list(range(14)) == sorted([*split.train.rows, *split.test.rows])
    assert not {10, 11, 12, 13} <= set(split.test.rows)


def test_no_test_split_leaves_the_sets_own_test_rows_out(config):
    """They are neither trained on nor tested on, but counted."""
    split = make_split(regression(10, tests=4), config(test_size=0), rng())
    assert (list(range(10)), None, 4) == (split.train.rows.tolist(), split.test, split.left_out)
    held = make_split(regression(10, tests=4), config(test_size=0.0, validation_size=2), rng())
    assert set(range(10)) == {*held.train.rows, *held.validation.rows}


def test_rows_in_file_order(config):
    """The same training rows, sorted; x and y come with them."""
    drawn = make_split(regression(30), config(test_size=0.3, validation_size=0.2), rng(1))
    ordered = drawn.in_file_order()
    assert drawn.train.rows.tolist() != sorted(drawn.train.rows)
    assert sorted(drawn.train.rows) == ordered.train.rows.tolist() == ordered.train.x[:, 0].tolist()
    assert ordered.train.rows.tolist() == ordered.train.y[:, 0].tolist()


def test_a_class_of_two_rows_is_not_said_to_have_one(config):
    """Where one of them is in the test split, it says that one is left."""
    options = config(test_size=0.5, validation_size=0.4, stratify=True)
    message = "of class 'b' a single row is left for the training and the validation part"
    with pytest.raises(DatasetProblem, match=message):
        make_split(classification(10, 2), options, rng())


def test_stratified_parts_keep_the_proportions(config):
    """60, 30 and 10 per cent stay so in every part, up to rounding to a row."""
    options = config(test_size=0.2, validation_size=0.25, stratify=True)
    split = make_split(classification(120, 60, 20), options, rng())
    assert [24, 12, 4] == np.bincount(split.test.y).tolist()
    assert [24, 12, 4] == np.bincount(split.validation.y).tolist()
    assert [72, 36, 12] == np.bincount(split.train.y).tolist()
    again = make_split(classification(120, 60, 20), options, rng())
    assert split.train.rows.tolist() == again.train.rows.tolist()
    other = make_split(classification(120, 60, 20), options, rng(1))
    assert split.train.rows.tolist() != other.train.rows.tolist()


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"test_size": 10}, "test_size", "10 takes 10 of 10 rows and leaves none to train on"),
        ({"test_size": 11}, "test_size", "11 takes 11 of 10 rows"),
        ({"test_size": 0.95}, "test_size", "0.95 takes 10 of 10 rows"),
        ({"test_size": 1.0}, "test_size", "no fraction below 1"),
        ({"test_size": 5.0}, "test_size", "no fraction below 1"),
        ({"test_size": -1}, "test_size", "neither a fraction nor a number of rows"),
        ({"test_size": float("nan")}, "test_size", "neither a fraction"),
        ({"test_size": "given"}, "test_size", "'given' asks for the set's own test split"),
        ({"test_size": 5, "validation_size": 5}, "validation_size", "5 takes 5 of 5 rows"),
        ({"stratify": True}, "stratify", "needs classes"),
    ],
)
def test_impossible_splits_name_their_key(config, options, key, message):
    """The config's key comes first, then the figures."""
    with pytest.raises(DatasetProblem, match=f"dataset.{key}: .*{message}") as error:
        make_split(regression(10), config(**options), rng())
    assert ("dataset", key) == error.value.key


@pytest.mark.parametrize(
    ("sizes", "test_size", "message"),
    [
        ((5, 1), 0.5, "dataset.stratify: class 'b' has a single row"),
        ((4, 4, 4), 2, "dataset.test_size: with stratify, 2 and 10 rows are too few for 3 classes"),
        ((4, 4, 4), 10, "10 and 2 rows are too few for 3 classes"),
    ],
)
def test_classes_that_cannot_be_stratified(config, sizes, test_size, message):
    """Each part has to be able to hold each class."""
    with pytest.raises(DatasetProblem, match=message):
        make_split(classification(*sizes), config(test_size=test_size, stratify=True), rng())


# One test split by groups or by time, and what a table has to have for it.

TOO_FEW = "the largest class has 1 row, too few to stratify groups"


def table(values, y=None):
    """Rows with these groups or times."""
    x = np.arange(len(values), dtype=np.float64)[:, None]
    values = np.asarray(values)
    if y is None:
        return Dataset("numbers", "regression", x, x, split_values=values)
    classes = tuple("abc"[: max(y) + 1])
    return Dataset("labels", "classification", x, np.asarray(y), classes, split_values=values)


def options(by, **given):
    """A `dataset` block that splits by a column."""
    return DatasetConfig.model_validate(
        {"path": "a.npz", "split": {"by": by, "column": "c"}, **given}
    )


def parts_of(split):
    """The rows of each split."""
    return [part.rows for part in (split.train, split.validation, split.test) if part is not None]


@settings(deadline=None, max_examples=60)  # scikit-learn is imported by the first
@given(
    groups=st.lists(st.integers(0, 8), min_size=12, max_size=80).filter(lambda g: len({*g}) > 2),
    test=st.floats(0.05, 0.6),
    validation=st.floats(0.05, 0.6),
    stratify=st.booleans(),
    seed=st.integers(0, 99),
)
def test_no_group_is_in_two_splits(groups, test, validation, stratify, seed):
    """Whatever their sizes; every row is in one split, and all three have rows.

    Labels are stratified if a class has two rows after the test rows were taken.
    """
    labels = [group % 2 if row else 1 - group % 2 for row, group in enumerate(groups)]
    data = table(groups, labels) if stratify else table(groups)
    config = options("group", test_size=test, validation_size=validation, stratify=stratify)
    try:
        split = make_split(data, config, np.random.default_rng(seed))
    except DatasetProblem as problem:
        if stratify and TOO_FEW in str(problem):
            return
        raise
    parts = parts_of(split)
    assert 3 == len(parts)
    assert list(range(len(groups))) == sorted(np.concatenate(parts))
    known = [{*data.split_values[rows]} for rows in parts]
    assert sum(map(len, known)) == len(set.union(*known))


@given(
    times=st.lists(st.floats(-5, 5).map(round), min_size=12, max_size=80).filter(
        lambda t: len({*t}) > 2
    ),
    test=st.floats(0.05, 0.5),
    validation=st.floats(0.05, 0.5),
)
def test_training_comes_before_validation_before_test(times, test, validation):
    """Strictly, so that rows of one time are in one split; every row is in one."""
    config = options("time", test_size=test, validation_size=validation)
    data = table(np.array(times, dtype=float))
    parts = parts_of(make_split(data, config, np.random.default_rng(0)))
    assert list(range(len(times))) == sorted(np.concatenate(parts))
    for one, other in pairwise(parts):
        assert data.split_values[one].max() < data.split_values[other].min()


def test_sizes_are_exact_where_groups_are_rows(config):
    """And where times differ: then splits have the sizes of those at random."""
    for by in ("group", "time"):
        given = options(by, test_size=0.2, validation_size=0.25)
        parts = parts_of(make_split(table(np.arange(50)), given, np.random.default_rng(0)))
        assert [30, 10, 10] == [len(rows) for rows in parts]


def test_whole_groups_come_near_to_the_size_asked_for():
    """Of 100 groups of 1 to 9 rows, within half of the largest."""
    groups = np.repeat(np.arange(100), np.arange(100) % 9 + 1)
    for seed in range(20):
        split = make_split(
            table(groups), options("group", test_size=0.3), np.random.default_rng(seed)
        )
        assert abs(len(split.test) - np.ceil(0.3 * len(groups))) <= 4.5


def test_groups_are_drawn_evenly():
    """Over many seeds each is about equally often in the test split, also a large one."""
    groups = np.repeat(np.arange(10), [12, *[2] * 9])
    labels = np.arange(len(groups)) % 3 // 2  # of unequal shares, by which groups are sorted
    for data in (table(groups), table(groups, labels)):
        config = options("group", test_size=0.4, stratify=data.task == "classification")
        tested = np.zeros(10)
        for seed in range(150):
            split = make_split(data, config, np.random.default_rng(seed))
            tested[np.unique(groups[split.test.rows])] += 1
        small = tested[1:]
        assert np.abs(small - small.mean()).max() < 5 * np.sqrt(150 * 0.4 * 0.6)
        assert 30 < tested[0] < 90


def test_classes_are_in_proportion_as_far_as_groups_allow():
    """With many small groups, each split has about the share of each class."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 900, p=[0.6, 0.3, 0.1])
    config = options("group", test_size=0.3, validation_size=0.2, stratify=True)
    split = make_split(table(rng.integers(0, 150, 900), labels), config, rng)
    whole = np.bincount(labels) / 900
    for part in (split.train, split.validation, split.test):
        assert np.abs(np.bincount(part.y) / len(part) - whole).max() < 0.02
    assert abs(len(split.test) - 270) < 15


def test_a_split_by_time_is_drawn_by_no_seed():
    """Any generator gives the same rows, in the order of time."""
    times = np.random.default_rng(0).permutation(40).astype(float)
    one, other = (
        make_split(table(times), options("time", validation_size=0.2), np.random.default_rng(seed))
        for seed in (0, 1)
    )
    assert [rows.tolist() for rows in parts_of(one)] == [r.tolist() for r in parts_of(other)]
    assert sorted(times) == times[np.concatenate(parts_of(one))].tolist()
    assert sorted(one.train.rows) == one.in_file_order().train.rows.tolist()


@pytest.mark.parametrize(
    ("data", "given", "message"),
    [
        (table([1, 1, 1]), options("group"), "test_size: this takes 2 groups or more; there are 1"),
        (
            table([1, 1, 2, 2]),
            options("group", validation_size=1),
            "test_size: this takes 3 groups or more; there are 2",
        ),
        (
            table([1.0, 1.0, 1.0]),
            options("time"),
            "test_size: this takes 2 different times or more; there are 1",
        ),
        (
            table([1.0, 1.0, 2.0]),
            options("time", validation_size=1),
            "test_size: this takes 3 different times or more; there are 2",
        ),
        (table([1, 2, 3], [0, 1, 2]), options("group", stratify=True), f"stratify: {TOO_FEW}"),
    ],
)
def test_too_few_groups_or_times(data, given, message):
    """What there is and what it takes, at the key that asks for it, whatever the seed."""
    for seed in range(5):
        with pytest.raises(DatasetProblem, match=f"dataset.{message}"):
            make_split(data, given, np.random.default_rng(seed))


def test_the_planned_size_depends_on_no_seed():
    """It is what groups of one row would have; for other splits, what there is."""
    groups = np.repeat(np.arange(10), 10)
    config = options("group", test_size=0.25, validation_size=0.25)
    splits = [make_split(table(groups), config, np.random.default_rng(s)) for s in range(5)]
    assert {56} == {split.planned for split in splits}
    config = options("group", folds=3, validation_size=0.25)
    assert 50 == make_split(table(groups), config, np.random.default_rng(0)).planned
    plain = DatasetConfig.model_validate({"path": "a.npz", "test_size": 0.3})
    split = make_split(replace(table(groups), split_values=None), plain, np.random.default_rng(0))
    assert len(split.train) == split.planned


# The column or array that rows are split by: groups, times, and what is neither.


def loaded(path, by, column="c", columns=None, **given):
    """The data set of a config that splits by a column."""
    block = {"path": str(path), "split": {"by": by, "column": column}, **given}
    if path.suffix == ".csv":
        block |= {"columns": {"target": "y", **(columns or {})}, "task": "regression"}
    return load_dataset(DatasetConfig.model_validate(block))


def text_of(*cells):
    """A table with these cells in column c."""
    return "a,c,y\n" + "".join(f"{row},{cell},1\n" for row, cell in enumerate(cells))


def test_groups_are_text_or_numbers(csv):
    """Blanks around text do not matter, and numbers are compared by value."""
    assert [0, 1, 0, 2] == loaded(csv(text_of("p", "q", " p", "r")), "group").split_values.tolist()
    assert [0, 1, 0, 0] == loaded(
        csv(text_of("7", "10", "7.0", "7e0")), "group"
    ).split_values.tolist()
    assert 2 == len({*loaded(csv(text_of("007", "7")), "group").split_values})


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
    values = loaded(csv(text_of(*cells)), "time").split_values
    expected = np.array(times, "datetime64[us]" if isinstance(times[0], str) else float)
    assert (expected.dtype, expected.tolist()) == (values.dtype, values.tolist())


def test_numbers_have_the_decimal_sign_of_the_file(csv):
    """A comma, where the file has one."""
    path = csv("a;c;y\n1;2,5;1\n2;0,5;1\n")
    assert [2.5, 0.5] == loaded(path, "time", decimal=",").split_values.tolist()


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
        loaded(csv(text_of(*cells)), "time")
    assert message in str(error.value)


def test_rows_without_a_group_are_a_mistake_or_dropped(csv):
    """No group is filled in."""
    path = csv(text_of("p", "", "q"))
    for more in ({}, {"missing": {"impute": "median"}}):
        with pytest.raises(DataError, match=r":3:c: the cell is blank; .*drop_rows"):
            loaded(path, "group", **more)
    for data in (
        loaded(path, "group", missing="drop_rows"),
        loaded(path, "group", columns={"missing": {"c": "drop_rows"}}),
    ):
        assert ([[0.0], [2.0]], [0, 1]) == (data.x.tolist(), data.split_values.tolist())
        assert ((1,), [1, 3]) == (data.dropped, data.row_numbers.tolist())


def test_the_column_is_a_feature_only_where_features_name_it(csv):
    """It may be among the dropped ones, too."""
    path = csv(text_of("3", "4"))
    assert ("a",) == loaded(path, "group").feature_names
    assert ("a",) == loaded(path, "time", columns={"drop": ["c"]}).feature_names
    data = loaded(path, "time", columns={"features": ["c", "a"]})
    assert (("c", "a"), [3.0, 4.0]) == (data.feature_names, data.split_values.tolist())
    with pytest.raises(DatasetProblem, match="as rows are split by it; `features` may name it"):
        loaded(path, "group", columns={"categorical": ["c"]})


def test_a_column_that_is_not_there(csv):
    """The key of the split, and what may have been meant."""
    with pytest.raises(DatasetProblem, match="'patiens'; did you mean 'patient'") as error:
        loaded(csv("a,patient,y\n1,2,3\n"), "group", "patiens")
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
    assert expected == loaded(tmp_path / "a.npz", by).split_values.tolist()


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
        loaded(tmp_path / "a.npz", by)
    assert f"a.npz: {message}" in str(error.value)


def test_an_npz_file_without_the_array_or_with_its_own_test_rows(tmp_path):
    """Both name the key of the split."""
    rows = {"x": np.zeros((3, 1)), "y": np.zeros(3)}
    np.savez(tmp_path / "a.npz", **rows)
    with pytest.raises(DatasetProblem, match=r"split\.column: there is no array 'c'; its"):
        loaded(tmp_path / "a.npz", "group")
    np.savez(tmp_path / "b.npz", **rows, c=np.zeros(3), x_test=rows["x"], y_test=rows["y"])
    with pytest.raises(DatasetProblem, match="split: b has its own test rows, which are not split"):
        loaded(tmp_path / "b.npz", "group")
