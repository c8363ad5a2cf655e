"""Tables in files and in memory say the same, and their mistakes have places."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nnrun
from nnrun.data.readers import excel, text_lines
from nnrun.data.readers import parquet as arrow
from nnrun.data.readers.parquet import Frame, is_frame
from nnrun.errors import ConfigError, DataError, NnrunError, UsageError
from tests.data.formats.conftest import columns, frames
from tests.data.tables import CategorySettings, read_csv
from tests.lab import invoke_well, refused


def test_training_is_the_same_from_every_format(files, config, expected):
    """As pandas, polars and pyarrow write them: to the bit, with the SHA-256 of the file."""
    for file in files[1:]:
        # pandas writes dates as texts there, and costs as numbers; all else is as it is.
        run = nnrun.train(config(path=str(file)), results=None)
        assert expected.network.theta.tobytes() == run.network.theta.tobytes(), file.name
        assert expected.metrics == run.metrics
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert digest == run.record.dataset["sha256"]


def test_excel_says_the_same_as_csv(tmp_path, config):
    """But for whole numbers past 2⁵³, which Excel has not."""
    frame = pd.DataFrame(columns()).drop(columns="number")
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pd.ExcelWriter(tmp_path / "b.xlsx") as book:
        frame.to_excel(book, index=False)
        frame.head(3).to_excel(book, sheet_name="other")
    runs = [nnrun.train(config(path=str(tmp_path / n)), results=None) for n in ("a.csv", "b.xlsx")]
    assert runs[0].network.theta.tobytes() == runs[1].network.theta.tobytes()


def test_predictions_are_the_same_from_every_format(files, expected, printed):
    """Columns are found by name, and booleans are categories again."""
    alike = [file for file in files if file.name not in ("b.csv", "c.tsv")]  # which have `true`
    texts = {printed("predict", expected.path, file, "--score") for file in alike}
    assert 1 == len(texts)


def test_piped_tables_are_known_by_their_first_bytes(files, expected, monkeypatch):
    """Without a name, and where nothing can be read twice."""
    outputs = set()
    for file in files:
        if file.name not in ("b.csv", "c.tsv", "j.jsonl.gz"):
            answer = invoke_well("predict", str(expected.path), "-", stdin=file.read_bytes())
            outputs.add(answer.out)
    assert 1 == len(outputs)


def test_init_reads_every_format(files, tmp_path, printed, monkeypatch):
    """The drafted configs differ in nothing but the path, and train as they are."""
    monkeypatch.chdir(tmp_path)
    drafts = {}
    for file in files:
        if file.suffix in (".jsonl", ".parquet", ".gz") or file.name == "a.csv":
            printed("init", f"x_{file.name[0]}", "--data", file, "--target", "price")
            drafted = Path(f"x_{file.name[0]}.yaml").read_text(encoding="utf-8")
            drafts[file.name] = drafted.replace(str(file), "PATH")
    assert 1 == len(set(drafts.values()))
    printed("train", "x_f.yaml", "--iterations", "2", "-q")


def written(content: dict[str, list[object]], name: str, folder: Path) -> Path:
    """A file of these columns."""
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(pa.table(content), path)
    elif name.endswith(".xlsx"):
        pd.DataFrame(content).to_excel(path, index=False)
    else:
        rows = [
            dict(zip(content, cells, strict=True)) for cells in zip(*content.values(), strict=True)
        ]
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("x.parquet", ("x.parquet: row 2, column 'a'", "x.parquet: row 3, column 'y'")),
        ("x.xlsx", ("x.xlsx:3:a", "x.xlsx:4:y")),
        ("x.jsonl", ("x.jsonl:2:a", "x.jsonl:3:y")),
    ],
)
def test_wrong_cells_have_places(tmp_path, name, places):
    """Rows are counted as the format's readers show them: lines, or rows from 1 on."""
    path = written({"a": ["1", "twelve", "3"], "y": [1.5, 2.0, None]}, name, tmp_path)
    with pytest.raises(DataError) as error:
        read_csv(path, "y", task="regression")
    said = [line.rpartition("/")[2] for line in str(error.value).splitlines()]
    assert f"{places[0]}: 'twelve' is not a number" in said[0]
    assert f"{places[1]}: the cell is blank" in said[1]


@pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.jsonl"])
def test_rows_without_values_are_left_out(tmp_path, name):
    """By the rule for missing values, as in CSV; the report knows which."""
    path = written({"a": [1, None, 3, 4], "y": [1.5, 2.0, None, 3.0]}, name, tmp_path)
    data = read_csv(path, "y", task="regression", features=["a"], missing="drop_rows")
    assert ([[1], [4]], (1, 2)) == (data.x.tolist(), data.dropped)


def made_bomb(path: Path, name: str, zeros: int) -> Path:
    """An archive whose member is much larger than the archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr(name, b"0" * zeros)
    return path


def test_what_unpacks_to_more_than_there_is_memory_is_refused(tmp_path, monkeypatch):
    """While it is unpacked, or before; nothing is filled up."""
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 3_000_000)
    monkeypatch.setattr("nnrun.data.rows.STEP", 1 << 20)
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * (1 << 19)))
    rows = tmp_path / "r.parquet"
    pl.DataFrame({"a": np.zeros(500_000), "y": 1.0}).write_parquet(rows)
    bomb = made_bomb(tmp_path / "b.xlsx", "xl/sharedStrings.xml", 400_000)
    for path in (packed, rows, bomb):
        with pytest.raises(DataError, match=r"of memory; 3\.0 MB are free"):
            read_csv(path, "y", task="regression")


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst", "x.jsonl.gz", "x.parquet"])
def test_rows_are_refused_once_they_fill_the_memory(tmp_path, monkeypatch, name):
    """However few bytes the file has; rows that nobody keeps, as in predictions, are all read."""
    rows = 60_000
    if name == "x.parquet":
        table = pa.table({"a": np.zeros(rows), "y": np.ones(rows)})
        pq.write_table(table, tmp_path / name, row_group_size=1000)
    else:
        content = b'{"a": 1, "y": 2}\n' * rows if "json" in name else b"a,y\n" + b"1,2\n" * rows
        kind = "gzip" if name.endswith("gz") else "zstd"
        with pa.CompressedOutputStream(tmp_path / name, kind) as file:
            file.write(content)
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 100_000)
    monkeypatch.setattr("nnrun.data.rows.STEP", 1 << 16)
    with pytest.raises(DataError, match=r"needs .* of memory; 0\.1 MB are free"):
        read_csv(tmp_path / name, "y", task="regression")
    with excel.open_table(tmp_path / name) as table:
        assert rows == sum(1 for _ in table.rows())


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.binary(31)])
def test_a_text_in_parquet_has_a_length(tmp_path, monkeypatch, kind):
    """As a line of text has; in any type that holds texts, in a dictionary or not."""
    table = pa.table({"a": pa.array([b"x" * 31, b"y" * 31], kind), "y": [1.0, 2.0]})
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=kind == pa.string())
    message = r"x\.parquet: column 'a' has a text of 31 bytes; at most 30 are read"
    monkeypatch.setattr(arrow, "LONGEST_LINE", 31)
    with excel.open_table(tmp_path / "x.parquet") as read:
        assert 2 == sum(1 for _ in read.rows())
    monkeypatch.setattr(arrow, "LONGEST_LINE", 30)
    with pytest.raises(DataError, match=message), excel.open_table(read.path) as read:
        next(read.rows())


def test_a_long_text_is_not_shown_whole(tmp_path):
    """In the message that it is not a number."""
    pq.write_table(pa.table({"a": ["x" * 100_000], "y": [1.0]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="is not a number") as error:
        read_csv(tmp_path / "x.parquet", "y", task="regression")
    assert len(str(error.value)) < 5000


def test_copies_of_texts_count(tmp_path, monkeypatch):
    """A column of text takes more memory than its bytes unpacked twice, if it is read."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": ["x" * 100_000], "y": [1.0]}), path)
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 400_000)
    with excel.open_table(path) as read:
        assert 1 == sum(map(len, read.parts({"y": True}, read.problems())))
    with (
        excel.open_table(path) as read,
        pytest.raises(DataError, match=r"needs 0\.5 MB of memory; 0\.4 MB are free"),
    ):
        next(read.rows())


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_most_lines_may_not_be_blank(tmp_path, monkeypatch, name):
    """Neither together nor between rows: a small compressed file holds billions of them."""
    monkeypatch.setattr(text_lines, "_MOST_BLANK", 10)
    head, row = ("", '{"a": 1}\n') if "json" in name else ("a,b\n", "1,2\n")
    for blank, too_long in (("\n", False), ("\n" * 5, True)):
        (tmp_path / name).write_text(head + (row + blank) * 40)
        with (
            excel.open_table(tmp_path / name) as read,
            pytest.raises(DataError, match="more than 10 lines are blank")
            if too_long
            else nullcontext(),
        ):
            assert 40 == sum(1 for _ in read.rows())


