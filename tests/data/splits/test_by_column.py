"""One test split by groups or by time, and what a table has to have for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.splits import make_split

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
        (
            table([1, 2, 3], [0, 1, 2]),
            options("group", stratify=True),
            f"stratify: {TOO_FEW}",
        ),
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
