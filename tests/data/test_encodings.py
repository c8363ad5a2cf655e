"""Encodings of features, each against a few lines of NumPy or scikit-learn."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer

from nnrun.data.columns.categories import Embedding, OneHot
from nnrun.data.columns.column import Number
from nnrun.data.columns.kinds import Date
from nnrun.data.dataset import DatasetProblem
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.nn.signature import Array

RNG = np.random.default_rng(0)
TABLES: dict[str, Array] = {
    "plain": RNG.normal(3, 2, (200, 3)),
    "ties": RNG.integers(0, 4, (200, 3)) * [1.0, 0.1, 7.0],
    "mostly ties": np.where(RNG.random((200, 2)) < 0.9, 0.0, RNG.normal(size=(200, 2))),
    "constant": np.full((20, 2), 0.1),
    "two values": RNG.integers(0, 2, (50, 2)) * [1.0, 1e-3],
    "three values": np.array([[0.0], [0.0], [0.0], [1.0], [5.0]]),
    "huge": RNG.normal(size=(60, 2)) * [1e300, 1e-300],
    "one row": np.array([[3.0, -2.0]]),
    "two rows": np.array([[3.0, -2.0], [4.0, -2.0]]),
}
PIECES = SimpleNamespace(piecewise_linear=SimpleNamespace(bins=16))


def pieces_of(bins: int) -> SimpleNamespace:
    """The step with so many bins."""
    return SimpleNamespace(piecewise_linear=SimpleNamespace(bins=bins))


def fitted(x: Array, *features: Any, **options: Any) -> Preprocessing:
    """The steps, fitted to a table."""
    return Preprocessing(features, **options).fit(x, np.zeros((len(x), 1)))


def rows_around(x: Array) -> Array:
    """The rows of a table, others between them, and others far outside."""
    low, high = x.min(axis=0), x.max(axis=0)
    far = np.abs(x).max(axis=0) + 1
    return np.concatenate([x, (x + x[::-1]) / 2, [low - far, high + far, low, high]])


def by_hand(x: Array, new: Array, bins: int) -> Array:
    """The columns and their pieces, one feature and one piece after the other."""
    columns = [*new.T]
    for column, values in zip(x.T, new.T, strict=True):
        if len(set(column.tolist())) > 2:
            shares = [number / bins for number in range(bins + 1)]
            edges = sorted(set(np.quantile(column, shares, method="nearest").tolist()))
            for low, high in pairwise(edges):
                columns.append(np.clip((values - low) / (high - low), 0, 1))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("bins", [2, 3, 16])
@pytest.mark.parametrize("table", TABLES)
def test_pieces_stand_beside_their_features(table, bins):
    """A piece for each pair of neighbouring edges, which are values of the training rows."""
    x = TABLES[table]
    new = rows_around(x)
    found = fitted(x, pieces_of(bins)).transform_x(new)
    np.testing.assert_allclose(by_hand(x, new, bins), found, rtol=1e-12, atol=0)
    beside = found[:, x.shape[1] :]
    assert beside.min(initial=0) >= 0
    assert beside.max(initial=1) <= 1


def test_more_bins_than_rows_give_a_piece_between_any_two_values():
    """As many bins as there are numbers take no more memory than the rows do."""
    x = np.random.default_rng(1).permutation(40.0 * np.arange(9))[:, None]
    found = fitted(x, pieces_of(2**62))
    assert 8 == found.added
    np.testing.assert_array_equal(by_hand(x, x, 1000), found.transform_x(x))


def test_pieces_are_of_what_the_steps_before_made():
    """Edges are scaled numbers, and later steps neither see pieces nor change them."""
    x = TABLES["plain"]
    scaled = fitted(x, "standard").transform_x(x)
    np.testing.assert_allclose(
        by_hand(scaled, scaled, 16), fitted(x, "standard", PIECES).transform_x(x), rtol=1e-12
    )
    later = fitted(x, PIECES, "standard").transform_x(x)
    np.testing.assert_array_equal(scaled, later[:, :3])
    np.testing.assert_allclose(by_hand(x, x, 16)[:, 3:], later[:, 3:], rtol=1e-12)


def test_numbers_of_categories_have_no_pieces_and_keep_their_places():
    """Nor have one-hot features, even after a step that makes them many numbers."""
    columns = (Embedding("shop", ("a", "b", "c"), dimensions=2), Number("x"))
    layout = Layout("regression", (2,), Columns(columns), target_names=("y",))
    x = np.stack([RNG.integers(0, 4, 60), RNG.normal(size=60)], axis=1).astype(np.float64)
    found = fitted(x, "standard", PIECES, layout=layout)
    assert x[:, 0].tolist() == found.transform_x(x)[:, 0].tolist()
    assert [f"x.piece_{n}" for n in range(1, 17)] == [name for name, _ in found.sources]
    layout = Layout("regression", (3,), Columns((OneHot("shop", ("a", "b")), Number("x"))))
    x = np.concatenate([np.eye(2)[RNG.integers(0, 2, 60)], RNG.normal(size=(60, 1))], axis=1)
    found = fitted(x, "l2", PIECES, layout=layout)
    assert {"x"} == {feature for _, feature in found.sources}
    found = fitted(x, "quantile", layout=layout)
    np.testing.assert_array_equal(x[:, :2], found.transform_x(x)[:, :2])


def test_two_steps_have_pieces_each():
    """In the order of the steps."""
    x = TABLES["plain"][:, :1]
    found = fitted(x, pieces_of(2), pieces_of(3)).transform_x(x)
    expected = np.concatenate([by_hand(x, x, 2), by_hand(x, x, 3)[:, 1:]], axis=1)
    np.testing.assert_allclose(expected, found, rtol=1e-12)


def test_a_table_that_is_read_in_parts_has_the_same_edges(monkeypatch):
    """However many columns are in memory at once."""
    x = TABLES["plain"]
    whole = fitted(x, "standard", PIECES).to_dict()
    monkeypatch.setattr("nnrun.data.steps._COLUMNS", 1)
    assert whole == fitted(x, "standard", PIECES).to_dict()


def test_a_spread_that_overflows_is_refused():
    """With the column."""
    x = np.array([[0.0, -1.7e308], [1.0, 1.7e308], [2.0, 1.6e308]])
    with pytest.raises(DatasetProblem, match=r"feature 1 has values too large to be scaled"):
        fitted(x, pieces_of(2))
    assert 0 == fitted(x[:2], pieces_of(2)).added


def test_images_have_no_pieces():
    """Since columns added to pixels are no image; the step is named."""
    layout = Layout("regression", (1, 4, 4), Columns(()), target_names=("y",))
    with pytest.raises(DatasetProblem, match="'piecewise_linear' is for tables") as refused:
        Preprocessing(["standard", PIECES], layout=layout)
    assert ("dataset", "features", 1) == refused.value.problems[0][0]


@pytest.mark.parametrize("table", ["plain", "ties", "constant"])
def test_what_is_stored_is_the_same(table):
    """Bit for bit, and the names of columns too."""
    found = fitted(TABLES[table], "standard", PIECES)
    again = Preprocessing.from_dict(found.to_dict())
    new = rows_around(TABLES[table])
    assert found.transform_x(new).tobytes() == again.transform_x(new).tobytes()
    assert (found, found.sources) == (again, again.sources)


# Indicators of missing numbers.

BLANK = np.array([[1.0, np.nan, 5.0], [np.nan, 2.0, 6.0], [3.0, np.nan, 8.0]])
IMPUTED = Layout(
    "regression",
    (3,),
    Columns((Number("a", "mean"), Number("b", "median"), Number("c", "mean"))),
    target_names=("y",),
)


def test_columns_with_blanks_in_training_rows_have_an_indicator():
    """Beside all others and before pieces; a blank elsewhere is filled in, and nothing more."""
    found = fitted(BLANK, "standard", layout=IMPUTED, indicators={"": True})
    new = np.array([[np.nan, 2.0, np.nan], [1.0, np.nan, 5.0]])
    plain = fitted(BLANK, "standard", layout=IMPUTED).transform_x(new)
    expected = np.concatenate([plain, [[1, 0], [0, 1]]], axis=1)
    np.testing.assert_array_equal(expected, found.transform_x(new))
    assert [("a.missing", "a"), ("b.missing", "b")] == found.sources
    both = fitted(BLANK, "minmax", pieces_of(2), layout=IMPUTED, indicators={"": True})
    assert ["a.missing", "b.missing", "a.piece_1"] == [name for name, _ in both.sources][:3]


def test_a_column_has_the_rule_of_its_own():
    """`columns.missing` decides for single columns, `missing` for the others."""
    alone = fitted(BLANK, layout=IMPUTED, indicators={"": False, "b": True})
    assert ["b.missing"] == [name for name, _ in alone.sources]
    others = fitted(BLANK, layout=IMPUTED, indicators={"": True, "b": False})
    assert ["a.missing"] == [name for name, _ in others.sources]


@pytest.mark.parametrize(
    ("indicators", "paths"),
    [
        ({"": True, "a": False, "b": False}, [("missing", "indicator")]),
        ({"": False, "c": True}, [("columns", "missing", "c", "indicator")]),
        (
            {"": True, "c": True, "town": True},
            [
                ("columns", "missing", "c", "indicator"),
                ("columns", "missing", "town", "indicator"),
            ],
        ),
    ],
)
def test_an_indicator_without_a_blank_is_refused(indicators, paths):
    """At the key that asks for it, however many columns the rule is for."""
    with pytest.raises(DatasetProblem, match="an indicator without a blank") as refused:
        fitted(BLANK, layout=IMPUTED, indicators=indicators)
    assert [("dataset", *path) for path in paths] == [path for path, _ in refused.value.problems]


def test_a_date_has_one_indicator():
    """Since all its parts are missing at once."""
    columns = Columns((Date("sold", ("year", "month"), "mean"), Number("x")))
    layout = Layout("regression", (3,), columns, target_names=("y",))
    x = np.array([[2020.0, 1.0, 7.0], [np.nan, np.nan, 8.0]])
    found = fitted(x, layout=layout, indicators={"": True})
    assert [("sold.missing", "sold.year")] == found.sources
    assert [0, 1] == found.transform_x(x)[:, 3].tolist()


def test_what_is_stored_without_indicators_is_as_before():
    """So that models have the same bytes."""
    assert {"step": "impute", "fill": [2, 2, 19 / 3]} == fitted(BLANK, layout=IMPUTED).to_dict()[
        "features"
    ][0]
    again = fitted(BLANK, "standard", layout=IMPUTED, indicators={"": True})
    assert again == Preprocessing.from_dict(again.to_dict())


# Robust scales and quantiles.


def robust_by_hand(x: Array, new: Array) -> Array:
    """One feature after the other, with Python's fallbacks."""
    columns = []
    for column, values in zip(x.T, new.T, strict=True):
        lower, middle, upper = np.percentile(column, [25, 50, 75])
        scale = (upper - lower) or (column.max() / 2 - column.min() / 2) or 1.0
        with np.errstate(over="ignore"):
            z = np.clip((values - middle) / scale, -1e100, 1e100)
        columns.append(z / np.sqrt(1 + (z / 3) ** 2))
    return np.stack(columns, axis=1)


