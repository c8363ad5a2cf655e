"""Runs whose evaluations on the way take part of the rows."""

from __future__ import annotations

from nnrun.runs.lifecycle import train
from nnrun.runs.verify import verify


def test_small_sets_are_evaluated_whole(prepared):
    """So the default changes neither their ids nor their histories."""
    default = prepared()
    assert None is default.evaluate_rows
    assert {} == default.parts
    assert default.run_id == prepared(None, "training.evaluate_rows=all").run_id
    assert default.run_id == prepared(None, "training.evaluate_rows=10000").run_id
    assert default.run_id != prepared(None, "training.evaluate_rows=9").run_id


def test_the_history_says_on_how_many_rows(prepared, store):
    """And the run is verified, bit by bit."""
    outcome = train(prepared(None, "training.evaluate_rows=40"), store)
    lines = (outcome.folder / "history.csv").read_text().splitlines()
    place = lines[0].split(",").index("train_rows")
    assert ["40", "40", "96"] == [lines[row].split(",")[place] for row in (1, -2, -1)]
    assert "same_bits" == verify(outcome.folder).finding
