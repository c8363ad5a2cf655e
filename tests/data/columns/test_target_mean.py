"""Means of the target in place of categories, fitted within folds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from nnrun.data.columns.categories import FOLDS, TargetMean
from nnrun.data.columns.column import TrainingRows

SEED = 5


def data(kind, rows=400, categories=12):
    """Numbers of categories, and targets that depend on them."""
    rng = np.random.default_rng(0)
    codes = rng.integers(categories, size=rows)
    values = np.sin(codes) + rng.normal(size=rows)
    if kind == "regression":
        return codes, values[:, None], ()
    classes = ("no", "yes") if kind == "two" else ("a", "b", "c", "d")
    return codes, np.digitize(values, [0, 0.5, 1][: len(classes) - 1]), classes


def fitted(codes, y, classes, **settings):
    names = tuple(map(str, range(codes.max() + 1)))
    column = TargetMean("city", names, unknown="ignore", **settings)
    return column.fitted(codes, TrainingRows(y, classes, lambda: SEED))


@pytest.mark.parametrize("kind", ["regression", "two", "many"])
def test_scikit_learn_has_the_same_means(kind):
    """For training rows with the same folds, and for other rows, to 1e-12."""
    codes, y, classes = data(kind)
    folds = (StratifiedKFold if classes else KFold)(FOLDS, shuffle=True, random_state=SEED)
    found = fitted(codes, y, classes)
    target = "multiclass" if kind == "many" else "binary" if classes else "continuous"
    encoder = TargetEncoder(target_type=target)
    x = codes[:, None]
    out_of_fold = np.empty((len(x), found.column.width))
    for rest, fold in folds.split(x, y.ravel()):
        # `fit_transform` of scikit-learn 1.8 takes no folds.
        out_of_fold[fold] = encoder.fit(x[rest], y[rest].ravel()).transform(x[fold])
    np.testing.assert_allclose(found.training, out_of_fold, rtol=0, atol=1e-12)
    expected = encoder.fit(x, y.ravel()).transform(x)
    np.testing.assert_allclose(found.convert(x.astype(float)), expected, rtol=0, atol=1e-12)
    assert {"regression": 1, "two": 1, "many": 4}[kind] == found.column.width


def test_a_row_does_not_reach_its_own_feature():
    """A target changed by a thousand moves no feature of its row, but those of others."""
    codes, y, _ = data("regression")
    before = fitted(codes, y, ()).training
    y[7] += 1000
    after = fitted(codes, y, ()).training
    assert before[7].tolist() == after[7].tolist()
    assert np.count_nonzero(before != after) > len(codes) / 2


def test_rare_categories_share_a_mean_and_unknown_ones_have_it():
    """Without rare ones it is the mean of all rows."""
    codes, y, _ = data("regression")
    codes[:3] = 12
    found = fitted(codes, y, (), min_count=4)
    assert ("12",) == found.column.rare
    assert found.column.means[-1] == tuple(found.convert(np.array([[12.0]]))[0])
    plain = fitted(codes, y, ()).column
    assert plain.means[-1][0] == pytest.approx(y.mean())


def test_few_rows_have_fewer_folds():
    """Three rows have three; a single row the mean of all."""
    codes = np.array([0, 1, 0])
    assert (3, 1) == fitted(codes, np.ones((3, 1)), ()).training.shape
    assert [[1.0]] == fitted(codes[:1], np.ones((1, 1)), ()).training.tolist()


def test_a_class_of_few_rows_is_no_hindrance():
    """Folds are then not stratified."""
    codes, y, classes = data("many")
    y[y == 3] = 0
    y[0] = 3
    found = fitted(codes, y, classes)
    assert found.training.shape == (400, 4)
    assert np.isfinite(found.training).all()
