"""The index of runs is a cache: whatever happens to it or to the runs, results are right."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from nnrun.runs.catalog import index
from nnrun.runs.catalog import summarize as glance
from nnrun.runs.catalog.index import FILE, RunIndex, look, stamp
from nnrun.runs.catalog.summarize import line_of, line_of_record
from nnrun.runs.catalog.summary import PLAIN, varied
from nnrun.runs.lifecycle import train
from nnrun.runs.storage.reading import CHECKPOINT, read_run
from nnrun.runs.storage.sealed import sealed, strict_json
from tests.reports.conftest import REGRESSION

RUNS = 12


def put(root, seed, rate=0.01, name="houses", **changes):
    """A complete run, as far as lists look at it."""
    run_id = f"s{seed}-{seed:010x}"
    training = {"learning_rate": rate}
    config = {**REGRESSION.config, "dataset": {}, "network": {}, "training": training}
    record = replace(REGRESSION, name=name, run_id=run_id, seed=seed, config=config, **changes)
    folder = root / name / run_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "report.json").write_bytes(sealed(strict_json(record.to_dict()).encode()))
    return folder


@pytest.fixture(autouse=True)
def worth(monkeypatch):
    """An index for few runs, so that tests are quick."""
    monkeypatch.setattr(index, "WORTH", 3)


@pytest.fixture
def root(tmp_path):
    for seed in range(RUNS):
        put(tmp_path, seed, rate=0.1 if seed % 3 else 0.01)
    return tmp_path


def seen(root):
    """What a look finds, in an order of its own."""
    runs = look(root)
    keys = varied(runs)
    found = [(*(getattr(run, key) for key in PLAIN), dict(run.settings)) for run in runs]
    return sorted(found, key=repr), {name: sorted(key) for name, key in keys.items() if key}


def truth(root, monkeypatch):
    """The same without any index."""
    with monkeypatch.context() as patch:
        patch.setattr(index, "WORTH", 10**9)
        (root / FILE).unlink(missing_ok=True)
        return seen(root)


@pytest.fixture
def no_reading(monkeypatch):
    """From here on, reading a report fails."""

    def refuse(folder, **_):
        raise AssertionError(f"{folder} is read")

    def forbid():
        monkeypatch.setattr("nnrun.runs.catalog.summarize.read_run", refuse)

    return forbid


def test_the_second_look_reads_no_report(root, no_reading):
    """It is what the first one was."""
    first = seen(root)
    assert RUNS == len(first[0])
    assert {"houses": ["training.learning_rate"]} == first[1]
    no_reading()
    assert first == seen(root)


def test_few_runs_have_no_index(tmp_path):
    """There is nothing to be gained, and the folder stays as it was."""
    put(tmp_path, 1), put(tmp_path, 2)
    assert 2 == len(look(tmp_path))
    assert not (tmp_path / FILE).exists()


CHANGES = {
    "a run is added": lambda root: put(root, 99, rate=5.0),
    "a name is added": lambda root: put(root, 1, name="flats"),
    "a run is removed": lambda root: shutil.rmtree(root / "houses/s3-0000000003"),
    "a name is removed": lambda root: shutil.rmtree(root / "houses"),
    "a name is changed": lambda root: (root / "houses").rename(root / "flats"),
    "a report is written anew": lambda root: put(root, 4, main_metric="mae"),
    "a report is overwritten in place": lambda root: (
        root / "houses/s4-0000000004/report.json"
    ).write_bytes(b"{"),
    "a model is removed": lambda root: (root / "houses/s4-0000000004/model.safetensors").unlink(),
    "a report is removed": lambda root: (root / "houses/s4-0000000004/report.json").unlink(),
    "a checkpoint is there": lambda root: (root / "houses/s4-0000000004" / CHECKPOINT).write_bytes(
        b""
    ),
    "all of one setting are removed": lambda root: [
        shutil.rmtree(root / f"houses/s{k}-{k:010x}") for k in range(0, RUNS, 3)
    ],
    "a run goes on": lambda root: put(root, 4, status="interrupted"),
    "a run failed": lambda root: put(root, 5, status="failed", error="no memory"),
    "what SQLite cannot hold": lambda root: put(root, 6, started={"a": [1]}, timing={
        "train_seconds": 2**70, "iterations": 1, "iterations_per_second": None,
    }),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_behind_its_back_is_found(root, monkeypatch, change):
    """Twice: when it is new, and when the index has an entry for it."""
    seen(root)
    change(root)
    found, again = seen(root), seen(root)
    assert truth(root, monkeypatch) == found == again


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"no database at all" * 100),
        lambda file: file.write_bytes(file.read_bytes()[:5000]),
        lambda file: file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 8192),
        lambda file: sqlite3.connect(file).executescript("DROP TABLE runs").connection.close(),
        lambda file: (
            sqlite3.connect(file).executescript("PRAGMA user_version = 999").connection.close()
        ),
    ],
)
def test_a_damaged_index_is_made_anew(root, damage):
    """Nobody hears of it."""
    expected = seen(root)
    damage(root / FILE)
    assert expected == seen(root) == seen(root)
    with sqlite3.connect(root / FILE) as file:
        assert [(RUNS,)] == list(file.execute("SELECT COUNT(*) FROM runs"))
    file.close()


def test_without_an_index_all_is_read(root):
    """Where its file cannot be, or another process does not let go of it."""
    expected = seen(root)
    (root / FILE).unlink()
    (root / FILE).mkdir()
    assert expected == seen(root)
    (root / FILE).rmdir()


def test_a_file_that_is_held_is_done_without(root, monkeypatch):
    """After waiting for it; and the file is left alone."""
    monkeypatch.setattr("nnrun.runs.catalog.index_file._PATIENCE_SECONDS", 0.05)
    seen(root)
    put(root, 50)
    holder = sqlite3.connect(root / FILE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert RUNS + 1 == len(seen(root)[0])
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert RUNS + 1 == len(seen(root)[0])


def test_a_sweep_gets_what_it_needs_from_the_index(root, no_reading):
    """Status, numbers and time of complete runs; nothing of a run that has changed since."""
    known = RunIndex(root)
    known.refresh(["houses"])
    no_reading()
    record = known.find("houses", "s4-0000000004")
    assert ("completed", 4, REGRESSION.timing) == (record.status, record.seed, record.timing)
    assert REGRESSION.metrics["test"] == record.metrics["test"]
    assert REGRESSION.baseline["test"] == record.baseline["test"]
    (root / "houses/s5-0000000005/model.safetensors").unlink()
    assert known.find("houses", "s5-0000000005") is None
    assert known.find("houses", "s77-000000004d") is None
    known.close()
    assert RunIndex(root / "elsewhere").find("houses", "s4-0000000004") is None


WRITER = """
import sys
from pathlib import Path
from nnrun.runs.catalog import index
index.WORTH = 3
index._BATCH = 2
print("ready", flush=True)
while True:
    index.RunIndex(Path(sys.argv[1])).refresh(["houses"])
    for line in Path(sys.argv[1]).glob("houses/s*[0-4]-*/model.safetensors"):
        line.touch()
        (line.parent / "touched").touch()
        (line.parent / "touched").unlink()
