"""The results folder: whole files or none, one writer, nothing outside, and damage that is said."""

from __future__ import annotations

import csv
import errno
import html
import json
import os
import re
import shutil
import signal
import threading
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace

import pytest
from safetensors.numpy import load_file

import nnrun
from nnrun.errors import UsageError
from nnrun.models.load import weights_sha256
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.storage import durable as files
from nnrun.runs.storage import staged
from nnrun.runs.storage import store as run_folder
from nnrun.runs.storage.durable import acquire, locked
from nnrun.runs.storage.reading import list_runs
from nnrun.runs.storage.sealed import sealed, strict_json
from nnrun.runs.storage.sweep_progress import is_held
from tests.forging import revise, said
from tests.lab import invoke

REQUIRED = {
    *("schema_version", "nnrun_version", "name", "run_id", "status", "error", "task", "config"),
    *("seed", "dataset", "network", "metrics", "baseline", "published", "timing", "engine"),
    *("environment", "weights_sha256", "report_sha256"),
}


def no_constants(name):
    raise AssertionError(f"{name} in what should be strict JSON")


def test_a_run_folder_holds_what_the_contract_says(prepared, store):
    """Five files; the report has the required keys, and nothing temporary stays."""
    outcome = train(prepared(), store)
    expected = {"config.yaml", "report.json", "report.md", "history.csv", "model.safetensors"}
    assert expected == set(os.listdir(outcome.folder))
    report = json.loads((outcome.folder / "report.json").read_text(), parse_constant=no_constants)
    assert set(report) >= REQUIRED
    assert {"train", "validation", "test"} == set(report["metrics"])
    assert 96 == report["dataset"]["n_train"]
    assert 4 * 4 + 4 + 4 * 3 + 3 == report["network"]["parameters"]