def quantiles_by_sklearn(x: Array, new: Array) -> Array:
    """The normal scores of scikit-learn, from all rows."""
    count = min(1000, len(x))
    transformer = QuantileTransformer(
        n_quantiles=count, output_distribution="normal", subsample=None
    )
    return transformer.fit(x).transform(new)


@pytest.mark.parametrize("table", TABLES)
def test_robust_scales_and_clips_smoothly(table):
    """Within ±3, however far outside of the training rows."""
    x = TABLES[table]
    new = np.concatenate([rows_around(x), np.full((1, x.shape[1]), 1.7e308)])
    found = fitted(x, "robust").transform_x(new)
    np.testing.assert_allclose(robust_by_hand(x, new), found, rtol=1e-12, atol=1e-300)
    assert np.abs(found).max() <= 3


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_clips_to_the_widened_range_of_training_rows(table, margin):
    """As NumPy does, feature by feature; training rows stay as they are."""
    x = TABLES[table]
    new = np.concatenate([rows_around(x), np.full((1, x.shape[1]), 1e9)])
    low, high = x.min(axis=0), x.max(axis=0)
    expected = np.clip(new, low - margin * (high - low), high + margin * (high - low))
    found = fitted(x, SimpleNamespace(clip=SimpleNamespace(margin=margin)))
    np.testing.assert_array_equal(expected, found.transform_x(new))
    np.testing.assert_array_equal(x, found.transform_x(x))


