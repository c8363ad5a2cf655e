"""Missing values in tables: refused, left out, or filled in by the training split alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import DatasetProblem
from nnrun.data.layout import Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.splits import load_dataset, make_split
from nnrun.data.steps import Impute, Numbers
from nnrun.errors import DataError
from tests.data.tables import CategorySettings, load_features, read_csv

TABLE = "age,town,price\n1,A,10\n,B,20\n3,,30\nNA,A,40\n8,B,50\n8,A,60\n"


@pytest.fixture
def table(csv):
    """The data of a table under these keys, and the block that names it."""

    def load(content=TABLE, columns=None, **keys):
        block = DatasetConfig.model_validate(
            {
                "path": str(csv(content)),
                "columns": {"target": "price", "categorical": ["town"], **(columns or {})},
                "task": "regression",
                "test_size": 0,
                **keys,
            }
        )
        return load_dataset(block), block

    return load


def fitted(data, block):
    return Preprocessing.for_dataset(data, block).fit(data.x, data.y)


def test_missing_values_are_refused_with_the_words_that_help(table):
    """One line for each column, with their number, and both ways out."""
    with pytest.raises(DataError) as error:
        table()
    ways = "`missing: drop_rows` leaves such rows out, `missing: {impute: median}` fills them in"
    own = "makes what is missing a category of its own"
    lines = [line.rpartition("/")[2] for line in str(error.value).splitlines()]
    assert [
        f"houses.csv:3:age: the cell is blank (1 more like it in this column); {ways}",
        f"houses.csv:4:town: the cell is blank; {ways.replace('fills them in', own)}",
    ] == lines


# What pandas.read_csv reads as NaN; None and - are names where they are no numbers.
WORDS = [
    *(
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
    ),
    *("N/A", "NA", "NULL", "NaN", "n/a", "nan", "null", "NaT", "?"),
]


@pytest.mark.parametrize("word", WORDS)
def test_words_for_what_is_missing_are_seen_in_labels(table, csv, word):
    """In categories and classes they are not labels but mistakes, reported like blank cells."""
    with pytest.raises(DataError) as error:
        table(f"age,town,price\n1,A,10\n2,{word},20\n3,B,30\n4,{word},40\n")
    ways = (
        "`missing: drop_rows` leaves such rows out, `missing: {impute: median}` makes what is "
        "missing a category of its own"
    )
    text = f".csv:3:town: '{word}' stands for a missing value (1 more like it in this column)"
    assert f"{text}; {ways}" == str(error.value).rpartition("/houses")[2]
    with pytest.raises(DataError, match=r"houses.csv:3:y: '.*' stands for a missing value; `col"):
        read_csv(csv(f"x,y\n1,p\n2,{word}\n3,q\n"), "y")
    classes = read_csv(csv(f"x,y\n1,p\n2,{word}\n3,q\n"), "y", missing="drop_rows").classes
    assert ("p", "q") == classes


@pytest.mark.parametrize("word", [*WORDS, "None", "-", "."])
def test_words_for_what_is_missing_are_seen_in_numbers(csv, word):
    """All that labels know, and two more that may be the name of a category."""
    rows = csv(f"a,k,y\n1,p,1\n{word},p,2\n3,p,3\n")
    data = read_csv(
        rows, "y", categories=CategorySettings(["k"]), task="regression", missing="median"
    )
    assert [True] == np.isnan(data.x[1:2, 0]).tolist()


@pytest.mark.parametrize("name", ["None", "none", "-", "."])
def test_names_of_categories_and_classes_are_kept(csv, name):
    """Where they may stand for nothing, but need not."""
    data = read_csv(csv(f"k,y\n{name},{name}\nx,x\n"), "y", categories=CategorySettings(["k"]))
    assert (name, "x") == data.classes == data.layout.columns.categories["k"]


def test_rows_can_be_left_out(table):
    """Wherever a column that is used has nothing; the description counts them."""
    data, _ = table(missing="drop_rows")
    assert [[1, 1, 0], [8, 0, 1], [8, 1, 0]] == data.x.tolist()
    assert [[10], [50], [60]] == data.y.tolist()
    assert "3 rows (3 more left out for missing values)" in data.description
    unused, _ = table(columns={"drop": ["age"], "categorical": ["town"]}, missing="drop_rows")
    assert 5 == len(unused.x)


@pytest.mark.parametrize(
    ("statistic", "expected"), [("mean", 5), ("median", 5.5), ("most_frequent", 8)]
)
def test_numbers_are_filled_in(table, statistic, expected):
    """By the mean, the median or the most frequent of the values there are: 1, 3, 8, 8."""
    data, block = table(missing={"impute": statistic})
    assert [1, 3] == np.flatnonzero(np.isnan(data.x[:, 0])).tolist()
    ready = fitted(data, block).transform_x(data.x)
    assert [1, expected, 3, expected, 8, 8] == ready[:, 0].tolist()


def test_of_equally_frequent_values_the_smallest_is_filled_in():
    """So that the order of rows does not matter."""
    step = Impute({0: "most_frequent"})
    step.fit(Numbers(np.array([[3.0], [np.nan], [2.0], [3.0], [2.0]])))
    assert [2.0] == step.fill.tolist()


def test_a_missing_category_is_one_of_its_own(table):
    """The last one, whatever statistic fills in numbers."""
    data, _ = table(missing={"impute": "mean"})
    assert ("age", "town=A", "town=B", "town=(missing)") == data.feature_names
    assert [0, 0, 1] == data.x[2, 1:].tolist()


def test_categories_that_are_numbers_stay_numbers(table):
    """A blank among 2, 10 and 2.0 does not make them text."""
    data, _ = table("k,town,price\n10,A,1\n2,A,2\n,B,3\n2.0,B,4\n",
                    {"categorical": ["k", "town"]}, missing={"impute": "mean"})  # fmt: skip
    assert ("k=2", "k=10", "k=(missing)") == data.feature_names[:3]


def test_statistics_come_from_the_training_split_alone(table):
    """A value of the test split that would change the mean does not."""
    rows = "".join(f"{value},A,1\n" for value in [1, 2, 3, 4, 1000] * 20)
    data, block = table("age,town,price\n" + rows + ",B,1\n", test_size=0.3,
                        missing={"impute": "mean"})  # fmt: skip
    split = make_split(data, block, np.random.default_rng(1))
    preprocessing = Preprocessing.for_dataset(data, block).fit(split.train.x, split.train.y)
    assert np.nanmean(split.train.x[:, 0]) == preprocessing.steps[0].fill[0]
    assert np.nanmean(data.x[:, 0]) != preprocessing.steps[0].fill[0]


def test_columns_may_have_rules_of_their_own(table):
    """They go before the rule of the table."""
    own = {"missing": {"age": "drop_rows", "town": {"impute": "mean"}}}
    data, _ = table(columns=own)
    assert [1, 3, 8, 8] == data.x[:, 0].tolist()
    assert "town=(missing)" in data.feature_names
    with pytest.raises(DatasetProblem, match=r"columns.missing.aeg: there is no column 'aeg'; did"):
        table(columns={"missing": {"aeg": "drop_rows"}}, missing={"impute": "mean"})


def test_a_target_is_never_filled_in(table):
    """Its rows are left out where that is said for it."""
    content = "age,town,price\n1,A,\n2,B,5\n,A,6\n"
    with pytest.raises(DataError, match=r"2:price: the cell is blank; `columns: {missing: {price:"):
        table(content, missing={"impute": "mean"})
    data, _ = table(content, {"missing": {"price": "drop_rows"}}, missing={"impute": "mean"})
    assert [[5], [6]] == data.y.tolist()


def test_a_column_without_values_is_reported(table):
    """Nothing can be filled in where the training split has nothing."""
    data, block = table("age,town,price\n,A,1\n,B,2\n", missing={"impute": "median"})
    message = r"dataset\.missing: column 'age' has no value in the training split"
    with pytest.raises(DatasetProblem, match=message):
        fitted(data, block)


def test_no_row_left_is_reported_at_the_key(table):
    """Leaving out all rows is a mistake, not an empty data set."""
    with pytest.raises(DatasetProblem, match=r"dataset\.missing: each of the 2 rows of houses.csv"):
        table("age,town,price\n,A,1\n,B,2\n", missing="drop_rows")


def test_it_is_stored_and_works_on_new_rows(table, csv):
    """Fillings come back from JSON bit for bit; new rows may miss what training filled in."""
    data, block = table(missing={"impute": "mean"}, features="standard")
    before = fitted(data, block)
    after = Preprocessing.from_dict(json.loads(json.dumps(before.to_dict())))
    assert before == after
    assert isinstance(after.layout, Layout)
    raw = load_features(csv("town,age\n,\nA,NA\nB,3\n"), after.layout)
    assert [[0, 0, 1], [1, 0, 0], [0, 1, 0]] == raw[:, 1:].tolist()
    ready = after.transform_x(raw)
    assert np.isfinite(ready).all()
    assert ready[0, 0] == ready[1, 0] == before.transform_x(data.x)[1, 0]


def test_new_rows_may_not_miss_what_training_had(table, csv):
    """What was refused or left out in training is refused."""
    data, _ = table(missing="drop_rows")
    with pytest.raises(DataError, match="3:age: the cell is blank; fill it in or leave the row"):
        load_features(csv("town,age\nA,1\nA,\n"), data.layout)


def test_the_text_of_a_file_is_read_as_it_is_said(table, csv):
    """Any separator, decimal commas; new rows are read the same way."""
    data, _ = table(
        "age|town|price\n1,5|A|10,25\n2|B|1\n", separator="|", decimal=",", missing="error"
    )
    assert [[1.5, 1, 0], [2, 0, 1]] == data.x.tolist()
    assert [[10.25], [1]] == data.y.tolist()
    layout = Layout.from_dict(json.loads(json.dumps(data.layout.to_dict())))
    assert [[0.5, 0, 1]] == load_features(csv("age|town\n0,5|B\n"), layout).tolist()


DAY = (
    "is not a number but a date; `dataset: {dates: {age: [month, weekday]}}` takes such parts of "
    "it, and `columns: {drop: [age]}` leaves it out"
)
FORMAT = 'is no plain number; `columns: {formats: {age: "%s"}}` reads such a column'


@pytest.mark.parametrize(
    ("cell", "keys", "message"),
    [
        ("1_000", {}, "is not a number: write 1000, without '_'"),
        ('"1,5"', {}, f"{FORMAT % '1,5'}, `decimal: ','` beside `path` a file of them"),
        ('"1,234.5"', {}, FORMAT % "1,234.5"),
        ("1 234.5", {}, FORMAT % "1 234.5"),
        ("$1234", {}, FORMAT % "$1234"),
        ('"1,234"', {}, "is no plain number: it may be 1.234 or 1234; `columns: {formats: {age: "
                        '"1234,50"}}` or "1,234.50" says which'),
        ("1.234", {"decimal": ","}, "is no plain number: it may be 1.234 or 1234; `columns: "
                                    '{formats: {age: "1234.50"}}` or "1.234,50" says which'),
        ("1;5", {}, "is not a number; is `separator: ';'` what separates the columns?"),
        ("new; red", {}, "is not a number; columns.categorical one-hot encodes a text column, "
                         "columns.drop leaves it out"),
        ("2024-01-31", {}, DAY),
        ("31.12.99", {}, DAY),
        ("2024-01-31T10:00:00", {}, DAY),
        ("10:30", {}, "is not a number but a time; columns.drop leaves the column out, or write it "
                      "as numbers"),
        ("12 kg", {}, FORMAT % "12 kg"),
        ("50%", {}, FORMAT % "50%"),
        ("inf", {}, "is not a finite number"),
        ("0j", {}, "is a complex number; write its real and its imaginary part as two columns"),
        ("red", {}, "is not a number; columns.categorical one-hot encodes a text column, "
                    "columns.drop leaves it out"),
    ],
)  # fmt: skip
def test_each_kind_of_cell_has_its_message(table, cell, keys, message):
    """What was seen, and the key that helps."""
    with pytest.raises(DataError) as error:
        table(f"age,town,price\n{cell},A,1\n", **keys)
    seen = cell.strip('"')
    assert f"houses.csv:2:age: '{seen}' {message}" == str(error.value).rpartition("/")[2]


@pytest.mark.parametrize(("sign", "name"), [("|", "|"), (" ", "space"), (":", ":")])
def test_a_header_of_one_column_asks_for_the_separator(table, sign, name):
    """Where the first row does not confirm it."""
    message = rf"columns\.target: there is no .* a single one, .* `separator: '{name}'`"
    content = "age,town,price\n1,2\n".replace(",", sign)
    if name == "|":
        message = message.replace("'|'", "'[|]'")
    with pytest.raises(DatasetProblem, match=message):
        table(content)
