"""`nnrun init --data`: first configs for tables, columns without names, and advice."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from nnrun.data.readers import profile
from tests.cli.tables import TABLES, write_table

# `nnrun init --data FILE`: a config for a file, which checks, trains, and learns something.


def drafted(name: str) -> dict:
    return yaml.safe_load(Path(f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_is_learned_from_without_editing(lab, name):
    """`init`, `check` and `train` only: better than the baseline on rows that it has not seen."""
    done = lab("init", *write_table(name))
    assert (0, f"wrote {name}.yaml; now") == (done.code, done.err.splitlines()[0])
    lab.ok("check", f"{name}.yaml")
    lab.ok("train", f"{name}.yaml")
    found = lab.report()
    main, larger = found["main_metric"], found["main_metric"] == "accuracy"
    ours, baseline = found["metrics"]["test"][main], found["baseline"]["test"][main]
    assert ours > baseline if larger else ours < baseline


def test_a_draft_for_a_part_of_a_file_says_so(lab, monkeypatch):
    """In the note and in a comment, with the number of rows."""
    Path("x.csv").write_text("a,y\n" + "".join(f"{at % 7},{at}.5\n" for at in range(90)))
    monkeypatch.setattr(profile, "_MOST_CELLS", 100)
    done = lab("init", "--data", "x.csv", "--target", "y")
    words = "it looks at the first 50 rows alone; what comes later may be different"
    assert (0, True) == (done.code, words in done.err.splitlines())
    head = Path("x.yaml").read_text(encoding="utf-8").splitlines()[:3]
    assert "# Written by `nnrun init` for x.csv: the first 50 rows, 2 columns." == head[0]
    assert f"# The file is large: {words}." == head[2]


def test_the_next_commands_have_their_remarks_in_one_column_of_80(lab):
    """The default name fits an 80-column terminal."""
    lines = lab("init").err.splitlines()[1:]
    remarks = ("shows its network", "trains it", "with another setting")
    assert {59} == {line.index(words) for line, words in zip(lines, remarks, strict=True)}
    assert max(map(len, lines)) <= 80


def test_the_last_of_the_next_commands_is_another_run(lab):
    """It changes a setting of the file, and does not repeat it."""
    _, train, other = (line.split()[1:] for line in lab("init").err.splitlines()[1:])
    smoke = ["--iterations", "1"]
    for command in (train[:2], other[:3]):
        lab.ok(*command, *smoke)
    assert 2 == len([*Path("results").glob("*/*/report.json")])


@pytest.mark.parametrize(("values", "offered"), [(2, False), (6, True), (40, False)])
def test_few_whole_numbers_are_offered_as_categories(lab, values, offered):
    """They may be codes; two values are alike either way, and many are amounts."""
    rows = "".join(f"{i % values},{i * i % 97}.5,{i % 89}.25\n" for i in range(400))
    Path("t.csv").write_text("zone,area,price\n" + rows)
    said = lab.ok("init", "--data", "t.csv", "--target", "price").said
    assert offered == ("it takes as numbers what may be codes, zone" in said)
    assert offered == ("# categorical: [zone]" in Path("t.yaml").read_text())
    lab.ok("check", "t.yaml")


@pytest.mark.parametrize(("most", "first"), [(100, "reading t.csv\n"), (1000, "wrote ")])
def test_a_large_file_is_said_to_be_read(lab, monkeypatch, most, first):
    """All of its cells are looked at, which takes seconds."""
    monkeypatch.setattr("nnrun.cli.init._LARGE", most)
    Path("t.csv").write_text("a,b\n" + "".join(f"{i / 2},{i % 7}\n" for i in range(25)))
    assert lab("init", "--data", "t.csv").err.startswith(first)


def test_every_column_has_its_place(lab):
    """Categories are named, what cannot be learned from is dropped with its reason."""
    lab("init", *write_table("houses")[:2])
    columns = drafted("houses")["dataset"]["columns"]
    assert {"target": "MEDV"} == columns
    parts = ["month", "weekday", "elapsed", "cyclic"]
    assert {"surveyed": parts} == drafted("houses")["dataset"]["dates"]
    text = Path("houses.yaml").read_text()
    comments = [line for line in text.splitlines() if " # " in line.lstrip(" #")]
    assert 1 == len({line.rindex("  # ") for line in comments})
    filled = drafted("houses")["dataset"]["missing"]
    assert {"impute": "median", "indicator": True} == filled
    lab("init", *write_table("tumours")[:2])
    assert ["id"] == drafted("tumours")["dataset"]["columns"]["drop"]
    assert "diagnosis" == drafted("tumours")["dataset"]["columns"]["target"]
    lab("init", *write_table("diabetes")[:2])
    assert ["sex"] == drafted("diabetes")["dataset"]["columns"]["categorical"]
    assert "a guess: is this the column to predict?" in Path("diabetes.yaml").read_text()


def test_the_text_of_the_file_is_seen(lab):
    """Decimal commas, and the separator, which the header shows when the file is read, too."""
    lab("init", *write_table("wine")[:2])
    assert "," == drafted("wine")["dataset"]["decimal"]
    lab("init", *write_table("areas"))
    assert "separator" not in drafted("areas")["dataset"]
    lab.ok("check", "areas.yaml")


@pytest.mark.parametrize("sign", ["|", ":", " "])
def test_a_rarer_separator_is_seen(lab, sign):
    """Also where names are quoted."""
    rows = "".join(f"{i * i % 17}.5{sign}{i % 7}.5{sign}{i}.5\n" for i in range(60))
    Path("t.csv").write_text('"a","c","y"\n'.replace(",", sign) + rows)
    lab.ok("init", "--data", "t.csv")
    assert "y" == drafted("t")["dataset"]["columns"]["target"]
    lab.ok("check", "t.yaml")


@pytest.mark.parametrize("sizes", [("38", "40", "XL"), ("007", "7", "x")])
def test_few_numbers_and_texts_are_classes_or_categories(lab, sizes):
    """A target of them is one of classes, and a comment offers a feature as one of categories."""
    rows = "".join(f"{i * i % 17}.5,{i % 7}.5,{sizes[i % 3]}\n" for i in range(60))
    Path("t.csv").write_text("a,y,size\n" + rows)
    lab.ok("init", "s", "--data", "t.csv", "--target", "size")
    assert "classification" == drafted("s")["dataset"]["task"]
    lab.ok("check", "s.yaml")
    lab.ok("init", "--data", "t.csv", "--target", "y")
    assert {"target": "y", "drop": ["size"]} == drafted("t")["dataset"]["columns"]
    assert "# categorical: [size] # numbers and text" in _joined(Path("t.yaml").read_text())


def test_numbers_with_zeros_in_front_are_codes(lab):
    """Few are categories, many are left out as text is; both are reported."""
    rows = "".join(f"{'007' if i % 2 else '7'},{1001 + i:05},{i * i % 17}.5\n" for i in range(60))
    Path("t.csv").write_text("z,zip,y\n" + rows)
    done = lab("init", "--data", "t.csv", "--target", "y")
    columns = drafted("t")["dataset"]["columns"]
    assert {"target": "y", "categorical": ["z"], "drop": ["zip"]} == columns
    assert "it takes as categories, for their leading zeros, z\n" in done.err
    assert "zip (a value of its own in most rows: it seems to be an identifier)" in done.err
    lab.ok("check", "t.yaml")
    done = lab("init", "again", "--data", "t.csv", "--target", "z")
    assert "it predicts z: classification (2 different codes)" in done.err
    done = lab("init", "third", "--data", "t.csv", "--target", "zip")
    assert "'zip' cannot be predicted: it is a value of its own in most rows" in done.err


def test_a_column_of_many_categories_is_kept_where_rows_are_enough(lab):
    """60 job titles in 1,500 rows, without which most of the target stays unknown."""
    rng = np.random.default_rng(0)
    effect, job, age = rng.normal(size=60), rng.integers(60, size=1500), rng.normal(size=1500)
    salary = 2 * effect[job] + age + rng.normal(0, 0.6, 1500)
    rows = zip(age.round(3), job, salary.round(3), strict=True)
    lines = [f"{a},title {j},{s}" for a, j, s in rows]
    Path("jobs.csv").write_text("\n".join(["age,job,salary", *lines]))
    lab("init", "--data", "jobs.csv")
    assert {"target": "salary", "categorical": ["job"]} == drafted("jobs")["dataset"]["columns"]
    scores = {}
    without = ["dataset.columns.categorical=[]", "dataset.columns.drop=[job]"]
    for name, more in (("kept", []), ("dropped", without)):
        command = ["train", "jobs.yaml", "training.epochs=10", f"name={name}", *more]
        lab.ok(*command)
        scores[name] = lab.report(f"results/{name}/*/report.json")["metrics"]["test"]["r2"]
    assert scores["kept"] > 0.8
    assert scores["dropped"] < 0.4


def test_what_becomes_of_a_column_of_text_follows_from_its_values_and_rows(lab):
    """A feature each, learned vectors, means with a line for vectors instead, an identifier."""
    count = 3000
    columns = {
        "shop": [f"s{i % 90}" for i in range(count)],
        "street": [f"w{i % 140}" for i in range(count)],
        "town": [f"t{i % 1200}" for i in range(count)],
        "order": [f"o{i}x" for i in range(count)],
        "price": [f"{i % 13}.5" for i in range(count)],
    }
    rows = [",".join(row) for row in zip(*columns.values(), strict=True)]
    Path("t.csv").write_text("\n".join([",".join(columns), *rows]))
    done = lab("init", "--data", "t.csv")
    expected = {
        "target": "price",
        "categorical": ["shop"],
        "embedding": {"street": 4},
        "target_mean": ["town"],
        "drop": ["order"],
    }
    assert expected == drafted("t")["dataset"]["columns"]
    assert "it learns vectors for the categories of street\n" in done.err
    assert "it takes means of the target for the values of town\n" in done.err
    assert "order (a value of its own in most rows: it seems to be an identifier)" in done.err
    text = Path("t.yaml").read_text()
    lab.ok("check", "t.yaml")
    assert "\n    # embedding: {street: 4, town: 6}  # vectors, for those not under" in text
    lab.ok(
        "check",
        "t.yaml",
        "dataset.columns.target_mean=[]",
        "dataset.columns.embedding={street: 4, town: 6}",
    )
    done = lab(
        "check", "t.yaml", "dataset.columns.drop=[]", "dataset.columns.categorical=[shop,order]"
    )
    assert "'order' has 3,000 different values in 3,000 rows: it seems to be an" in done.err


def test_rows_without_a_target_are_left_out(lab):
    """Since no target is filled in."""
    rows = "".join(f"{i},{i * i if i % 5 else ''}\n" for i in np.linspace(-1, 1, 100).round(3))
    Path("holes.csv").write_text("a,y\n" + rows + "0.5,\n")
    lab.ok("init", "--data", "holes.csv")
    assert {"y": "drop_rows"} == drafted("holes")["dataset"]["columns"]["missing"]
    lab.ok("check", "holes.yaml")


def test_a_column_that_is_almost_blank_is_left_out(lab):
    """Where its few numbers may all be in rows that are held out, whichever these are."""
    lines = ["a,b,c,y"] + [
        f"{i + 1 if i < 2 else ''},{i * i},{i % 5 or ''},{i * i % 7}" for i in range(12)
    ]
    Path("t.csv").write_text("\n".join(lines))
    lab.ok("init", "--data", "t.csv", "--target", "y")
    assert {"target": "y", "drop": ["a"]} == drafted("t")["dataset"]["columns"]
    assert re.search("- a +# blank in so many rows that", Path("t.yaml").read_text())
    assert "# 1 column has blank cells: numbers" in Path("t.yaml").read_text()
    assert [0] * 20 == [lab("check", "t.yaml", f"seed={s}").code for s in range(20)]


def test_an_npz_file_has_a_config_too(lab):
    """By the same rules, from its shapes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    np.savez("arrays.npz", x=x, y=x @ [1.0, -2.0, 0.5])
    lab.ok("init", "mine", "--data", "arrays.npz")
    lab.ok("train", "mine.yaml")
    assert lab.report()["metrics"]["test"]["r2"] > 0.9


