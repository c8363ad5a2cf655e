"""Runs whose evaluations on the way take part of the rows."""

from __future__ import annotations

from hashlib import sha256

from nnrun.runs.lifecycle import train
from nnrun.runs.verification.verify import verify
from tests.forging import revise


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


def test_runs_of_before_are_verified_on_all_rows(prepared, store, monkeypatch):
    """A config without the key is that of an older version, which evaluated on all rows."""
    outcome = train(prepared(), store)
    file = outcome.folder / "config.yaml"
    file.write_text(file.read_text().replace("  evaluate_rows: null\n", ""))
    training = {k: v for k, v in outcome.record.config["training"].items() if k != "evaluate_rows"}
    files = {**outcome.record.files, file.name: sha256(file.read_bytes()).hexdigest()}
    config = {**outcome.record.config, "training": training}
    revise(outcome.folder / "report.json", config=config, files=files)
    monkeypatch.setattr("nnrun.training.examples.FEWEST", 10)
    assert "same_bits" == verify(outcome.folder).finding
