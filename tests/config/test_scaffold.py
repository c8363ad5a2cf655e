"""First configs from data."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from nnrun.config.load import load_config
from nnrun.config.scaffold.columns import width
from nnrun.config.scaffold.from_data import draft
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.errors import ConfigError
from nnrun.runs.preparation.prepare import prepare
from tests.data.awkward import TABLES

# The split that `nnrun init --data` proposes, by the names and values of columns.

GROUP = "  split: {by: group, column: %s}  # the rows of one %s are in one split"
MAYBE = "  # split: {by: group, column: %s}  # the rows of one %s are in one split"
TIME = "  # split: {by: time, column: %s}  # trained on what comes first, tested on what comes last"


def unpadded(line):
    """The line with two spaces before its comment."""
    return re.sub(" {3,}# ", "  # ", line)


@pytest.fixture
def proposed(tmp_path, monkeypatch):
    """Writes a table of 60 rows, and returns the lines of its config that name a split."""
    monkeypatch.chdir(tmp_path)

    def propose(**columns):
        columns = {"size": [row * 7 % 13 for row in range(60)], **columns}
        columns.setdefault("price", [row * 3 % 17 + 0.5 for row in range(60)])
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
        Path("t.csv").write_text("\n".join(lines) + "\n")
        made = draft(Path("t.csv"), "price", tmp_path)
        Path("t.yaml").write_text(made.text)
        return [line for line in map(unpadded, made.text.splitlines()) if "split: {" in line], made

    return propose


def swap(text):
    """Write the config with the splits of comments in place of the one that is in use."""
    used = text.replace("  # split:", "  # other:").replace("  split:", "  # split:")
    Path("t.yaml").write_text(used.replace("  # other:", "  split:"))


def of(count, form="P{}"):
    """This many values, each in several of the 60 rows."""
    return [form.format(row % count) for row in range(60)]


def days(form="2024-{:02}-{:02}"):
    """A day for each row, in the order of the file."""
    return [form.format(row // 20 + 1, row % 20 + 1) for row in range(60)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("patient", of(12)),
        ("Patient ID", of(12, "{}")),
        ("userId", of(30)),
        ("customerid", of(6, "{:03}")),
        ("subject", of(20, "{}")),
        ("Household_No", of(15)),
    ],
)
def test_people_are_groups(proposed, name, values):
    """The config splits by them, leaves them out of the features, and trains as it is."""
    lines, made = proposed(**{name: values})
    assert [GROUP % (name, name)] == lines
    assert f"it splits by group: the rows of one {name} are in one split" in made.choices
    assert not [line for line in made.choices if line.startswith("it leaves out")]
    run = prepare(load_config(Path("t.yaml")))
    assert ("group", ("size",)) == (run.config.dataset.split.by, run.dataset.feature_names)


def test_rows_of_unknown_people_are_left_out(proposed):
    """Blank cells make people no feature: a random split would hide that they are known."""
    lines, made = proposed(patient=["", "NA", *of(12)[2:]])
    assert [GROUP % ("patient", "patient")] == lines
    told = (
        "it splits by group: the rows of one patient are in one split; 2 without one are left out"
    )
    assert told in made.choices
    run = prepare(load_config(Path("t.yaml")))
    assert (58, ("size",)) == (len(run.dataset.x), run.dataset.feature_names)


@pytest.mark.parametrize(("name", "count"), [("shop_id", 12), ("group", 15), ("storeID", 20)])
def test_other_ids_are_proposed_in_a_comment(proposed, name, count):
    """They may be known when the network is used, so the split stays random."""
    lines, made = proposed(**{name: of(count, "{}")})
    assert [MAYBE % (name, name)] == lines
    told = f"it splits at random; a comment says how to split by group, {name}"
    assert told in made.choices
    assert "random" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by
    text = made.text.replace("  # split:", "  split:")
    Path("t.yaml").write_text(text)
    assert "group" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by


@pytest.mark.parametrize(
    "values",
    [
        days(),
        days()[::-1],
        days("2024-{:02}-{:02}T08:00"),
        days("{:02}/{:02}/2024"),
    ],
)
def test_rows_in_the_order_of_time_are_split_by_it(proposed, values):
    """One way or the other, in any form of dates; the classes of a series are not stratified."""
    lines, made = proposed(sold=values)
    assert [TIME[4:] % "sold"] == [line.strip() for line in lines]
    told = "it splits by time, sold, since its rows are a series in that order; a comment says how"
    assert f"{told} to split at random" in made.choices
    assert "time" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by
    labels = [row % 2 for row in range(60)]
    assert "stratify" not in proposed(sold=values, price=labels)[1].text


def test_other_dates_are_proposed_in_a_comment(proposed):
    """Without the comment sign, the config splits by them."""
    values = days()[30:] + days()[:30]
    lines, made = proposed(sold=values)
    assert [TIME % "sold"] == lines
    swap(made.text)
    assert "time" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by


@pytest.mark.parametrize("labels", [False, True])
def test_a_table_of_things_sorted_by_time_is_split_at_random(proposed, labels):
    """Several rows have one time, which is no series; the comment has the other split."""
    values = [f"{1970 + row // 5}-01-01" for row in range(60)]
    price = [row * 3 % 17 + 0.5 for row in range(60)]
    target = [row % 2 for row in range(60)] if labels else price
    lines, made = proposed(year=values, price=target)
    assert [TIME % "year"] == lines
    told = "it splits at random, since several rows have one year; a comment says how to split by"
    assert f"{told} time, year" in made.choices
    assert "  split: random" in made.text
    assert "random" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by
    swap(made.text)
    assert "time" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by


def test_series_of_groups_in_the_order_of_time_are_split_by_it(proposed):
    """One row for each time and group."""
    when = [f"{1970 + row // 5}-01-01" for row in range(60)]
    lines, made = proposed(year=when, country=of(5))
    assert [TIME[4:] % "year"] == [line.strip() for line in lines]
    assert "\n  lags: {price: {steps: [1], group: country}}" in made.text
    run = prepare(load_config(Path("t.yaml")))
    assert (55, "price.lag_1") == (len(run.dataset.y), run.dataset.feature_names[-1])


@pytest.mark.parametrize(
    ("values", "lags"),
    [(days(), ""), ([f"{1950 + row}-01-01" for row in range(60)], " and of lags")],
)
def test_a_series_can_be_split_at_random(proposed, values, lags):
    """The comment says so, and what else it takes the place of; dates are not read as numbers."""
    made = proposed(sold=values)[1]
    assert f"# in place of it{lags}, if new rows are not later ones" in made.text
    swap(made.text.replace("  lags:", "  # lags:"))
    assert "random" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by


@pytest.mark.parametrize(
    ("step", "parts"), [(13, "[dayofyear, weekday, cyclic]"), (12, "[month, weekday, cyclic]")]
)
def test_two_years_of_days_have_the_day_of_the_year(proposed, step, parts):
    """In less, months alone; then of rows that are not split by time."""
    days = (step * row + row * row % 5 for row in range(60))  # in no step of their own
    values = [f"{date(2020, 1, 1) + timedelta(days=day)}" for day in days]
    text = proposed(sold=values[30:] + values[:30])[1].text
    assert f"    sold: {parts.replace(', cyclic', ', elapsed, cyclic')}\n" in text
    assert ("    sold: [dayofyear, weekday, cyclic]\n" in proposed(sold=values)[1].text) == (
        step == 13
    )


def test_years_of_months_keep_the_month(proposed):
    """Each month has a single day."""
    values = [f"{2010 + row // 12}-{row % 12 + 1:02}-01" for row in range(60)]
    assert "    sold: [month, cyclic]\n" in proposed(sold=values)[1].text


def test_lags_of_a_series_are_in_use_unless_they_take_a_tenth_of_the_rows(proposed):
    """Of 60 days, those of the week before would leave out seven rows."""
    made = proposed(sold=days())[1]
    assert "\n  # lags: {price: [1, 7]}" in made.text
    assert "would leave out 7 rows" in made.text
    made = proposed(sold=[f"{1950 + row}-01-01" for row in range(60)])[1]
    assert "\n  lags: {price: [1]}" in made.text
    told = "it takes earlier values, price 1 row before: new rows then come with those before them"
    assert told in made.choices


def test_people_come_before_dates_and_other_ids_beside_them(proposed):
    """One split can be in use."""
    assert [GROUP % ("patient", "patient")] == proposed(patient=of(12), day=days())[0]
    lines, made = proposed(shop_id=of(12), day=days())
    assert [MAYBE % ("shop_id", "shop_id"), TIME.replace("# ", "", 1) % "day"] == lines
    assert "a comment says how to split by group, shop_id" in made.choices


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("patient", range(60)),  # each once
        ("patient", of(4)),  # too few to divide
        ("patient", ["A"] * 31 + of(12)[31:]),  # most rows are of one
        ("shop_id", ["", *of(12)[1:]]),  # some unknown
        ("patient", [row / 7 for row in range(30)] * 2),  # a measurement
        ("customer_age", of(12, "{}")),
        ("user_rating", of(12, "{}")),
        ("grid", of(12, "{}")),
        ("age_group", of(8, "{}")),
        ("day", [*days()[:-1], ""]),
    ],
)
def test_what_looks_similar_is_not_proposed(proposed, name, values):
    """Values that do not repeat or are no names, and blank cells."""
    assert [] == proposed(**{name: list(values)})[0]


# Configs that `nnrun init --data` writes for awkward tables, against what these say.


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
    used = data.row_numbers - 1  # but those that lags leave out
    numbers = {name: np.array(values)[used].tolist() for name, values in table.numbers.items()}
    assert {name: numbers[name] for name in names} == {n: columns[n] for n in names}
    assert numbers[target] == data.y[:, 0].tolist()
    for name, moments in table.moments.items():
        local = pd.Series([moments[row].replace(tzinfo=None) for row in used])
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
    rows[-1] = "soon,viel,7 lb,1"
    Path("t.csv").write_text(
        "\n".join(["day,size,weight,y,k", *(f"{row},{len(row)}" for row in rows)])
    )
    made = draft(Path("t.csv"), "y", Path())
    one = "numbers, but for '{}' in line 61; without it, they can be used"
    for name, reason in (
        ("day", "dates and other text, such as 'soon' in line 61"),
        ("size", one.format("viel")),
        ("weight", one.format("7 lb")),
    ):
        assert f"{name} ({reason})" in made.choices[-1]
        assert f"- {name} " in made.text
        assert reason in made.text
    table = Path("t.csv").read_text()
    for row in range(20, 32):
        table = table.replace(f",{row}.5,", f",w{row},")
    Path("t.csv").write_text(table)
    reason = "size (numbers and other text, such as 'w20' in line 22)"
    assert reason in draft(Path("t.csv"), "y", Path()).choices[-1]


# Files as Excel writes them in German, French and English.


def german(number, digits=1):
    return f"{number:,.{digits}f}".translate({ord(","): ".", ord("."): ","})


def french(number, digits=1):
    return f"{number:,.{digits}f}".translate({ord(","): "\N{NARROW NO-BREAK SPACE}", ord("."): ","})


def day(row, form="{:02}.{:02}.2023"):
    return form.format(1 + row % 28, 1 + row % 12)


def every(step, word, text):
    """A function from rows to a word in every so many, and to the text elsewhere."""
    return lambda row: word if row % step == 2 else text(row)


def size(row):
    return 30 + row * 37 % 101


EXCEL = {
    # encoding, separator, what stands in a row of `a`, and below all rows; and lines of the draft
    "units": (
        ("cp1252", ";", every(40, "k. A.", every(14, "83,5", lambda r: f"{size(r)},25 m²")), ""),
        {"formats": {"a": ["30,25 m²", "83,5"]}, "missing_values": {"a": ["k. A."]}},
    ),
    "errors": (
        ("utf-8-sig", ";", every(25, "#NV", every(30, "#DIV/0!", lambda r: f"{size(r)},25")), ""),
        {"missing_values": {"a": ["#NV", "#DIV/0!"]}, "decimal": ","},
    ),
    "percent": (
        ("utf-8-sig", ";", lambda r: f"{size(r)},5 %", "\r\n"),
        {"formats": {"a": "30,5 %"}},
    ),
    "euro": (
        ("cp1252", ";", lambda r: german(97 * size(r), 2) + " €", "\r\n\r\n"),
        {"formats": {"a": "2.910,00 €"}, "encoding": "cp1252"},
    ),
    "spaces": (
        ("utf-8-sig", ";", every(30, "n.c.", lambda r: french(97 * size(r), 2) + " €"), ""),
        {"formats": {"a": "2\u202f910,00 €"}, "missing_values": {"a": ["n.c."]}},
    ),
    "mixed dates": (
        (
            "utf-16",
            "\t",
            lambda r: day(r) if r % 6 else f"2023-{1 + r % 12:02}-{1 + r % 28:02}",
            "",
        ),
        {"formats": {"a": ["2024-03-31", "31.12.2024"]}, "encoding": "utf-16"},
    ),
    "times": (
        ("cp1252", ";", every(20, "s.o.", lambda r: f"{day(r)} {r % 24:02}:15"), ""),
        {"formats": {"a": "31.12.2024 23:59"}, "missing_values": {"a": ["s.o."]}},
    ),
    "quotes": (
        ("cp1252", ";", lambda r: '"Zeile\r\nzwei"' if r % 2 else '"a;b"', ""),
        {"categorical": ["a", "ort"]},
    ),
    "total": (("cp1252", ";", lambda r: f"{size(r)},5", "Summe;;1"), {"drop": ["a"]}),
    "english": (
        ("utf-8-sig", ",", every(15, "TBC", lambda r: f'"${97 * size(r):,.2f}"'), ""),
        {"formats": {"a": "$2,910.00"}, "missing_values": {"a": ["TBC"]}},
    ),
    "unclear": (
        ("cp1252", ";", lambda r: {7: "ca. 80", 33: "3-4"}.get(r, f"{size(r)},5"), ""),
        {"missing_values": {"a": ["ca. 80", "3-4"]}},
    ),
}


@pytest.mark.parametrize("name", EXCEL)
def test_files_of_excel_are_read_as_they_are_written(tmp_path, monkeypatch, name):
    """The draft says how, and a data set has all rows of it."""
    monkeypatch.chdir(tmp_path)
    (encoding, sign, cell, below), wanted = EXCEL[name]
    rows = [sign.join([cell(row), "äß"[row % 2], str(7 * size(row))]) for row in range(120)]
    text = "\r\n".join([sign.join(["a", "ort", "preis"]), *rows, *([below] if below else []), ""])
    Path("t.csv").write_bytes(text.encode(encoding))
    made = draft(Path("t.csv"), "preis", tmp_path)
    dataset = yaml.safe_load(made.text)["dataset"]
    assert wanted == {key: {**dataset, **dataset["columns"]}[key] for key in wanted}
    Path("t.yaml").write_text(made.text)
    prepared = prepare(load_config(Path("t.yaml")))
    assert 120 + (name == "total") == len(prepared.dataset.x)


def test_a_part_that_is_not_understood_is_named_with_examples(tmp_path, monkeypatch):
    """At most ten different cells count as missing; with more, a comment would keep the column."""
    monkeypatch.chdir(tmp_path)
    for odd in (3, 11):
        cells = [f"ca. {row}" if 50 <= row < 50 + odd else f"{row}.5" for row in range(600)]
        rows = [f"{cell},{row * row % 17}" for row, cell in enumerate(cells)]
        Path("t.csv").write_text("\n".join(["a,b,y", *(f"{len(row)},{row}" for row in rows)]))
        text = draft(Path("t.csv"), "y", Path()).text
        part = f"{odd} of 600 cells, such as 'ca. 50' in line 52, 'ca. 51' in line 53, 'ca. 52' in"
        assert part in text
        kept = re.search("^  (# |)missing_values:( {b:|\n)", text, re.MULTILINE)
        assert kept is not None
        assert ("" if odd == 3 else "# ") == kept[1]


# The metric that a config by `nnrun init --data` orders runs by.

COUNTS = [
    ([95, 5], "log_loss"),
    ([76, 24], "log_loss"),
    ([75, 25], None),
    ([50, 50], None),
    ([60, 25, 15], "log_loss"),
    ([44, 33, 23], None),
]


def order_of(made):
    """The metric of the draft, which its words name as well."""
    order = yaml.safe_load(made.text).get("sweep", {}).get("order_by")
    assert (order is not None) == any("orders runs by log_loss" in word for word in made.choices)
    return order


@pytest.mark.parametrize(("counts", "expected"), COUNTS)
def test_unequal_classes_are_ordered_by_log_loss(tmp_path, counts, expected):
    """With half of an equal share or more for every class, accuracy stays."""
    names = np.repeat([f"class {number}" for number in range(len(counts))], counts)
    rows = [f"{row * 7 % 13}.5,{name}" for row, name in enumerate(names)]
    (tmp_path / "t.csv").write_text("\n".join(["size,kind", *rows]) + "\n")
    assert expected == order_of(draft(tmp_path / "t.csv", "kind", tmp_path))


@pytest.mark.parametrize(("counts", "expected"), COUNTS[::3])
def test_arrays_too(tmp_path, counts, expected):
    """An npz file has the same rule."""
    y = np.repeat(np.arange(len(counts)), counts)
    np.savez(tmp_path / "t.npz", x=np.arange(2.0 * len(y)).reshape(-1, 2), y=y)
    assert expected == order_of(draft(tmp_path / "t.npz", None, tmp_path))


@pytest.mark.parametrize(("counts", "expected"), [([19, 1], "log_loss"), ([4, 4], None)])
def test_images_too(tmp_path, counts, expected):
    """So has a folder of images."""
    for number, count in enumerate(counts):
        (tmp_path / "images" / str(number)).mkdir(parents=True)
        for image in range(count):
            Image.new("L", (4, 4)).save(tmp_path / "images" / str(number) / f"{image}.png")
    assert expected == order_of(draft(tmp_path / "images", None, tmp_path))


def test_values_have_no_classes(tmp_path):
    """A regression stays ordered by mse."""
    rows = [f"{row * 7 % 13},{row * 3 % 17 + 0.5}" for row in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["size,price", *rows]) + "\n")
    assert order_of(draft(tmp_path / "t.csv", "price", tmp_path)) is None


# Columns of many categories, and keys.


def _of_places(name, values):
    """A table of 400 rows with these values of a column, each four times."""
    rows = [f"{value},{at % 7}.5,{at * 3 % 17}.5" for at, value in enumerate(values * 4)]
    Path("t.csv").write_text("\n".join([f"{name},size,price", *rows]))
    return draft(Path("t.csv"), "price", Path.cwd())


def test_a_column_with_few_rows_for_each_of_its_values_is_its_means_of_the_target(folder):
    """Leaving out is for what has a value of its own in most rows."""
    made = _of_places("country", [f"P{at}" for at in range(100)])
    columns = yaml.safe_load(made.text)["dataset"]["columns"]
    assert {"target": "price", "target_mean": ["country"]} == columns
    assert "it takes means of the target for the values of country" in made.choices
    Path("t.yaml").write_text(made.text)
    names = prepare(load_config(Path("t.yaml"))).dataset.feature_names
    assert ("country: mean of the target", "size") == names


@pytest.mark.parametrize("classes", ["ab", "abc"])
def test_a_draft_knows_how_many_features_the_means_of_classes_are(folder, classes):
    """One for two classes, else one for each: the number of its network's inputs."""
    rows = [f"P{at % 100},{at % 7}.5,{classes[at * 7 % len(classes)]}" for at in range(400)]
    Path("t.csv").write_text("\n".join(["country,size,kind", *rows]))
    made = draft(Path("t.csv"), "kind", Path.cwd())
    country = next(column for column in made.table[0].columns if column.name == "country")
    Path("t.yaml").write_text(made.text)
    prepared = prepare(load_config(Path("t.yaml")))
    named = [name for name in prepared.dataset.feature_names if name.startswith("country: ")]
    assert len(named) == width(country, len(classes))
    assert {"ab": 1, "abc": 3}[classes] == len(named)


