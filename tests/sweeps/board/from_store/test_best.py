"""`NAME/best`: the first row of an experiment's leaderboard, and its median run."""

from __future__ import annotations

from dataclasses import replace
from statistics import median_high, median_low

import numpy as np
import pytest

from nnrun.errors import UsageError
from nnrun.reports.best import chosen_words
from nnrun.reports.commands import command_line
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import RESULT, ordered
from nnrun.runs.catalog.summarize import summary_of
from nnrun.runs.storage.reading import list_runs
from nnrun.sweeps.board.best import best_of, choose
from nnrun.sweeps.board.leaderboard import kind_of, make_leaderboard
from nnrun.sweeps.board.stored import stored_boards, stored_variants
from tests.sweeps.helpers import BOSTON, IRIS, run_inline

RATES = "training.learning_rate=0.001,0.05,0.01"


def chosen_from(records):
    """The choice among the runs of these records."""
    by_id = {record.run_id: record for record in records}
    return choose(map(summary_of, records), "mine", read=by_id.__getitem__)


@pytest.fixture
def swept(write, plan, sweep, store):
    """Sweeps a config over three learning rates: the leaderboard, and the records of the runs."""

    def make(text=BOSTON, *words, seeds=3, name="mine"):
        progress = run_inline(sweep(plan(write(name, text), *words, seeds=seeds)))
        records = [run.record for run in list_runs(store.root) if run.name == name]
        return make_leaderboard(progress, "nnrun sweep"), records

    return make


@pytest.mark.parametrize("size", [0, 0.2])
@pytest.mark.parametrize("text", [BOSTON, IRIS])
@pytest.mark.parametrize("seeds", [1, 3, 4])
def test_the_choice_is_the_first_row_of_every_board(swept, store, text, size, seeds):
    """The board of the sweep, that of the report, and the choice among stored runs agree."""
    words = (RATES, f"dataset.validation_size={size}")
    board, records = swept(text, *words, seeds=seeds)
    choice = best_of(store.root, "mine")
    (group,) = board.groups
    (page,) = stored_boards(stored_variants(map(summary_of, records)))
    first = group.rows[0]
    assert ("validation" if size else "test") == group.ordered_by == choice.group.ordered_by
    assert first.best_run == choice.row.best_run == page.group.rows[0].best_run
    assert first.mean == choice.row.mean
    assert (
        first.choice["training.learning_rate"] == choice.record.config["training"]["learning_rate"]
    )


def test_rows_with_equal_means_have_one_order(swept, store):
    """Where the plan has them in another order than the results folder, the first is the same."""
    text = IRIS.replace("iterations: 60", "iterations: 1")
    for rates in ("1e-9,2e-9,3e-9", "3e-9,1e-9,2e-9"):
        board, _ = swept(text, f"training.learning_rate={rates}", seeds=2)
        (group,) = board.groups
        assert 1 == len({row.mean for row in group.rows})
        assert group.rows[0].best_run == best_of(store.root, "mine").row.best_run


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("text", "metric"), [(BOSTON, "mse"), (IRIS, "accuracy")])
def test_the_run_is_the_median_one_of_its_row(swept, store, text, metric, seeds):
    """By the split that the order is by; of an even number, the worse of the middle two."""
    swept(text, RATES, "dataset.validation_size=0.2", seeds=seeds)
    choice = best_of(store.root, "mine")
    rate = choice.record.config["training"]["learning_rate"]
    values = [
        run.record.metrics["validation"][metric]
        for run in list_runs(store.root)
        if run.record.config["training"]["learning_rate"] == rate
    ]
    middle = median_low(values) if metric == "accuracy" else median_high(values)
    assert seeds == len(values)
    assert middle == choice.record.metrics["validation"][metric]


def test_a_choice_by_test_is_the_first_of_a_board_by_test(swept, store):
    """The row with the best mean on the test split, which need not be that by validation."""
    swept(BOSTON, RATES, "dataset.validation_size=0.2")
    means = {}
    for run in list_runs(store.root):
        rate = run.record.config["training"]["learning_rate"]
        means.setdefault(rate, []).append(run.record.metrics["test"]["mse"])
    choice = best_of(store.root, "mine", "test")
    best = min(means, key=lambda rate: np.mean(means[rate]))
    assert ("test", best) == (
        choice.group.ordered_by,
        choice.record.config["training"]["learning_rate"],
    )


