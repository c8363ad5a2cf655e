"""CSV files: what is read, and where every mistake in one is."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnrun.data.dataset import DatasetProblem
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.table_rows import table_rows
from nnrun.data.readers.text_lines import CsvTable
from nnrun.errors import DataError, NnrunError
from nnrun.systems import system
from tests.data.tables import CategorySettings, load_features, read_csv


def messages(error):
    """The lines of an error without the folder of the file."""
    return [line.rpartition("/")[2] for line in str(error.value).splitlines()]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('"size\nm2";price', ("size\nm2", "price")),
        ('a;"price\r\n$";c', ("a", "price\n$", "c")),
        ('"one, two\nor\nthree, four"\tprice', ("one, two\nor\nthree, four", "price")),
        ('"a, b, c";"d, e"', ("a, b, c", "d, e")),
        ('5" pipe,price', ('5" pipe', "price")),
        ("area|price of it\n1|2", ("area", "price of it")),
        ('"a"|"c"|"y"\n\n1|2|"3"', ("a", "c", "y")),
        ("a:c:y\n1:2:3", ("a", "c", "y")),
        ("time:s  y\n3  4", ("time:s", "y")),
        ("living area\n50", ("living area",)),
        ("median living area,price\n5 6,7", ("median living area", "price")),
    ],
)
def test_the_separator_shows_in_the_whole_header(csv, header, names):
    """Line breaks and commas within quotes hide nothing."""
    with csv(f"{header}\n".encode()).open("rb") as file:
        assert names == tuple(n.replace("\r\n", "\n") for n in CsvTable(Path("x"), file).header)


def test_a_header_that_cannot_be_read_asks_for_the_separator(csv):
    """By the name of the key."""
    hint = r"; if its columns are not separated by ',', name their sign with `separator`$"
    with pytest.raises(DataError, match=r"houses.csv:1: is no CSV from here on: .*" + hint):
        read_csv(csv('"a"^"b"\n1^2\n'), "b", task="regression")


@pytest.mark.parametrize("sign", ["|", ":", " "])
def test_rarer_separators_are_found(csv, sign):
    """In the header with the first row, for data as for new rows."""
    path = csv('"a",c,y\n1,"2",3\n4,5,6\n'.replace(",", sign))
    data = read_csv(path, "y", task="regression")
    assert [[1, 2], [4, 5]] == data.x.tolist()
    assert [[1, 2], [4, 5]] == load_features(path, data.layout).tolist()


def test_names_of_columns_stay_on_their_line(csv):
    """Control characters in them are written out wherever a message names them."""
    with pytest.raises(DataError) as error:
        read_csv(csv('"a\n\x1b[31m",y\n"re\td",1\n'), "y", task="regression")
    assert r"houses.csv:3:a\n\x1b[31m: 're\td' is not a number;" in messages(error)[0]
    with pytest.raises(DatasetProblem) as problem:
        read_csv(csv('"a\nb",y\n1,1\n'), "a\nc", task="regression")
    assert r"there is no column 'a\nc'; did you mean 'a\nb'" in str(problem.value)
    layout = read_csv(csv('"a\nb",y\n1,1\n'), "y", task="regression").layout
    with pytest.raises(DataError) as error:
        load_features(csv('"a\nc"\n1\n'), layout)
    assert r"houses.csv:1: there is no column 'a\nb'; did you mean 'a\nc'?" == messages(error)[0]


def test_numbers_columns_and_target(csv):
    """Features keep the file's order without the target; the digest is that of the file."""
    path = csv("rooms,price,age\n3,250.5,1e1\n4,300,-2\n")
    data = read_csv(path, "price", task="regression")
    assert [[3, 10], [4, -2]] == data.x.tolist()
    assert [[250.5], [300]] == data.y.tolist()
    assert ("rooms", "age") == data.feature_names
    assert ("price",) == data.target_names
    assert hashlib.sha256(path.read_bytes()).hexdigest() == data.sha256
    assert "houses" == data.name


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_dialects_of_csv_are_read_alike(csv, delimiter, mark, ending):
    """Comma, semicolon and tab, with and without BOM, all line ends, blank last lines."""
    lines = ["a,größe,b", "1, 2 ,3", '"4", "5",6', "", ""]
    text = ending.join(lines).replace(",", delimiter)
    data = read_csv(csv(mark + text.encode()), "b", task="regression")
    assert ("a", "größe") == data.feature_names
    assert [[1, 2], [4, 5]] == data.x.tolist()


