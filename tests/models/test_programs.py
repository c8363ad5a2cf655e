"""Scripts as programs: they predict CSV files with the columns of training."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nnrun.data.columns.categories import OneHot
from nnrun.data.columns.column import Number
from nnrun.data.columns.kinds import KINDS
from nnrun.data.inference.table_rows import CsvRows
from nnrun.data.labels import canonical
from nnrun.data.layout import Columns, Layout
from nnrun.data.readers.text_lines import CsvTable
from nnrun.data.steps import STEPS
from nnrun.errors import UsageError
from nnrun.models.code.script import CELLS, LANGUAGES, script
from nnrun.models.code.source.cells import category, one_spelling
from nnrun.models.coverage import Promise
from nnrun.models.model import Model
from nnrun.models.predict import predict_rows
from nnrun.models.writing import CsvWriter
from nnrun.nn import ACTIVATIONS, BatchNorm, CrossEntropy, MeanSquared, Network, dense
from tests.models.random_models import (
    Table,
    judged,
    model_of,
    random_table,
    rows,
    step_of,
    table_model,
)
from tests.models.test_code import run


def csv_rows(content: bytes, layout: Layout) -> CsvRows:
    """The rows of a CSV file."""
    path = Path("rows.csv")
    make = partial(CsvTable, path, io.BytesIO(content), layout.columns.separator)
    return CsvRows(path, make, layout, with_target=False)


def predicted(model: Model, content: bytes, promise: Promise | None = None) -> str:
    """What `nnrun predict` writes."""
    sink = io.BytesIO()
    with CsvWriter(model, sink, (), promise) as writer:
        predict_rows(model, csv_rows(content, model.layout), writer, None)
    return sink.getvalue().decode()


def by_script(table: Table, language: str, path) -> dict:
    """The names of the script, and `rows`, what it reads from the file."""
    path.write_bytes(table.content)
    names = run(script(table.model, LANGUAGES[language]))
    return {**names, "rows": names["read_rows"](str(path))}


@pytest.mark.parametrize(
    ("dtype", "target"), [("float64", "standard"), ("float32", "standard"), ("float32", "none")]
)
def test_numpy_scripts_write_the_same_bytes(dtype, target, tmp_path, capfd):
    """As `nnrun predict` does, for forty tables in all the forms that tables have."""
    for seed in range(40):
        table = random_table(seed, dtype=dtype, target=target)
        names = by_script(table, "numpy", tmp_path / "rows.csv")
        names["write"](names["rows"])
        assert predicted(table.model, table.content) == capfd.readouterr().out


def test_scripts_write_intervals_and_sets(tmp_path, capfd):
    """The bytes of `nnrun predict --coverage`, by rows and by groups, with labels of any kind."""
    for seed in range(24):
        table = random_table(seed, target=("standard", "none")[seed % 2])
        judged(table.model, groups=seed % 3 == 0)
        if seed % 4 == 0 and table.model.layout.classes:
            classes = ("-1,5", '+"x" \n', "=1+1")[: len(table.model.layout.classes)]
            table.model.layout = replace(table.model.layout, classes=classes)
        names = by_script(table, "numpy", tmp_path / "rows.csv")
        names["cover"]("0.97")
        names["write"](names["rows"])
        expected = predicted(table.model, table.content, Promise(0.97))
        assert expected == capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--coverage", "1"], "--coverage 1 is no share between 0 and 1, such as 0.9"),
        (["--coverage", "nine"], "--coverage nine is no share between 0 and 1, such as 0.9"),
        (["--coverage", "0.9999"], "a coverage of 0.9999 needs 9999 rows .* and there are 3000"),
        (
            ["--coverage", "0.9"],
            r"usage: python .* \[--coverage SHARE\] ROWS.csv > PREDICTIONS.csv",
        ),
    ],
)
def test_coverages_that_cannot_be_promised_are_refused(words, expected, monkeypatch, capfd):
    """The message is that of `nnrun predict`, the exit code 2."""
    names = run(script(judged(random_table(1).model), LANGUAGES["numpy"]))
    monkeypatch.setattr(sys, "argv", ["model.py", *words, "rows.csv", "more.csv"])
    with pytest.raises(SystemExit) as ended:
        names["main"]()
    assert 2 == ended.value.code
    answer = capfd.readouterr()
    assert "" == answer.out
    assert re.search(expected, answer.err)


def test_scripts_read_words_for_missing_values_and_encodings(tmp_path, capfd):
    """As training read them: a file with other words and bytes gives the same predictions."""
    changed = 0
    for seed in range(12):
        table = random_table(seed)
        text = table.content.decode()
        other = text.replace("N/A", "k.A.").replace("NA", "-999.0")
        columns = replace(
            table.model.layout.columns, missing_values={"": ["k.a.", "-999.0"]}, encoding="utf-16"
        )
        layout = replace(table.model.layout, columns=columns)
        model = Model(table.model.network, table.model.preprocessing, layout, "s1-0123456789")
        names = by_script(Table(model, other.encode("utf-16")), "numpy", tmp_path / "rows.csv")
        names["write"](names["rows"])
        assert predicted(table.model, table.content) == capfd.readouterr().out
        assert predicted(table.model, table.content) == predicted(model, other.encode())
        changed += other != text
    assert changed


def written_by_both(model: Model, path, capfd) -> tuple[str, str]:
    """What `nnrun predict` and the script in NumPy write for rows in a CSV file."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(model.layout.columns.feature_names)
    writer.writerows(rows(model, 20).tolist())
    table = Table(model, content.getvalue().encode())
    names = by_script(table, "numpy", path)
    names["write"](names["rows"])
    return predicted(model, table.content), capfd.readouterr().out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STEPS)
