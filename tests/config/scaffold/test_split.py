"""The split that `nnrun init --data` proposes, by the names and values of columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.config.scaffold.from_data import draft
from nnrun.runs.preparation.prepare import prepare

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
        [value for value in days()[:30] for _ in range(2)],
    ],
)
def test_rows_in_the_order_of_time_are_split_by_it(proposed, values):
    """One way or the other, in any form of dates; the classes of a series are not stratified."""
    lines, made = proposed(sold=values)
    assert [TIME[4:] % "sold"] == [line.strip() for line in lines]
    assert "it splits by time, sold, since its rows are in that order" in made.choices
    assert "time" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by
    labels = [row % 2 for row in range(60)]
    assert "stratify" not in proposed(sold=values, price=labels)[1].text


def test_other_dates_are_proposed_in_a_comment(proposed):
    """Without the comment sign, the config splits by them."""
    values = days()[30:] + days()[:30]
    lines, made = proposed(sold=values)
    assert [TIME % "sold"] == lines
    Path("t.yaml").write_text(made.text.replace("  # split:", "  split:"))
    assert "time" == prepare(load_config(Path("t.yaml"))).config.dataset.split.by


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