def test_text_between_the_rows_of_a_sheet_is_bounded(tmp_path, monkeypatch):
    """It would stay in memory; what indents rows and cells is not counted."""
    (tmp_path / "sound.xlsx").write_bytes(_book())
    monkeypatch.setattr(excel, "_BLOCK", 100)
    monkeypatch.setattr(excel, "LONGEST_LINE", 5000)
    for blanks, too_long in ((40, False), (4000, True)):
        path = tmp_path / f"{blanks}.xlsx"
        with zipfile.ZipFile(tmp_path / "sound.xlsx") as sound, zipfile.ZipFile(path, "w") as to:
            for one in sound.namelist():
                wide = b"</row>" + b" " * blanks
                to.writestr(one, sound.read(one).replace(b"</row>", wide))
        with (
            pytest.raises(DataError, match="has more than 5,000 bytes between its rows")
            if too_long
            else nullcontext(),
            excel.open_table(path) as read,
        ):
            assert 0 < sum(1 for _ in read.rows())


def test_long_texts_that_repeat_take_no_memory(tmp_path):
    """Each different one is there once, as in the file: 40 MB are written as 100 kB."""
    path = written({"a": ["x" * 100_000] * 400, "y": [*range(400)]}, "s.parquet", tmp_path)
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        data = read_csv(path, "y", categories=CategorySettings(["a"]), task="regression")
    finally:
        pa.set_memory_pool(usual)
    assert (400, 1) == data.x.shape
    assert 0 < pool.max_memory() < 2_000_000


@pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.csv.gz", "x.csv.zst", "x.jsonl"])
def test_damaged_files_are_refused(tmp_path, files, name):
    """Cut off, or with other bytes, they are a mistake in the data and nothing else."""
    sound = {
        "x.parquet": files[6],
        "x.csv.gz": files[7],
        "x.csv.zst": files[8],
        "x.jsonl": files[3],
    }
    content = sound[name].read_bytes() if name in sound else _book()
    rng, path, refused = np.random.default_rng(0), tmp_path / name, 0
    for trial in range(40):
        wrong = bytearray(content)
        if trial % 2:
            wrong = wrong[: int(rng.integers(len(wrong)))]
        else:
            for place in rng.integers(len(wrong), size=1 + trial // 4):
                wrong[place] = rng.integers(256)
        path.write_bytes(wrong)
        with suppress(DataError):
            read_csv(path, "price", features=["area", "rooms"], task="regression", missing="mean")
            refused -= 1
        refused += 1
    assert refused > 10


def _book() -> bytes:
    file = io.BytesIO()
    pd.DataFrame(columns()).astype({"number": float}).to_excel(file, index=False)
    return file.getvalue()


def test_hostile_sheets_are_refused_at_once(tmp_path):
    """A cell in the last corner fills no memory, and no entity is multiplied."""
    book = openpyxl.Workbook()
    for row in (["a", "y"], [1, 2]):
        book.active.append(row)
    book.save(tmp_path / "sound.xlsx")
    book.active.cell(1 << 18, 1 << 14).value = 7
    book.save(tmp_path / "far.xlsx")
    lols = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 11))
    head = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "lollollol">{lols}]>'
    with (
        zipfile.ZipFile(tmp_path / "sound.xlsx") as sound,
        zipfile.ZipFile(tmp_path / "lol.xlsx", "w") as wrong,
    ):
        for name in sound.namelist():
            content = sound.read(name).decode()
            if name.endswith("sheet1.xml"):
                content = head + content.partition("?>")[2].replace("<v>", "<v>&a10;", 1)
            wrong.writestr(name, content)
    for name, said in (
        ("far.xlsx", "far.xlsx:262144: has 16384 cells where the header has 2"),
        ("lol.xlsx", "lol.xlsx: is damaged or no .xlsx file: "),
    ):
        with pytest.raises(DataError) as error:
            read_csv(tmp_path / name, "y", task="regression")
        assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1', "x.jsonl:2: is no JSON: "),
        ("[1, 2]", "x.jsonl:2: is no JSON object; write an object on each line"),
        ('{"a": 1, "c": 2}', "x.jsonl:2: has the key 'c', which the first line has not"),
        ("[" * 100_000, "x.jsonl:2: is no JSON: "),
        ('{"a": ' + "9" * 5000 + "}", "x.jsonl:2: is no JSON: "),
    ],
)
def test_wrong_json_lines_have_their_line(tmp_path, line, said):
    """With what is needed."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1, "y": 2}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_csv(path, "y", task="regression")
    assert said in str(error.value)


def test_a_sheet_may_have_blank_rows_and_formulas(tmp_path):
    """Blank rows and columns behind the table are no data; a formula is its last value."""
    book = openpyxl.Workbook()
    for row in (["a", "y", None], [1, 2, None], [None, None, None], [True, "4", ""], [5, 6, 7]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(DataError, match=r"x\.xlsx:5: has 3 cells where the header has 2"):
        read_csv(tmp_path / "x.xlsx", "y", task="regression")
    book.active.delete_rows(5)
    book.save(tmp_path / "x.xlsx")
    data = read_csv(tmp_path / "x.xlsx", "y", task="regression")
    assert ([[1], [1]], [[2], [4]]) == (data.x.tolist(), data.y.tolist())


def test_a_formula_without_its_value_is_refused(tmp_path):
    """Programs that write formulas do not compute them: the row is named, and what to do."""
    book = openpyxl.Workbook()
    for row in (["a", "y", "b"], [1, 2, "=A2"], [2, "=A3*2", 3], [3, 4, 5], ["=A2", "=A3", None]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(DataError) as error:
        read_csv(tmp_path / "x.xlsx", "y", task="regression", features=["a"], missing="drop_rows")
    save = "; open the file in a spreadsheet program, which computes it, and save it there"
    expected = [
        f"{tmp_path / 'x.xlsx'}:3:y: the formula =A3*2 has no stored value{save}",
        f"{tmp_path / 'x.xlsx'}:5:a: the formula =A2 has no stored value{save}",
    ]
    assert expected == str(error.value).splitlines()


def test_a_sheet_needs_names(tmp_path):
    """A first row of numbers is data without a header, as in a CSV file."""
    book = openpyxl.Workbook()
    for row in ([1, 2.5], [2, 3.5]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(DataError, match=r"x\.xlsx:1: the first line holds numbers; a header row"):
        read_csv(tmp_path / "x.xlsx", "y", task="regression")


@pytest.mark.parametrize(
    ("name", "package"),
    [("x.parquet", "pyarrow"), ("x.xlsx", "openpyxl"), ("x.csv.zst", "pyarrow")],
)
def test_a_missing_package_is_named_with_its_extra(tmp_path, config, monkeypatch, name, package):
    """All else works without it."""
    monkeypatch.setattr(excel, "find_spec", lambda name: None)
    (tmp_path / name).write_bytes(b"PAR1")
    message = rf"{name}: {package} reads it: pip install 'nnrun\[tables\]'"
    with pytest.raises(UsageError, match=message):
        nnrun.check(config(path=str(tmp_path / name)))


@pytest.mark.parametrize("path", ["https://x.org/a.csv", "http://x.org/a.parquet", "s3://b/a.npz"])
def test_addresses_are_refused_and_not_asked(config, path, printed, expected, monkeypatch):
    """In a config, for init and for predict: nothing leaves the machine."""
    monkeypatch.setattr("socket.socket.connect", None)
    said = "is an address, and nothing is fetched: download it, and name the file"
    with pytest.raises(ConfigError, match=said):
        nnrun.check(config(path=path))
    for arguments in (["init", "--data", path], ["predict", str(expected.path), path]):
        assert said in refused(*arguments)


def test_no_package_of_a_format_is_imported_for_another(files):
    """They take longer to load than a CSV file of usual size."""
    script = (
        "import sys; from pathlib import Path; from tests.data.tables import read_csv;"
        f"read_csv(Path({str(files[0])!r}), 'price', features=['rooms'], task='regression');"
        "print(sorted({'pyarrow', 'openpyxl', 'pandas', 'polars'} & {*sys.modules}))"
    )
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)
    assert "[]" == answer.stdout.strip()


# Data that are given in Python: tables and arrays in place of a file.

NUMBERS = {
    "name": "numbers",
    "dataset": {"features": "standard"},
    "network": {"sizes": [4, 1], "activations": ["tanh", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.01, "iterations": 20, "engine": "numpy"},
}


@pytest.fixture(scope="module")
def arrays():
    """Features and values."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 3)), rng.normal(size=50)


