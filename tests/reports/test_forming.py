"""The rows of a leaderboard while runs come in: in its order, and never more than fit."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from nnrun.reports.live import runs as module
from nnrun.reports.live.runs import FormingRows
from nnrun.reports.terminal.live import table_of
from tests.sweeps.board.boards import named, score


def numbered(number, name, **changes):
    return replace(named(name, **changes), number=number)


def lines(rows: FormingRows, most: int = 20, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table_of(rows, most, width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.fixture
def rows():
    """Two configs on one data set, the second better; one of another; one that diverges."""
    found = FormingRows()
    low, high, other, wild = (
        numbered(1, "low"), numbered(2, "high"), numbered(3, "other", dataset="wine"),
        numbered(4, "wild"),
    )  # fmt: skip
    for seed, value in enumerate([0.25, 0.5]):
        found.add(low, score(seed, value))
    found.add(high, score(0, 0.75))
    found.add(other, score(0, 0.125))
    found.add(wild, score(0, 0.9))
    found.add(wild, score(1, 0.0, status="diverged"))
    return found


def test_rows_stand_in_their_order(rows):
    """The best mean so far first, by data set, with its 95% interval."""
    expected = [
        "digits test accuracy",
        "wild 0.9000 2/3, 1 diverged",
        "high 0.7500 1/3",
        "low 0.4 ± 1.6 2/3",
        "wine test accuracy",
        "other 0.1250 1/3",
    ]
    assert expected == [" ".join(line.split()) for line in lines(rows)]


def test_rows_of_one_experiment_name_it_once():
    """In the heading, since cells with it would be cut before they say what differs."""
    rows = FormingRows()
    for number, rate in enumerate([0.1, 0.01]):
        choice = {"training.learning_rate": rate}
        rows.add(numbered(number, "grid", choice=choice), score(0, 0.5 - rate))
    expected = ["grid on digits test accuracy", "learning_rate=0.01 0.4900 1/3"]
    assert expected == [" ".join(line.split()) for line in lines(rows)][:2]


@pytest.mark.parametrize("most", [0, 1, 3, 5])
def test_there_are_never_more_lines_than_fit(rows, most):
    """The last says how many more there are."""
    found = [line for line in lines(rows, most) if line]
    assert most == len(found)
    assert not found or f"… {6 - most + 1} more" == found[-1]


def test_a_long_name_gives_way_to_the_numbers():
    """It is cut; result and runs are not."""
    rows = FormingRows()
    rows.add(numbered(1, "n" * 100), score(0, 0.5))
    _, line = lines(rows, width=40)
    name, *numbers = line.split()
    assert ("…", ["0.5000", "1/3"]) == (name[-1], numbers)
    assert len(line) <= 40


def test_what_tells_settings_apart_is_not_cut():
    """Keys with more different values come first, so that those that most rows share are cut."""
    rows, shared = FormingRows(), {"dataset.hide_test": True, "dataset.features": "standard"}
    for number, rate in enumerate((0.1, 0.2, 0.3)):
        choice = {**shared, "dataset.stratify": rate == 0.3, "training.learning_rate": rate}
        rows.add(numbered(number, "mine", choice=choice), score(0, rate))
    assert [
        "learning_rate=0.3 stratify=tr… 0.3000 1/3",
        "learning_rate=0.2 stratify=fa… 0.2000 1/3",
        "learning_rate=0.1 stratify=fa… 0.1000 1/3",
    ] == [" ".join(line.split()) for line in lines(rows, width=52)[1:]]


def test_rows_that_are_not_shown_are_not_put_into_words(monkeypatch):
    """Of thousands of settings a drawing takes the time of those on the screen."""
    rows, words = FormingRows(), []
    monkeypatch.setattr(
        module, "choice_words", lambda choice, *_, **_short: words.append(choice) or ["x=1"]
    )
    for number in range(50):
        choice = {"training.learning_rate": number}
        rows.add(numbered(number, "grid", choice=choice), score(0, number / 50))
    assert "… 46 more" == lines(rows, 6)[-1]
    assert [49, 48, 47, 46] == [choice["training.learning_rate"] for choice in words]


def test_rows_show_in_what_their_blocks_differ():
    """Long blocks would be cut before it."""
    rows = FormingRows()
    for number, kind in enumerate(("cosine", "exponential")):
        choice = {"training.learning_rate": {"initial": 0.1, "over": 1000, "schedule": kind}}
        rows.add(numbered(number, "mine", choice=choice), score(0, number / 2))
    names = [line.partition("(")[0] for line in lines(rows, width=52)[1:]]
    assert ["learning_rate=exponential", "learning_rate=cosine"] == names
