"""Boards from the store: the best run, splits, entries."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, median_high, median_low

import numpy as np
import pytest
from scipy.stats import t as student

from nnrun.errors import UsageError
from nnrun.reports.best import chosen_words
from nnrun.reports.boards import heading
from nnrun.reports.commands import command_line
from nnrun.runs.catalog import index
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import RESULT, ordered
from nnrun.runs.catalog.summarize import line_of_record, summary_of
from nnrun.runs.storage.reading import list_runs
from nnrun.runs.storage.sealed import sealed, strict_json
from nnrun.sweeps.board.best import best_of, choose
from nnrun.sweeps.board.leaderboard import kind_of, make_leaderboard
from nnrun.sweeps.board.stored import stored_boards, stored_variants
from tests.reports.conftest import CLASSIFICATION, REGRESSION
from tests.sweeps.helpers import BOSTON, IRIS, run_inline

# `NAME/best`: the first row of an experiment's leaderboard, and its median run.

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


# Boards of rows that are split at random, by groups or by time: what is compared with what.

CONFIG = """
name: {name}
dataset:
  path: visits.csv
  columns: {{target: y, drop: [patient_id, clinic, day]}}
  test_size: 0.3
{split}
network: {{sizes: [2, 1], activations: [tanh, linear]}}
loss: mean_squared
training: {{learning_rate: 0.01, iterations: 5, engine: numpy}}
"""
SPLITS = {
    "random": "",
    "patients": "  split: {by: group, column: patient_id}",
    "clinics": "  split: {by: group, column: clinic}",
    "days": "  split: {by: time, column: day}",
}


@pytest.fixture
def grouped(write, plan, sweep, store):
    """Sweeps configs that differ in how rows are split, with groups of 1 to 9 rows."""
    patients = [patient for patient in range(1, 10) for _ in range(patient)]
    rows = [f"{i % 7},{i % 5},{p},{p // 3},{i}" for i, p in enumerate(patients)]

    def make(*names, seeds=3):
        files = {name: write(name, CONFIG.format(name=name, split=SPLITS[name])) for name in names}
        table = "\n".join(["x,y,patient_id,clinic,day", *rows])
        (files[names[0]].parent / "visits.csv").write_text(f"{table}\n")
        progress = run_inline(sweep(plan(*files.values(), seeds=seeds)))
        return make_leaderboard(progress, "nnrun sweep"), [r.record for r in list_runs(store.root)]

    return make


def test_rows_that_are_split_in_another_way_have_a_board_of_their_own(grouped, store):
    """Whether runs are planned, stored or listed: a random split leaks what groups keep apart."""
    board, records = grouped(*SPLITS)
    expected = {
        "random": "ordered by the test split",
        "patients": "ordered by the test split, split by patient_id",
        "clinics": "ordered by the test split, split by clinic",
        "days": "ordered by the test split, split by time in day",
    }
    stored = [board.group for board in stored_boards(stored_variants(map(summary_of, records)))]
    for groups in (board.groups, stored):
        found = {group.rows[0].name: heading(group).partition("mse of y, ")[2] for group in groups}
        assert (4, expected) == (len(groups), found)
    kinds = {run.name: run.kind for run in look(store.root)}
    assert 4 == len(set(kinds.values()))


def test_a_row_has_one_interval_whatever_board_it_is_on(grouped, store):
    """Sizes of splits by groups vary by seed: each board allows for the mean over its runs, whether
    they were just trained, complete before, or stored.
    """
    seeds = 4
    trained, records = grouped("patients", "clinics", seeds=seeds)
    sizes = {record.dataset["n_test"] for record in records if record.name == "patients"}
    assert len(sizes) > 1
    found, _ = grouped("patients", "clinics", seeds=seeds)
    stored = {
        b.group.rows[0].name: b.group
        for b in stored_boards(stored_variants(map(summary_of, records)))
    }
    for one, other in zip(trained.groups, found.groups, strict=True):
        assert other == one
        (row,), (same,) = one.rows, stored[one.rows[0].name].rows
        assert (same.ci_low, same.ci_high) == (row.ci_low, row.ci_high)
        own = [record.dataset for record in records if record.name == row.name]
        ratio = fmean(d["n_test"] for d in own) / fmean(d["n_train"] for d in own)
        half = student.ppf(0.975, seeds - 1) * row.sd * (1 / seeds + ratio) ** 0.5
        assert row.mean + half == pytest.approx(row.ci_high)


# What leaderboards take of stored runs, from the index or from reports.

PLAIN = {"dataset": {}, "network": {}, "training": {"learning_rate": 0.1}}
REGRESSION = replace(REGRESSION, config={**REGRESSION.config, **PLAIN})
CLASSIFICATION = replace(CLASSIFICATION, config={**CLASSIFICATION.config, **PLAIN})
RECORDS = {
    "regression": REGRESSION,
    "classification": CLASSIFICATION,
    "warned": replace(
        CLASSIFICATION,
        warnings=[
            {"kind": "leak", "message": "a is b: drop it"},
            {"kind": "dead_units", "message": "…"},
        ],
    ),
    "published": replace(
        REGRESSION,
        config={**REGRESSION.config, "published": {"source": "a book", "test_mse": 7.5}},
        published=[{"metric": "test_mse", "published": 7.5, "ours": 7.25, "difference": -0.25}],
    ),
    "folds": replace(
        CLASSIFICATION,
        config={**CLASSIFICATION.config, "dataset": {"folds": 3, "fold": 2, "split": {"seed": 5}}},
    ),
    "without a baseline": replace(CLASSIFICATION, baseline=dict.fromkeys(CLASSIFICATION.baseline)),
}


def put(root, record):
    folder = root / record.name / record.run_id
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "report.json").write_bytes(sealed(strict_json(record.to_dict()).encode()))


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_the_index_has_what_a_report_has(tmp_path, monkeypatch, record):
    """The row of a run is the same, whether it comes from its report, its record or its line."""
    monkeypatch.setattr(index, "WORTH", 1)
    record = replace(record, run_id=f"s{record.seed}-0123456789", status="completed")
    put(tmp_path, record)
    assert summary_of(record).is_sound
    for order_by in (None, record.main_metric):
        for _ in range(2):  # from its report, and from its line
            assert [summary_of(record)] == look(tmp_path, boards=True, order_by=order_by)


def test_a_row_is_by_the_metric_that_is_asked_for(tmp_path, monkeypatch):
    """Its own and that of the baseline, from a report and from a line of the index."""
    monkeypatch.setattr(index, "WORTH", 1)
    record = replace(REGRESSION, run_id="s7-0123456789")
    put(tmp_path, record)
    for _ in range(2):
        (run,) = look(tmp_path, boards=True, order_by="r2")
        assert ("r2", True, (0.85, None, 0.7)) == (run.metric, run.larger_is_better, run.by_split)
        assert (0.0, None, -0.01) == run.baseline
        (other,) = look(tmp_path, boards=True, order_by="mcc")
        assert "mse" == other.metric


@pytest.mark.parametrize(
    "changes",
    [{"timing": {"train_seconds": "1"}}, {"metrics": {"train": None}}, {"dataset": {"name": []}}],
)
def test_a_report_without_what_boards_need_has_no_part(tmp_path, changes):
    """So that its report is read again."""
    record = replace(
        CLASSIFICATION,
        **{key: {**getattr(CLASSIFICATION, key), **new} for key, new in changes.items()},
    )
    if "metrics" in changes:
        record = replace(record, metrics=changes["metrics"])
    assert line_of_record(record, tmp_path, "now") is None
