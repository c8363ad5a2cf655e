"""Runs selected by id, name and settings, and runs in progress."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from nnrun import NUMERICS_VERSION
from nnrun.config.load import load_config
from nnrun.config.names import changes_nothing
from nnrun.config.settings import flatten
from nnrun.errors import UsageError
from nnrun.reports.terminal.runs import runs_table
from nnrun.runs.catalog import index
from nnrun.runs.catalog import live as module
from nnrun.runs.catalog.index import FILE, WORTH, RunIndex, look
from nnrun.runs.catalog.index_file import IndexFile
from nnrun.runs.catalog.live import LiveRuns
from nnrun.runs.catalog.select import select_run
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import JsonMapping
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import Replicate, setting
from nnrun.runs.storage.reading import list_runs
from nnrun.runs.storage.sealed import sealed, strict_json
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep
from nnrun.training.trainer import Progress
from tests.lab import invoke
from tests.sweeps.helpers import IRIS, Diary, make_store, run_inline

# The words that stand for a run.


@pytest.fixture
def results(prepared, store):
    """Copies of one run under other names, ids and times; `iris/s3-bb…` is the newest."""
    record = train(prepared(), store).record
    for name, run_id, hour in (
        ("iris", "s3-aa11", "2025-01-01T12"),
        ("iris", "s3-bb22", "2025-01-01T14"),
        ("iris", "s31-cc33", "2025-01-01T13"),
        ("digits", "s1-dd44", "2025-01-01T11"),
    ):
        copied = replace(record, name=name, run_id=run_id, started=f"{hour}:00:00+00:00")
        folder = store.root.parent / "copies" / name / run_id
        folder.mkdir(parents=True)
        (folder / "report.json").write_bytes(sealed(strict_json(copied.to_dict()).encode()))
    return store.root.parent / "copies"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("latest", "iris/s3-bb22"),
        ("iris", "iris/s3-bb22"),
        ("digits", "digits/s1-dd44"),
        ("digits/", "digits/s1-dd44"),
        ("iris/s3-a", "iris/s3-aa11"),
        ("iris/s31", "iris/s31-cc33"),
        ("iris/s3-bb22", "iris/s3-bb22"),
    ],
)
def test_a_run_is_found_by_its_name_or_its_start(results, word, expected):
    """A name is its newest run, whatever the order of the ids."""
    assert results / expected == select_run(word, results)


@pytest.mark.parametrize("root", ["copies", "./copies", None])
def test_the_results_folder_may_stand_before_a_name(results, monkeypatch, root):
    """As shells complete it; but an experiment that is called like it is meant first."""
    monkeypatch.chdir(results.parent)
    root = results if root is None else Path(root)
    assert root / "iris/s3-bb22" == select_run(f"{root}/iris", root)
    assert root / "iris/s31-cc33" == select_run(f"{root}/iris/s31", root)
    assert root / "digits/s1-dd44" == select_run(f"{root}/digits/", root)
    with pytest.raises(UsageError, match="is called 'irsi'; did you mean 'iris'"):
        select_run(f"{root}/irsi", root)
    (root / "digits").rename(root / "copies")
    if not root.is_absolute():
        assert root / "copies/s1-dd44" == select_run("copies/s1", root)


def test_a_folder_is_found_wherever_it_lies(results, tmp_path):
    """A path comes before a name, and needs no results folder."""
    folder = results / "iris" / "s3-aa11"
    assert folder == select_run(str(folder), tmp_path / "none")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("irsi", "no run in {root} is called 'irsi'; did you mean 'iris'?"),
        ("irsi/s3", "no run in {root} is called 'irsi'; did you mean 'iris'?"),
        ("iris/s3", "'iris/s3' is the start of 2 runs; there are s3-aa11, s3-bb22"),
        ("digits/s9", "no run of digits in {root} starts with 's9'; there is s1-dd44"),
        ("../iris", "'../iris' is no run folder; a run is also named by its experiment"),
        ("iris/s3-aa11/x", "'iris/s3-aa11/x' is no run folder"),
    ],
)
def test_what_names_no_run_is_reported(results, word, expected):
    """With what there is instead, where that helps."""
    with pytest.raises(UsageError) as caught:
        select_run(word, results)
    assert str(caught.value).startswith(expected.format(root=results))


def test_a_packed_run_is_named_as_one(results, tmp_path):
    """Commands that take folders alone say which take the file, and how they get it."""
    packed = tmp_path / "anna.zip"
    packed.write_bytes(b"")
    with pytest.raises(UsageError, match="' is a packed run, which show, verify"):
        select_run(str(packed), results)


def test_without_any_run_there_is_no_latest(tmp_path):
    """An empty folder and a missing one have messages of their own."""
    with pytest.raises(UsageError, match="there is no run in"):
        select_run("latest", tmp_path)
    with pytest.raises(UsageError, match="there is no results folder"):
        select_run("latest", tmp_path / "none")


def test_a_damaged_report_is_not_the_newest(results):
    """What cannot be read is passed over, but found by its id."""
    damaged = Path(results / "iris" / "s9-ee55")
    damaged.mkdir()
    (damaged / "report.json").write_text(json.dumps({"started": "2099"}))
    assert results / "iris" / "s3-bb22" == select_run("iris", results)
    assert damaged == select_run("iris/s9", results)


def test_the_newest_of_one_second(prepared, store):
    """A run that was started after another is newer, to the microsecond; its id has no say."""
    for shorter in range(3, 9):
        started = [train(prepared(None, f"training.iterations={n}", "seed=1"), store).record.started
                   for n in (shorter, shorter + 10)]  # fmt: skip
        assert started == sorted(set(started))
        (last,) = [run for run in look(store.root, ("tiny",)) if run.started == started[1]]
        assert store.root / last.label == select_run("tiny", store.root)


def test_runs_with_one_start_are_distinguished(prepared, store):
    """By the settings in which they differ, as after a sweep over learning rates."""
    for rate in ("0.25", "0.5"):
        train(prepared(None, f"training.learning_rate={rate}"), store)
    with pytest.raises(UsageError) as caught:
        select_run("tiny/s3", store.root)
    message = str(caught.value)
    assert [True, True] == [f" (learning_rate={rate})" in message for rate in ("0.25", "0.5")]


# The settings of stored runs, by which runs are found to be of one setting.

DATA = "size,town,price\n" + "".join(f"{n},{'AB'[n % 2]},{3 * n}\n" for n in range(40))
TODAY = """\
name: houses
dataset: {path: houses.csv, columns: {target: price, categorical: [town]}, features: standard}
network: {sizes: [2, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 2, batch_size: 8}
"""


@pytest.fixture
def read(tmp_path):
    """Reads the text of a config: prepared, and as it is written."""
    (tmp_path / "houses.csv").write_text(DATA)

    def load(text, *overrides):
        (tmp_path / "houses.yaml").write_text(text)
        experiment = load_config(tmp_path / "houses.yaml", overrides)
        return prepare(experiment), experiment.source.data

    return load


def test_a_watched_run_is_of_the_same_setting(read):
    """Its numbers are those of a run that is not watched."""
    plain, watched = (
        train(read(TODAY, f"training.watch={word}")[0], None).result.record
        for word in ("false", "true")
    )
    assert dict(settings_of(plain)) == dict(settings_of(watched))


@pytest.mark.parametrize(
    "words",
    [[], ["dataset.columns.categorical=[]", "dataset.columns.drop=[town]"], ["dataset.folds=3"]],
)
def test_a_config_of_today_has_all_keys(read, words):
    """Lists are filtered by all of them, those with their default included."""
    prepared, _ = read(TODAY, *words)
    record = train(prepared, None).result.record
    written = {k for k in flatten(setting(record.config)) if not changes_nothing(k)}
    assert written - {"dataset.path"} | {"dataset.sha256"} == settings_of(record).keys()


def test_settings_with_the_same_keys_share_them():
    """Of 20,000 settings the keys would take more memory than the values."""
    one, other = (JsonMapping(f'{{"training.epochs": {n}, "loss": "huber"}}') for n in (1, 2))
    assert {"training.epochs": 2, "loss": "huber"} == other.plain
    assert all(a is b for a, b in zip(one, other, strict=True))


# The catalog beside live runs, after it is closed, and runs of other numerics.

# All runs of a folder, kept up to date.


def shown(live):
    return [
        (run.run_id.partition("-")[0], run.status, run.seed if run.is_sound else None)
        for run in live.runs
    ]


def seeds(keys):
    return sorted(run_id.partition("-")[0] for _, run_id in keys)


def test_runs_come_change_and_go(prepared, store):
    """From its lease to its end a run is what it is at each look; nothing is reported twice."""
    train(prepared(None, "seed=1"), store)
    live = LiveRuns(store.root)
    assert ["s1"] == seeds(live.look())
    run = prepared(None, "seed=2")
    about = Replicate(2), run.config_dict, "ab" * 32
    with begin(store, "tiny", run.run_id) as lease:
        lease.note(None, lambda: about)
        assert ["s2"] == seeds(live.look())
        assert [("s1", "completed", 1), ("s2", "queued", None)] == shown(live)
        lease.note(Progress(0, 200, None, 0.0), lambda: about)
        assert ["s2"] == seeds(live.look())
        assert "running" == live.get(("tiny", run.run_id)).status
        lease.conclude(train(run, None).result)
    assert ["s2"] == seeds(live.look())
    assert [("s1", "completed", 1), ("s2", "completed", 2)] == shown(live)
    assert [] == seeds(live.look())
    shutil.rmtree(store.root / "tiny" / run.run_id)
    assert ["s2"] == seeds(live.look())
    assert [("s1", "completed", 1)] == shown(live)


def test_a_killed_run_is_found(prepared, store):
    """Its lock ends with its process, and changes no file."""
    run = prepared(None, "seed=2")
    live = LiveRuns(store.root)
    lease = begin(store, "tiny", run.run_id)
    lease.note(Progress(0, 200, None, 0.0), lambda: (Replicate(2), run.config_dict, "ab" * 32))
    live.look()
    assert [("s2", "running", None)] == shown(live)
    lease._folder._lock.close()
    assert ["s2"] == seeds(live.look())
    assert [("s2", "interrupted", None)] == shown(live)


def test_changes_among_many_are_found_in_turn(prepared, store, monkeypatch):
    """Each look asks a part of the runs that had ended."""
    monkeypatch.setattr(module, "_OTHERS", 2)
    for seed in range(5):
        train(prepared(None, f"seed={seed}"), store)
    live = LiveRuns(store.root)
    live.look()
    folder = next((store.root / "tiny").glob("s3-*"))
    (folder / "report.json").write_text("{}")
    assert ["s3"] == [seed for _ in range(3) for seed in seeds(live.look())]
    assert ("s3", "damaged", None) in shown(live)


def tree(root):
    """Every file and folder with its content and times."""
    found = [root, *root.rglob("*")]
    return {
        path: (os.stat(path).st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in found
    }


@pytest.mark.parametrize("state", ["whole", "some", "damaged", "old", "none"])
def test_the_index_is_read_and_not_written(prepared, store, state):
    """Whether it has all runs, some, or cannot be used; the runs are the same."""
    for seed in range(3):
        train(prepared(None, f"seed={seed}"), store)
    file = store.root / FILE
    sqlite3.connect(file).close()
    file.touch()
    assert 3 == len(look(store.root)) < WORTH
    if state == "some":
        train(prepared(None, "seed=3"), store)
        (folder,) = (store.root / "tiny").glob("s1-*")
        (folder / "report.json").touch()
    if state == "old":
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
    if state == "damaged":
        file.write_bytes(b"x" * 5000)
    if state == "none":
        file.unlink()
    before = tree(store.root)
    live = LiveRuns(store.root)
    live.look()
    expected = [(f"s{n}", "completed", n) for n in range(3 + (state == "some"))]
    assert expected == shown(live)
    assert before == tree(store.root)


def test_a_folder_that_comes_back_is_read_through_the_index(prepared, store, monkeypatch):
    """As one that was moved away and back: many runs that are new are not read one by one."""
    monkeypatch.setattr(module, "WORTH", 3)
    for seed in range(3):
        train(prepared(None, f"seed={seed}"), store)
    sqlite3.connect(store.root / FILE).close()
    (store.root / FILE).touch()
    look(store.root)
    live = LiveRuns(store.root)
    live.look()
    away = store.root.rename(store.root.with_name("away"))
    assert (3, []) == (len(live.look()), live.runs)
    away.rename(store.root)
    monkeypatch.setattr(module, "read_summary", lambda *_, **__: None)
    assert 3 == len(live.look())
    assert [(f"s{n}", "completed", n) for n in range(3)] == shown(live)


# The database of an index is closed when it is not needed; otherwise Python 3.13 warns.


@pytest.fixture
def opened(monkeypatch):
    """The databases that are opened while a test runs."""
    found, connect = [], sqlite3.connect

    def connecting(*arguments, **keywords):
        found.append(connect(*arguments, **keywords))
        return found[-1]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    return found


def closed(database):
    """Whether a database takes no statement any more."""
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        database.execute("SELECT 1")
    return True


def test_a_damaged_file_is_closed(opened, tmp_path):
    """`IndexFile` closes the database itself where it raises."""
    (tmp_path / FILE).write_bytes(b"no database, however long one looks at it" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        IndexFile(tmp_path / FILE)
    assert [True] == [*map(closed, opened)]


def test_a_sweep_closes_it(opened, tmp_path, monkeypatch):
    """Also one that finds all its runs there, and trains none."""
    monkeypatch.setattr(index, "WORTH", 1)
    config = tmp_path / "iris.yaml"
    config.write_text(IRIS)
    plan = make_plan({"iris": config}, Arguments.parse([], 2, None), Datasets())
    for trained in (2, 0):
        store = make_store(tmp_path / "results")
        assert isinstance(store.index, RunIndex)
        assert trained == run_inline(Sweep(plan, store, Datasets(), Diary())).trained
    assert len(opened) >= 3
    assert all(map(closed, opened))


# A run that was begun under other numerics cannot be continued, and is not said to be.

WHY = "has other numerics, and cannot continue what another has begun; train anew, and remove the"


def killed(run, store):
    """A run whose process has gone after its first second."""
    lease = begin(store, "tiny", run.run_id)
    lease.note(Progress(0, 200, None, 0.0), lambda: (Replicate(2), run.config_dict, "ab" * 32))
    lease._folder._lock.close()


def interrupted(run, store):
    """A run that was stopped by Ctrl-C."""
    train(run, store, Listener(stop=lambda: True))


def test_nothing_is_said_of_runs_that_have_not_begun_or_ended_early(prepared, store, monkeypatch):
    """Those that waited in a sweep are no runs yet; a search has no use for what it ended."""
    lease = begin(store, "tiny", prepared().run_id)
    lease.note(None, lambda: (Replicate(3), prepared().config_dict, "ab" * 32))
    lease._folder._lock.close()
    monkeypatch.setattr("nnrun.runs.storage.reading.NUMERICS_VERSION", NUMERICS_VERSION + 1)
    assert [] == [*list_runs(store.root)]
    interrupted(prepared(None, "seed=2"), store)
    (run,) = look(store.root)
    for early in (frozenset(), frozenset({(run.name, run.run_id)})):
        console = Console(file=StringIO(), width=200)
        console.print(runs_table([run], 1, {}, searched=({}, early)))
        assert (WHY in console.file.getvalue()) == (not early)


@pytest.mark.parametrize("numerics", [NUMERICS_VERSION, NUMERICS_VERSION + 1])
@pytest.mark.parametrize("ended", [killed, interrupted])
def test_lists_and_show_say_so(prepared, store, monkeypatch, ended, numerics):
    """Whether its process was killed or ended by itself; nothing is said of a run that goes on."""
    ended(prepared(None, "seed=2"), store)
    monkeypatch.setattr("nnrun.runs.storage.reading.NUMERICS_VERSION", numerics, raising=False)
    for command in (["ls"], ["show", "tiny"]):
        done = invoke(*command, "--results", str(store.root))
        shown = " ".join(done.out.split())
        assert "interrupted" in shown
        assert (numerics != NUMERICS_VERSION) == (WHY in shown)
