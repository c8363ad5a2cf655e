"""`nnrun predict`: columns that are carried through, and rows that are put aside."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest
from pyarrow import parquet

from nnrun.api import load as load_run
from nnrun.cli.new_rows import _Terminal
from nnrun.data.inference.sources import read_carried
from nnrun.errors import DataError, UsageError
from tests.lab import write

ROWS = """\
key,size,colour,note\r
007,3,red,"a ""b"", c"\r
=1+1,1,blue,"two
lines"\r
,4.5,green,"  x"\r
"""
CARRIED = [["007", 'a "b", c'], ["=1+1", "two\nlines"], ["", "  x"]]
MIXED = """\
size,colour,key
3,red,a
x,red,b
1,blue,c
,mauve,d
2,red,e,f
4.5,green,g
"""


def table(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("way", ["stdout", "file", "stdin", "score"])
def test_columns_are_carried_through_unchanged(prices, lab, way):
    """In front of the predictions, in the order of the options, with all their characters."""
    rows = ROWS.replace("note", "note,price").replace('"\r', '",5\r') if way == "score" else ROWS
    Path("new.csv").write_bytes(rows.encode())
    words = ["predict", "prices", "-" if way == "stdin" else "new.csv", "--id", "key"]
    words += ["--id", "note", "--id", "key"] + ["--score"] * (way == "score")
    words += ["-o", "out.csv"] if way == "file" else []
    result = lab.ok(*words, stdin=rows.encode())
    assert "ignored" not in result.err
    header, *found = table(Path("out.csv").read_bytes() if way == "file" else result.out.encode())
    expected = prices.predict([[3, 0, 0, 1], [1, 1, 0, 0], [4.5, 0, 1, 0]]).tolist()
    assert ["key", "note", "prediction"] == header
    assert [
        [*carried, repr(value)] for carried, value in zip(CARRIED, expected, strict=True)
    ] == found


def test_only_columns_in_use_need_a_name_of_their_own(prices, lab):
    """As in files that pandas wrote with the numbers of rows, or with two columns of notes."""
    write("new.csv", ",note,size,note,colour\n0,a,3,b,red\n")
    result = lab("predict", "prices", "new.csv")
    assert repr(prices.predict([[3, 0, 0, 1]]).tolist()[0]) == result.out.splitlines()[1]
    assert "ignored, as in training: Unnamed: 0, note, note" in result.err
    assert "new.csv:1:note: 2 columns have" in lab.refused(
        "predict", "prices", "new.csv", "--id", "note"
    )
    write("new.csv", "size,size,colour\n3,3,red\n")
    assert 2 == lab("predict", "prices", "new.csv").code


def test_json_has_an_object_for_each_row(prices, lab):
    """One document on stdout, or an array in a file."""
    Path("new.csv").write_bytes(ROWS.encode())
    words = ("predict", "prices", "new.csv", "--id", "key", "--id", "note")
    document = lab.json(*words)
    expected = prices.predict([[3, 0, 0, 1], [1, 1, 0, 0], [4.5, 0, 1, 0]]).tolist()
    objects = [
        {"key": key, "note": note, "prediction": value}
        for (key, note), value in zip(CARRIED, expected, strict=True)
    ]
    assert (3, objects) == (document["rows"], document["predictions"])
    lab.ok(*words, "-o", "out.json")
    assert objects == json.loads(Path("out.json").read_text())
    write("none.csv", "size,colour\n")
    assert [] == lab.json("predict", "prices", "none.csv")["predictions"]


def test_arrays_are_carried_through(clothes, lab):
    """Numbers and texts, one for each row, to npz and to CSV; texts of CSV files to npz."""
    x = np.random.default_rng(1).normal(size=(3, 2, 3))
    np.savez("new.npz", x=x, number=[7, 8, 9], text=["a", "=b", "c,d"])
    words = ("predict", "clothes", "new.npz", "--id", "text", "--id", "number", "-o")
    lab.ok(*words, "out.npz")
    with np.load("out.npz") as out:
        assert ["text", "number", "prediction", "probability"] == list(out)
        assert (["a", "=b", "c,d"], [7, 8, 9]) == (out["text"].tolist(), out["number"].tolist())
        assert clothes.predict(x).tolist() == out["prediction"].tolist()
    lab.ok(*words, "out.csv")
    found = table(Path("out.csv").read_bytes())
    assert [["a", "7"], ["=b", "8"], ["c,d", "9"]] == [row[:2] for row in found[1:]]
    header = ",".join(["key", *clothes.layout.columns.features])
    write("new.csv", "\n".join([header, *(f"{'k' * (n // 99)},1,2,3,4,5,6" for n in range(6000))]))
    lab.ok("predict", "clothes", "new.csv", "--id", "key", "-o", "out.npz")
    with np.load("out.npz") as out:
        assert ["k" * (n // 99) for n in range(6000)] == out["key"].tolist()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--id", "kex"), "new.csv:1: there is no column 'kex' for --id; did you mean 'key'?"),
        (("--id", "prediction"), "--id prediction: the predictions have a column of this name"),
        (("--skip-bad", "new.csv"), "--skip-bad new.csv: is the input itself; name another file"),
        (("--skip-bad", "none/a.csv"), "--skip-bad none/a.csv: there is no folder none"),
        (("--skip-bad", "a.csv", "-o", "./a.csv"), "--skip-bad a.csv: predictions go there"),
        (("-o", "a.parquet"), "-o a.parquet: predictions are written as .csv, .json or .npz, by"),
        (("--skip-bad", "a.parquet"), "--skip-bad a.parquet: these rows are written as .csv\n"),
        (("--skip-bad", "a.tsv"), "--skip-bad a.tsv: these rows are written as .csv\n"),
    ],
)
def test_mistakes_are_reported(prices, lab, words, expected):
    """With exit code 2, and nothing is written."""
    write("new.csv", "key,size,colour,prediction\na,1,red,2\n")
    before = {*Path().iterdir()}
    assert expected in lab.refused("predict", "prices", "new.csv", *words)
    assert before == {*Path().iterdir()}


def test_arrays_that_are_no_columns_are_not_carried(clothes, lab):
    """With their shape, or the number of their rows."""
    np.savez("new.npz", x=np.zeros((3, 6)), wide=np.zeros((3, 2)), short=np.zeros(2))
    for name, expected in (
        ("wide", "new.npz: wide: is float64 of shape (3, 2), and no column for --id"),
        ("short", "new.npz: short: has 2 rows, x 3"),
        ("none", "new.npz: there is no column 'none' for --id (one of x, wide, short)"),
    ):
        result = lab("predict", "clothes", "new.npz", "--id", name, "-o", "out.npz")
        assert (2, False) == (result.code, Path("out.npz").exists())
        assert expected in result.err
    with pytest.raises(DataError, match="for --id \\(one of x, wide, short\\)"):
        read_carried(Path("new.npz"), ["none"], None)


def test_bad_rows_are_put_aside(prices, lab):
    """As they were, with line and reason; the others are predicted in order."""
    write("new.csv", MIXED)
    words = ("predict", "prices", "--id", "key", "--skip-bad", "bad.csv")
    result = lab.ok(*words, "new.csv")
    expected = prices.predict([[3, 0, 0, 1], [1, 1, 0, 0], [4.5, 0, 1, 0]]).tolist()
    assert [
        ["key", "prediction"],
        *([key, repr(value)] for key, value in zip("acg", expected, strict=True)),
    ] == table(result.out.encode())
    assert (
        "line,reason,size,colour,key\n"
        "3,\"size: 'x' is not a number\",x,red,b\n"
        "5,\"size: the cell is blank; colour: 'mauve' is none of the categories in training: "
        'blue, green, red",,mauve,d\n'
        '6,"has 4 cells where the header has 3",2,red,e,f\n'
    ) == Path("bad.csv").read_text()
    assert "new.csv:3:size: 'x' is not a number, as it was in training" in result.err
    assert "put aside 3 of 6 rows, in bad.csv" == result.err.splitlines()[-1]


def test_bad_rows_of_parquet_have_their_places(prices, lab):
    """The same as in the error without --skip-bad."""
    sizes = pa.array(["3", "x"])
    parquet.write_table(pa.table({"size": sizes, "colour": ["red", "red"]}), "new.parquet")
    expected = "new.parquet: row 2, column 'size': 'x' is not a number, as it was in training"
    assert expected in lab("predict", "prices", "new.parquet").err
    done = lab.ok("predict", "prices", "new.parquet", "--skip-bad", "bad.csv")
    assert expected in done.err


def test_rows_put_aside_can_be_mended_and_predicted(prices, lab):
    """They have the separator and the columns of the input."""
    write("new.csv", MIXED.replace(",", ";").replace("x;", '"x";').replace("key", "line"))
    lab.ok("predict", "prices", "new.csv", "--skip-bad", "bad.csv")
    text = Path("bad.csv").read_text()
    assert text.startswith("line_;reason;size;colour;line\n")
    assert '"x";red;b\n' in text
    write("bad.csv", text.replace('"x"', "2").replace(";;mauve", ";2;blue").replace(";e;f", ";e"))
    result = lab.ok("predict", "prices", "bad.csv", "--id", "line_", "--id", "line")
    found = [row[:2] for row in table(result.out.encode())[1:]]
    assert [["3", "b"], ["5", "d"], ["6", "e"]] == found


def test_rows_that_are_no_csv_are_put_aside(prices, lab):
    """A quote that never closes takes no other row with it, nor do bytes that are not UTF-8."""
    lines = [b"size,colour,key", b"3,red,a", b'1,"blue,b', b'"1"2,blue,b', b"1,blue,c\xe9",
             b'2,red,"', b'"', b"4.5,green,d"]  # fmt: skip
    Path("new.csv").write_bytes(b"\n".join(lines))
    result = lab.ok("predict", "prices", "new.csv", "--id", "key", "--skip-bad", "bad.csv")
    assert ["a", "\n", "d"] == [row[0] for row in table(result.out.encode())[1:]]
    header, *found = Path("bad.csv").read_bytes().splitlines()
    assert b"line,reason,size,colour,key" == header
    for line, text, put_aside in zip("345", lines[2:], found, strict=False):
        assert put_aside.startswith(f'{line},"is '.encode())
        assert put_aside.endswith(b'",' + text)
    assert 3 == len(found)
    assert "new.csv:5: is not UTF-8 text: byte 0xe9" in result.err
    assert "put aside 3 of 6 rows" in result.err


def test_good_rows_have_the_same_bits(prices, lab):
    """As without the bad rows between them, in files of several batches."""
    rng = np.random.default_rng(0)
    good = [f"{value!r},red" for value in rng.normal(5, 3, 9000).tolist()]
    write("good.csv", "\n".join(["size,colour", *good]) + "\n")
    mixed = [line for row in good for line in ([row, "x,red"] if rng.random() < 0.3 else [row])]
    write("mixed.csv", "\n".join(["size,colour", *mixed]) + "\n")
    expected = lab("predict", "prices", "good.csv").out
    assert expected == lab("predict", "prices", "mixed.csv", "--skip-bad", "bad.csv").out


@pytest.mark.parametrize("rows", ["", "x,red\n,blue\n"])
def test_without_a_good_row_nothing_is_written(prices, lab, rows):
    """Exit code 2 with what is wrong; but a file without rows has no mistakes."""
    write("new.csv", "size,colour\n" + rows)
    write("bad.csv", "before")
    result = lab("predict", "prices", "new.csv", "--skip-bad", "bad.csv", "-o", "out.csv")
    if not rows:
        assert (0, "prediction\n") == (result.code, Path("out.csv").read_text())
        assert "line,reason,size,colour\n" == Path("bad.csv").read_text()
        return
    assert (2, False) == (result.code, Path("out.csv").exists())
    assert "no row is left to predict: all 2 have mistakes" in result.err
    assert "before" == Path("bad.csv").read_text()


def test_scores_are_of_good_rows(prices, lab):
    """A row without a target is bad as well."""
    write("new.csv", "size,colour,price\n3,red,7\n1,blue,\n2,blue,6.5\n")
    words = ("predict", "prices", "new.csv", "--score", "--skip-bad", "bad.csv", "--json")
    document = lab(*words).json
    assert (2, 1) == (document["rows"], document["skipped"])
    write("good.csv", "size,colour,price\n3,red,7\n2,blue,6.5\n")
    expected = lab.json("predict", "prices", "good.csv", "--score")
    assert expected["score"] == document["score"]
    assert "price: the cell is blank" in Path("bad.csv").read_text()


def test_bad_rows_of_arrays_are_put_aside(clothes, lab):
    """In an archive, with their number and the reason."""
    x = np.random.default_rng(1).normal(size=(9000, 6))
    x[[5, 4100, 4101], 2] = np.nan
    np.savez("new.npz", x=x, y=np.arange(9000) % 2 + 7, key=np.arange(9000))
    words = ("predict", "clothes", "new.npz", "--skip-bad", "bad.npz", "--id", "key", "--score")
    result = lab.ok(*words, "-o", "out.npz")
    kept = np.delete(np.arange(9000), [5, 4100, 4101])
    with np.load("out.npz") as out:
        assert clothes.predict(x[kept]).tolist() == out["prediction"].tolist()
        assert kept.tolist() == out["key"].tolist()
    with np.load("bad.npz") as bad:
        assert [5, 4100, 4101] == bad["row"].tolist()
        assert "x[4100, 0, 0, 2]: nan is not a finite number" == bad["reason"][1]
        np.testing.assert_array_equal(x[[5, 4100, 4101]], bad["x"])
        assert [8, 7, 8] == bad["y"].tolist()
    assert "put aside 3 of 9,000 rows, in bad.npz" in result.err
    np.savez("new.npz", x=np.full((2, 6), np.inf), y=[7, 8], key=[1, 2])
    assert 2 == lab(*words).code


def test_after_ctrl_c_neither_file_is_there(prices, start):
    """Both appear whole or not at all."""
    process = start("predict", "prices", "-", "-o", "out.csv", "--skip-bad", "bad.csv",
                    stdin=subprocess.PIPE)  # fmt: skip
    process.stdin.write("size,colour\n" + "1,red\nx,red\n" * 10_000)
    process.stdin.flush()
    while not list(Path().glob(".out.csv.*")):
        assert process.poll() is None
    process.send_signal(2)
    process.communicate()
    assert 130 == process.returncode
    assert [] == [*Path().glob("*out.csv*"), *Path().glob("*bad.csv*")]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables_in_memory_have_the_same_options(prices, library):
    """Columns in front of the predictions, and the reasons for rows that are left out."""
    frame = pd.DataFrame(
        {"size": [3, None, 1], "colour": ["red", "blue", "mauve"], "key": [7, 8, 9]}
    )
    table = (
        frame.set_index(pd.Index([5, 6, 7])) if library == "pandas" else polars.from_pandas(frame)
    )
    run = load_run("prices")
    with pytest.raises(DataError, match="row 1, column 'size': the cell is blank"):
        run.predictions(table, ids=["key"])
    found = run.predictions(table, ids=["key"], skip_bad=True)
    expected = prices.predict([[3, 0, 0, 1]]).tolist()
    assert (["key", "prediction"], [0]) == (list(found.table), found.rows.tolist())
    assert ([7], expected) == tuple(column.tolist() for column in found.table.values())
    assert {1: "size: the cell is blank"} == {1: found.skipped[1]}
    assert found.skipped[2].startswith("colour: 'mauve' is none of the categories")
    assert [5 if library == "pandas" else 0] == found.to_frame().index.tolist()
    with pytest.raises(DataError, match="no row is left to predict"):
        run.predictions(table[1:], skip_bad=True)
    with pytest.raises(UsageError, match="ids: there is no column 'kez'; did you mean 'key'"):
        run.predictions(table, ids=["kez"])
    with pytest.raises(UsageError, match=r"give a list, as in ids=\['key'\]"):
        run.predictions(table, ids="key")
    with pytest.raises(UsageError, match="only tables have columns"):
        run.predictions([[3, 0, 0, 1]], ids=["key"])
    assert expected == run.predictions([[3, 0, 0, 1]]).table["prediction"].tolist()


def test_carried_texts_do_not_steer_a_terminal(capsys):
    """What is printed there is escaped, wherever the pieces of the output end."""
    content = "a\x1b[31m,é\u202e\n".encode()
    for end in range(1, len(content)):
        terminal = _Terminal()
        terminal.write(content[:end])
        terminal.write(content[end:])
        assert "a\\x1b[31m,é\\u202e\n" == capsys.readouterr().out


@pytest.mark.parametrize("name", ["new.parquet", "new.xlsx"])
def test_carried_dates_of_a_column_have_one_form(prices, lab, name):
    """With a time of day in each row, if there is one in some; out of folds too."""
    frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=3, freq="12h")})
    frame["day"] = frame["when"].dt.normalize()
    frame["size"], frame["colour"] = 1.5, "red"
    frame.loc[1, "when"] = pd.NaT
    frame.loc[3] = [pd.Timestamp("2024-01-05T06:00"), pd.Timestamp("2024-01-05"), 2, "blue"]
    frame.to_parquet(name) if name == "new.parquet" else frame.to_excel(name, index=False)
    done = lab.ok("predict", "prices", name, "--id", "when", "--id", "day")
    expected = [
        ["2024-01-01T00:00:00", "2024-01-01"],
        ["", "2024-01-01"],
        ["2024-01-02T00:00:00", "2024-01-02"],
        ["2024-01-05T06:00:00", "2024-01-05"],
    ]
    assert expected == [row[:2] for row in table(done.out.encode())[1:]]
    columns = read_carried(Path(name), ["when", "day"], None)
    assert expected == [[*row] for row in zip(columns["when"], columns["day"], strict=True)]