def test_categories_are_one_hot_in_sorted_order(csv):
    """A categorical column becomes a 0/1 feature per category, in the column's place."""
    path = csv("size,colour,price\n1,red,5\n2,blue,6\n3,red,7\n")
    data = read_csv(path, "price", categories=CategorySettings(["colour"]), task="regression")
    assert ("size", "colour=blue", "colour=red") == data.feature_names
    assert [[1, 0, 1], [2, 1, 0], [3, 0, 1]] == data.x.tolist()


def test_text_target_means_classes_in_sorted_order(csv):
    """A target of text needs no `task`; class numbers follow the alphabet."""
    data = read_csv(csv("x,kind\n1,pear\n2,apple\n3,pear\n"), "kind")
    assert "classification" == data.task
    assert ("apple", "pear") == data.classes
    assert [1, 0, 1] == data.y.tolist()
    assert np.int64 == data.y.dtype


def test_number_labels_are_sorted_as_numbers(csv):
    """10 comes after 9, and 2, 2.0 and 2e0 are one class."""
    data = read_csv(csv("x,k\n1,10\n2,9\n3,2.0\n4,2e0\n5,2\n"), "k", task="classification")
    assert ("2", "9", "10") == data.classes
    assert [2, 1, 0, 0, 0] == data.y.tolist()


def test_labels_with_zeros_in_front_are_codes(csv):
    """007 and 7 are two classes; where one label is a code, all are texts. 0 and 0.5 are none."""
    data = read_csv(csv("x,k\n1,7\n2,007\n3,10\n4,7.0\n"), "k", task="classification")
    assert ("007", "10", "7", "7.0") == data.classes
    assert [2, 0, 1, 3] == data.y.tolist()
    data = read_csv(csv("x,k\n1,0\n2,0.5\n3,-0.5\n4,0.0\n"), "k", task="classification")
    assert ("-0.5", "0", "0.5") == data.classes


def test_target_of_numbers_needs_a_task(csv):
    """Numbers can be values or labels; where nothing says which, the caret is at `columns`."""
    with pytest.raises(DatasetProblem, match=r"dataset\.columns: 'k' holds numbers") as error:
        read_csv(csv("x,k\n1,0\n2,1\n"), "k")
    assert ("dataset", "columns") == error.value.key
    assert "`task: regression` or `task: classification`" in str(error.value)


def test_features_and_drop_choose_columns(csv):
    """`features` gives the order, `drop` the rest; dropped columns may hold anything."""
    path = csv("a,b,c,id,y\n1,2,3,x7,9\n4,5,6,,8\n")
    assert [[3, 1], [6, 4]] == read_csv(
        path, "y", features=["c", "a"], task="regression"
    ).x.tolist()
    data = read_csv(path, "y", drop=["id", "b"], task="regression")
    assert ("a", "c") == data.feature_names


def test_every_wrong_cell_is_named_with_line_and_column(csv):
    """Text, blanks, NaN, infinities, missing values and ragged rows come in one error."""
    text = "a,b,y\n1,2,3\nred,,nan\n1,2\n1,NA,-inf\n1,2,3,4\n1_000,1,1\n"
    with pytest.raises(DataError) as error:
        read_csv(csv(text), "y", task="regression")
    assert [
        "houses.csv:3:a: 'red' is not a number; columns.categorical one-hot encodes a text column, "
        "columns.drop leaves it out",
        "houses.csv:3:b: the cell is blank (1 more like it in this column); `missing: drop_rows` "
        "leaves such rows out, `missing: {impute: median}` fills them in",
        "houses.csv:3:y: 'nan' stands for a missing value; `columns: {missing: {y: drop_rows}}` "
        "leaves such rows out, no target is filled in",
        "houses.csv:4: has 2 cells where the header has 3",
        "houses.csv:5:y: '-inf' is not a finite number",
        "houses.csv:6: has 4 cells where the header has 3",
        "houses.csv:7:a: '1_000' is not a number: write 1000, without '_'",
    ] == messages(error)


def test_line_numbers_count_lines_of_the_file(csv):
    """Blank lines and line breaks inside quotes count, since an editor counts them too."""
    text = 'a,note,y\n1,"two\nlines",2\n\nred,x,1\n'
    with pytest.raises(DataError, match=r"houses.csv:5:a: 'red' is not a number"):
        read_csv(csv(text), "y", drop=["note"], task="regression")