"""


def test_two_writers_and_a_kill(root):
    """Two processes write while folders change; one is killed in the midst of it, again and again.

    Whatever is found then is what is so, and the index is sound.
    """
    expected = seen(root)
    writers = []
    try:
        for round_number in range(3):
            writers = [
                subprocess.Popen(
                    [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True
                )
                for _ in range(2)
            ]
            for writer in writers:
                assert "ready\n" == writer.stdout.readline()
            time.sleep(0.05 * (round_number + 1))
            assert expected == seen(root)
            writers[0].send_signal(signal.SIGKILL)
            assert expected == seen(root)
            for writer in writers:
                writer.kill()
                writer.communicate()
            assert expected == seen(root)
    finally:
        for writer in writers:
            if writer.poll() is None:
                writer.kill()
                writer.communicate()
    file = sqlite3.connect(root / FILE)
    assert [("ok",)] == list(file.execute("PRAGMA integrity_check"))
    file.close()


def test_settings_of_several_kinds_are_one(root):
    """Whether the index sees them one by one, or all are looked at at once."""
    look(root)
    for seed, rate in enumerate(({"initial": 1.0}, {"initial": 2.0}, {"peak": 1.0}, 0.5), 40):
        put(root, seed, rate=rate, name="rates")
    put(root, 50, rate={"initial": 1.0}, name="flats")
    put(root, 51, rate={"initial": 2.0}, name="flats")
    keys = varied(look(root))
    assert ["training.learning_rate"] == keys["rates"]
    assert ["training.learning_rate.initial"] == keys["flats"]


def test_numbers_survive_as_they_are(root):
    """To the last bit, and a flag stays a flag."""
    value = 0.1 + 0.2
    metrics = {**REGRESSION.metrics, "test": {**REGRESSION.metrics["test"], "mse": value}}
    put(root, 70, metrics=metrics)
    seen(root)
    (run,) = [run for run in look(root) if run.seed == 70]
    assert (value, False, 10_000) == (run.test, run.larger_is_better, run.iterations)
    assert json.loads(json.dumps(run.test)) == value


LISTING = """
import sys
from nnrun.cli import cli
sys.argv = ["nnrun", *sys.argv[1:]]
try:
    cli()
