"""Configs that `nnrun init --data` writes for awkward tables, against what these say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnrun.config.load import load_config
from nnrun.config.scaffold.from_data import draft
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.errors import ConfigError
from nnrun.runs.preparation.prepare import prepare
from tests.data.awkward import TABLES


@pytest.fixture(params=TABLES)
def table(request, tmp_path, monkeypatch):
    """An awkward table, in a file `t.csv` of the current folder."""
    monkeypatch.chdir(tmp_path)
    made = TABLES[request.param]()
    Path("t.csv").write_text(made.text, encoding="utf-8")
    return made


def prepared(target, text=None):
    """What the config for the file prepares."""
    Path("t.yaml").write_text(text or draft(Path("t.csv"), target, Path()).text, encoding="utf-8")
    return prepare(load_config(Path("t.yaml")))


def test_every_number_and_date_is_read_as_it_is_meant(table):
    """x has the numbers and the parts of dates that the table stands for, to the bit."""
    *names, target = table.numbers
    data = prepared(target).dataset
    columns = dict(zip(data.feature_names, data.x.T.tolist(), strict=True))
    assert {name: table.numbers[name] for name in names} == {n: columns[n] for n in names}
    assert table.numbers[target] == data.y[:, 0].tolist()
    for name, moments in table.moments.items():
        local = pd.Series([moment.replace(tzinfo=None) for moment in moments])
        angle = 2 * np.pi * local.dt.day_of_week / 7
        if f"{name}.weekday_sin" in columns:
            assert np.sin(angle).round(12).tolist() == columns[f"{name}.weekday_sin"]
        if f"{name}.hour_cos" in columns:
            angle = 2 * np.pi * local.dt.hour / 24
            assert (np.cos(angle).round(12) + 0.0).tolist() == columns[f"{name}.hour_cos"]
    assert any(feature.partition(".")[0] in table.moments for feature in columns)


def test_a_table_in_time_is_split_by_it(table):
    """Rows in the order of a column of times are trained on from the first to the last."""
    run = prepared([*table.numbers][-1])
    split = run.config.dataset.split
    assert ("time" if table.split else "random", table.split or None) == (split.by, split.column)
    if table.split:
        assert list(range(len(run.split.train.rows))) == sorted(run.split.train.rows.tolist())


def test_a_cell_in_another_form_is_an_error(table):
    """Training does not guess: a cell that is written in another way is refused with its line."""
    target = [*table.numbers][-1]
    text = draft(Path("t.csv"), target, Path()).text
    rows = table.text.splitlines()
    changed = table.text.rstrip("\n").removesuffix('"') + " or more"
    Path("t.csv").write_text(changed + '"' * table.text.endswith('"\n') + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"t\.csv:{len(rows)}:{target}: .* or more' is no"):
        prepared(target, text)


def test_a_series_without_other_columns_has_lags(tmp_path, monkeypatch):
    """Of years, no part of a date can show anything; the year before is the only feature."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{1950 + year}-01-01,{year * year % 17}.5" for year in range(60)]
    Path("t.csv").write_text("\n".join(["when,y", *rows]) + "\n")
    run = prepared("y")
    assert (("y.lag_1",), "time") == (run.dataset.feature_names, run.config.dataset.split.by)


@pytest.mark.parametrize(
    ("cells", "separator", "example", "value", "other"),
    [
        (["1,234", "2,500"], "|", "1,234.50", 1234, "1234,50"),
        (["1,234", "12.5"], "|", "1,234.50", 1234, ""),
        (["1.234 €", "2.500 €"], ",", "1.234,50 €", 1234, "1234.50 €"),
        (["$1,234", "$7"], "|", "$1,234.50", 1234, "$1234,50"),
        (["1,234", "2,500"], ";", "", 1.234, ""),
        (["1.234", "2.500"], ";", "", 1.234, ""),
    ],
)
def test_guesses_are_marked(tmp_path, monkeypatch, cells, separator, example, value, other):
    """A comment has what the cells may be otherwise, as an example for `formats`."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{cells[row % 2]}{separator}{row * row % 17}" for row in range(60)]
    Path("t.csv").write_text("\n".join([f"a{separator}y", *rows]) + "\n")
    made = draft(Path("t.csv"), "y", Path())
    run = prepared("y")
    formats = run.config.dataset.columns.formats
    assert (value, {"a": example} if example else {}) == (
        run.dataset.x[0, 0],
        {name: NumberFormat.from_example(text).example() for name, text in formats.items()},
    )
    assert (f'; if not, "{other}"' in made.text) == bool(other)
    assert any(line.startswith("it guesses the format of a") for line in made.choices) == bool(
        other
    )


def test_an_order_of_days_and_months_that_no_cell_shows_is_a_guess(tmp_path, monkeypatch):
    """The month is first after slashes, and a comment has the other order."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{row % 12 + 1}/{row % 11 + 1}/2023,{row * row % 17}" for row in range(60)]
    Path("t.csv").write_text("\n".join(["when,y", *rows]) + "\n")
    text = draft(Path("t.csv"), "y", Path()).text
    assert 'when: "12/31/2024"' in text
    assert '# a guess: no cell shows it; "31/12/2024" for the other order' in text
    months = [row % 12 + 1 for row in range(60)]
    parts = prepared("y", text.replace("[month, weekday, elapsed, cyclic]", "[month]")).dataset.x
    assert months == parts[:, 0].tolist()


def test_columns_with_odd_cells_are_left_out_and_the_first_is_named(tmp_path, monkeypatch):
    """Numbers and dates alike: with the cell and its line, in the config too."""
    monkeypatch.chdir(tmp_path)
    rows = [f"2023-01-{row % 28 + 1:02},{row}.5,{row} kg,{row * row % 17}" for row in range(60)]
    rows[7] = "soon,viel,7 lb,1"
    Path("t.csv").write_text(
        "\n".join(["day,size,weight,y,k", *(f"{row},{len(row)}" for row in rows)])
    )
    made = draft(Path("t.csv"), "y", Path())
    one = "numbers, but for '{}' in line 9; without it, they can be used"
    for name, reason in (
        ("day", "dates and other text, such as 'soon' in line 9"),
        ("size", one.format("viel")),
        ("weight", one.format("7 lb")),
    ):
        assert f"{name} ({reason})" in made.choices[-1]
        assert f"- {name} " in made.text
        assert reason in made.text
    table = Path("t.csv").read_text().replace("50.5", "wenig")
    Path("t.csv").write_text(table)
    reason = "size (numbers and other text, such as 'viel' in line 9)"
    assert reason in draft(Path("t.csv"), "y", Path()).choices[-1]