def test_tiny_files_get_a_config_that_fits(lab):
    """Ten rows: no validation split, a small batch."""
    Path("tiny.csv").write_text("a,b\n" + "".join(f"{i / 2},{i * 1.5}\n" for i in range(10)))
    lab.ok("init", "--data", "tiny.csv")
    lab.ok("check", "tiny.yaml")
    assert "validation_size" not in drafted("tiny")["dataset"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "x"], "--target is a column of the file in --data; give that too"),
        (["--data", "none.csv"], "none.csv: "),
        (
            ["--data", "text.txt"],
            "'text.txt' is no .csv, .tsv, .jsonl, .parquet, .xlsx or",
        ),
        (["--data", "t.csv", "--target", "prise"], "there is no column 'prise'; did you mean"),
        (
            ["--data", "words.csv"],
            "words.csv: no column has several numbers, or few different words",
        ),
        (["--data", "one.csv"], "one.csv: no column is left to predict 'y' from"),
        (["--data", "ragged.csv"], "ragged.csv:3: has 1 cell where the header has 2"),
        (
            ["--data", "meta.csv"],
            "meta.csv:3: has 1 cell where the header has 3; if line 1, cut at each space, is a "
            "title or a comment, remove it: the names of columns come first\n",
        ),
        (
            ["--data", "title.csv"],
            "title.csv:2: has 2 cells where the header has 1; if line 1, cut at each comma, is",
        ),
        (
            ["--data", "title.xlsx"],
            "title.xlsx:2: has 2 cells where the header has 1 (2 more like it in other rows); if "
            "line 1 is a title or a comment",
        ),
        (["--data", "t.csv", "--target", "id"], "'id' cannot be predicted: it is a counter of the"),
        (["--data", "w.csv", "--target", "one"], "it is the same in every row that is not blank"),
        (["--data", "t.csv", "--target", "same"], "'same' cannot be predicted: it is the same in"),
    ],
)
def test_files_that_no_config_can_be_made_for(lab, folder, arguments, message):
    """Exit code 2, and nothing is written."""
    rows = "".join(f"{i}.5,{i * i},7,{i}\n" for i in range(30))
    Path("t.csv").write_text("a,price,same,id\n" + rows)
    Path("w.csv").write_text("one,b\n" + "".join(f"{'x' * (i % 2)},{i}.5\n" for i in range(30)))
    Path("text.txt").write_text("hello")
    Path("words.csv").write_text("a\n" + "".join(f"word{i}\n" for i in range(30)))
    Path("one.csv").write_text("y\n" + "".join(f"{i}.5\n" for i in range(30)))
    Path("meta.csv").write_text("# exported 2024-01-01\n# unit: mm\na,b,y\n1,2,3\n")
    Path("title.csv").write_text("Report\na,y\n1,2\n3,4\n")
    book = openpyxl.Workbook()
    for row in (["Report"], ["a", "b"], [1, 2], [3, 4]):
        book.active.append(row)
    book.save("title.xlsx")
    Path("ragged.csv").write_text("a,b\n1,2\n3\n")
    assert message in lab.refused("init", *arguments)
    assert [] == list(folder.glob("*.yaml"))