def test_a_wrong_column_does_not_hide_the_others(csv):
    """A mistake that all rows of a column have is one line, with how many there are."""
    rows = "".join(f"red,{'' if line == 90 else 1},1\n" for line in range(100))
    with pytest.raises(DataError) as error:
        read_csv(csv("a,b,y\n" + rows), "y", task="regression")
    found = messages(error)
    assert ["houses.csv:2:a", "houses.csv:92:b"] == [line.partition(": ")[0] for line in found]
    assert "'red' is not a number (99 more like it in this column); " in found[0]


def test_twenty_mistakes_are_reported(csv):
    """Of mistakes that differ; the rest is counted."""
    header = ",".join(f"c{i}" for i in range(30))
    with pytest.raises(DataError) as error:
        read_csv(csv(f"{header},y\n{'red,' * 30}1\n{'red,' * 30}1\n"), "y", task="regression")
    found = messages(error)
    assert 21 == len(found)
    assert "houses.csv: and 20 more like these" == found[-1]


def test_unknown_columns_are_all_reported_with_their_keys(csv):
    """Target, features, drop and categorical are checked together, near misses suggested."""
    with pytest.raises(DatasetProblem) as error:
        read_csv(
            csv("rooms,age,price\n1,2,3\n"),
            "prise",
            features=["room", "age", "age"],
            drop=["agee"],
            categories=CategorySettings(["xyz"]),
        )
    assert [
        ("dataset", "columns", "target"),
        ("dataset", "columns", "features", 0),
        ("dataset", "columns", "features", 2),
        ("dataset", "columns", "drop", 0),
        ("dataset", "columns", "categorical", 0),
    ] == [key for key, _ in error.value.problems]
    assert "dataset.columns.features[0]: there is no column 'room'; did you mean 'rooms'?" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"features": ["a", "y"]}, r"dataset.columns.features\[1\]: 'y' is the target"),
        ({"drop": ["y"]}, r"dataset.columns.drop\[0\]: 'y' is the target"),
        ({"drop": ["a"], "features": ["a"]}, r"features\[0\]: 'a' is also under drop"),
        (
            {"categories": CategorySettings(["b"]), "features": ["a"]},
            "'b' is not among the features",
        ),
        (
            {"categories": CategorySettings(embedding={"b": (2, None)}), "drop": ["b"]},
            "dataset.columns.embedding.b: 'b' is also under drop",
        ),
        ({"drop": ["a", "b"]}, "dataset.columns: no features are left"),
    ],
)
def test_contradictions_between_columns(csv, columns, message):
    """A column has one role, and something has to be left to learn from."""
    with pytest.raises(DatasetProblem, match=message):
        read_csv(csv("a,b,y\n1,2,3\n"), "y", **columns)


def test_decimal_commas_are_explained(csv):
    """A semicolon file with decimal commas is common; the message says what to write."""
    with pytest.raises(
        DataError, match=r":2:a: '1,5' is no plain number; .* `decimal: ','` beside"
    ):
        read_csv(csv("a;y\n1,5;2\n"), "y", task="regression")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,a\n2,a\n", "column y has one class only, 'a'"),
        ("1,1\n2,nan\n3,2\n", r"houses.csv:3:y: 'nan' stands for a missing value"),
        ("1,1\n2,inf\n3,2\n", r"houses.csv:3:y: 'inf' is not a finite number"),
        ("1,a\n2,\n", "houses.csv:3:y: the cell is blank"),
        ("".join(f"1,{i}.5\n" for i in range(40)), "40 different values in 40 rows"),
    ],
)
def test_labels_that_cannot_be_learned(csv, rows, message):
    """One class, missing labels, or nearly a class per row are refused."""
    with pytest.raises(DataError, match=message):
        read_csv(csv("x,y\n" + rows), "y", task="classification")


def test_new_rows_are_encoded_as_in_training(csv):
    """Columns are found by name, others are ignored, categories keep their places."""
    layout = read_csv(
        csv("size,colour,price\n1,red,5\n2,blue,6\n3,green,7\n"),
        "price",
        categories=CategorySettings(["colour"]),
        task="regression",
    ).layout
    new = csv("extra,colour,size\nzzz,green,9\n,blue,8\n")
    assert [[9, 0, 1, 0], [8, 1, 0, 0]] == load_features(new, layout).tolist()


