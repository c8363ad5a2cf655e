"""Which rows of a leaderboard are compared, with which, how, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.reports.boards import to_the_best
from nnrun.reports.leaderboard_files import leaderboard_csv, leaderboard_markdown
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.means import summarize
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


def test_of_twenty_equal_rows_most_may_be_the_best():
    """The first of them always, and each with an interval that holds no difference."""
    rows = [*rows_of(*many(20)).values()]
    assert ["paired"] * 20 == [row.comparison for row in rows]
    assert rows[0].tied
    assert all(row.tied == (row.p > 0.05) for row in rows)
    assert all(row.difference_low <= 0 <= row.difference_high for row in rows)
    assert sum(row.tied for row in rows) > 15


def test_a_row_that_is_far_behind_can_be_dropped():
    """Also among twenty, and with three seeds: the difference is in the metric's own units, and
    its interval ends at 0 on the side of the best.
    """
    far = many(1, seeds=3, level=0.1, seed=1)
    rows = rows_of(*many(19, seeds=3), (replace(far[0][0], name="far"), far[0][1]))
    assert ("paired", False) == (rows["far"].comparison, rows["far"].tied)
    assert -0.8 == pytest.approx(rows["far"].difference, abs=0.05)
    assert rows["far"].difference_low < rows["far"].difference < rows["far"].difference_high == 0
    behind = (named("far", **ERROR), [score(s, 1.7 + s / 100) for s in range(3)])
    errors = rows_of(*many(19, seeds=3, **ERROR), behind)
    assert 0 == errors["far"].difference_low < errors["far"].difference
    assert not errors["far"].tied


ONE = ("single", {"seeds": [7]}, [score(7, 0.2)], "a single run shows no spread", "?")
LOST = score(1, None, status="diverged")


@pytest.mark.parametrize(
    ("name", "changes", "scores", "note", "mark"),
    [
        ONE,
        ("diverged", {}, [score(0, 0.2), LOST, score(2, 0.3)], "1 of 3 runs diverged", ""),
        ("failed", {}, [score(0, 0.2), score(1, 0.3)], "1 of 3 runs failed", ""),
        ("odd", {}, [score(0, 0.2), score(1, None), score(2, 0.3)], "1 of 3 runs have no fin", ""),
        ("both", {}, [score(0, 0.2), LOST], "1 of 3 runs diverged; 1 of 3 runs failed; a sin", "?"),
        ("well", {}, [score(s, 0.2) for s in range(3)], None, ""),
    ],
)
def test_rows_say_which_runs_are_missing(name, changes, scores, note, mark):
    """In a field, in the CSV and below the table, and are compared by those that are left; of a
    single run there is nothing to compare, and it cannot be dropped.
    """
    board = make_leaderboard(
        progress((named(name, **changes), scores), *many(3, seeds=3)), "nnrun sweep"
    )
    row = {row.name: row for row in board.groups[0].rows}[name]
    text = leaderboard_markdown(board)
    assert ("not compared" if mark else "paired") == row.comparison
    assert bool(mark) == (row.p is None)
    assert row.tied or not mark
    shown = mark or ("*" if row.tied else "")
    place = f"| {row.rank} {shown}".rstrip().replace("*", r"\*")
    assert f"{place} | {name} |" in text
    assert bool(mark) == ("so that they cannot be dropped" in text)
    assert (note is None) == (row.note is None)
    if note is not None:
        assert row.note.startswith(note)
        assert f"{row.note}: {name}" in text
        assert row.note in leaderboard_csv(board)


def test_a_seed_that_was_run_twice_is_no_run_without_a_number():
    """It counts once, and there is nothing to note."""
    scores = [score(0, 0.2), score(0, 0.2), score(1, 0.3)]
    rows = rows_of((named("twice"), scores), *many(3, seeds=3))
    assert (2, None) == (rows["twice"].completed, rows["twice"].note)


@pytest.mark.parametrize(("metric", "widest"), [("accuracy", 1), ("mcc", 2)])
def test_differences_are_within_the_range_of_the_metric(metric, widest):
    """Few noisy runs of many rows have wider intervals, and no accuracies are so far apart."""
    values = np.random.default_rng(0).random((30, 3)).tolist()
    rows = [
        (named(f"n{k}", metric=metric), [*map(score, range(3), line)])
        for k, line in enumerate(values)
    ]
    model = (
        named("a", metric=metric, choice={"beside": "forest"}),
        [*map(score, range(3), values[0][::-1])],
    )
    (group,) = make_leaderboard(progress(*rows, model), "").groups
    assert -widest == min(row.difference_low for row in group.rows)
    assert widest == max(row.difference_high for row in group.rows)
    assert -widest == group.beside[0].low


def test_a_lucky_single_seed_leads_and_drops_nobody():
    """Its place is by what it did; others are compared with those that have a spread."""
    rows = rows_of((named("lucky", seeds=[0]), [score(0, 1.0)]), *many(3, seeds=3))
    assert (1, "not compared", True) == (
        rows["lucky"].rank, rows["lucky"].comparison, rows["lucky"].tied,
    )  # fmt: skip
    assert ["paired"] * 3 == [row.comparison for row in [*rows.values()][1:]]
    assert "not compared" == to_the_best(rows["lucky"])


def test_a_row_with_diverged_runs_drops_nobody():
    """It stands by what it did, and nobody is dropped because of runs that flatter it."""
    lucky = [*(score(s, 0.95 + s / 1000) for s in range(4)), score(4, None, status="diverged")]
    rows = rows_of((named("lucky", seeds=range(5)), lucky), *many(1))
    assert ["lucky", "row0"] == [*rows]
    assert [True, True] == [row.tied for row in rows.values()]
    assert "1 of 5 runs diverged" == rows["lucky"].note


def test_a_row_with_failed_runs_is_as_good_as_its_others():
    """What a worker could not train says nothing of the row: it may drop others."""
    left = [score(s, 0.95 + s / 1000) for s in range(4)]
    rows = rows_of((named("left", seeds=range(5)), left), *many(1))
    assert [True, False] == [row.tied for row in rows.values()]
    assert "1 of 5 runs failed" == rows["left"].note


def test_a_row_that_is_alone_may_be_the_best():
    """There is no other to compare it with, and its place has no mark."""
    board = make_leaderboard(progress(*many(1)), "")
    (row,) = board.groups[0].rows
    assert ("not compared", None, True) == (row.comparison, row.difference, row.tied)
    assert "| 1 | row0 |" in leaderboard_markdown(board)


def test_seeds_that_change_nothing():
    """Two rows without any noise: equal, both may be the best; always worse, it can be dropped."""
    same = [score(s, 5.0) for s in range(3)]
    rows = rows_of(
        (named("a", **ERROR), same),
        (named("b", **ERROR), same),
        (named("c", **ERROR), [score(s, 6.0) for s in range(3)]),
    )
    assert ("paired", True, 1.0) == (rows["b"].comparison, rows["b"].tied, rows["b"].p)
    assert (False, 1.0, 0.0) == (rows["c"].tied, rows["c"].difference, rows["c"].p)


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
    apart = (0.025, 0.005, 0.02, 0.0, 0.02)
    for overlap, tied in ((0.0, False), (0.25, True)):
        changes = {"overlap": {"test": overlap}, "seeds": range(5), "metric": "mse"}
        members = (
            (named("a", **changes), [score(s, 0.90) for s in range(5)]),
            (named("b", **changes), [score(s, 0.90 - gap) for s, gap in enumerate(apart)]),
        )
        rows = rows_of(*members)
        assert tied == rows["b"].tied
    values = [0.5, 0.7, 0.6]
    plain, wide = summarize(values), summarize(values, overlap=0.25)
    assert 1.75**0.5 == pytest.approx(wide.half / plain.half)


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
    assert row.test.ci_high is None
    assert "huge" in leaderboard_markdown(board)