finally:
    heavy = {"numpy", "pydantic", "scipy", "sklearn", "safetensors", "yaml"} & set(sys.modules)
    print("heavy:", sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [("ls",), ("ls", "--top", "3"), ("show", "houses/s4-")])
def test_lists_load_nothing_that_they_do_not_need(root, words):
    """Starting up would take longer than looking at 20,000 runs."""
    seen(root)
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *words, "--results", str(root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert "heavy: []" in done.stderr
    assert "houses" in done.stdout


STATUSES = [
    *({"status": "completed"}, {"status": "interrupted"}),
    *({"status": "diverged", "error": "the loss left"}, {"status": "failed", "error": "no memory"}),
]


@pytest.mark.parametrize("changes", STATUSES, ids=lambda changes: changes["status"])
def test_a_line_of_a_record_is_what_reading_it_back_gives(prepared, store, changes):
    """For all that become of runs; those that are not complete have none."""
    record = replace(train(prepared(), store).record, **changes)
    folder = store.folder(record.name, record.run_id)
    (folder / "report.json").write_bytes(sealed(strict_json(record.to_dict()).encode()))
    expected = line_of(folder, stamp(str(folder)))
    assert expected == line_of_record(record, folder, stamp(str(folder)))
    assert (changes["status"] in ("completed", "diverged")) == (expected is not None)


def test_what_this_process_has_written_is_not_read_again(tmp_path, monkeypatch):
    """The lines of a sweep are those that reading its runs would give, in batches or not."""
    new, records = RunIndex(tmp_path), []
    monkeypatch.setattr(index, "_FEW", 5)
    new.refresh(["houses"], RUNS)
    for seed in range(RUNS):
        folder = put(tmp_path, seed, rate=0.1 if seed % 3 else 0.01)
        records.append(read_run(folder, placed=True).record)
    with monkeypatch.context() as patch:
        patch.setattr(glance, "read_run", lambda *_, **__: pytest.fail("a run is read"))
        for record in records:
            new.add(record)
        new.refresh(["houses"])
        found = seen(tmp_path)
    assert truth(tmp_path, monkeypatch) == found


def test_few_runs_leave_no_index(tmp_path, monkeypatch):
    """Lines of runs that will not be many are not written."""
    monkeypatch.setattr(index, "_FEW", 1)
    new = RunIndex(tmp_path)
    new.refresh(["houses"], 2)
    for seed in (1, 2):
        new.add(read_run(put(tmp_path, seed), placed=True).record)
    new.refresh(["houses"])
    assert {"houses"} == {path.name for path in tmp_path.iterdir()}


def test_a_line_is_used_only_while_its_folder_is_as_it_was(tmp_path, monkeypatch):
    """Also where that changes before the index has an entry, or the run is there already."""
    for seed in range(RUNS):
        put(tmp_path, seed)
    first = seen(tmp_path)
    new = RunIndex(tmp_path)
    new.refresh(["houses"])
    for seed in (1, 2, 3):
        folder = put(tmp_path, seed, rate=7.0)
        new.add(read_run(folder, placed=True).record)
    put(tmp_path, 2, rate=8.0, main_metric="mae")
    (tmp_path / "houses" / "s3-0000000003" / "model.safetensors").unlink()
    new.refresh(["houses"])
    found = seen(tmp_path)
    assert first != found
    assert truth(tmp_path, monkeypatch) == found