def test_keys_are_left_out_with_lines_that_keep_them(folder):
    """As numbers, or as means of the target where they come again."""
    made = _of_places("flight", [*range(1000, 9000, 70)][:101])
    assert ["flight"] == yaml.safe_load(made.text)["dataset"]["columns"]["drop"]
    assert "it leaves out flight (whole numbers that are keys, by their name)" in made.choices
    lines = made.text.splitlines()
    at = lines.index(next(line for line in lines if line.startswith("    drop:")))
    without = lines[:at] + lines[at + 2 :]
    for start in ("# drop: [] ", "# target_mean: [flight] "):
        line = next(place for place, text in enumerate(without) if start in text)
        kept = [*without[:line], without[line].replace("# ", "", 1), *without[line + 1 :]]
        Path("t.yaml").write_text("\n".join(kept))
        names = prepare(load_config(Path("t.yaml"))).dataset.feature_names
        wanted = "flight" if "drop" in start else "flight: mean of the target"
        assert (wanted, "size") == names


def test_a_split_by_group_is_in_place_of_lags(folder):
    """Its comment says so; a config with both has no order of time for the lags."""
    rows = [(at // 12, 100 + at % 12, at * 7 % 13 + 0.5) for at in range(960)]
    days = [(date(2024, 1, 1) + timedelta(day)).isoformat() for day, _, _ in rows]
    frame = pd.DataFrame(rows, columns=["day", "store_id", "price"]).assign(day=days)
    frame.assign(size=range(0, 1920, 2)).to_csv("t.csv", index=False)
    text = draft(Path("t.csv"), "price", Path.cwd()).text
    assert "\n  lags: {price: " in text
    assert "are in one split, in place of lags" in text
    text = text.replace("  lags:", "  # lags:").replace("  split: {by: time", "  # split: {by")
    Path("t.yaml").write_text(text.replace("  # split: {by: group", "  split: {by: group"))
    load_config(Path("t.yaml"))
