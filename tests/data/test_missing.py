"""Missing values in tables: refused, left out, or filled in; and cells and files that are messy."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.columns.date_formats import DateFormat
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.dataset import DatasetProblem
from nnrun.data.encodings import checked_encoding
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.table_rows import table_rows
from nnrun.data.layout import Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.splits import load_dataset, make_split
from nnrun.data.steps import Impute, Numbers
from nnrun.errors import ConfigError, DataError
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


# Messy cells and files that a config says: missing words, lists of formats, encodings.

ROWS = ["fläche;ort;miete", "83,6 m²;Köln;900", "k.A.;Ulm;700", "-999;Köln;650", "50;-999.0;500"]
KEYS = {
    "missing_values": {"": ["k.a.", "-999"]},
    "missing": {"impute": "median"},
    "decimal": ",",
    "task": "regression",
}
COLUMNS = {
    "target": "miete",
    "categorical": ["ort"],
    "formats": {"fläche": ["83,6 m²", "83,7"]},
}


@pytest.fixture
def loaded(tmp_path):
    """The data of rows in an encoding, under these keys."""

    def load(rows=ROWS, columns=COLUMNS, encoding="utf-8", **keys):
        path = tmp_path / "flats.csv"
        path.write_bytes("\n".join(rows).encode(encoding))
        block = {"path": str(path), "columns": columns, "test_size": 0, **KEYS, **keys}
        block["encoding"] = encoding
        return load_dataset(DatasetConfig.model_validate(block))

    return load


def expected_of(data):
    return data.x[:, 0].tolist(), data.columns.categories["ort"]


def test_words_for_missing_values_are_missing_in_every_column(loaded):
    """In any case; a number by its value, among categories too; no unit is needed by a list."""
    area, towns = expected_of(loaded(columns=COLUMNS, decimal="."))
    assert [83.6, 50.0] == [value for value in area if value > 0]
    assert ("Köln", "Ulm", "") == towns


def test_words_may_be_of_one_column(loaded):
    """Others have them as they stand."""
    data = loaded(missing_values={"fläche": ["k.A.", "-999"]}, decimal=".")
    assert ("-999.0", "Köln", "Ulm") == data.columns.categories["ort"]


def test_numbers_that_are_read_at_once_are_missing_likewise(loaded):
    """Rows of the common form, with targets that are left out and features that are filled in."""
    rows = ["a;y", *(f"{row};{row % 3}" for row in range(6)), "-999.0;1", "7;-999", "-9.99e2;2"]
    columns = {"target": "y", "missing": {"y": "drop_rows"}}
    data = loaded(rows, columns=columns, decimal=".")
    assert [0, 1, 2, 3, 4, 5] == data.x[:6, 0].tolist()
    assert (8, True) == (len(data.y), bool(np.isnan(data.x[6:, 0]).all()))


def test_a_missing_word_is_named_where_no_rule_is_there(loaded):
    """The mistake says the word and what helps."""
    with pytest.raises(DataError, match=r"'k\.A\.' stands for a missing value.*drop_rows"):
        loaded(missing="error")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig", "latin-1", "iso8859-15"])
def test_a_file_is_read_by_its_encoding(loaded, tmp_path, encoding):
    """Training and new rows, after a layout has been stored, and the digest is that of the file."""
    data, plain = loaded(encoding=encoding), loaded()
    loaded(encoding=encoding)
    np.testing.assert_array_equal(plain.x, data.x)
    layout = Layout.from_dict(json.loads(json.dumps(data.layout.to_dict())))
    with open_rows(tmp_path / "flats.csv", layout) as rows:
        (batch,) = rows.batches(100)
    np.testing.assert_array_equal(data.x, batch.x)


def test_tables_in_memory_have_the_same_words(loaded):
    """Texts and numbers of a table of pandas."""
    layout = loaded(decimal=".").layout
    frame = pd.DataFrame({"fläche": [50, -999], "ort": ["Ulm", "K.A."]})
    ulm, nothing = table_rows(frame, layout)
    assert (50.0, True) == (ulm[0], bool(np.isnan(nothing[0])))
    assert 1.0 == nothing[1:][layout.columns.categories["ort"].index("")]


def test_what_is_put_aside_has_the_encoding_of_the_file(loaded, tmp_path):
    """So that it can be predicted once it is mended."""
    layout = loaded(encoding="cp1252").layout
    path, aside = tmp_path / "new.csv", io.BytesIO()
    path.write_bytes("fläche;ort\n50;Köln\nviel;Köln\n".encode("cp1252"))
    with open_rows(path, layout, aside=aside) as rows:
        assert [1] == [len(batch) for batch in rows.batches(10)]
    assert "viel;Köln" in aside.getvalue().decode("cp1252")


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"a;y\n1;2\n\xe4;3\n", None, r":3: is not UTF-8 text: byte 0xe4; .*`encoding: cp1252`"),
        ("a;y\n1;2\n".encode("utf-16"), None, r":1: is not UTF-8 text.*`encoding: utf-16`"),
        (b"a;y\n1;2\n\x81;3\n", None, r":3: is not UTF-8 text: byte 0x81; save the file as UTF-8$"),
        (b"a;y\n1;2\n\x81;3\n", "cp1252", r":3: is not cp1252 text: byte 0x81"),
        (b"a;y\n1;\\ud800\n", "unicode_escape", r":1: is not unicode-escape text"),
    ],
)
def test_bytes_of_another_encoding_are_named_with_their_line(tmp_path, content, encoding, said):
    """And the key that says the likeliest one, which is never taken unasked."""
    (tmp_path / "t.csv").write_bytes(content)
    block = {"path": str(tmp_path / "t.csv"), "columns": {"target": "y"}, "task": "regression"}
    block |= {"encoding": encoding} if encoding else {}
    with pytest.raises(DataError, match=said):
        load_dataset(DatasetConfig.model_validate(block))


@pytest.mark.parametrize(
    "name", ["rot13", "zlib", "hex", "punycode", "idna", "undefined", "klingon", ""]
)
def test_what_is_no_encoding_of_text_is_refused(name):
    """So is what has other bytes when it is read piece by piece."""
    with pytest.raises(ValueError, match="is no encoding of text"):
        checked_encoding(name)


HEAD = "dataset: {{path: a.csv, columns: {{target: y, formats: {}}}, {}}}\n"
REST = "network: {sizes: [1], activations: [linear]}\nloss: mean_squared\n"
REST += "training: {learning_rate: 0.1, epochs: 1, batch_size: 1}\n"


@pytest.mark.parametrize(
    ("formats", "key", "said"),
    [
        ("{}", "encoding: rot13", "dataset.encoding: 'rot13' is not an encoding of text"),
        ("{}", 'missing_values: [""]', "missing_values.*a blank cell is missing anyway"),
        ("{}", "missing_values: []", "missing_values: the list is empty"),
        ("{}", "missing_values: [true]", "missing_values.*write it in quotes"),
        ("{}", f"missing_values: [{'x' * 101}]", "at most 100 characters"),
        ("{a: []}", "task: regression", "formats.a: the list is empty"),
        ("{a: [12 kg, 31.12.2024]}", "task: regression", "some of these are numbers, and some"),
        ("{a: [12 kg, kg]}", "task: regression", r"formats.a\[1\]: .* shows no number"),
        ("{a: [" + "1 kg, " * 9 + "]}", "task: regression", "at most 8 formats"),
    ],
)
def test_wrong_values_are_refused_at_their_place(tmp_path, formats, key, said):
    """With what would be right."""
    path = tmp_path / "c.yaml"
    path.write_text(HEAD.format(formats, key) + REST)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert re.search(said, str(error.value)), error.value


def test_the_first_format_that_fits_reads_a_cell():
    """Of numbers and of dates, and what a model stores of them is the same again."""
    form = NumberFormat.from_example(["1.234,50 €", "1.234,50", "12 kg"], ",")
    assert [1500, 1500, 3, None] == [*map(form.read, ("1.500 €", "1.500", "3 kg", "3 m"))]
    assert form == NumberFormat.from_example(form.stored())
    dates = DateFormat.from_example(["31.12.2024", "2024-12-31"])
    assert dates.read("01.02.2024") == dates.read("2024-02-01")
    assert dates == DateFormat.restored(dates.stored())
