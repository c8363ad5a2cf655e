"""Runs selected by id, name and settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.config.names import changes_nothing
from nnrun.config.settings import flatten
from nnrun.errors import UsageError
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import select_run
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import JsonMapping
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import setting
from nnrun.runs.storage.sealed import sealed, strict_json

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