def test_no_reason_stands_beside_a_task_that_the_config_names(lab):
    """What implies the task is no reason where `dataset.task` says it; a note has it elsewhere."""
    Path("t.csv").write_text("a,y\n" + "".join(f"{i}.5,{i}.5\n" for i in range(40)))
    lab.ok("init", "--data", "t.csv")
    done = lab.ok("train", "t.yaml", "training.epochs=2")
    text = " ".join((done.out + done.err).split())
    assert ("; regression" in text, "as the loss" in text) == (True, False)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("command", ["init", "train", "check", "sweep"])
def test_data_in_the_place_of_a_config_are_reported(lab, folder, command, there):
    """With the command that makes a config for them, whether the file is there or not."""
    if there:
        Path("houses.csv").write_text("a,b\n1,2\n")
    message = lab.refused(command, "houses.csv")
    assert "`nnrun init NAME --data houses.csv`" in " ".join(message.split())
    assert [] == list(folder.glob("*.yaml"))


def test_a_file_of_data_by_another_ending_is_no_name(lab, folder):
    """Since nobody means a config of that name."""
    Path("houses.data").write_text("a,b\n1,2\n")
    assert 2 == lab("init", "houses.data").code
    assert [] == list(folder.glob("*.yaml"))


@pytest.mark.parametrize("form", ['"{},715"', "${}", '"${},715"', "{} kg"])
@pytest.mark.parametrize("rows", [60, 15])
def test_amounts_are_numbers(lab, form, rows):
    """Commas between digits, signs of currencies and units make no words of numbers."""
    cells = "".join(f"{i / 7},{form.format(100 + i * i % 61)}\n" for i in range(rows))
    Path("t.csv").write_text("a,price\n" + cells)
    done = lab("init", "--data", "t.csv", "--target", "price")
    assert (0, True) == (done.code, "it predicts price: regression" in done.err)
    lab.ok("check", "t.yaml")