@pytest.mark.parametrize("table", TABLES)
def test_quantiles_are_those_of_scikit_learn(table):
    """With ties, few values, and rows outside of the training rows."""
    x = TABLES[table]
    new = rows_around(x)
    found = fitted(x, "quantile").transform_x(new)
    np.testing.assert_allclose(quantiles_by_sklearn(x, new), found, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_quantiles_of_random_tables(seed):
    """More rows than quantiles, too, rounded or skewed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rng.integers(2, 3000), 3)) * [1.0, 100.0, 1e-3]
    x = (x, np.round(x, 2), np.exp(x / 50))[seed % 3]
    new = rows_around(x)
    found = fitted(x, "quantile").transform_x(new)
    np.testing.assert_allclose(quantiles_by_sklearn(x, new), found, rtol=0, atol=1e-9)


@pytest.mark.parametrize("step", ["robust", "quantile"])
def test_statistics_are_of_what_the_steps_before_made(step):
    """Medians and quantiles of raw columns would be others."""
    x = TABLES["plain"]
    made = fitted(x, "l2").transform_x(x)
    both = fitted(x, "l2", step)
    np.testing.assert_array_equal(fitted(made, step).transform_x(made), both.transform_x(x))


@pytest.mark.parametrize("step", ["robust", "quantile"])
def test_statistics_do_not_depend_on_the_memory(step, monkeypatch):
    """However many columns are in memory at once."""
    images = RNG.normal(size=(30, 2, 3, 3))
    whole = fitted(images, step)
    monkeypatch.setattr("nnrun.data.steps._COLUMNS", 1)
    assert whole.to_dict() == fitted(images, step).to_dict()
    flat = fitted(images.reshape(30, -1), step).transform_x(images.reshape(30, -1))
    np.testing.assert_array_equal(flat.reshape(images.shape), whole.transform_x(images))


@pytest.mark.parametrize("step", ["robust", "quantile"])
def test_numbers_of_categories_stay_numbers(step):
    """Before and after they are stored."""
    columns = (Embedding("shop", ("a", "b", "c"), dimensions=2), Number("x"))
    layout = Layout("regression", (2,), Columns(columns), target_names=("y",))
    x = np.stack([RNG.integers(0, 4, 60), RNG.normal(size=60)], axis=1).astype(np.float64)
    found = fitted(x, step, layout=layout)
    again = Preprocessing.from_dict(found.to_dict())
    assert found == again
    for each in (found, again):
        made = each.transform_x(x)
        assert x[:, 0].tolist() == made[:, 0].tolist()
        assert fitted(x[:, 1:], step).transform_x(x[:, 1:])[:, 0].tolist() == made[:, 1].tolist()


@pytest.mark.parametrize("step", ["robust", "quantile"])
def test_a_spread_that_overflows_is_refused_by_every_encoding(step):
    """With the column."""
    x = np.array([[0.0, -1.7e308], [1.0, 1.7e308], [2.0, -1.7e308], [3.0, 1.7e308]])
    with pytest.raises(DatasetProblem, match=r"feature 1 has values too large to be scaled"):
        fitted(x, step)
