"""Which rows of a leaderboard are compared, with which, how, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.reports.markdown.leaderboard_files import leaderboard_csv, leaderboard_markdown
from nnrun.reports.terminal.leaderboard import to_the_best
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.statistics import summarize
from tests.sweeps.board.boards import named, progress, score

ERROR = {"metric": "mse", "larger_is_better": False}


def rows_of(*members):
    (group,) = make_leaderboard(progress(*members), "").groups
    return {row.name: row for row in group.rows}


def many(count, seeds=5, level=0.9, seed=0, **changes):
    """Rows that are equal but for noise."""
    values = np.random.default_rng(seed).normal(level, 0.01, size=(count, seeds))
    return [
        (
            named(f"row{k}", seeds=range(seeds), **changes),
            [score(s, value) for s, value in enumerate(line)],
        )
        for k, line in enumerate(values.tolist())
    ]


def test_of_twenty_equal_rows_none_is_worse():
    """All of them are tied with the first, which separate t-tests would not have said."""
    rows = [*rows_of(*many(20)).values()]
    assert ["best"] + ["paired"] * 19 == [row.comparison for row in rows]
    assert [False] + [True] * 19 == [row.tied for row in rows]
    assert all(row.difference_low < 0 < row.difference_high for row in rows[1:])


def test_a_row_that_is_far_behind_is_worse():
    """Also among twenty, and with three seeds: the difference is in the metric's own units."""
    far = many(1, seeds=3, level=0.1, seed=1)
    rows = rows_of(*many(19, seeds=3), (replace(far[0][0], name="far"), far[0][1]))
    assert ("paired", False) == (rows["far"].comparison, rows["far"].tied)
    assert -0.8 == pytest.approx(rows["far"].difference, abs=0.05)
    assert rows["far"].difference_low < rows["far"].difference < rows["far"].difference_high < 0
    behind = (named("far", **ERROR), [score(s, 1.7 + s / 100) for s in range(3)])
    errors = rows_of(*many(19, seeds=3, **ERROR), behind)
    assert 0 < errors["far"].difference_low < errors["far"].difference


@pytest.mark.parametrize(
    ("changes", "scores", "note"),
    [
        ({"seeds": [7]}, [score(7, 0.2)], "a single seed shows no spread"),
        ({"seeds": [7, 8]}, [score(7, 0.2), score(8, 0.3)], "no two seeds in common"),
        ({}, [score(0, 0.2), score(1, None, status="diverged"), score(2, 0.3)], "1 of 3 runs div"),
        ({}, [score(0, 0.2), score(1, 0.3)], "1 of 3 runs failed"),
        ({}, [score(0, 0.2), score(1, None), score(2, 0.3)], "1 of 3 runs have no finite accuracy"),
        ({}, [score(s, 0.2) for s in range(3)], None),
    ],
)
def test_rows_that_cannot_be_compared_say_why(changes, scores, note):
    """In a field, in the CSV and below the table; their place has a question mark."""
    board = make_leaderboard(
        progress((named("odd", **changes), scores), *many(3, seeds=3)), "nnrun sweep"
    )
    row = {row.name: row for row in board.groups[0].rows}["odd"]
    text = leaderboard_markdown(board)
    if note is None:
        assert ("paired", None) == (row.comparison, row.note)
        return
    assert ("not compared", None, False) == (row.comparison, row.p, row.tied)
    assert row.note.startswith(note)
    assert f"| {row.rank} ? | odd |" in text
    assert "says nothing against them" in text
    assert f"{row.note}: odd" in text
    assert row.note in leaderboard_csv(board)


def test_rows_that_cannot_be_compared_do_not_decide_who_can():
    """A lucky single seed leads, but others are compared with the best of those with a spread."""
    rows = rows_of((named("lucky", seeds=[0]), [score(0, 1.0)]), *many(3, seeds=3))
    assert (1, "not compared") == (rows["lucky"].rank, rows["lucky"].comparison)
    assert ["best", "paired", "paired"] == [row.comparison for row in [*rows.values()][1:]]
    told = [to_the_best(row) for row in [*rows.values()][:2]]
    assert ["not compared", "the best compared"] == told


def test_seeds_that_change_nothing_leave_nothing_to_compare_with():
    """Two rows without any noise: apart, but by no more than one split can show; equal, a tie."""
    same = [score(s, 5.0) for s in range(3)]
    rows = rows_of(
        (named("a", **ERROR), same),
        (named("b", **ERROR), same),
        (named("c", **ERROR), [score(s, 6.0) for s in range(3)]),
    )
    assert ("paired", True, 1.0) == (rows["b"].comparison, rows["b"].tied, rows["b"].p)
    assert ("not compared", False, 1.0) == (
        rows["c"].comparison, rows["c"].tied, rows["c"].difference,
    )  # fmt: skip
    assert rows["c"].note.startswith("always apart from the best row by the same")


def test_splits_that_differ_are_compared_without_pairs():
    """The row says so, and so does a line below the table."""
    other = named("other", seeds=range(5), division="0.5")
    members = [*many(3), (other, [score(s, 0.5 + s / 100) for s in range(5)])]
    assert "unpaired" == rows_of(*members)["other"].comparison
    assert "without pairing by seed" in leaderboard_markdown(
        make_leaderboard(progress(*members), "")
    )


def test_training_sets_that_overlap_make_differences_less_certain():
    """Rows that one split for all seeds tells apart are a tie where each seed draws its own."""
    for overlap, tied in ((0.0, False), (0.25, True)):
        changes = {"overlap": {"test": overlap}}
        members = (
            (named("a", seeds=range(5), **changes), [score(s, 0.90 + s / 100) for s in range(5)]),
            (named("b", seeds=range(5), **changes), [score(s, 0.88 + s / 70) for s in range(5)]),
        )
        rows = rows_of(*members)
        assert tied == rows["b"].tied
    values = [0.5, 0.7, 0.6]
    plain, wide = summarize(values), summarize(values, overlap=0.25)
    assert 1.75**0.5 == pytest.approx((wide.high - wide.low) / (plain.high - plain.low))


def test_the_folder_of_the_best_run_is_named():
    """As commands take it."""
    scores = [score(s, 0.5 + s / 10)._replace(run_id=f"s{s}-abc") for s in range(3)]
    assert "a/s2-abc" == rows_of((named("a"), scores))["a"].best_run


def test_errors_at_the_end_of_the_range_of_numbers():
    """Means, intervals and differences are finite or left out, so that they can be written."""
    huge = [score(s, value) for s, value in enumerate([1e308, 1.5e308, 1.7e308])]
    board = make_leaderboard(
        progress((named("huge", **ERROR), huge), *many(3, seeds=3, **ERROR)), ""
    )
    row = board.groups[0].rows[-1]
    assert 1.4e308 == pytest.approx(row.test.mean)
    assert 1.4e308 == pytest.approx(row.difference)
    assert row.test.high is None
    assert "huge" in leaderboard_markdown(board)