def test_what_it_chose_is_reported(lab):
    """The target and whether it was guessed, the task, and what was left out for which reason."""
    rows = "".join(f"{i},{i / 7},2020-01-{i % 28 + 1:02d},{i * 0.3}\n" for i in range(40))
    Path("t.csv").write_text("id,a,day,price\n" + rows)
    message = lab("init", "--data", "t.csv").err.splitlines()
    assert any(line.startswith("warning: the column a is ") for line in message)  # like the price
    assert [
        "it predicts price (a guess; --target COLUMN says which): regression (numbers to predict; "
        "for labels, classification)",
        "it takes parts of dates: day (weekday, elapsed, cyclic)",
        "it leaves out id (a counter of the rows)",
        "it splits at random; a comment says how to split by time, day",
    ] == message[4:8]
    message = lab("init", "b", "--data", "t.csv", "--target", "a").err
    assert "\nit predicts a: regression" in message


def test_a_counter_is_learned_from_where_nothing_else_is_there(lab):
    """Hours, years and distances are in steps of one, too."""
    Path("t.csv").write_text("hours,grade\n" + "".join(f"{i},{3 + i % 7 / 2}\n" for i in range(9)))
    done = lab("init", "--data", "t.csv", "--target", "grade")
    assert (0, False) == (done.code, "leaves out" in done.err)
    lab.ok("train", "t.yaml")


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 6])
def test_a_batch_is_no_larger_than_the_training_split(lab, rows):
    """However few rows there are, the config is valid."""
    Path("t.csv").write_text("a,b\n" + "".join(f"{i / 2},{i * 1.5}\n" for i in range(rows)))
    lab.ok("init", "--data", "t.csv")
    lab.ok("check", "t.yaml")


