"""Folds, compared with scikit-learn's own splitters of the same random state."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from nnrun.config.schema.dataset import SplitConfig
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.splits import make_split

BY_GROUP = SplitConfig(by="group", column="g")
BY_TIME = SplitConfig(by="time", column="t")


def table(rows, classes=0, values=None, seed=0):
    """Random rows, of which row i has i as its feature; classes are of very unequal sizes."""
    x = np.arange(rows, dtype=np.float64)[:, None]
    if not classes:
        return Dataset("numbers", "regression", x, x, split_values=values)
    shares = 0.5 ** np.arange(classes)
    y = np.random.default_rng(seed).choice(classes, rows, p=shares / shares.sum())
    y[:classes] = np.arange(classes)
    return Dataset("labels", "classification", x, y, tuple("abcde"[:classes]), split_values=values)


def random_groups(rows, most, seed):
    """Ten groups or more, of very unequal sizes, their rows anywhere in the file."""
    rng = np.random.default_rng(seed)
    shares = rng.pareto(1.0, most) + 0.1
    rest = rng.choice(most, rows - 10, p=shares / shares.sum())
    return rng.permutation([*range(10), *rest])


def folds_of(dataset, config, count, seed=3, **options):
    """The splits of all folds, each with a generator of the same seed."""
    return [
        make_split(dataset, config(folds=count, fold=fold, **options), np.random.default_rng(seed))
        for fold in range(1, count + 1)
    ]


def state(seed=3):
    """The random state that a splitter of scikit-learn gets from such a generator."""
    return int(np.random.default_rng(seed).integers(2**32))


def same(splitter, splits, *arguments):
    """Require that training and test rows are those of a splitter of scikit-learn."""
    parts = splitter.split(np.zeros(sum(len(split.test) for split in splits)), *arguments)
    for (train, test), split in zip(parts, splits, strict=True):
        assert train.tolist() == split.train.rows.tolist()
        assert test.tolist() == split.test.rows.tolist()


def once(splits, rows):
    """Require that every row is tested once, and trained on in all other folds."""
    assert list(range(rows)) == sorted(np.concatenate([split.test.rows for split in splits]))
    for split in splits:
        assert list(range(rows)) == sorted([*split.train.rows, *split.test.rows])


@pytest.mark.parametrize(("rows", "count"), [(10, 10), (53, 2), (53, 7), (100, 10)])
def test_folds_of_values_are_those_of_kfold(config, rows, count):
    """Drawn by the stream of the split; sizes differ by one row at most."""
    splits = folds_of(table(rows), config, count)
    same(KFold(count, shuffle=True, random_state=state()), splits)
    once(splits, rows)
    sizes = {len(split.test) for split in splits}
    assert max(sizes) - min(sizes) <= 1
    assert {None} == {split.test_size for split in splits}


@pytest.mark.parametrize(("rows", "count", "classes"), [(60, 3, 3), (101, 10, 4), (40, 2, 5)])
def test_folds_of_classes_are_stratified_by_default(config, rows, count, classes):
    """As StratifiedKFold: of each class every fold has the same number of rows, within one."""
    data = table(rows, classes)
    splits = folds_of(data, config, count)
    same(StratifiedKFold(count, shuffle=True, random_state=state()), splits, data.y)
    once(splits, rows)
    counts = np.array([np.bincount(split.test.y, minlength=classes) for split in splits])
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1
    assert all(split.stratified for split in splits)


def test_stratify_false_turns_it_off(config):
    """Then folds of classes are drawn as those of values."""
    splits = folds_of(table(60, 3), config, 4, stratify=False)
    same(KFold(4, shuffle=True, random_state=state()), splits)
    assert not any(split.stratified for split in splits)


def test_only_folds_are_stratified_by_default(config):
    """A single test split is drawn as it always was."""
    assert not make_split(table(60, 3), config(), np.random.default_rng(0)).stratified


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [0, 3])
def test_no_group_is_in_two_folds(config, seed, classes):
    """Every row is tested once, and every fold has a group, for groups of any sizes."""
    count = (2, 3, 5)[seed % 3]
    groups = random_groups(120, 30, seed)
    splits = folds_of(table(120, classes, groups, seed), config, count, seed, split=BY_GROUP)
    once(splits, 120)
    for split in splits:
        assert len(split.test)
        assert not {*groups[split.train.rows]} & {*groups[split.test.rows]}


@pytest.mark.parametrize("classes", [0, 3])
def test_folds_of_groups_have_about_the_same_number_of_rows(config, classes):
    """Of 60 groups of 1 to 12 rows, five folds differ by less than a large group."""
    groups = np.repeat(np.arange(60), np.arange(60) % 12 + 1)
    for seed in range(10):
        splits = folds_of(table(len(groups), classes, groups), config, 5, seed, split=BY_GROUP)
        assert np.ptp([len(split.test) for split in splits]) <= 12


def test_folds_of_groups_are_about_as_stratified_as_scikit_learns(config):
    """The share of each class strays from fold to fold by at most half as much again."""
    groups = random_groups(600, 60, 1)
    data = table(600, 3, groups, 1)
    ours, theirs = [], []
    for seed in range(10):
        splits = folds_of(data, config, 4, seed, split=BY_GROUP)
        peer = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
        parts = peer.split(np.zeros(600), data.y, groups)
        ours.append(np.std([np.bincount(split.test.y, minlength=3) for split in splits], axis=0))
        theirs.append(np.std([np.bincount(data.y[test], minlength=3) for _, test in parts], axis=0))
    assert np.all(np.mean(ours, axis=0) <= 1.5 * np.mean(theirs, axis=0) + 1)


@pytest.mark.parametrize("classes", [0, 3])
def test_every_seed_has_other_folds_of_groups(config, classes):
    """Also of groups that all differ in size, which StratifiedGroupKFold deals out by size."""
    groups = np.repeat(np.arange(12), np.arange(12) + 4)
    data = table(len(groups), classes, groups)
    divisions = {
        frozenset(frozenset(split.test.rows.tolist()) for split in splits)
        for splits in (folds_of(data, config, 4, seed, split=BY_GROUP) for seed in range(20))
    }
    assert len(divisions) == 20


def test_folds_of_groups_leave_groups_to_validate_with(config):
    """Of four groups, one as large as the others together, each fold tests two."""
    groups = np.repeat(np.arange(4), [9, 3, 3, 3])
    for seed in range(10):
        splits = folds_of(
            table(18, 0, groups), config, 2, seed, split=BY_GROUP, validation_size=0.3
        )
        assert [2, 2] == [len({*groups[split.test.rows]}) for split in splits]


@pytest.mark.parametrize(("rows", "count"), [(11, 10), (50, 4), (101, 5)])
def test_folds_by_time_are_those_of_time_series_split(config, rows, count):
    """Where all times differ: each is tested on what comes next, and trained on all before it."""
    times = np.random.default_rng(0).permutation(rows)
    splits = folds_of(table(rows, 0, times.astype(float)), config, count, split=BY_TIME)
    order = np.argsort(times)
    for (train, test), split in zip(
        TimeSeriesSplit(count).split(np.zeros(rows)), splits, strict=True
    ):
        assert order[train].tolist() == split.train.rows.tolist()
        assert order[test].tolist() == split.test.rows.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_rows_of_one_time_stay_together(config, seed):
    """Training ends strictly before the test begins; folds expand and follow one another."""
    rng = np.random.default_rng(seed)
    times = random_groups(90, 40, seed).astype("datetime64[D]").astype("datetime64[us]")
    count = int(rng.integers(2, min(8, len(np.unique(times)))))
    splits = folds_of(table(90, 0, times), config, count, split=BY_TIME)
    for split in splits:
        assert times[split.train.rows].max() < times[split.test.rows].min()
    for one, other in pairwise(splits):
        assert sorted([*one.train.rows, *one.test.rows]) == sorted(other.train.rows)
    last = splits[-1]
    assert list(range(90)) == sorted([*last.train.rows, *last.test.rows])


def test_as_many_folds_as_times_allow(config):
    """One more time than folds is enough, however its rows are distributed."""
    times = np.repeat([1.0, 2.0, 3.0, 4.0], [1, 50, 1, 1])
    splits = folds_of(table(53, 0, times), config, 3, split=BY_TIME)
    assert [[2.0], [3.0], [4.0]] == [np.unique(times[s.test.rows]).tolist() for s in splits]
    with pytest.raises(DatasetProblem, match="4 folds by time need 5 different times; there are 4"):
        folds_of(table(53, 0, times), config, 4, split=BY_TIME)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("split", [SplitConfig(), BY_GROUP, BY_TIME])
def test_validation_is_taken_from_the_training_rows_of_the_fold(config, split, classes):
    """By the same rule as the test rows: no group in two splits, nothing later in training."""
    values = random_groups(100, 25, 1)
    data = table(100, classes, None if split.by == "random" else values)
    for found in folds_of(data, config, 4, validation_size=0.2, split=split):
        train, validation, test = found.train.rows, found.validation.rows, found.test.rows
        assert not {*train} & {*validation} | {*train} & {*test} | {*validation} & {*test}
        if split is BY_GROUP:
            parts = [{*values[rows]} for rows in (train, validation, test)]
            assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        if split is BY_TIME:
            assert values[train].max() < values[validation].min()
            assert values[validation].max() < values[test].min()


def test_a_rare_class_is_in_some_folds(config):
    """Classes with fewer rows than folds are no mistake, also where one is left for training."""
    data = Dataset(
        "rare", "classification", np.zeros((32, 1)), np.repeat([0, 1, 2], [29, 2, 1]), tuple("abc")
    )
    once(folds_of(data, config, 5), 32)
    splits = folds_of(data, config, 5, validation_size=0.2)
    assert {5, 6} >= {len(split.validation) for split in splits}


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (table(5), {"folds": 6}, "dataset.folds: 6 folds need as many rows; there are 5"),
        (
            table(20, 0, np.arange(20) % 3),
            {"folds": 4, "split": BY_GROUP},
            "dataset.folds: 4 folds need as many groups; there are 3",
        ),
        (
            Dataset("few", "classification", np.zeros((9, 1)), np.arange(9) % 3, tuple("abc")),
            {"folds": 4},
            "dataset.folds: no class has a row for each of 4 folds, the largest has 3; use fewer "
            "folds, or stratify: false",
        ),
        (table(20), {"folds": 4, "stratify": True}, "dataset.stratify: needs classes"),
    ],
)
def test_impossible_folds_name_their_key(config, data, options, message):
    """With what there is, and what there would have to be."""
    with pytest.raises(DatasetProblem, match=message):
        make_split(data, config(**options), np.random.default_rng(0))


def test_folds_pool_the_sets_own_test_rows(config):
    """As a number for test_size does."""
    x = np.arange(14.0)[:, None]
    data = Dataset("own", "regression", x[:10], x[:10], (), (), (), x[10:], x[10:])
    once(folds_of(data, config, 7), 14)
