"""Splits: their rows and sizes, and that no row is in two of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.splits import make_split


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


def test_validation_comes_out_of_the_training_rows(config):
    """A share of it counts from what the test split leaves."""
    split = make_split(regression(100), config(test_size=0.5, validation_size=0.1), rng())
    assert (45, 5, 50) == (len(split.train), len(split.validation), len(split.test))


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
