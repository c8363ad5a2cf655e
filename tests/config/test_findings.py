"""What is found about the columns of a table before any training."""

from __future__ import annotations

import random
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import nnrun
from nnrun.config.scaffold.findings import Findings
from nnrun.config.scaffold.from_data import draft
from nnrun.config.scaffold.relations import Sample
from nnrun.errors import UsageError
from nnrun.reports.columns import MOST_SHOWN

ROWS = 600


def _table() -> pd.DataFrame:
    """A target that `flight` and `town` tell, with noise; `flight` in numbers of no meaning."""
    rng = random.Random(4)
    effects = [rng.gauss(0, 1) for _ in range(120)]
    numbers = rng.sample(range(1000, 9999), 120)
    places = [rng.randrange(120) for _ in range(ROWS)]
    return pd.DataFrame(
        {
            "row": range(ROWS),
            "flight": [numbers[place] for place in places],
            "town": [f"t{place}" for place in places],
            "rooms": [rng.randrange(1, 6) for _ in range(ROWS)],
            "noise": [round(rng.random(), 3) for _ in range(ROWS)],
            "late": [round(3 * effects[place] + rng.gauss(0, 1), 3) for place in places],
        }
    )


@pytest.fixture
def table(folder):
    """The table as a file in the working folder."""
    _table().to_csv("t.csv", index=False)
    return Path("t.csv")


def _found(file: Path, target: str | None = None) -> Findings:
    made = draft(file, target, Path.cwd())
    assert made.table is not None
    return Findings(*made.table, "t.yaml")


def test_problems_come_first_by_what_they_may_cost(table):
    """What is left out with its share of the target, then questions, whose cost is not known."""
    problems = _found(table).problems
    assert [["flight"], ["row"], ["town"], ["rooms"]] == [[*one.columns] for one in problems]
    flight, row, *questions = problems
    assert flight.text.startswith("leaving out 'flight' may cost much: its means alone explain 0.")
    assert row.text.startswith("leaving out 'row' costs little: its values alone explain 0.00")
    assert [None, None] == [one.cost for one in questions]


def test_what_a_column_explains_is_what_its_means_explain_in_other_rows(table):
    """Of noise nothing, however many categories; of the truth its share of the variance."""
    found = _found(table)
    cost = next(one.cost for one in found.problems if one.columns == ["flight"])
    frame = _table()
    means = frame.groupby("flight")["late"].transform("mean")
    inside = means.var() / frame["late"].var()
    assert 0.6 < cost < inside
    columns = {column.name: column for column in found.table.columns}
    assert 0.0 == found.sample.relation(columns["noise"], as_numbers=False).explained


def test_the_gain_of_classes_is_over_the_largest_class(folder):
    """A column that tells all of three classes, of which the largest has half of the rows."""
    rows = [("xxyz"[at % 4], f"k{'xxyz'[at % 4]}{at % 20:03}", at % 7 + 0.5) for at in range(400)]
    frame = pd.DataFrame(rows, columns=["kind", "word", "size"])
    frame.to_csv("t.csv", index=False)
    found = _found(Path("t.csv"), "kind")
    columns = {column.name: column for column in found.table.columns}
    assert 0.5 == pytest.approx(found.relation(columns["word"]).explained)


def test_a_large_table_is_looked_at_in_some_rows(table, monkeypatch):
    """Evenly spread, since a file may be sorted."""
    monkeypatch.setattr("nnrun.config.scaffold.relations.MOST_ROWS", 100)
    found = _found(table)
    sample = Sample.of(found.table, found.choice.target, ())
    assert [str(row) for row in range(0, ROWS, 6)] == sample.cells["row"]


def test_each_alternative_is_a_command_that_works(lab, table):
    """All are accepted by `check`, and change the config."""
    lab.ok("init", "t", "--data", table, "--target", "late")
    commands = lab.ok("init", "u", "--data", table, "--target", "late", "--json").json[
        "alternatives"
    ]
    assert 4 == len(commands)
    for command in commands:
        lab.ok("check", "t.yaml", *shlex.split(command)[3:])


def test_the_table_of_columns_fits_80_columns(lab, table):
    """On stderr, what is left out first; stdout stays empty."""
    done = lab.ok("init", "--data", table, "--target", "late", COLUMNS="80")
    assert "" == done.out
    shown = done.err[done.err.index("Columns\n") :].splitlines()
    assert 80 == max(map(len, shown))
    names = [line.split()[0] for line in shown if re.match(r"\w", line)]
    assert ["Columns", "column", "flight", "row", "town", "rooms", "noise", "late"] == names


def test_many_columns_are_shown_where_there_is_something_to_say(lab, folder):
    """Plain numbers are counted; the document and the page have all."""
    columns = {f"c{at}": [(row * (at + 3)) % 101 + 0.5 for row in range(90)] for at in range(40)}
    columns["word"] = ["ab"[row % 2] for row in range(90)]
    columns["y"] = [row % 17 / 2 for row in range(90)]
    pd.DataFrame(columns).to_csv("t.csv", index=False)
    done = lab.ok("init", "--data", "t.csv", "--html", "t.html")
    assert MOST_SHOWN < 40
    assert "\n40 more columns, most of them numbers: --html and --json have all." in done.err
    assert 42 == len(lab.ok("init", "u", "--data", "t.csv", "--json").json["columns"])
    assert 42 <= Path("t.html").read_text().count("<h2>")