def test_training_is_the_same_from_every_library(config, expected):
    """As from a file, to the bit; and the run is the same for all of them, by its content."""
    runs = [nnrun.train(config(), data=frame, results=None) for frame in frames().values()]
    assert {expected.network.theta.tobytes()} == {run.network.theta.tobytes() for run in runs}
    assert 1 == len({run.run_id for run in runs})
    assert runs[0].run_id != expected.run_id  # a file is known by its bytes


def test_a_frame_may_stand_in_for_the_file_of_a_config(config, files, expected):
    """The path of the config is not looked at."""
    run = nnrun.train(config(path="nowhere.csv"), data=frames()["polars"], results=None)
    assert expected.network.theta.tobytes() == run.network.theta.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.rename({"price": "prize"}),
        lambda frame: frame.select(reversed(frame.columns)),
        lambda frame: frame.with_columns(pl.col("area").fill_null(0.0)),
        lambda frame: frame.with_columns(pl.col("number") + 2),
        lambda frame: frame.with_columns(pl.col("garden").cast(pl.Int64)),
        lambda frame: frame.with_columns(pl.col("code").cast(pl.String) + "x"),
        lambda frame: frame.reverse(),
    ],
)
def test_other_content_has_another_digest(change):
    """Other names, another order, another cell, another meaning."""
    frame = pl.DataFrame(columns())
    assert Frame(frame).sha256 != Frame(change(frame)).sha256


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.with_columns(pl.col("rooms").cast(pl.Int8)),
        lambda frame: frame.with_columns(pl.col("rooms").cast(pl.Float64)),
        lambda frame: frame.with_columns(pl.col("area").fill_null(float("nan"))),
        lambda frame: frame.with_columns(pl.col("town").cast(pl.Categorical)),
        lambda frame: frame.with_columns(pl.col("sold").cast(pl.Datetime("ms"))),
        lambda frame: frame.to_pandas().set_index(np.arange(len(frame)) * 7),
    ],
)
def test_the_same_content_has_the_same_digest(change):
    """Whatever the width of numbers, the codes of texts, and the labels of rows."""
    frame = pl.DataFrame(columns())
    assert Frame(frame).sha256 == Frame(change(frame)).sha256


def test_sweeps_send_data_to_their_workers(config, expected, tmp_path):
    """Processes have them without a file, and bits are those of one process."""
    frame = frames()["pandas"]
    board = nnrun.sweep(config(), data=frame, seeds=[42, 43], jobs=2, results=tmp_path)
    alone = nnrun.train(config(), data=frame, seed=43, results=None)
    weights = {run.run_id: run.network.theta.tobytes() for run in board.runs()}
    assert {expected.network.theta.tobytes(), alone.network.theta.tobytes()} == {*weights.values()}
    assert alone.network.theta.tobytes() == weights[alone.run_id]


def test_arrays_are_those_of_an_npz_file(arrays, tmp_path):
    """As a pair, or by name; lists do."""
    x, y = arrays
    np.savez(tmp_path / "a.npz", x=x, y=y)
    from_file = nnrun.train(NUMBERS, {"dataset.path": str(tmp_path / "a.npz")}, results=None)
    runs = [
        nnrun.train(NUMBERS, data=data, results=None)
        for data in (arrays, {"y": y, "x": x}, [x.tolist(), y.tolist()])
    ]
    assert {from_file.network.theta.tobytes()} == {run.network.theta.tobytes() for run in runs}
    assert 1 == len({run.run_id for run in runs})