def test_categories_that_are_numbers_are_compared_by_value(csv):
    """A column of 1, 2 written as 1.0, 2.0 in the new file is the same column."""
    layout = read_csv(
        csv("k,y\n10,1\n2,1\n"), "y", categories=CategorySettings(["k"]), task="regression"
    ).layout
    assert {"k": ("2", "10")} == layout.columns.categories
    assert [[0, 1]] == load_features(csv("k\n10.0\n"), layout).tolist()


def test_categories_with_decimal_commas_are_compared_by_value(csv):
    """1,5 and 1,50 are one category and one class, in a file and in a table in memory."""
    rows = csv("k;y\n1,5;1,5\n1,50;2\n2,5;1,50\n")
    data = read_csv(
        rows, "y", categories=CategorySettings(["k"]), task="classification", decimal=","
    )
    assert {"k": ("1.5", "2.5")} == data.layout.columns.categories
    assert (("1.5", "2"), [0, 1, 0]) == (data.classes, data.y.tolist())
    expected = [[1, 0], [0, 1]]
    assert expected == load_features(csv("k;z\n1,500;0\n2,5;0\n"), data.layout).tolist()
    for column in ([1.5, 2.5], ["1,50", "2.5"]):
        frame = pd.DataFrame({"k": column})
        assert expected == table_rows(frame, data.layout).tolist()


def test_categories_of_text_are_compared_as_text(csv):
    """One word among 1, 7 and 007 makes them texts, for new rows as in training."""
    rows = csv("k,y\n1,1\n7,2\nx,3\n007,4\n")
    categories = CategorySettings(["k"], unknown="error")
    layout = read_csv(rows, "y", categories=categories, task="regression").layout
    (column,) = layout.columns
    assert (False, ("007", "1", "7", "x")) == (column.by_value, column.known)
    assert [[1, 0, 0, 0], [0, 0, 1, 0]] == load_features(csv("k\n007\n7\n"), layout).tolist()
    with pytest.raises(DataError, match=r"2:k: '7.0' is none of the categories in training"):
        load_features(csv("k\n7.0\n"), layout)


def test_new_rows_with_unknown_categories_or_columns_are_refused(csv):
    """Prediction on what training never saw would be a guess."""
    layout = read_csv(
        csv("size,colour,y\n1,red,5\n2,blue,6\n"),
        "y",
        categories=CategorySettings(["colour"], unknown="error"),
        task="regression",
    ).layout
    with pytest.raises(DataError, match="3:colour: 'pink' is none of the categories in training"):
        load_features(csv("size,colour\n1,red\n1,pink\n"), layout)
    with pytest.raises(DataError, match="no column 'colour'; did you mean 'color'"):
        load_features(csv("size,color\n1,red\n"), layout)


def test_an_unknown_class_is_none_of_the_classes(csv):
    """Where new rows have a target; only features have categories."""
    layout = read_csv(csv("a,y\n1,p\n2,q\n"), "y").layout
    expected = r"3:y: 'z' is none of the classes in training: p, q$"
    with (
        open_rows(csv("a,y\n1,p\n2,z\n"), layout, with_target=True) as rows,
        pytest.raises(DataError, match=expected),
    ):
        list(rows.batches(10))


def test_a_blank_cell_is_named_among_the_categories(csv):
    """Where it is one of its own, as no other word would say."""
    rows = csv("colour,y\nred,5\n,6\n")
    layout = read_csv(
        rows,
        "y",
        categories=CategorySettings(["colour"], unknown="error"),
        task="regression",
        missing="impute",
    ).layout
    with pytest.raises(DataError, match=r"in training: red, a blank cell$"):
        load_features(csv("colour\npink\n"), layout)


def test_missing_files_and_failing_disks_have_messages_of_their_own(tmp_path, monkeypatch):
    """A wrong path is the user's mistake (2), a folder in place of a file too; not the disk's."""
    with pytest.raises(DataError, match="does not exist"):
        read_csv(tmp_path / "none.csv", "y")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_csv(tmp_path / "folder.csv", "y")
    looped = tmp_path / "loop.csv"
    looped.symlink_to(looped)
    with pytest.raises(DataError, match="is a link that leads to itself"):
        read_csv(looped, "y")
    (tmp_path / "sound.csv").write_text("a,y\n1,2\n")
    monkeypatch.setattr(system, "open_at_once", _failing_disk)
    with pytest.raises(NnrunError, match="cannot be read: Input/output error") as error:
        read_csv(tmp_path / "sound.csv", "y")
    assert 1 == error.value.exit_code


def _failing_disk(path, flags):
    raise OSError(errno.EIO, "Input/output error")