def test_steps_of_any_width_write_the_same_bytes(name, dtype, tmp_path, capfd):
    """Sums over 1 to 70 columns are in the same order."""
    for width in range(1, 71):
        network = Network([dense(3, "tanh"), dense(2)], MeanSquared(), (width,), dtype)
        network.initialize(rng=np.random.default_rng(width))
        model = model_of(network, (width,), [step_of(name)], "regression", "standard")
        expected, found = written_by_both(model, tmp_path / "rows.csv", capfd)
        assert (width, expected) == (width, found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_layers_of_any_width_write_the_same_bytes(name, dtype, tmp_path, capfd):
    """Likewise products of 1 to 70 columns, batch normalisation, and every activation over them."""
    classes = name == "softmax"
    for width in range(1, 71):
        units = max(width, 2) if classes else width
        last = [] if classes else [dense(2)]
        network = Network(
            [dense(width), BatchNorm(), dense(units, name), *last],
            CrossEntropy() if classes else MeanSquared(),
            (width,),
            dtype,
        )
        network.initialize(rng=np.random.default_rng(width))
        task, target = ("classification", "none") if classes else ("regression", "minmax")
        model = model_of(network, (width,), ["standard"], task, target)
        expected, found = written_by_both(model, tmp_path / "rows.csv", capfd)
        assert (width, expected) == (width, found)


def test_large_files_are_predicted_in_the_same_batches(tmp_path, capfd):
    """Matrix products of other batches may have other last bits."""
    table = random_table(1, rows=9000)
    names = by_script(table, "numpy", tmp_path / "rows.csv")
    names["write"](names["rows"])
    assert predicted(table.model, table.content) == capfd.readouterr().out


@pytest.mark.pytorch
def test_pytorch_scripts_agree(tmp_path):
    """To 1e-12, for forty tables."""
    for seed in range(40):
        table = random_table(seed)
        names = by_script(table, "pytorch", tmp_path / "rows.csv")
        (batch,) = csv_rows(table.content, table.model.layout).batches(1000)
        np.testing.assert_array_equal(batch.x, names["rows"])
        expected, found = table.model.predict(batch.x), names["predict"](batch.x)
        if table.model.layout.task == "regression":
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        else:
            proba = names["predict_proba"](batch.x)
            np.testing.assert_allclose(proba, table.model.predict_proba(batch.x), atol=1e-12)
            assert expected.tolist() == found.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", "line 1: there is no column 'size'\n"),
        ("size,size\n1,2\n", "line 1: several columns have the same name\n"),
        ("size,b\n1,2\nabc,2\n", "line 3: size: 'abc' is not a number\n"),
        ("size,b\n1\n", "line 2: has 1 cells, the header 2\n"),
        ("size\ninf\n", "line 2: size: 'inf' is not a number\n"),
        ('size\n"1\n', "unexpected end of data\n"),
        ("", "line 1: there is no column 'size'\n"),
    ],
)
def test_wrong_files_are_reported(text, expected, tmp_path):
    """With the line, exit code 2, and no prediction."""
    model = replace_columns(table_model("dense", 0, "float64"), ["size"])
    (tmp_path / "rows.csv").write_text(text)
    names = run(script(model, LANGUAGES["numpy"]))
    with pytest.raises((ValueError, csv.Error)) as error:
        names["read_rows"](str(tmp_path / "rows.csv"))
    assert expected == f"{error.value}\n"