@pytest.mark.parametrize("file", ["t.csv", "t.npz"])
def test_a_single_row_is_too_few(lab, folder, file):
    """To train on some and test on others; a row without a target is none."""
    Path("t.csv").write_text("a,b\n1.5,2.5\n2.5,\n")
    np.savez("t.npz", x=np.ones((1, 2)), y=np.ones(1))
    assert f"{file}: a single row cannot be split" in lab.refused(
        "init", "--data", file, *(["--target", "b"] if file == "t.csv" else [])
    )
    assert [] == list(folder.glob("*.yaml"))


def test_a_column_called_weight_may_be_the_weight_of_rows(lab):
    """A comment proposes it; as a line it makes a valid config without that feature."""
    rows = "".join(f"{i / 7},{i % 3},{i * 0.3}\n" for i in range(40))
    Path("t.csv").write_text("a,weight,price\n" + rows)
    lab.ok("init", "--data", "t.csv")
    text = Path("t.yaml").read_text()
    assert "features" in text
    assert "    # weight: weight" in text
    Path("t.yaml").write_text(text.replace("    # weight: weight", "    weight: weight  #"))
    assert "of 1 feature;" in lab("check", "t.yaml").out.replace("\n", " ")


def test_identifiers_are_no_guess_for_the_target(lab):
    """The last column by its name is one of routes' ends, and nothing to learn."""
    rows = [f"{i * i % 17}.5,{i * i % 7}.5,{i * i % 900}" for i in range(60)]
    Path("t.csv").write_text("\n".join(["stops,hours,AirportID", *rows]))
    lab("init", "--data", "t.csv")
    assert "hours" == drafted("t")["dataset"]["columns"]["target"]


@pytest.mark.parametrize(
    ("header", "doubted"),
    [("18.0,8,307.0,ford", "18.0, 8, 307.0"), ("2018,2019,2020,ford", ""), ("a,8,b,c", "")],
)
def test_a_first_line_of_data_is_doubted(lab, header, doubted):
    """Numbers among those of their columns are no names, unless they are in order."""
    rows = [f"{9 + i}.0,{i},{i * i % 900 * 3}.0,car {i % 3}" for i in range(60)]
    Path("t.csv").write_text("\n".join([header, *rows]))
    done = lab("init", "--data", "t.csv")
    said = f"its first line seems to be data and no names: {doubted}; if so, write a line"
    assert bool(doubted) == (said in done.err)
    assert bool(doubted) == (f"# A guess: {said}" in Path("t.yaml").read_text())
    lab.ok("check", "t.yaml")