def test_history_is_the_learning_curve(prepared, store):
    """A CSV with a line for each evaluation, whose last line agrees with the report."""
    outcome = train(prepared(), store)
    with (outcome.folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [str(10 * k) for k in range(1, 21)] == [row["iteration"] for row in rows]
    assert outcome.record.metrics["test"]["accuracy"] == float(rows[-1]["test_accuracy"])
    assert outcome.record.metrics["train"]["loss"] == float(rows[-1]["train_loss"])


def test_weights_carry_their_layers_names(prepared, store):
    """`<layer's index>.<parameter>`, and the fingerprint in the report is theirs."""
    outcome = train(prepared(), store)
    weights = load_file(outcome.folder / "model.safetensors")
    shapes = {"0.weight": (4, 4), "0.bias": (4,), "1.weight": (4, 3), "1.bias": (3,)}
    assert shapes == {name: array.shape for name, array in weights.items()}
    assert outcome.record.weights_sha256 == weights_sha256(weights)


def test_a_finished_run_is_shown_in_todays_words(prepared, store):
    """Description and published numbers may be put right without training again."""
    before = train(prepared(), store).record
    words = ("description=put right", "published={test_accuracy: 0.5, source: a book}")
    again = train(prepared(None, *words), store)
    assert not again.trained
    assert before.weights_sha256 == again.record.weights_sha256
    assert ("put right", "a book") == (
        again.record.description,
        again.record.config["published"]["source"],
    )
    ours = before.metrics["test"]["accuracy"]
    expected = {"published": 0.5, "ours": ours, "difference": ours - 0.5}
    assert [{"metric": "test_accuracy", **expected}] == again.record.published


def test_a_forced_run_that_is_interrupted_keeps_the_old_result(prepared, store):
    """Half of a run never takes the place of a whole one."""
    first = train(prepared(), store)
    (first.folder / "checkpoint.safetensors").write_bytes(b"of the forced run")
    again = train(prepared(), store, Listener(stop=lambda: True), force=True)
    assert ("interrupted", False) == (again.record.status, again.saved)
    assert not (first.folder / "checkpoint.safetensors").exists()
    assert first.record == train(prepared(), store).record


def test_a_forked_process_writes_too(tmp_path):
    """It has none of the threads that its parent writes with."""
    files.write_atomically(tmp_path / "before", b"parent")
    child = os.fork()
    if child == 0:
        files.write_atomically(tmp_path / "after", b"child")
        os._exit(0)
    end = monotonic() + 10
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if monotonic() > end:
            os.kill(child, signal.SIGKILL)
        sleep(0.01)
    assert b"child" == (tmp_path / "after").read_bytes()


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    """Files that are still being forced to the disk have gone when the error comes out."""
    sync, entered = os.fsync, threading.Event()

    def late(descriptor):
        entered.set()
        sleep(0.1)
        sync(descriptor)

    def interrupted(*work):
        threading.Thread(target=work[0], args=work[1:]).start()
        assert entered.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", late)
    monkeypatch.setattr(staged, "_threads", lambda: SimpleNamespace(submit=interrupted))
    with pytest.raises(KeyboardInterrupt):
        files.write_together(tmp_path, {"report.json": b"new", "report.md": b"new"})
    assert [] == os.listdir(tmp_path)
    sleep(0.2)
    assert [] == os.listdir(tmp_path)


def test_files_that_are_written_together_are_all_or_none(tmp_path, monkeypatch):
    """Where one write fails at once, those that still go on leave nothing behind either."""
    first = threading.Event()

    def full_for_the_first(descriptor):
        if not first.is_set():
            first.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        sleep(0.1)

    monkeypatch.setattr(os, "fsync", full_for_the_first)
    with pytest.raises(OSError, match="No space left"):
        files.write_together(tmp_path, dict.fromkeys("abcdefghijklmnopqrst", b"new"))
    sleep(0.2)
    assert [] == os.listdir(tmp_path)


def test_leftovers_of_a_killed_write_are_removed(prepared, store):
    """A temporary file from a process that was killed goes when its run is stored."""
    run = prepared()
    folder = store.folder(run.config.name, run.run_id)
    folder.mkdir(parents=True)
    (folder / ".report.json.0123abcd.partial").write_text("half")
    train(run, store)
    assert [] == [name for name in os.listdir(folder) if name.startswith(".")]


def test_a_link_that_comes_while_a_folder_is_locked_is_refused(store, tmp_path, monkeypatch):
    """Between the look at it and the lock: what it leads to is let go, and nothing is in it."""
    outside = tmp_path / "outside"
    outside.mkdir()

    def late(folder, **arguments):
        folder.symlink_to(outside)
        return acquire(folder, **arguments)

    (store.root / "tiny").mkdir(parents=True)
    monkeypatch.setattr(run_folder, "acquire", late)
    with pytest.raises(UsageError, match="leads out of the results folder"):
        store.run("tiny", "s1-0123456789").lock()
    assert [] == [*outside.iterdir()]
    assert not is_held(outside)


def test_a_link_out_of_the_results_folder_is_refused(prepared, store, tmp_path):
    """Nothing is written where a link leads outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    store.root.mkdir()
    (store.root / "tiny").symlink_to(outside)
    with pytest.raises(UsageError, match="leads out of the results folder"):
        train(prepared(), store)
    assert [] == os.listdir(outside)


def hold(folder, held):
    with locked(folder):
        held.set()
        os._exit(1)


def test_a_lock_dies_with_its_holder(tmp_path):
    """After a process that held a folder has died, the next one gets it at once."""
    context = get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "run", held))
    process.start()
    assert held.wait(20)
    process.join(20)
    with locked(tmp_path / "run"):
        assert [] == os.listdir(tmp_path / "run")


# Folders that others have had their hands in: damaged, and said to be.

TEXTS = {"empty": "{}", "text": "hello", "nested": "[" * 100_000}
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
    elif kind in TEXTS:
        report.write_text(TEXTS[kind])
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
    *(*TEXTS, "huge", "fifo", "loop", "device", "folder", "no model"),
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
