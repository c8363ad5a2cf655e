"""The identity of runs, and runs extended."""

from __future__ import annotations

import json
import shlex
import shutil

import numpy as np
import pytest

from nnrun.config.load import config_from_dict, load_config
from nnrun.errors import NnrunError, UsageError
from nnrun.runs import record as identity
from nnrun.runs.events import Listener
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.preparation.prepare import prepare, prepare_again
from tests.forging import forge, revise, said
from tests.lab import invoke, invoke_well, refused

# A completed run goes on as if it had been asked for all iterations at once.

DEEP = """
name: deep
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: dense, units: 4, activation: tanh}
    - {type: batch_norm}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8, engine: numpy}
"""


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["training.sampling=with_replacement"],
        ["training.optimizer={type: sgd, momentum: 0.9}"],
        ["training.optimizer=adam", "training.dtype=float32"],
        ["training.learning_rate={schedule: cosine, initial: 0.1, final: 0.01}"],
        ["training.learning_rate={schedule: cosine, initial: 0.1, over: 300}"],
        ["training.learning_rate={schedule: warmup_cosine, peak: 0.1, warmup: 20, final: 0.02}"],
        ["training.learning_rate={schedule: step, initial: 0.1, every: 90}"],
        ["training.learning_rate={schedule: cosine_restarts, initial: 0.1, period: 40, growth: 2}"],
        ["training.learning_rate={schedule: one_cycle, peak: 0.1}"],
        ["training.learning_rate={schedule: reduce_on_plateau, initial: 0.3, patience: 1}"],
        [
            "training.learning_rate={schedule: reduce_on_plateau, initial: 0.3, patience: 1}",
            "training.evaluate_rows=9",
        ],
        ["training.evaluate_every=70"],
        ["training.epochs=7"],
        ["training.early_stopping={patience: 100}"],
        ["training.augment={noise: 0.1}"],
        ["training.evaluate_rows=9", "training.early_stopping={patience: 100}"],
    ],
    ids=str,
)
def test_an_extended_run_is_the_longer_run(prepared, store, tmp_path, overrides):
    """Same id, same weights, same learning curve as its config gives all at once."""
    first = train(prepared(DEEP, *overrides), store)
    longer = extend(first.folder, 150)
    outcome = train(longer.prepared, store, extension=longer)
    assert (True, "completed") == (outcome.trained, outcome.record.status)
    run = longer.prepared
    whole = train(prepare_again(config_from_dict(outcome.record.config), run.dataset), None)
    assert whole.record.run_id == outcome.record.run_id != first.record.run_id
    assert whole.record.weights_sha256 == outcome.record.weights_sha256
    assert whole.result.history == outcome.result.history
    assert whole.record.metrics == outcome.record.metrics
    begun = first.record.timing["iterations"]
    assert begun + 150 == outcome.record.timing["iterations"]
    expected = {"run_id": first.record.run_id, "iterations": begun}
    assert expected == json.loads((outcome.folder / "report.json").read_text())["extended_from"]


def test_only_the_new_iterations_are_trained(prepared, store):
    """It starts where the other ended; and again from there, extended twice."""
    first = train(prepared(), store)
    starts = []
    listener = Listener(started=lambda run, at: starts.append(at))
    longer = extend(first.folder, 150)
    second = train(
        longer.prepared,
        store,
        listener,
        extension=longer,
    )
    again = extend(second.folder, 50)
    third = train(again.prepared, store, listener, extension=again)
    assert [200, 350] == starts
    config = config_from_dict(third.record.config)
    whole = train(prepare_again(config, again.prepared.dataset), None)
    assert whole.record.weights_sha256 == third.record.weights_sha256


def test_an_extension_that_was_cut_off_goes_on(prepared, store):
    """From its own checkpoint, to the same bits."""
    first = train(prepared(DEEP), store)
    longer = extend(first.folder, 300)
    seen = []
    half = train(
        longer.prepared,
        store,
        Listener(progressed=lambda run, at: seen.append(at), stop=lambda: len(seen) == 3),
        extension=longer,
    )
    assert "interrupted" == half.record.status
    starts = []
    listener = Listener(started=lambda run, at: starts.append(at))
    end = train(
        longer.prepared,
        store,
        listener,
        extension=longer,
    )
    assert starts[0] > 200
    whole = train(longer.prepared, None)
    assert whole.record.weights_sha256 == end.record.weights_sha256


