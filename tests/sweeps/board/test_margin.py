"""Rows that are as good as the best to within a margin, the cheapest of them, and the design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from nnrun.reports.leaderboard_files import leaderboard_markdown
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.published import Shown, Size, smallest_difference
from nnrun.sweeps.board.rows import Leaderboard, with_margin
from nnrun.sweeps.board.variance import Components, numbers
from tests.simulations.comparisons.tables import over_data_sets
from tests.sweeps.board.boards import named, progress, score

SIZES = {"large": 5000, "small": 50, "medium": 500}


def variance(split=0.0, weights=0.0, rest=0.0):
    return Components(*numbers(split, weights, rest))


def board(level=0.0, sign=1, **changes):
    """Three networks that are equal but for 0.0001, and one that is worse by 0.1."""
    noise = np.array([0.0, 0.001, -0.001, 0.0005, -0.0005])
    members = []
    for index, (name, size) in enumerate(SIZES.items()):
        variant = named(name, seeds=range(5), **changes)
        values = 0.5 + level + sign * (0.0001 * index + np.roll(noise, index))
        scores = [score(s, v, parameters=size) for s, v in enumerate(values.tolist())]
        members.append((variant, scores))
    poor = named("poor", seeds=range(5), **changes)
    scores = [score(s, 0.5 - sign * 0.1 + s / 1e4, parameters=5) for s in range(5)]
    members.append((poor, scores))
    return make_leaderboard(progress(*members), "")


@pytest.mark.parametrize("changes", [{}, {"metric": "mse", "larger_is_better": False, "sign": -1}])
def test_the_cheapest_row_within_the_margin_is_named(changes):
    """In parameters; rows that are worse by more than the margin are not among them, though they
    may be cheaper.
    """
    found = with_margin(board(**changes), 0.01).groups[0]
    good = {row.name: row.as_good for row in found.rows}
    assert {"large": True, "small": True, "medium": True, "poor": False} == good
    cheapest = next(row for row in found.rows if row.rank == found.cheapest)
    assert ("small", 50) == (cheapest.name, cheapest.parameters)
    text = leaderboard_markdown(with_margin(board(**changes), 0.01))
    assert "As good as the best to within 0.01, at 95%: " in text
    assert "The cheapest of these is small (50 parameters, 2.00 s)." in text


def test_of_equal_parameters_the_faster_is_the_cheapest():
    """Time decides where parameters do not."""
    group = board().groups[0]
    rows = [replace(row, parameters=7, seconds=9.0 - row.rank) for row in group.rows]
    found = with_margin(Leaderboard("", [replace(group, rows=rows)]), 0.01).groups[0]
    assert 3 == found.cheapest


def test_a_margin_that_the_seeds_cannot_show_names_no_row():
    """Nor does a board without one say anything of margins."""
    text = leaderboard_markdown(with_margin(board(), 1e-6))
    assert "No row is known to be as good as the best to within 1e-06" in text
    plain = board()
    assert plain == with_margin(plain, None)
    assert "As good" not in leaderboard_markdown(plain)
    assert [None] * 4 == [row.as_good for row in plain.groups[0].rows]


def test_a_board_with_a_margin_is_read_back():
    """With the margin, the cheapest row and what the design could show."""
    found = with_margin(board(), 0.01)
    assert found == Leaderboard.from_dict(found.to_dict())
    assert "5 seeds" == found.groups[0].shown.design


@pytest.mark.parametrize("part", ["group", "row", "summary", "shown"])
def test_a_board_with_an_unknown_key_is_not_read(part):
    """Another version has written it, whatever part it is in."""
    content = with_margin(board(), 0.01).to_dict()
    group = content["groups"][0]
    row = group["rows"][0]
    parts = {"group": group, "row": row, "summary": row["test"], "shown": group["shown"]}
    parts[part]["colour"] = "red"
    with pytest.raises(ValueError, match="colour"):
        Leaderboard.from_dict(content)


def test_what_more_seeds_would_show_is_a_line_below_the_board():
    """The smallest difference with these seeds and four times as many, and the limit."""
    text = leaderboard_markdown(board())
    assert "With 5 seeds, a row that is worse by " in text
    assert "is dropped in 4 of 5 sweeps. With 20 seeds, " in text
    assert "10 seeds" not in text
    assert "No number of seeds gets below" not in text
    drawn = board(overlap={"test": 0.25}).groups[0].shown
    assert ["10 seeds", "20 seeds"] == [*drawn.larger]
    twice, four_times = drawn.larger.values()
    assert drawn.difference > twice > four_times > drawn.limit > 0
    assert "No number of seeds gets below" in leaderboard_markdown(board(overlap={"test": 0.25}))


def test_no_difference_is_named_that_the_metric_cannot_have():
    """Few seeds of accuracies that vary much show none; of errors any may be there."""
    shown = Shown("2 seeds", 7.5, {"4 seeds": 2.0, "8 seeds": 0.92}, 0.6)
    group = replace(board().groups[0], shown=shown)
    text = leaderboard_markdown(Leaderboard("", [group]))
    assert "With 2 seeds, even a row that is worse by 1.0, the most there can be, " in text
    assert "With 8 seeds, 0.92 is enough. No number of seeds gets below 0.60." in text
    none = replace(group, shown=replace(shown, larger={"8 seeds": 1.5}, limit=1.2))
    text = leaderboard_markdown(Leaderboard("", [none]))
    assert "is enough" not in text
    assert "No number of seeds" not in text
    of_errors = replace(group, metric="mse", larger_is_better=False)
    text = leaderboard_markdown(Leaderboard("", [of_errors]))
    assert "With 2 seeds, a row that is worse by 7.5 is dropped in 4 of 5 sweeps." in text


@pytest.mark.parametrize(("seeds", "overlap"), [(5, 0.0), (10, 0.25), (20, 1 / 9)])
def test_the_smallest_difference_is_found_four_times_in_five(seeds, overlap):
    """Of two rows of normal noise, in simulation: 80% of tables drop the worse one."""
    rng = np.random.default_rng([42, seeds])
    gap = smallest_difference(variance(split=2.0), Size(seeds), 2, overlap)
    x = over_data_sets((4000, 2, seeds), rng, overlap=overlap)
    d = x[:, 1] - x[:, 0] - gap
    error = d.std(axis=1, ddof=1) * (1 / seeds + overlap) ** 0.5
    share = (d.mean(axis=1) / error < student.ppf(0.05, seeds - 1)).mean()
    assert 0.8 == pytest.approx(share, abs=0.03)


def test_no_number_of_seeds_shows_less_than_the_limit():
    """It is what ever more seeds come to."""
    many = smallest_difference(variance(split=1.0), Size(10**7), 20, 0.25)
    assert many == pytest.approx(smallest_difference(variance(split=1.0), None, 20, 0.25), rel=1e-3)
    assert 0 == smallest_difference(variance(split=1.0), None, 20, 0.0)
