"""Result folders that others have had their hands in: damaged, and said to be."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from pathlib import Path

import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.storage.reading import list_runs
from nnrun.runs.storage.sealed import sealed, strict_json
from tests.forging import revise, said
from tests.lab import invoke

BLOCKS = ("config", "dataset", "network", "metrics", "baseline", "timing", "environment")


def spoil(report, kind):  # noqa: PLR0912  # a table of deeds
    """Put something else in the place of a report."""
    content = said(report)
    if kind in BLOCKS:
        revise(report, **{kind: {}})
    elif kind == "other id":
        revise(report, run_id="s3-0123456789")
    elif kind == "other status":
        revise(report, status="splendid")
    elif kind == "other version":
        revise(report, schema_version=9)
    elif kind == "no digest":
        report.write_text(strict_json(content))
    elif kind == "another's digest":
        report.write_bytes(report.read_bytes().replace(b'"seed": 3', b'"seed": 4'))
    elif kind == "laid out anew":
        report.write_text(json.dumps(json.loads(report.read_text()), indent=2))
    elif kind == "more behind":
        report.write_bytes(report.read_bytes() + b"\n")
    elif kind in ("empty", "text"):
        report.write_text({"empty": "{}", "text": "hello"}[kind])
    elif kind == "no model":
        (report.parent / "model.safetensors").unlink()
    elif kind == "infinite":
        text = report.read_bytes().rpartition(b",\n")[0]
        report.write_bytes(sealed(text.replace(b'"train_seconds": ', b'"train_seconds": 1e999')))
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
    *("other id", "other status", "other version", "infinite"),
    *("no digest", "another's digest", "laid out anew", "more behind"),
    *("empty", "text", "huge", "fifo", "loop", "device", "folder", "no model"),
]
# Each with {folder} and with the name; there is no other run of that name.
SHOWING = ["show {folder}", "show tiny", "show latest", "show tiny/s3"]
REFUSING = [
    *("compare tiny tiny", "predict tiny new.csv", "export tiny -o model.onnx"),
    *("predict {folder} new.csv", "train tiny --extend 5", "train {config}"),
]


@pytest.fixture
def command(store, tmp_path, monkeypatch):
    """Runs a command on the results folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def in_results(words, **places):
        return invoke(*words.format(**places).split(), "--results", store.root)

    return in_results


@pytest.mark.parametrize("kind", KINDS)
def test_a_tampered_report_is_damaged_and_force_trains_again(prepared, store, command, kind):
    """All commands say so in the same words, nothing else is touched, and force puts it right."""
    run = prepared()
    first = train(run, store)
    folder, config = first.folder, first.folder / "config.yaml"
    spoil(folder / "report.json", kind)
    (listed,) = list_runs(store.root)
    assert (True, False) == (listed.is_damaged, listed.complete)
    is_other = kind == "other version"
    status = "unreadable" if is_other else "damaged"
    (row,) = json.loads(command("ls --json")[1])
    assert (status, listed.problem) == (row["status"], row["error"])
    before = {path: path.lstat().st_mtime_ns for path in folder.iterdir()}
    renamed = "if its folder was renamed, rename it back to s3-0123456789; otherwise "
    renamed = renamed if kind == "other id" else ""
    trains = f"nnrun train {config} --force --results {store.root} trains it again"
    state = "cannot be read: report.json is of another version of nnrun"
    said = f"{state if is_other else f'is damaged: {listed.problem}'}; {renamed}"
    message = said + trains
    for words in SHOWING:
        code, out, _ = command(f"{words} --json", folder=folder)
        data = json.loads(out)
        assert (0, status) == (code, data["status"]), words
        assert trains in command(words, folder=folder)[1]
    for words in REFUSING:
        code, out, err = command(words, folder=folder, config=config)
        assert (2, "") == (code, out), words
        assert message in err, words
    for words in ("verify tiny", "verify"):
        code, _, err = command(words)
        assert (1 if is_other else 3) == code
        assert message in err
    for words in ("report", "report {folder}", "report tiny"):
        code, _, err = command(f"{words} -o x.html", folder=folder)
        assert (0, "wrote x.html: 1 run") == (code, err[:19])
        page = html.unescape(Path("x.html").read_text())
        assert f"{said}nnrun train --force trains it again" in page  # wherever its folder is
    for word in ("tiny", folder):
        with pytest.raises(UsageError, match=re.escape(message)):
            nnrun.load(word, results=store.root)
    assert before == {path: path.lstat().st_mtime_ns for path in folder.iterdir()}
    assert 0 == command("train {config} --force", config=config)[0]
    (again,) = list_runs(store.root)
    assert first.record.weights_sha256 == again.record.weights_sha256
    assert again.complete


