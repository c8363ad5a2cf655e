"""Messy cells and files that a config says: missing words, lists of formats, encodings."""

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
from nnrun.data.encodings import checked_encoding
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.table_rows import table_rows
from nnrun.data.layout import Layout
from nnrun.data.splits import load_dataset
from nnrun.errors import ConfigError, DataError

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