def test_json_is_one_document_with_what_the_table_shows(lab, table):
    """Columns, problems, alternatives and the file."""
    said = lab.ok("init", "--data", table, "--target", "late", "--json").json
    assert ("t.yaml", "t.csv", "late", "regression", ROWS) == tuple(
        said[key] for key in ("file", "data", "target", "task", "rows")
    )
    expected = {
        "name": "flight",
        "taken_for": "identifier",
        "why": "whole numbers that are keys, by their name",
        "missing": 0,
        "examples": [*map(str, _table()["flight"].drop_duplicates()[:3])],
        "becomes": "left out",
        "is_left_out": True,
    }
    assert expected == said["columns"][0]
    becomes = {one["name"]: one["becomes"] for one in said["columns"]}
    assert ("target mean", "1 number", "the target") == tuple(
        becomes[name] for name in ("town", "noise", "late")
    )


class _Page(HTMLParser):
    """The tags of a page that could load something, and its headings."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loading = {"src", "href"} & {name for name, _ in attrs}
        self.loads += [tag] * (tag in ("script", "link", "img") or bool(loading))


@pytest.mark.parametrize("target", ["late", "kind"])
def test_the_page_has_two_charts_of_each_column_and_loads_nothing(lab, folder, target):
    """A histogram or bars, and its relation to values or classes; without a script."""
    frame = _table()
    frame["kind"] = ["<b>" if late > 1 else "low" for late in frame["late"]]
    frame.to_csv("t.csv", index=False)
    lab.ok("init", "--data", "t.csv", "--target", target, "--html", "t.html")
    text = Path("t.html").read_text()
    page = _Page()
    page.feed(text)
    assert [] == page.loads
    assert 1 + 2 * (len(frame.columns) - 1) == text.count("<figure")
    assert "<b>" not in text
    assert "prefers-color-scheme:dark" in text


@pytest.mark.parametrize("option", ["--json", "--html=page.html"])
def test_pages_and_data_are_about_tables(lab, folder, option):
    """Nothing is written where there is none."""
    done = lab("init", "mine", option)
    assert (2, []) == (done.code, [*Path().iterdir()])
    assert f"{option.partition('=')[0]} is about the columns of a table" in done.err


def test_a_page_that_cannot_be_written_leaves_no_config(lab, table):
    """It is looked at before all work."""
    done = lab("init", "--data", table, "--html", "none/page.html")
    assert (2, [table]) == (done.code, [*Path().iterdir()])


def test_a_table_in_memory_has_the_config_of_its_file(table):
    """But for the name and the path, which no config has of it; both train to the same bits."""
    frame = _table()
    of_frame, of_file = nnrun.init(frame, "late"), nnrun.init(table, target="late")
    assert ("t", "t.csv") == (of_file["name"], of_file["dataset"]["path"])
    same = {"name": "t", "training.iterations": 20, "training.epochs": None}
    runs = [
        nnrun.train(of_frame, same, data=frame, results=None),
        nnrun.train(of_file, same, results=None),
    ]
    assert runs[0].metrics == runs[1].metrics
    of_frame["dataset"]["path"] = "t.csv"
    assert {**of_file, "name": "experiment"} == of_frame


def test_a_config_of_a_table_in_memory_asks_for_it(table):
    """A config cannot refer to it."""
    with pytest.raises(nnrun.errors.NnrunError, match="pass them again as `data`"):
        nnrun.train(nnrun.init(_table()), results=None)
    with pytest.raises(UsageError, match="data=list: expected a path, or a table of pandas"):
        nnrun.init([[1, 2]])


def test_an_indicator_is_of_blanks_in_rows_that_have_a_target(folder):
    """In the draft, and in an alternative that makes categories of the columns with blanks."""
    blank = [at % 10 == 0 for at in range(400)]
    frame = pd.DataFrame(
        {
            "grade": ["" if gone else str(at % 4) for at, gone in enumerate(blank)],
            "size": [at % 7 + 0.5 for at in range(400)],
            "price": [at % 17 / 2 for at in range(400)],
        }
    )
    frame.to_csv("t.csv", index=False)
    assert "indicator: true" in draft(Path("t.csv"), "price", Path.cwd()).text
    (problem,) = _found(Path("t.csv"), "price").problems
    assert "dataset.missing.indicator=false" == problem.arguments[-1]
    frame["price"] = frame["price"].astype(str).mask(pd.Series(blank), "")
    frame.to_csv("t.csv", index=False)
    assert "indicator: true" not in draft(Path("t.csv"), "price", Path.cwd()).text


@pytest.mark.parametrize("target", ["price", "kind", "vast"])
def test_a_column_without_a_value_beside_a_target_has_no_chart(lab, folder, target):
    """The page says so; numbers at the ends of floats have one."""
    frame = pd.DataFrame(
        {
            "gone": [at / 7 if at % 4 == 0 else None for at in range(100)],
            "tiny": [f"{at % 2 * 5}e-324" for at in range(100)],
            "huge": [f"{at % 5 - 2}e308" for at in range(100)],
            "vast": [f"{at % 9 + 1.5}e200" if at % 4 else None for at in range(100)],
            "price": [at % 17 / 2 if at % 4 else None for at in range(100)],
            "kind": ["xyz"[at % 3] if at % 4 else None for at in range(100)],
        }
    )
    frame.to_csv("t.csv", index=False)
    lab.ok("init", "--data", "t.csv", "--target", target, "--html", "t.html")
    text = Path("t.html").read_text()
    assert "No row that has a target has a value of it." in text