def test_what_cannot_be_extended_is_reported(prepared, store, tmp_path):
    """Nothing there, stopped early, an evaluation off the grid, other data, damaged weights."""
    with pytest.raises(UsageError, match="there is no run"):
        extend(tmp_path, 10)
    stopped = ("training.early_stopping={patience: 1}", "training.learning_rate=1e-9")
    early = train(prepared(DEEP, *stopped, "training.iterations=2000"), store)
    assert early.record.stopped_early
    with pytest.raises(UsageError, match="it stopped early after"):
        extend(early.folder, 10)
    odd = ("training.early_stopping={patience: 100}", "training.evaluate_every=70")
    with pytest.raises(UsageError, match="early stopping has counted the evaluation at iteration"):
        extend(train(prepared(DEEP, *odd), store).folder, 10)
    half = train(prepared(None, "seed=9"), store, Listener(stop=lambda: True))
    with pytest.raises(UsageError, match="only a completed run can be extended; this is interr"):
        extend(half.folder, 10)
    whole = train(prepared(), store)
    report = whole.folder / "report.json"
    content = said(report)
    revise(report, weights_sha256="0" * 64)
    with pytest.raises(NnrunError, match="its weights are not those of the report"):
        extend(whole.folder, 10)
    other = {**content, "dataset": {**content["dataset"], "sha256": "0" * 64}}
    forge(report, other)
    with pytest.raises(UsageError, match="its data have changed"):
        extend(whole.folder, 10)


NO_GAIN = ["training.learning_rate=1e-300", "training.evaluate_every=50"]


@pytest.mark.parametrize(
    ("iterations", "patience", "made", "early", "message"),
    [
        (130, 2, 130, False, "has counted the evaluation at iteration 130, which a longer run"),
        (150, 2, 150, False, "early stopping ends it after 150 iterations in any case"),
        (200, 2, 150, True, "it stopped early after 150 iterations"),
        (180, 1, 100, True, "it stopped early after 100 iterations"),
    ],
)
def test_a_run_that_made_all_its_iterations_has_not_stopped_early(
    prepared, store, iterations, patience, made, early, message
):
    """Whatever its last evaluation says; and the message names the true reason."""
    stopping = f"training.early_stopping={{patience: {patience}}}"
    run = prepared(None, *NO_GAIN, stopping, f"training.iterations={iterations}")
    outcome = train(run, store)
    record = outcome.record
    assert (made, early) == (record.timing["iterations"], record.stopped_early)
    with pytest.raises(UsageError, match=message) as refused:
        extend(outcome.folder, 50)
    whole = f"nnrun train {outcome.folder}/config.yaml --iterations {iterations + 50}"
    assert (iterations == 130) == str(refused.value).endswith(whole)


@pytest.mark.parametrize(
    ("schedule", "message", "longer"),
    [
        ("cosine, initial: 0.1", "is 0 after iteration 200", ""),
        ("cosine, initial: 0.1, over: 150", "is 0 after iteration 150", "over=300"),
        ("warmup_cosine, peak: 0.1, warmup: 20", "is 0 after iteration 200", ""),
        (
            "warmup_cosine, peak: 1, warmup: 250, final: 0.1",
            "its warmup of 250 iterations is not over",
            "",
        ),
    ],
)
def test_a_schedule_that_has_ended_trains_no_further(prepared, store, schedule, message, longer):
    """It is said, with the command that trains all iterations at once, which works."""
    run = prepared(None, f"training.learning_rate={{schedule: {schedule}}}")
    folder = train(run, store).folder
    with pytest.raises(UsageError, match=message) as refused:
        extend(folder, 100)
    words = shlex.split(str(refused.value).splitlines()[-1])
    expected = ["nnrun", "train", f"{folder}/config.yaml", "--iterations", "300"]
    assert [*expected, *[f"training.learning_rate.{longer}"] * bool(longer)] == words
    done = invoke(*words[1:], "--json", "--results", str(store.root))
    assert (0, 300) == (done.code, done.json["timing"]["iterations"])