@pytest.mark.parametrize("kind", ["empty", "device", "fifo", "no model"])
def test_a_sweep_tells_of_a_damaged_run_and_trains_the_others(prepared, store, command, kind):
    """With exit code 1; a dry run says it before."""
    first = train(prepared(), store)
    spoil(first.folder / "report.json", kind)
    (listed,) = list_runs(store.root)
    config = f"{first.folder}/config.yaml"
    trains = f"nnrun train {config} --force --results {store.root}"
    message = f"is damaged: {listed.problem}; {trains} trains it again"
    words = f"sweep {config} --seeds 3 -j 1"
    code, _, err = command(f"{words} --dry-run")
    assert (0, 1) == (code, err.count(message))
    code, _, err = command(words)
    assert (1, 2) == (code, err.count(message))  # as it happens, and at the end
    assert "3 runs: 2 trained" in err
    assert [False, True, True] == [run.complete for run in list_runs(store.root)]
    assert 0 == command(f"{words} --force")[0]
    assert [True] * 3 == [run.complete for run in list_runs(store.root)]


def test_a_damaged_run_is_meant_where_there_is_no_other(prepared, store, command):
    """A name is its newest run that can be read."""
    first = train(prepared(), store)
    second = train(prepared(None, "seed=4"), store)
    spoil(second.folder / "report.json", "empty")
    expected = {"tiny": first, "latest": first, "tiny/s4": second}
    for word, outcome in expected.items():
        shown = json.loads(command(f"show {word} --json")[1])
        assert str(outcome.folder) == shown["folder"]


def test_a_damaged_run_that_another_process_is_at_is_running(prepared, store, command):
    """It is being trained again: another process waits, and finds it complete."""
    run = prepared()
    first = train(run, store)
    spoil(first.folder / "report.json", "empty")
    begun = begin(store, run.config.name, run.run_id, force=True)
    with begun:
        (row,) = json.loads(command("ls --json")[1])
        assert ("running", None) == (row["status"], row["error"])
        assert begin(store, run.config.name, run.run_id) is None
    with pytest.raises(UsageError, match="is damaged"):
        begin(store, run.config.name, run.run_id)


def test_a_run_that_has_just_begun_is_shown_as_running(prepared, store, command):
    """By its name as well, though nothing of it is there yet but its lock."""
    run = prepared()
    with begin(store, run.config.name, run.run_id):
        for word in ("tiny", "tiny/s3", "latest"):
            code, out, err = command(f"show {word} --json")
            assert (0, f"run: tiny/{run.run_id}") == (code, err.partition(",")[0].rstrip())
            assert "running" == json.loads(out)["status"]


def test_a_renamed_experiment_has_the_name_of_its_folder(prepared, store, command):
    """In every list and command; its runs are verified, and go on beside it."""
    first, second = (train(prepared(None, f"seed={seed}"), store).folder for seed in (3, 4))
    (store.root / "tiny").rename(store.root / "later")
    ids = [first.name, second.name]
    assert [("later", i, "completed") for i in ids] == [
        (row["name"], row["run_id"], row["status"])
        for row in sorted(json.loads(command("ls --json")[1]), key=lambda row: row["run_id"])
    ]
    assert "later" == json.loads(command("show later/s3 --json")[1])["name"]
    compared = json.loads(command("compare later/s3 later/s4 --json")[1])
    assert [f"later/{i}" for i in ids] == compared["labels"]
    code, out, _ = command("verify --json")
    assert 0 == code
    found = [(run["name"], run["run_id"], run["finding"]) for run in json.loads(out)["runs"]]
    assert [("later", i, "same_bits") for i in ids] == found
    assert "later" == nnrun.load("later/s3", results=store.root).name
    assert "later" == nnrun.verify("later/s3", results=store.root).name
    code, out, _ = command("train later/s3 --extend 10 --json")
    assert (0, "later") == (code, json.loads(out)["name"])
    assert ["later"] == [path.name for path in store.root.iterdir() if path.is_dir()]
    assert 0 == command("verify")[0]


def test_a_run_folder_of_another_place_is_taken_as_it_is(prepared, store, command, tmp_path):
    """Copied under another name, it is no damaged run; its id must be that of its report."""
    folder = train(prepared(), store).folder
    for name, status in (("kept", "completed"), (f"kept/{folder.name}", "completed"),
                         ("kept/s3-0123456789", "damaged")):  # fmt: skip
        shutil.copytree(folder, tmp_path / name)
        code, out, _ = command(f"show {tmp_path / name} --json")
        assert (0, status) == (code, json.loads(out)["status"])


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