def test_series_of_several_stores_have_lags_of_each(lab):
    """A comment names the column of the stores, with the lags of a day and of a week of hours."""
    hours = np.arange("2024-01-01", "2024-02-01", dtype="M8[h]")
    rows = [f"{hour},{s},{i * i % 97}.5\n" for i, hour in enumerate(hours) for s in "AB"]
    Path("t.csv").write_text("when,store,sales\n" + "".join(rows))
    lab.ok("init", "--data", "t.csv")
    text = Path("t.yaml").read_text()
    comment = "# lags: {sales: {steps: [1, 24, 168], group: store}}"
    assert f"\n  {comment}" in text
    Path("t.yaml").write_text(text.replace(comment, comment[2:]))
    lab.ok("check", "t.yaml")


def test_the_sheet_that_is_read_is_named(lab):
    """Of a workbook of several sheets, also where a column is looked for that is in another one."""
    book = openpyxl.Workbook()
    for sheet, names in ((book.active, "size price"), (book.create_sheet("People"), "age pay")):
        sheet.append(names.split())
        for row in range(20):
            sheet.append([row % 7, 3 * row])
    book.active.title = "Houses"
    book.save("book.xlsx")
    read = (
        "it reads the first sheet, Houses; to read another (People), save it as a file of its own"
    )
    said = lab("init", "--data", "book.xlsx", "--target", "price").err
    assert read in " ".join(said.split())
    refused = lab("init", "other", "--data", "book.xlsx", "--target", "pay")
    assert f"error: --target: there is no column 'pay' (one of size, price); {read}" in " ".join(
        refused.err.split()
    )


# A first column without a name, where pandas and R write the numbers or names of rows.

CONFIG = """
dataset: {path: t.csv, columns: {target: y}, task: regression}
network: {sizes: [2, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 2}
"""


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=60).round(3), "y": rng.normal(size=60).round(3)})


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_init_leaves_out_the_numbers_of_rows(lab, frame, ending):
    """Of all rows or of some, from 0 or not, in CSV and in Excel."""
    some = frame.drop(index=[0, 7, 20])
    some.to_csv("t.csv") if ending == "csv" else some.to_excel("t.xlsx")
    done = lab("init", "--data", f"t.{ending}")
    assert "it leaves out Unnamed: 0 (numbers without a name, as those of rows)" in done.err
    columns = yaml.safe_load(Path("t.yaml").read_text())["dataset"]["columns"]
    assert {"target": "y", "drop": ["Unnamed: 0"]} == columns
    lab.ok("train", "t.yaml")
    assert 1 == lab.report()["dataset"]["n_features"]


def test_dates_without_a_name_are_features_under_the_name_pandas_gives(lab, frame):
    """In training, in predictions, and in the exported script."""
    frame.index = pd.date_range("2020-01-01", periods=60, freq="MS")
    frame.to_csv("t.csv")
    lab("init", "--data", "t.csv", "--target", "y")
    assert ["Unnamed: 0"] == [*yaml.safe_load(Path("t.yaml").read_text())["dataset"]["dates"]]
    lab.ok("train", "t.yaml")
    ours = lab("predict", "t", "t.csv").out
    lab("export", "t", "-o", "p.py")
    script = [sys.executable, "p.py", "t.csv"]
    assert ours == subprocess.run(script, capture_output=True, text=True, check=True).stdout


def test_a_column_without_a_name_is_a_feature_only_if_the_config_names_it(lab, frame):
    """A config that takes all columns does not mean the numbers of rows."""
    frame.to_csv("t.csv")
    Path("t.yaml").write_text(CONFIG)
    lab.ok("train", "t.yaml")
    assert 1 == lab.report()["dataset"]["n_features"]
    named = 'dataset.columns.features=["Unnamed: 0", a]'
    lab.ok("train", "t.yaml", named, "name=named")
    assert 2 == lab.report("results/named/*/report.json")["dataset"]["n_features"]


