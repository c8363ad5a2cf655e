"""The survey of a table: its cells are counted together, as if each was counted alone."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from nnrun.data.readers import profile
from nnrun.data.readers.profile import ColumnProfile, survey

ROWS = 2500


def test_a_large_file_is_judged_by_its_first_rows(tmp_path, monkeypatch):
    """By as many whole rows as have so many cells, or characters."""
    path = tmp_path / "x.csv"
    path.write_text("a,b,y\n" + "1,2,3\n" * 50 + "x,,\n" * 50, encoding="utf-8")
    monkeypatch.setattr(profile, "_MOST_CELLS", 100)
    part = survey(path)
    assert (33, True, 33) == (part.rows, part.is_part, part.columns[0].numbers)
    monkeypatch.setattr(profile, "_MOST_CELLS", 300)
    whole = survey(path)
    assert (100, False, 50) == (whole.rows, whole.is_part, whole.columns[0].numbers)
    monkeypatch.setattr(profile, "_CHARACTERS_AT_ONCE", 10)
    monkeypatch.setattr(profile, "_MOST_CHARACTERS", 100)
    long = survey(path)
    assert (36, True) == (long.rows, long.is_part)


def _columns(rng: random.Random) -> dict[str, list[str]]:
    """Columns whose cells are first of one kind, and then of another."""
    plain = [f"{rng.gauss(0, 100):.4f}" for _ in range(ROWS)]
    days = [date(2020, 1, 1) + timedelta(at // 3) for at in range(ROWS)]
    late = (2000, 2001, 2100)
    found = {
        "plain": plain,
        "blank": ["" if at % 7 == 0 else cell for at, cell in enumerate(plain)],
        "few": [cell[-1] for cell in plain],
        "whole": [str(at * 3) for at in range(ROWS)],
        "ids": [str(10**17 + at) for at in range(ROWS)],
        "words": [f"w{rng.randrange(1800)}" for _ in range(ROWS)],
        "day": [day.isoformat() for day in days],
        "date": [day.strftime("%Y%m%d") for day in days],
    }
    for other in ("007", "20240131", "x", "nan", "inf", "1_000", "?", '"1\n2"', "1e400"):
        found[f"late {other}"] = [other if at in late else c for at, c in enumerate(plain)]
    return found


@pytest.fixture
def table(tmp_path):
    """A file with these columns."""
    columns = _columns(random.Random(1))
    lines = [",".join(name.replace("\n", " ").replace('"', "") for name in columns)]
    lines += map(",".join, zip(*columns.values(), strict=True))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return tmp_path / "t.csv"


def _counts(column):
    return vars(column) | {"evidence": repr(column.evidence), "shown": repr(column.shown)}


@pytest.mark.parametrize("seen", [100, profile._MOST_SEEN])
@pytest.mark.parametrize("at_once", [1, 100_000])
def test_cells_that_are_counted_together_are_those_counted_alone(table, monkeypatch, at_once, seen):
    """For every kind of cell, wherever it comes first, and however many different ones."""
    monkeypatch.setattr(profile, "_MOST_SEEN", seen)
    monkeypatch.setattr(profile, "_CELLS_AT_ONCE", 5000)
    together = survey(table).columns
    monkeypatch.setattr(profile, "_CELLS_AT_ONCE", at_once)
    monkeypatch.setattr(ColumnProfile, "_add_numbers", lambda *_: False)
    alone = survey(table).columns
    for expected, found in zip(alone, together, strict=True):
        assert _counts(expected) == _counts(found)
        assert [*expected.values.items()] == [*found.values.items()]
        assert expected.kind == found.kind


def test_numbers_beyond_those_that_are_kept_are_not_read_one_by_one(tmp_path, monkeypatch):
    """Once as many different values as are kept are known, only their statistics are needed."""
    most = profile._MOST_KEPT
    rows = (f"{at / 7:.5f},{at / 3:.5f}\n" for at in range(5 * most))
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(rows))
    read, number = [], profile.number
    monkeypatch.setattr(profile, "_CELLS_AT_ONCE", 2 * most)
    monkeypatch.setattr(profile, "number", lambda text: read.append(text) or number(text))
    assert [5 * most] * 2 == [column.different for column in survey(tmp_path / "t.csv").columns]
    assert 2 * most == len(read)


def _kind(name: str, cells: list[object]) -> str:
    column = ColumnProfile(name)
    column.add([*map(str, cells)], range(2, len(cells) + 2), ".")
    return column.kind


_SHUFFLED = random.Random(2).sample(range(1000, 9000), 400)
_AGAIN = [value for value in _SHUFFLED for _ in range(5)]


@pytest.mark.parametrize(
    ("kind", "name", "cells"),
    [
        ("counter", "pbc", range(1, 419)),
        ("counter", "a", random.Random(3).sample(range(50), 50)),
        ("rising", "a", range(10, 900, 7)),
        ("key", "id", _SHUFFLED),
        ("key", "AirportID", _SHUFFLED),
        ("key", "pidnum", _SHUFFLED),
        ("key", "invoice_no", _SHUFFLED),
        ("key", "studyid", _SHUFFLED),
        ("key", "patient", _SHUFFLED),
        ("number", "customers", _SHUFFLED),
        ("key", "Sample Number", _SHUFFLED),
        ("key", "zip code", _SHUFFLED),
        ("key", "flight", _AGAIN),
        ("key", "tailnum", _AGAIN),
        ("key", "id", _SHUFFLED[:60] + _SHUFFLED[:40]),
        ("code", "Postal Code", _AGAIN),
        ("number", "number", _AGAIN),
        ("number", "horsepower", _SHUFFLED),
        ("number", "population", _SHUFFLED),
        ("number", "price", [value * 3 for value in _SHUFFLED]),
        ("number", "Year", range(1952, 2008)),
        ("number", "age", range(18, 80, 2)),
        ("number", "id", [value + 0.5 for value in _SHUFFLED]),
        ("number", "a", [at / 2 for at in range(40)]),
        ("number", "shop_id", [at % 40 for at in range(400)]),
        ("number", "valid", _SHUFFLED),
    ],
)
def test_whole_numbers_are_keys_by_their_order_or_their_name(kind, name, cells):
    """Evenly rising, or named so and different in nearly all rows; measures and years are none."""
    assert kind == _kind(name, [*cells])