def test_a_test_split_may_be_given(arrays):
    """As x_test and y_test."""
    x, y = arrays
    given = {"x": x[:40], "y": y[:40], "x_test": x[40:], "y_test": y[40:]}
    assert 10 == nnrun.train(NUMBERS, data=given, results=None).record.dataset["n_test"]


def test_stored_runs_ask_for_their_data(config, tmp_path):
    """They are verified and extended with the data given again; other data are found out."""
    frame = frames()["pandas"]
    run = nnrun.train(config(), data=frame, results=tmp_path)
    assert run is not None
    again = nnrun.train(config(), data=frame, results=tmp_path)
    assert "completed" == again.status
    assert nnrun.verify(run, data=frame, results=tmp_path).agrees
    changed = frame.assign(rooms=frame["rooms"] + 1)
    assert "its data have changed since it was trained" == nnrun.verify(run, data=changed).reason
    said = "its data were given in Python and have no file; pass them again as `data`"
    assert said in str(nnrun.verify(run, results=tmp_path).reason)
    with pytest.raises(NnrunError, match=said):
        nnrun.extend(run, 10, results=tmp_path)
    longer = nnrun.extend(run, 10, data=frame, results=tmp_path)
    whole = nnrun.train(config(), {"training.iterations": 30}, data=frame, results=None)
    assert whole.network.theta.tobytes() == longer.network.theta.tobytes()
    with pytest.raises(ConfigError, match=said):
        nnrun.train(run.path / "config.yaml", results=None)


def test_check_reads_what_is_given(config):
    """Without training."""
    found = nnrun.check(config(), data=frames()["pyarrow"])
    assert (48, 60) == (found.dataset["n_train"], sum(found.dataset[f"n_{s}"] for s in SPLITS))


SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (7, "data=int: expected a table of pandas, polars or pyarrow, or arrays as (x, y)"),
        ({"x": 1}, "data=dict: expected a table"),
        ({"x": [[1.0]], "y": [1], "x_test": [[1.0]]}, "of x_test and y_test one is missing"),
        (([[None]], [1]), "x holds objects of Python (NoneType), not numbers or text alone"),
        (([[1.0]], ["a", 2, None]), "y holds objects of Python (NoneType, int, str), not numbers"),
        (pl.DataFrame({"a": [1]}).lazy(), "the table is lazy: give data.collect()"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the table:a: 2 columns have this name"),
        (pd.DataFrame({"a": ["x"], "price": [1]}), "row 0, column 'a': 'x' is not a number"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(data, said):
    """With what is needed; cells of a table by row and column."""
    columns = {"target": "price"} if is_frame(data) else None
    with pytest.raises((UsageError, ConfigError)) as error:
        nnrun.train({**NUMBERS, "dataset": {"columns": columns}}, data=data, results=None)
    assert said in str(error.value)


@pytest.mark.parametrize("labels", [["a", "b"], [1, 2.5], [3, 4], [False, True]])
def test_objects_that_are_numbers_or_text_are_taken(labels, arrays):
    """An array of objects is what it holds, as pandas and scikit-learn have labels."""
    x, values = arrays
    y = np.array(labels)[(values > 0).astype(int)]
    config = NUMBERS | {"loss": "cross_entropy", "dataset": {"task": "classification"}}
    config |= {"network": {"sizes": [4, 2], "activations": ["tanh", "softmax"]}}
    plain, objects = (
        nnrun.train(config, data=data, results=None)
        for data in ((x, y), (x.astype(object), y.astype(object)))
    )
    assert plain.run_id == objects.run_id
    assert plain.network.theta.tobytes() == objects.network.theta.tobytes()
    assert plain.predict(x).tolist() == objects.predict(x.astype(object)).tolist()


def test_a_frame_predicts_as_its_file_does(expected, files):
    """Rows of a frame and of a file have the same predictions."""
    frame = frames()["pandas"].assign(garden=lambda frame: frame["garden"].astype(str))
    assert expected.predict(frame).shape == (60,)
    json.dumps(expected.config)
