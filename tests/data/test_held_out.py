"""Held-out rows beside training rows: categories of their own, and rows that stand in both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.rows import RawRows, equal_rows
from nnrun.data.split_rows import Split, SplitData
from nnrun.data.splits import duplicates, make_split, with_training_categories
from tests.data.tables import CategorySettings, read_csv

TOWNS = "age,town,shop,price\n1,A,u,10\n2,B,v,20\n3,C,u,30\n4,B,w,40\n5,D,u,50\n6,A,v,60\n"


def part(dataset, *rows):
    """These rows of a data set."""
    return SplitData(RawRows(dataset.parts, np.array(rows)), dataset.y[list(rows)])


@pytest.fixture
def divided(csv):
    """A table whose first two rows are for training, and the same after narrowing."""
    data = read_csv(
        csv(TOWNS), "price", categories=CategorySettings(["town", "shop"]), task="regression"
    )
    split = Split(part(data, 0, 1), part(data, 2, 5), part(data, 3, 4), 2)
    return data, *with_training_categories(data, split)


def test_categories_are_those_of_training_rows(divided):
    """In the set, its layout and the names of its features."""
    data, narrow, split = divided
    assert {"town": ("A", "B"), "shop": ("u", "v")} == dict(narrow.layout.columns.categories)
    names = ("age", "town=A", "town=B", "shop=u", "shop=v")
    assert names == narrow.feature_names == narrow.layout.columns.feature_names
    assert (5,) == narrow.layout.shape == narrow.shape == split.train.raw.shape
    assert [[1, 1, 0, 1, 0], [2, 0, 1, 0, 1]] == split.train.x.tolist()
    assert data is narrow.whole


def test_other_categories_are_none_of_them(divided):
    """0 in all columns of it, and counted by part and column with their names."""
    _, _, split = divided
    assert [[3, 0, 0, 1, 0], [6, 1, 0, 0, 1]] == split.validation.x.tolist()
    assert [[4, 0, 1, 0, 0], [5, 0, 0, 1, 0]] == split.test.x.tolist()
    assert [
        ("validation", "town", 1, ("C",)),
        ("test", "town", 1, ("D",)),
        ("test", "shop", 1, ("w",)),
    ] == [(u.part, u.column, u.rows, u.categories) for u in split.unseen]


def test_nothing_changes_where_training_has_all(csv):
    """The same set and the same split come back."""
    data = read_csv(
        csv(TOWNS), "price", categories=CategorySettings(["town"]), drop=["shop"], task="regression"
    )
    split = Split(part(data, 0, 1, 2, 4), None, part(data, 3, 5), 2)
    assert (data, split) == with_training_categories(data, split)


def test_rows_in_both_are_counted(divided):
    """Features and target alike, whatever categories are left."""
    data, _, _ = divided
    twice = Dataset("twice", "regression", data.x[[0, 1, 0, 1, 4, 1]], data.y[[0, 1, 0, 2, 4, 1]])
    split = Split(part(twice, 0, 1), part(twice, 2), part(twice, 3, 4, 5), 3)
    assert {"validation": 1, "test": 1} == duplicates(twice, split)
    assert {"validation": 0} == duplicates(data, Split(part(data, 0), part(data, 1), None, 0))


def test_own_test_rows_are_compared_too(config):
    """Those that the set itself holds out."""
    x = np.array([[0.0, 1], [2, 3], [4, 5]])
    y = np.array([0, 1, 0])
    data = Dataset(
        "own", "classification", x, y, ("a", "b"), x_test=-x[[0, 0, 1]], y_test=y[[0, 1, 1]]
    )
    assert {"test": 0} == duplicates(data, make_split(data, config(), np.random.default_rng(0)))
    same = Dataset(
        "own", "classification", x, y, ("a", "b"), x_test=x[[0, 0, 1]], y_test=y[[0, 1, 1]]
    )
    assert {"test": 2} == duplicates(same, make_split(same, config(), np.random.default_rng(0)))


@given(
    rows=st.integers(1, 80),
    width=st.integers(1, 9),
    values=st.integers(1, 3),
    kind=st.sampled_from(["u1", "i8", "f8"]),
    seed=st.integers(0, 999),
)
def test_equal_rows_are_those_that_numpy_finds(rows, width, values, kind, seed):
    """The same groups as comparing all numbers, -0.0 being 0.0."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, values, (rows, width)).astype(kind)
    x = x * rng.choice([-1.0, 1.0], x.shape) if kind == "f8" and values == 1 else x
    y = rng.integers(0, 2, rows)
    whole = np.concatenate([x.astype(float) + 0.0, y[:, None]], axis=1)
    found, expected = np.unique(whole, axis=0, return_inverse=True)
    numbers = equal_rows([x], y)
    if numbers is None:
        assert rows == len(found)
        return
    pairs = {*zip(expected.ravel().tolist(), numbers.tolist(), strict=True)}
    assert len(found) == len(pairs) == len(set(numbers.tolist()))


def test_many_rows_of_small_whole_numbers_are_distinguished():
    """Their bits are mostly zeros, which a hash has to mix."""
    grid = np.stack(np.meshgrid(*[np.arange(50.0)] * 3), -1).reshape(-1, 3)
    assert equal_rows([grid], np.zeros(len(grid), np.int64)) is None
    assert equal_rows([grid * 2.0**-20], grid[:, :1]) is None


def test_a_split_without_other_parts_has_no_duplicates():
    """Nothing is compared then."""
    data = Dataset("same", "regression", np.zeros((4, 1)), np.zeros((4, 1)))
    options = DatasetConfig(path="a.npz", test_size=0)
    assert {} == duplicates(data, make_split(data, options, np.random.default_rng(0)))