def test_a_file_saved_twice_has_two_columns_of_row_numbers(lab, frame):
    """Both have the names that pandas gives them, and none is refused for it."""
    frame.to_csv("t.csv")
    pd.read_csv("t.csv").to_csv("t.csv")
    assert ["Unnamed: 0.1", "Unnamed: 0", "a", "y"] == [*pd.read_csv("t.csv").columns]
    lab("init", "--data", "t.csv")
    columns = yaml.safe_load(Path("t.yaml").read_text())["dataset"]["columns"]
    assert ["Unnamed: 0.1", "Unnamed: 0"] == columns["drop"]


# What a new user reads of a table with rare cases, and of an ordinary one.


def _write(name: str, columns: dict[str, np.ndarray]) -> None:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _yes(score: np.ndarray, share: float) -> np.ndarray:
    return np.where(score > np.quantile(score, 1 - share), "yes", "no")


@pytest.fixture
def fraud(folder):
    """8,000 payments of which 1.3% are fraud, which five columns tell with an AUC of about 0.8."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(8000, 5))
    score = 1.4 * x @ np.array([0.8, -0.5, 0.3, 0.15, 0.0]) + rng.logistic(size=8000)
    names = ("hour", "distance", "attempts", "age", "score")
    columns = {"amount": np.exp(3 + x[:, 0]).round(2)}
    columns |= {name: (10 + 3 * x[:, k]).round(3) for k, name in enumerate(names[1:], 1)}
    _write("fraud.csv", columns | {"is_fraud": _yes(score, 0.013)})


@pytest.fixture
def churn(folder):
    """3,000 customers of which 27% leave, with categories."""
    rng = np.random.default_rng(2)
    plan = rng.choice(["basic", "plus", "family"], 3000, p=[0.5, 0.3, 0.2])
    payment = rng.choice(["card", "transfer", "cash"], 3000)
    months, charge = rng.integers(1, 72, 3000), (20 + 80 * rng.random(3000)).round(2)
    score = (plan == "basic") - 0.03 * months + 0.015 * charge + 0.5 * (payment == "cash")
    _write("churn.csv", {"plan": plan, "payment": payment, "months": months, "charge": charge,
                         "churn": _yes(score + rng.logistic(size=3000), 0.27)})  # fmt: skip


def _joined(text: str) -> str:
    return " ".join(text.split())


def test_fraud_gets_true_advice_wherever_it_is_read(lab, fraud):
    """The AUC, weights and a threshold in terminal, report and page; nothing against the data."""
    lab.ok("init", "--data", "fraud.csv")
    trained, shown = lab("train", "fraud.yaml"), lab("show", "fraud")
    lab.ok("report", "fraud")
    found = lab.report()
    assert ["unequal_classes"] == [warning["kind"] for warning in found["warnings"]]
    (written,) = Path("results").glob("fraud/*/report.md")
    auc = f"ROC AUC {found['metrics']['test']['roc_auc']:.2f} on test data"
    for text in (
        trained.said,
        shown.said,
        written.read_text(),
        Path("report.html").read_text(),
    ):
        words = _joined(text)
        assert auc in words
        assert "training.class_weight=balanced, or a threshold by decide.maximize=f1" in words
        assert "say little about the target" not in words


def test_the_threshold_that_fraud_is_advised_finds_some(lab, fraud):
    """Of the rows that it is fitted to and the usual one misses; the advice is not given again."""
    lab("init", "--data", "fraud.csv")
    lab.ok("train", "fraud.yaml", "decide.maximize=f1")
    found = lab.report()
    assert [] == found["warnings"]
    counts = found["decision"]["splits"]["validation"]
    assert (0, True) == (counts["default"]["tp"], counts["fitted"]["tp"] > 0)


def test_churn_gets_the_numbers_that_tell_customers_apart(lab, churn):
    """Where accuracy is little better than naming the majority: the AUC, and a threshold."""
    lab("init", "--data", "churn.csv")
    trained = lab("train", "churn.yaml")
    assert ["weak_signal"] == [warning["kind"] for warning in lab.report()["warnings"]]
    words = _joined(trained.said)
    assert "but the network tells classes apart (ROC AUC 0.7" in words
    assert "or try a threshold by decide.maximize=balanced_accuracy." in words