def test_the_command_goes_on_with_a_run(tmp_path, monkeypatch):
    """By its name; the report says where it came from; the same command again finds it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep.yaml").write_text(DEEP)

    def extended(*words):
        return invoke("train", *words)

    assert 0 == extended("deep.yaml")[0]
    before = next(tmp_path.glob("results/deep/*")).name
    code, out, err = extended("deep", "--extend", "100")
    assert (0, "continuing from iteration 200\n") == (code, err)
    assert "300 iterations in " in out
    assert f"the first 200 of them in {before}" in " ".join(out.split())
    assert 2 == len(list(tmp_path.glob("results/deep/*")))
    code, _, err = extended(f"deep/{before}", "--extend", "100")
    assert (0, "already trained; --force trains it again\n") == (code, err)
    code, _, err = extended("deep", "seed=4", "--extend", "100")
    assert 2 == code
    assert "--extend takes no overrides" in err


def test_a_folder_travels_with_its_data(tmp_path, monkeypatch):
    """Moved to another place with the data beside it, a run is the same run."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    (tmp_path / "here").mkdir()
    data = tmp_path / "here" / "houses.csv"
    np.savetxt(data, rows, delimiter=",", header="a,b,price", comments="")
    (tmp_path / "here" / "houses.yaml").write_text(
        "dataset: {path: houses.csv, columns: {target: price}, task: regression}\n"
        "network: {sizes: [3, 1], activations: [tanh, linear]}\n"
        "loss: mean_squared\n"
        "training: {learning_rate: 0.01, iterations: 50}\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    invoke_well("train", "houses.yaml")
    (folder,) = (tmp_path / "here" / "results" / "houses").iterdir()
    away = tmp_path / "away" / folder.name
    shutil.move(folder, away)
    shutil.move(data, tmp_path / "away" / "houses.csv")
    shutil.rmtree(tmp_path / "here")
    monkeypatch.chdir(away)
    message = refused("train", "config.yaml")
    assert "dataset.path: " in message
    assert "put it there or beside the config, or name another with dataset.path=FILE" in message
    invoke_well("train", "config.yaml", "dataset.path=../houses.csv")
    assert [folder.name] == [path.name for path in (away / "results" / "houses").iterdir()]
    shutil.copy(tmp_path / "away" / "houses.csv", away)
    invoke_well("train", "config.yaml", "--results", "again")
    assert [folder.name] == [path.name for path in (away / "again" / "houses").iterdir()]
    predicted = invoke("predict", ".", "houses.csv")
    assert (0, 61) == (predicted.code, len(predicted.out.splitlines()))
    invoke_well("train", ".", "--extend", "20")


# What makes two runs the same run.

CSV = """
name: table
dataset: {path: table.csv, columns: {target: price}, task: regression, test_size: 0}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 5}
"""


def write_table(folder, text="size,price\n1,2\n2,4\n3,6\n"):
    folder.mkdir(exist_ok=True)
    (folder / "table.csv").write_text(text)
    (folder / "config.yaml").write_text(CSV)
    return folder / "config.yaml"


def run_of(path, *overrides):
    return prepare(load_config(path, overrides)).run_id


def test_ids_are_sorted_by_their_seeds():
    """As numbers, and other names before them."""
    ids = ["s10-00000000aa", "s7-00000000cc", "s7-00000000bb", "notes", "s1000-00000000aa"]
    assert [3, 2, 1, 0, 4] == [ids.index(i) for i in sorted(ids, key=identity.by_seed)]


def test_moving_the_data_changes_nothing_but_changing_it_does(tmp_path):
    """The digest holds the data itself in place of its path."""
    first = write_table(tmp_path / "first")
    second = write_table(tmp_path / "second")
    assert run_of(first) == run_of(second)
    shutil.copy(first.with_name("table.csv"), tmp_path / "copy.csv")
    assert run_of(first) == run_of(first, f"dataset.path={tmp_path / 'copy.csv'}")
    changed = write_table(tmp_path / "third", "size,price\n1,2\n2,4\n3,7\n")
    assert run_of(first) != run_of(changed)


def test_what_the_data_decide_may_be_written_out(prepared):
    """An explicit value that is what the default comes to names the same run."""
    assert prepared().run_id == prepared(None, "dataset.test_size=0.2").run_id
    assert prepared().run_id == prepared(None, "dataset.task=classification").run_id
    assert prepared().run_id == prepared(None, "training.evaluate_every=10").run_id
    assert prepared().run_id != prepared(None, "dataset.test_size=0.3").run_id
    assert prepared().run_id != prepared(None, "training.evaluate_every=20").run_id
    digits = ("dataset.name=mnist_5k", "network.sizes=[10]", "network.activations=[softmax]")
    given = prepared(None, *digits).run_id
    assert given == prepared(None, *digits, "dataset.test_size=given").run_id
    assert given != prepared(None, *digits, "dataset.test_size=0.2").run_id


def test_options_of_a_data_set_are_part_of_it(prepared):
    """Each makes other data; written out at their defaults they change nothing."""
    moons = ("dataset.name=moons", "network.sizes=[4, 2]")
    plain = prepared(None, *moons).run_id
    assert plain == prepared(None, *moons, "dataset.rows=1000", "dataset.seed=0").run_id
    for option in ("dataset.rows=1001", "dataset.noise=0.2", "dataset.seed=1"):
        assert plain != prepared(None, *moons, option).run_id


def test_a_new_version_of_the_numerics_is_another_run(prepared, monkeypatch):
    """Numbers from before and after a change of bits never share a folder."""
    before = prepared().run_id
    monkeypatch.setattr(identity, "NUMERICS_VERSION", 999)
    assert before != prepared().run_id
