"""Kinds of columns: stored as JSON, categories that are rare or unknown, means of the target."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

import nnrun
from nnrun.data.columns.categories import FOLDS, Embedding, OneHot, TargetMean
from nnrun.data.columns.column import Number, TrainingRows
from nnrun.data.columns.date_formats import DateFormat
from nnrun.data.columns.kinds import KINDS, Date, Lag, from_json, to_json
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.dataset import DatasetProblem
from nnrun.data.inference.sources import UnknownCategoryWarning
from nnrun.data.inference.table_rows import table_rows
from nnrun.data.rows import RawRows
from nnrun.data.split_rows import Split, SplitData
from nnrun.data.splits import check_categories, with_training_categories
from nnrun.errors import ConfigError
from nnrun.models.code.layers import EMITTERS as SCRIPT_EMITTERS
from nnrun.models.onnx import COLUMNS as ONNX_EMITTERS
from tests.data.tables import CategorySettings, load_features, read_csv

EUROS = NumberFormat.from_example("1.234,50 €")
GERMAN = DateFormat.from_example("31.12.2024")
COLUMNS = {
    "number": [Number("age"), Number("age", "median"), Number("price", "", EUROS)],
    "date": [Date("sold", ("month", "cyclic"), "mean"), Date("sold", ("year",), "", GERMAN, False)],
    "lag": [
        Lag("load.lag", "load", (1, 24), "time"),
        Lag("load.lag", "load", (1,), "time", "site", EUROS, GERMAN),
    ],
    "one_hot": [
        OneHot("town", ("A", "B", "")),
        OneHot("floor", ("1", "2"), by_value=True, rare=("3",), unknown="ignore"),
    ],
    "embedding": [
        Embedding("shop", ("x", "y"), dimensions=3, unknown="most_frequent", frequent="y")
    ],
    "target_mean": [
        TargetMean("city", ("p",), means=((0.5,), (0.25,))),
        TargetMean("city", ("p",), classes=("a", "b", "c"), means=((0.1, 0.2, 0.7),) * 2),
    ],
}


def test_every_kind_is_tried_and_exported():
    """The tables of emitters and of these tests have the kinds that there are."""
    assert KINDS.keys() == COLUMNS.keys() == SCRIPT_EMITTERS.keys() == ONNX_EMITTERS.keys()


@pytest.mark.parametrize("column", [each for kind in COLUMNS.values() for each in kind])
def test_columns_survive_json(column):
    """A stored column is the same column."""
    assert column == from_json(json.loads(json.dumps(to_json(column))))


@pytest.mark.parametrize("column", [each for kind in COLUMNS.values() for each in kind])
def test_an_example_is_encoded_as_in_training(column):
    """It has the width of the column, and nothing in it is odd or missing."""
    x = column.example()[None]
    assert ((1, column.width), None) == (x.shape, column.odd(x))
    np.testing.assert_array_equal(x, column.completed(x, str))


# Rare and unknown categories, whatever features a column becomes.

# Training rows: a three times, b twice, c once; d is in a held-out row alone.
TABLE = "k,y\na,1\na,2\na,3\nb,4\nb,5\nc,6\nd,7\nc,8\n"


def divided(csv, **settings):
    """The table with its last two rows as the test split."""
    data = read_csv(csv(TABLE), "y", categories=CategorySettings(**settings), task="regression")
    part = [
        SplitData(RawRows(data.parts, rows), data.y[rows])
        for rows in (np.arange(6), np.array([6, 7]))
    ]
    return with_training_categories(data, Split(part[0], None, part[1], 2))


@pytest.mark.parametrize(
    ("settings", "train", "test", "names"),
    [
        ({"min_count": 2}, [0, 0, 0, 1, 1, 2], [2, 2], ("k=a", "k=b", "k=(other)")),
        ({"min_count": 1}, [0, 0, 0, 1, 1, 2], [None, 2], ("k=a", "k=b", "k=c")),
        ({"unknown": "most_frequent"}, [0, 0, 0, 1, 1, 2], [0, 2], ("k=a", "k=b", "k=c")),
        (
            {"unknown": "most_frequent", "min_count": 2},
            [0, 0, 0, 1, 1, 2],
            [0, 2],
            ("k=a", "k=b", "k=(other)"),
        ),
    ],
)
def test_categories_of_training_rows_decide(csv, settings, train, test, names):
    """One-hot and as numbers alike: rare ones together, unknown ones as the config says."""
    data, split = divided(csv, one_hot=["k"], **settings)
    one = np.eye(3)
    expected = [[0.0] * 3 if place is None else one[place].tolist() for place in test]
    assert (names, expected) == (data.feature_names, split.test.x.tolist())
    assert [one[place].tolist() for place in train] == split.train.x.tolist()
    data, split = divided(csv, embedding={"k": (2, None)}, **settings)
    others = [data.columns.every[0].entries - 1 if place is None else place for place in test]
    assert [[place] for place in train] == split.train.x.tolist()
    assert [[place] for place in others] == split.test.x.tolist()
    assert [("k", 1, ("d",))] == [(u.column, u.rows, u.categories) for u in split.unseen]


@pytest.mark.parametrize("key", ["one_hot", "target_mean"])
def test_unknown_categories_of_held_out_rows_are_refused_on_request(csv, key):
    """The message says which, in which row, and what lets them pass."""
    data, split = divided(csv, **{key: ["k"]}, unknown="error")
    with pytest.raises(DatasetProblem) as error:
        check_categories(data, split)
    expected = (
        "dataset.unknown: a row of the test split (row 7 of the data) has a category of 'k' that "
        "no training row has: 'd'; `unknown: ignore` predicts it as none of them"
    )
    assert expected == str(error.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]),
        ({"min_count": 2}, [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]),
        ({"unknown": "most_frequent"}, [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]]),
    ],
)
def test_new_rows_are_encoded_as_held_out_ones(csv, settings, expected):
    """From a file and from a table in memory; a rare category is no unknown one."""
    import pandas as pd

    layout = divided(csv, one_hot=["k"], **settings)[0].layout
    assert expected == load_features(csv("k\nb\nz\nd\nc\n"), layout).tolist()
    frame = pd.DataFrame({"k": ["b", "z", "d", "c"]})
    said = r"k: 2 cells have .* \('z', 'd'\), predicted"
    with pytest.warns(UnknownCategoryWarning, match=said) as warned:
        assert expected == table_rows(frame, layout).tolist()
    assert __file__ == warned[0].filename, "the line that gave the rows"


def test_an_embedding_may_have_its_own_count(csv):
    """It goes before that of all columns."""
    data, _ = divided(csv, embedding={"k": (2, 3)}, min_count=2)
    (column,) = data.columns
    assert (("a",), ("b", "c"), 2) == (column.known, column.rare, column.entries)


def test_an_embedding_may_be_named_as_categorical_too(csv):
    """It is an embedding, and with the same weights; the mean of the target is another encoding."""
    columns = {"target": "y", "categorical": ["k"], "embedding": {"k": 2}}
    config = {
        "name": "shops",
        "dataset": {"path": str(csv(TABLE)), "columns": columns, "test_size": 2},
        "network": {"sizes": [1], "activations": ["linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.01, "iterations": 3},
    }
    weights = nnrun.train(config, results=None).record.weights_sha256
    alone = nnrun.train(config, {"dataset.columns.categorical": []}, results=None)
    assert weights == alone.record.weights_sha256
    one_hot = nnrun.train(config, {"dataset.columns.embedding": {}}, results=None)
    assert weights != one_hot.record.weights_sha256
    of_mean = {"dataset.columns.target_mean": ["k"], "dataset.columns.categorical": []}
    with pytest.raises(ConfigError, match="'k' is under embedding already"):
        nnrun.check(config, of_mean)


def test_identifiers_are_refused_before_there_are_features(csv):
    """At the key that names them, with what to do."""
    rows = "id,n,y\n" + "".join(f"r{i},{i % 7},{i % 3}\n" for i in range(1500))
    for settings, key in (
        ({"one_hot": ["n", "id"]}, ("categorical", 1)),
        ({"embedding": {"id": (4, None)}}, ("embedding", "id")),
    ):
        with pytest.raises(DatasetProblem, match="'id' has 1,500 different values in 1,5") as error:
            read_csv(
                csv(rows), "y", categories=CategorySettings(**settings), task="regression",
                drop=() if "one_hot" in settings else ["n"],
            )  # fmt: skip
        assert ("dataset", "columns", *key) == error.value.key


def test_numbers_of_categories_are_left_alone(csv, config):
    """Scaling has the features around them."""
    from nnrun.data.preprocessing import Preprocessing

    rows = "k,a,y\n" + "".join(f"c{i % 5},{i},{i % 3}\n" for i in range(20))
    categories = CategorySettings(embedding={"k": (2, None)})
    data = read_csv(csv(rows), "y", categories=categories, task="regression")
    for step in ("standard", "minmax"):
        ready = Preprocessing([step], "none", data.layout).fit(data.x, data.y).transform_x(data.x)
        assert data.x[:, 0].tolist() == ready[:, 0].tolist()
        assert abs(ready[:, 1]).max() < 2
    with pytest.raises(DatasetProblem, match=r"features\[1\]: 'l2' would change the number"):
        Preprocessing(["standard", "l2"], "none", data.layout)


def test_a_column_that_is_all_rare_is_one_category(csv):
    """Then it says nothing, and is no error."""
    data, split = divided(csv, one_hot=["k"], min_count=10)
    assert ("k=(other)",) == data.feature_names
    assert [[1.0]] * 8 == [*split.train.x.tolist(), *split.test.x.tolist()]
    assert (1,) == data.layout.shape


# Means of the target in place of categories, fitted within folds.

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
