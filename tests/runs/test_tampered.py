"""Result folders that others have had their hands in: damaged, and said to be."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from nnrun.cli import cli
from nnrun.runs.lifecycle import train
from nnrun.runs.listing import list_runs

BLOCKS = ("config", "dataset", "network", "metrics", "baseline", "timing", "environment")


def spoil(report, kind):
    """Put something else in the place of a report."""
    content = json.loads(report.read_text())
    if kind in BLOCKS:
        report.write_text(json.dumps({**content, kind: {}}))
    elif kind == "other name":
        report.write_text(json.dumps({**content, "name": "other"}))
    elif kind == "other id":
        report.write_text(json.dumps({**content, "run_id": "s3-0123456789"}))
    elif kind == "other status":
        report.write_text(json.dumps({**content, "status": "splendid"}))
    elif kind == "infinite":
        report.write_text(report.read_text().replace('"train_seconds": ', '"train_seconds": 1e999'))
    elif kind == "huge":
        report.unlink()
        with report.open("wb") as file:
            file.truncate(100 * 2**20)
    else:
        report.unlink()
        if kind == "fifo":
            os.mkfifo(report)
        elif kind == "loop":
            report.symlink_to(report)
        elif kind == "device":
            report.symlink_to("/dev/zero")
        else:
            report.mkdir()


KINDS = [
    *(kind for kind in BLOCKS if kind != "environment"),
    *("other name", "other id", "other status", "infinite"),
    *("huge", "fifo", "loop", "device"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_tampered_report_is_damaged_and_trained_again(prepared, store, kind):
    """`ls` shows it so, other commands say it, and training puts it right."""
    run = prepared()
    first = train(run, store)
    spoil(first.folder / "report.json", kind)
    (listed,) = list_runs(store.root)
    assert not listed.complete
    assert listed.trouble
    where = ["--results", str(store.root)]
    done = CliRunner().invoke(cli, ["ls", "--json", *where])
    assert 0 == done.exit_code
    (row,) = json.loads(done.stdout)
    assert "unreadable" == row["status"]
    assert listed.trouble == row["error"]
    for words in (
        ["show", str(first.folder)],
        ["report", str(first.folder), "-o", str(store.root.parent / "x.html")],
    ):
        shown = CliRunner().invoke(cli, [*words, *where])
        assert shown.exit_code in (0, 1, 2)
        assert "internal error" not in shown.stderr
    second = train(run, store)
    assert second.trained
    assert first.record.weights_sha256 == second.record.weights_sha256
    assert [True] == [run.complete for run in list_runs(store.root)]


def test_a_report_names_the_digests_of_its_files(prepared, store):
    """Those of every file beside it, as they are on disk."""
    from hashlib import sha256

    outcome = train(prepared(), store)
    found = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in outcome.folder.iterdir()
        if path.name != "report.json"
    }
    assert found == outcome.record.files