@pytest.mark.parametrize("text", ["size,a\n1,2\n", "size;a\n1;2\n", "a\tsize\n1\t2\n"])
def test_only_columns_that_are_lacking_are_named(text, tmp_path):
    """By the separator by which most columns are there."""
    (tmp_path / "rows.csv").write_text(text)
    model = replace_columns(table_model("dense", 0, "float64"), ["size", "rooms", "age"])
    names = run(script(model, LANGUAGES["numpy"]))
    with pytest.raises(ValueError, match=r"^line 1: there is no column 'rooms', 'age'$"):
        names["read_rows"](str(tmp_path / "rows.csv"))


def replace_columns(model: Model, names: list[str]) -> Model:
    """The model, as if it took a table with these columns."""
    columns = Columns(tuple(map(Number, names)))
    model.layout = replace(model.layout, shape=(len(names),), columns=columns)
    return model


def test_every_kind_of_column_has_an_emitter():
    """A kind that is added is added to scripts, too; values of earlier rows are in no row."""
    assert {*KINDS} - {"lag"} == {*CELLS}


def test_kinds_without_an_emitter_are_refused(monkeypatch):
    """With the kind, and those that can be exported."""
    model = replace_columns(table_model("dense", 0, "float64"), ["size"])
    monkeypatch.delitem(CELLS, "number")
    with pytest.raises(UsageError, match="'number' cannot be exported as a script; these can"):
        script(model, LANGUAGES["numpy"])


NUMBERS = "1 1.0 +1 1e0 -0 -0.0 007 0 0.5 00 1_0 x 1e400 12345678901234567890 1e22 .5"


@pytest.mark.parametrize("text", NUMBERS.split())
@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_have_one_spelling(text, decimal):
    """That which they have in training."""
    text = text.replace(".", decimal)
    assert canonical(text, decimal).replace("inf", text) == one_spelling(text, decimal)


def test_a_script_is_a_program_of_its_own(tmp_path):
    """It needs nothing of nnrun, takes a file or stdin, and says how it is used."""
    table = random_table(3)
    (tmp_path / "model.py").write_text(script(table.model, LANGUAGES["numpy"]))
    (tmp_path / "rows.csv").write_bytes(table.content)
    alone = "import sys; sys.modules['nnrun'] = None; import runpy; sys.argv = sys.argv[1:]; \
runpy.run_path('model.py', run_name='__main__')"

    def execute(*words: str) -> tuple[int, bytes, bytes]:
        done = subprocess.run([sys.executable, "-c", alone, "model.py", *words], cwd=tmp_path,
                              input=table.content, capture_output=True, check=False)  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    expected = predicted(table.model, table.content).encode()
    assert (0, expected) == execute("rows.csv")[:2]
    assert (0, expected) == execute("-")[:2]
    usage = b"usage: python model.py ROWS.csv > PREDICTIONS.csv\n"
    assert (2, b"", usage) == execute()
    assert (2, b"", b"none.csv: No such file or directory\n") == execute("none.csv")


def test_unseen_categories_are_counted(tmp_path, capfd, monkeypatch):
    """On stderr, where they are predicted."""
    columns = Columns((OneHot("kind", ("a", "b"), unknown="ignore"),))
    model = replace_columns(table_model("dense", 0, "float64"), ["kind", "x"])
    model.layout = replace(model.layout, columns=columns)
    (tmp_path / "rows.csv").write_text("kind\na\nc\nd\nb\n")
    names = run(script(model, LANGUAGES["numpy"]))
    monkeypatch.setattr(sys, "argv", ["model.py", str(tmp_path / "rows.csv")])
    names["write"] = len  # the network takes other rows
    names["main"]()
    expected = "rows.csv: kind: 2 cells have categories that training has not seen\n"
    assert capfd.readouterr().err.endswith(expected)


@pytest.mark.parametrize(
    ("cell", "expected"), [(" ", "the cell is blank"), ("NA", "'NA' stands for a missing value")]
)
def test_missing_categories_are_refused_as_missing(cell, expected):
    """Where training had none, the message is that of `nnrun predict`."""
    with pytest.raises(ValueError, match=f"^kind: {expected}; training had no such rows$"):
        category({"kind": cell}, "kind", ["a", "b"], otherwise=0)


def test_all_columns_are_named():
    """However many there are: those of files, and the features of arrays."""
    names = [f"column {number}" for number in range(300)]
    model = replace_columns(table_model("dense", 0, "float64"), names)
    heading = " ".join(script(model, LANGUAGES["numpy"]).split('"""')[1].split())
    assert ", ".join(names) in heading