def test_runs_that_have_not_completed_are_not_chosen(swept):
    """The median is of completed runs; without any there is nothing to choose."""
    _, records = swept(BOSTON, seeds=3)
    best, *others = sorted(records, key=lambda record: record.metrics["test"]["mse"])
    lost = [replace(record, status="diverged") for record in others]
    assert best.run_id == chosen_from([best, *lost]).record.run_id
    with pytest.raises(UsageError, match=r"^mine/best: no run of mine has completed$"):
        chosen_from([replace(best, status="failed"), *lost])


def test_a_split_that_the_runs_do_not_have_is_reported(swept, store):
    """With the setting that makes one."""
    swept(BOSTON, seeds=1)
    expected = (
        "mine/best: its runs have no validation split, but train and test; "
        "dataset.validation_size makes one"
    )
    with pytest.raises(UsageError) as caught:
        best_of(store.root, "mine", "validation")
    assert expected == str(caught.value)


def test_only_runs_that_can_be_compared_are_chosen_from(swept):
    """Those on the data, and with the splits, of the newest board; the others are counted."""
    swept(BOSTON, "training.learning_rate=0.01,0.02")
    _, records = swept(BOSTON, "dataset.validation_size=0.2", RATES)
    for split, settings, others in (("validation", 3, 2), ("test", 2, 3)):
        choice = chosen_from([_begun(record, split) for record in records])
        assert (split, settings) == (choice.group.ordered_by, len(choice.group.rows))
        assert ([others], True) == ([len(board) for board in choice.others], choice.newest)


def test_the_place_is_among_all_stored_settings_with_a_result(swept, store):
    """Of earlier sweeps too, and it says so; settings without a completed run have no place."""
    swept(BOSTON, "training.learning_rate=0.01", seeds=1)
    board, records = swept(BOSTON, "training.learning_rate=0.02,0.05,0.03", seeds=1)
    assert 3 == len(board.groups[0].rows)
    lost = [
        replace(r, status="diverged") if r.config["training"]["learning_rate"] == 0.03 else r
        for r in records
    ]
    for found, number in ((records, 4), (lost, 3)):
        (line, *_) = chosen_words(chosen_from(found), store.root)
        assert f", number 1 of {number} stored settings by test mse, " in line


def test_one_setting_trained_again_does_not_move_the_choice(swept, store):
    """In folds, on its own: the choice is from the newest board that compares several settings."""
    swept(BOSTON, RATES)
    before = best_of(store.root, "mine")
    _, records = swept(BOSTON.replace("boston,", "boston, folds: 4,"), seeds=1)
    choice = best_of(store.root, "mine")
    assert (before.record.run_id, before.row) == (choice.record.run_id, choice.row)
    place = store.root / "mine"
    expected = [
        "  from the newest with several settings of 2 boards, by the test split",
        "  4 runs of other boards, newer ones among them, cannot be compared with these:",
        f"    {command_line('report', [str(place)], store.root, {})}",
    ]
    assert expected == [*chosen_words(choice, store.root)][-3:]
    folds = [record for record in records if record.config["dataset"]["folds"]]
    alone = chosen_from([*folds, before.record])
    assert (4, True) == (alone.group.folds, alone.newest)
    assert "  from the newest of 2 boards, by 4 folds" in chosen_words(alone, store.root)


def _begun(record, last):
    """The run, started later if this is the split that its board is ordered by."""
    ordered_by = "validation" if record.metrics["validation"] else "test"
    return replace(record, started=f"2025-01-0{1 + (ordered_by == last)}T12:00:00+00:00")


def test_lists_put_together_what_a_board_does(swept, store):
    """Runs are ranked among those of their data and splits, by what their board is ordered by."""
    _, records = swept(BOSTON, "dataset.validation_size=0.2", RATES)
    records += swept(IRIS, RATES, name="flowers")[1]
    records += swept(BOSTON, RATES, name="plain")[1]
    kinds = {}
    for variant in stored_variants(map(summary_of, records)):
        for run in variant.runs:
            kinds[run.run_id] = kind_of(variant)
    runs = look(store.root)
    ranked = ordered(runs, RESULT)
    found = dict.fromkeys(kinds[run.run_id] for run in ranked)
    assert [kinds[run.run_id] for run in ranked] == [kind for kind in found for _ in range(9)]
    assert {"validation", "test"} == {run.ranking[0] for run in ranked}
    for kind in found:
        values = [run.ranking[1] for run in ranked if kinds[run.run_id] == kind]
        assert sorted(values, reverse=kind[2] == "accuracy") == values
    top = ordered(runs, RESULT, 2)
    assert [run for kind in found for run in ranked if kinds[run.run_id] == kind][:2] == top[:2]
    assert [2, 2, 2] == [sum(kinds[run.run_id] == kind for run in top) for kind in found]
