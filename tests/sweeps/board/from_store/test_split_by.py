"""Boards of rows that are split at random, by groups or by time: what is compared with what."""

from __future__ import annotations

from statistics import fmean

import pytest
from scipy.stats import t as student

from nnrun.reports.boards import heading
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summarize import summary_of
from nnrun.runs.storage.reading import list_runs
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.stored import stored_boards, stored_variants
from tests.sweeps.helpers import run_inline

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
def swept(write, plan, sweep, store):
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


def test_rows_that_are_split_in_another_way_have_a_board_of_their_own(swept, store):
    """Whether runs are planned, stored or listed: a random split leaks what groups keep apart."""
    board, records = swept(*SPLITS)
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


def test_a_row_has_one_interval_whatever_board_it_is_on(swept, store):
    """Sizes of splits by groups vary by seed: each board allows for the mean over its runs, whether
    they were just trained, complete before, or stored.
    """
    seeds = 4
    trained, records = swept("patients", "clinics", seeds=seeds)
    sizes = {record.dataset["n_test"] for record in records if record.name == "patients"}
    assert len(sizes) > 1
    found, _ = swept("patients", "clinics", seeds=seeds)
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
